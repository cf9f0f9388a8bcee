/**
 * Checkpoints: what a fold had come to at some positions of a log, kept beside it, so that a fold need not begin at the
 * first event.
 *
 * They lie in packs, one snapshot of the journal's each: a pack at position `n` has the checkpoints from the pack before
 * it up to `n`. The journal binds a snapshot to the log's hash, so that one that is damaged, or of another log, is not
 * there; then the fold begins further ahead and keeps what it comes by. A short log has none.
 *
 * A pack begins with the places of its checkpoints: their number, then of each the position, the time, the first time
 * and the latest (varints). Behind them is what the fold wrote.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter } from "@pfnscope/journal"
import type { Envelope, ReadError, Snapshots } from "@pfnscope/journal"
import type { Event, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Position } from "./position.ts"

/** Events of a pack: what is read, and found sound or not, at once. */
const PACK = 32_768

/** Bytes of a fold's packs that are kept in memory. */
const AT_HAND = 1 << 25

/**
 * A place in a log: the position and time (ns) of an event, the time of the first event, and the latest time up to
 * there. The last two are those by which times are looked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  readonly seq: number
  readonly t: number
  readonly first: number
  readonly latest: number
}

/** Before the first event. @category constants @since 0.1.0 */
export const START: Place = { seq: 0, t: 0, first: 0, latest: -Infinity }

/** Whether a place is at or before a position. @category queries @since 0.1.0 */
const isUpTo = (position: Position, { first, latest, seq }: Place): boolean => {
  switch (position._tag) {
    case "Seq":
      return seq <= position.seq
    case "Time":
      return latest <= position.nanos
    case "Elapsed":
      return latest <= first + position.nanos
    case "End":
      return true
  }
}

/**
 * A fold that can be put aside and taken up again. `version` goes up with every change of the meaning, or of the layout,
 * of what is saved. `every` is how many events lie between two checkpoints: what is folded at most, on a log that was
 * folded before.
 *
 * `open` is given sound bytes of the same name and version, and the places of their checkpoints; it gives what takes up
 * the i-th of them, or none where the bytes are not of this world all the same.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resumable<S> {
  readonly name: string
  readonly version: number
  readonly every: number
  readonly start: (world: World) => S
  readonly place: (state: S) => Place
  readonly advance: (state: S, event: Envelope<Event>) => void
  readonly pack: () => Pack<S>
  readonly open: (world: World, bytes: Uint8Array, places: ReadonlyArray<Place>) => (i: number) => Option.Option<S>
}

/** Checkpoints on their way into bytes, in the order of their positions. @category models @since 0.1.0 */
export interface Pack<S> {
  readonly add: (state: S) => void
  readonly bytes: () => Uint8Array
}

/** The checkpoints beside one log. @category models @since 0.1.0 */
export interface Checkpoints<E = ReadError> {
  /** The fold as it was at the last checkpoint up to a position. */
  readonly nearest: <S>(fold: Resumable<S>, world: World, position: Position) => Effect.Effect<Option.Option<S>, E>
  /** What keeps the checkpoints that a fold comes by. */
  readonly keeper: <S>(fold: Resumable<S>) => Keeper<S, E>
}

/** Takes note of a fold after each event; `keep` saves the packs that are full, `end` all there is. @category models @since 0.1.0 */
export interface Keeper<S, E> {
  readonly note: (state: S, seq: number) => void
  readonly isFull: () => boolean
  readonly keep: Effect.Effect<void, E>
  readonly end: Effect.Effect<void, E>
}

/** Keeps nothing. @category constructors @since 0.1.0 */
export const NO_KEEPER: Keeper<unknown, never> = {
  note: () => {},
  isFull: () => false,
  keep: Effect.void,
  end: Effect.void
}

/** How far a fold is that goes through much of a log: behind the event `seq`, and whether that is the last. @category models @since 0.1.0 */
export interface FoldProgress {
  readonly fold: string
  readonly seq: number
  readonly isOver: boolean
}

/**
 * How far apart checkpoints are, where that is not as each fold has it, and how many events make a pack; who is told
 * when a fold has gone through a pack, and when it is over.
 *
 * @category models
 * @since 0.1.0
 */
export interface CheckpointOptions {
  readonly every?: number | undefined
  readonly pack?: number | undefined
  readonly progress?: ((progress: FoldProgress) => Effect.Effect<void>) | undefined
}

/**
 * The checkpoints of a log, by its journal's snapshots. Where they cannot be written, there are none the next time.
 *
 * @category constructors
 * @since 0.1.0
 */
export const checkpointsOf = (
  snapshots: Snapshots,
  { every, pack: packed = PACK, progress = () => Effect.void }: CheckpointOptions = {}
): Checkpoints => {
  const shelves = new Map<string, Shelf>()
  const shelfOf = Effect.fnUntraced(function*({ name, version }: { readonly name: string; readonly version: number }) {
    const key = `${name}-${version}`
    const known = shelves.get(key)
    if (known !== undefined) return known
    const shelf: Shelf = {
      positions: [...yield* snapshots.positions(name, version)],
      packs: new Map(),
      bytes: 0,
      isTidy: false
    }
    shelves.set(key, shelf)
    return shelf
  })

  /** The pack at a position, none when it is not sound: then it is no more. */
  const open = Effect.fnUntraced(function*<S>(fold: Resumable<S>, shelf: Shelf, world: World, seq: number) {
    const atHand = shelf.packs.get(seq)
    if (atHand !== undefined) {
      // The one that was asked for last is forgotten last.
      putAway(shelf, seq)
      remember(shelf, seq, atHand)
      return atHand as Opened<S>
    }
    const snapshot = yield* snapshots.at(fold.name, fold.version, seq)
    const found = snapshot === null ? undefined : openPack(fold, world, snapshot.bytes)
    if (found?.places.at(-1)?.seq === seq) {
      remember(shelf, seq, found)
      return found
    }
    forget(shelf, seq)
    return undefined
  })

  /** The place of the last checkpoint of a pack: a pack that is looked for by position need not be opened for it. */
  const lastPlaceOf = Effect.fnUntraced(function*<S>(
    fold: Resumable<S>,
    shelf: Shelf,
    world: World,
    position: Position,
    seq: number
  ) {
    if (position._tag === "Seq" || position._tag === "End") return { ...START, seq }
    return (yield* open(fold, shelf, world, seq))?.places.at(-1)
  })

  /** How many packs end at or before a position. Searched again where a pack turns out to be none. */
  const packsUpTo = Effect.fnUntraced(function*<S>(
    fold: Resumable<S>,
    shelf: Shelf,
    world: World,
    position: Position
  ) {
    let low = 0
    let high = shelf.positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const last = yield* lastPlaceOf(fold, shelf, world, position, shelf.positions[middle]!)
      if (last === undefined) {
        low = 0
        high = shelf.positions.length
      } else if (isUpTo(position, last)) low = middle + 1
      else high = middle
    }
    return low
  })

  const nearest = Effect.fnUntraced(function*<S>(
    fold: Resumable<S>,
    world: World,
    position: Position
  ): Effect.fn.Return<Option.Option<S>, ReadError> {
    const shelf = yield* shelfOf(fold)
    const upTo = yield* packsUpTo(fold, shelf, world, position)
    // It is in the pack that reaches beyond the position, or ends the one before.
    for (const seq of [shelf.positions[upTo], shelf.positions[upTo - 1]]) {
      if (seq === undefined) continue
      const pack = yield* open(fold, shelf, world, seq)
      if (pack === undefined) return yield* nearest(fold, world, position)
      const i = pack.places.findLastIndex((place) => isUpTo(position, place))
      if (i < 0) continue
      const state = pack.resume(i)
      if (Option.isSome(state)) return state
      forget(shelf, seq)
      return yield* nearest(fold, world, position)
    }
    return Option.none()
  })

  const savePack = Effect.fnUntraced(function*<S>(fold: Resumable<S>, seq: number, bytes: Uint8Array) {
    const shelf = yield* shelfOf(fold)
    if (shelf.positions.includes(seq)) return
    yield* dropEarlier(snapshots, fold, shelf)
    const saved = yield* Effect.option(snapshots.save(fold.name, fold.version, seq, bytes))
    if (Option.isNone(saved)) return
    shelf.positions.push(seq)
    shelf.positions.sort((a, b) => a - b)
  })

  const keeper = <S>(fold: Resumable<S>): Keeper<S, ReadError> => {
    let pack = fold.pack()
    let places: Array<Place> = []
    let full: Array<Effect.Effect<void, ReadError>> = []
    let told = 0
    const seal = (last: Place): void => {
      full.push(savePack(fold, last.seq, packOf(places, pack.bytes())))
      pack = fold.pack()
      places = []
    }
    const save = Effect.suspend(() => {
      const saves = full
      full = []
      return Effect.all(saves, { discard: true })
    })
    const tell = (isOver: boolean) => Effect.suspend(() => progress({ fold: fold.name, seq: told, isOver }))
    return {
      note: (state, seq) => {
        if (seq % (every ?? fold.every) !== 0) return
        const place = fold.place(state)
        places.push(place)
        pack.add(state)
        if (seq % packed !== 0) return
        seal(place)
        told = seq
      },
      isFull: () => full.length > 0,
      keep: Effect.andThen(save, tell(false)),
      end: Effect.suspend(() => {
        const last = places.at(-1)
        if (last !== undefined) seal(last)
        return told === 0 ? save : Effect.andThen(save, tell(true))
      })
    }
  }

  return { nearest, keeper }
}

/** The packs of one fold: the positions of those that there are, ascending, and those in memory by position. */
interface Shelf {
  readonly positions: Array<number>
  readonly packs: Map<number, Opened<unknown>>
  bytes: number
  isTidy: boolean
}

const remember = (shelf: Shelf, seq: number, pack: Opened<unknown>): void => {
  shelf.packs.set(seq, pack)
  shelf.bytes += pack.bytes
  for (const oldest of shelf.packs.keys()) {
    if (shelf.bytes <= AT_HAND || oldest === seq) return
    putAway(shelf, oldest)
  }
}

const putAway = (shelf: Shelf, seq: number): void => {
  shelf.bytes -= shelf.packs.get(seq)?.bytes ?? 0
  shelf.packs.delete(seq)
}

const forget = (shelf: Shelf, seq: number): void => {
  putAway(shelf, seq)
  shelf.positions.splice(shelf.positions.indexOf(seq), 1)
}

/** What earlier versions of a fold have left is of no use to anybody. */
const dropEarlier = (
  snapshots: Snapshots,
  { name, version }: { readonly name: string; readonly version: number },
  shelf: Shelf
): Effect.Effect<void> => {
  if (shelf.isTidy) return Effect.void
  shelf.isTidy = true
  const earlier = Array.from({ length: version - 1 }, (_, i) => i + 1)
  return Effect.forEach(earlier, (old) => Effect.ignore(snapshots.drop(name, old)), { discard: true })
}

/** A pack that was read: where its checkpoints are, and what takes up the i-th. */
interface Opened<S> {
  readonly bytes: number
  readonly places: ReadonlyArray<Place>
  readonly resume: (i: number) => Option.Option<S>
}

const packOf = (places: ReadonlyArray<Place>, folded: Uint8Array): Uint8Array => {
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

const openPack = <S>(fold: Resumable<S>, world: World, bytes: Uint8Array): Opened<S> | undefined => {
  const input = new ByteReader(bytes)
  const count = input.varint()
  if (count > input.left) return undefined
  const places = Array.from({ length: count }, (): Place => ({
    seq: input.varint(),
    t: input.int(),
    first: input.int(),
    latest: input.int()
  }))
  if (input.fault !== null) return undefined
  return { bytes: bytes.length, places, resume: fold.open(world, bytes.subarray(input.at), places) }
}
