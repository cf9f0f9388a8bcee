/**
 * The packs of checkpoints of one fold beside one log.
 *
 * A pack begins with the places of its checkpoints: their number, then of each the position, the time, the first time and
 * the latest (varints). Behind them is what the fold wrote. One more snapshot has the last places of all packs, in the same
 * way: a time is looked for there, and not in the packs.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter } from "@pfnscope/journal"
import type { ReadError, Snapshots } from "@pfnscope/journal"
import type { World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Place, Resumable } from "./checkpoint.ts"

/** Bytes of a fold's packs that are kept in memory. */
const AT_HAND = 1 << 25

/** A pack that was read: where its checkpoints are, and what takes up the i-th. @category models @since 0.1.0 */
export interface OpenPack<S> {
  readonly world: World
  readonly bytes: number
  readonly places: ReadonlyArray<Place>
  readonly resume: (i: number) => Option.Option<S>
}

/**
 * The packs of a fold. `positions` are those that there are packs for, ascending.
 *
 * - `open` gives the pack at a position, none when it is not sound: then it is no more.
 * - `lastPlace` gives the place of the last checkpoint of a pack, none when that is not sound.
 * - `save` does nothing where there is a pack, or none can be written; `saveLastPlaces` when there are new ones.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shelf<S> {
  readonly positions: ReadonlyArray<number>
  readonly open: (world: World, seq: number) => Effect.Effect<OpenPack<S> | undefined, ReadError>
  readonly lastPlace: (world: World, seq: number) => Effect.Effect<Place | undefined, ReadError>
  readonly forget: (seq: number) => void
  readonly save: (places: ReadonlyArray<Place>, folded: Uint8Array) => Effect.Effect<void>
  readonly saveLastPlaces: Effect.Effect<void>
}

/** The shelf of a fold. @category constructors @since 0.1.0 */
export const shelfOf = Effect.fnUntraced(function*<S>(snapshots: Snapshots, fold: Resumable<S>) {
  const { name, version } = fold
  const positions = [...yield* snapshots.positions(name, version)]
  const atHand = packsAtHand<S>()
  const ends = new Map<number, Place>()
  // Made at the first time that is looked for: a position needs none.
  const readEnds = yield* Effect.cached(Effect.map(snapshots.latest(endsOf(name), version), (found) => {
    for (const end of found === null ? [] : readPlaces(new ByteReader(found.bytes)) ?? []) ends.set(end.seq, end)
  }))
  const tidy = yield* Effect.cached(dropEarlier(snapshots, fold))
  let isNew = false

  const forget = (seq: number): void => {
    atHand.remove(seq)
    ends.delete(seq)
    positions.splice(positions.indexOf(seq), 1)
  }

  const open = Effect.fnUntraced(function*(world: World, seq: number) {
    const known = atHand.get(seq)
    // A log without a world in its header has another one when it has grown.
    if (known?.world === world) return known
    const snapshot = yield* snapshots.at(name, version, seq)
    const found = snapshot === null ? undefined : openPack(fold, world, snapshot.bytes)
    if (found?.places.at(-1)?.seq === seq) {
      atHand.put(seq, found)
      return found
    }
    forget(seq)
    return undefined
  })

  const lastPlace = Effect.fnUntraced(function*(world: World, seq: number) {
    yield* readEnds
    const end = ends.get(seq) ?? (yield* open(world, seq))?.places.at(-1)
    if (end !== undefined) ends.set(seq, end)
    return end
  })

  const save = Effect.fnUntraced(function*(places: ReadonlyArray<Place>, folded: Uint8Array) {
    const end = places.at(-1)!
    if (positions.includes(end.seq)) return
    yield* tidy
    const saved = yield* Effect.option(snapshots.save(name, version, end.seq, withPlaces(places, folded)))
    if (Option.isNone(saved)) return
    positions.push(end.seq)
    positions.sort((a, b) => a - b)
    ends.set(end.seq, end)
    isNew = true
  })

  const saveLastPlaces = Effect.suspend(() => {
    if (!isNew || positions.length === 1) return Effect.void
    isNew = false
    return Effect.ignore(Effect.gen(function*() {
      yield* readEnds
      const all = positions.flatMap((seq) => ends.get(seq) ?? [])
      yield* snapshots.drop(endsOf(name), version)
      yield* snapshots.save(endsOf(name), version, positions.at(-1)!, withPlaces(all, new Uint8Array(0)))
    }))
  })

  return { positions, open, lastPlace, forget, save, saveLastPlaces } satisfies Shelf<S>
})

const endsOf = (name: string): string => `${name}.ends`

/** The packs that were asked for last, by position. */
const packsAtHand = <S>() => {
  const packs = new Map<number, OpenPack<S>>()
  let bytes = 0
  const remove = (seq: number): void => {
    bytes -= packs.get(seq)?.bytes ?? 0
    packs.delete(seq)
  }
  const put = (seq: number, pack: OpenPack<S>): void => {
    remove(seq)
    packs.set(seq, pack)
    bytes += pack.bytes
    for (const oldest of packs.keys()) {
      if (bytes <= AT_HAND || oldest === seq) return
      remove(oldest)
    }
  }
  const get = (seq: number): OpenPack<S> | undefined => {
    const pack = packs.get(seq)
    if (pack === undefined) return undefined
    // The one that was asked for last is forgotten last.
    put(seq, pack)
    return pack
  }
  return { get, put, remove }
}

/** What earlier versions of a fold have left is of no use to anybody. */
const dropEarlier = (
  snapshots: Snapshots,
  { name, version }: { readonly name: string; readonly version: number }
): Effect.Effect<void> => {
  const earlier = Array.from({ length: version - 1 }, (_, i) => i + 1)
  const old = earlier.flatMap((n) => [snapshots.drop(name, n), snapshots.drop(endsOf(name), n)])
  return Effect.forEach(old, (drop) => Effect.ignore(drop), { discard: true })
}

const withPlaces = (places: ReadonlyArray<Place>, folded: Uint8Array): Uint8Array => {
  const out = new ByteWriter()
  out.varint(places.length)
  for (const { first, latest, seq, t } of places) {
    out.varint(seq)
    out.int(t)
    out.int(first)
    out.int(latest)
  }
  out.raw(folded)
  return out.bytes.slice(0, out.length)
}

const readPlaces = (input: ByteReader): ReadonlyArray<Place> | undefined => {
  const count = input.varint()
  if (count > input.left) return undefined
  const places = Array.from({ length: count }, (): Place => ({
    seq: input.varint(),
    t: input.int(),
    first: input.int(),
    latest: input.int()
  }))
  return input.fault === null ? places : undefined
}

const openPack = <S>(fold: Resumable<S>, world: World, bytes: Uint8Array): OpenPack<S> | undefined => {
  const input = new ByteReader(bytes)
  const places = readPlaces(input)
  return places === undefined
    ? undefined
    : { world, bytes: bytes.length, places, resume: fold.open(world, bytes.subarray(input.at), places) }
}
