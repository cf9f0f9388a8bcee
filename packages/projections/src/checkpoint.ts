/**
 * Checkpoints: what a fold had come to at some positions of a log, kept beside it, so that a fold need not begin at the
 * first event.
 *
 * They lie in packs, one snapshot of the journal's each: a pack at position `n` has the checkpoints from the pack before
 * it up to `n`. The journal binds a snapshot to the log's hash, so that one that is damaged, or of another log, is not
 * there; then the fold begins further ahead and keeps what it comes by. A log that is shorter than {@link EVERY}
 * has none.
 *
 * @since 0.1.0
 */
import type { Envelope, ReadError, Snapshots } from "@pfnscope/journal"
import type { Event, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Position } from "./position.ts"

/** Events from one checkpoint to the next: what is folded at most, on a log that was folded before. @category constants @since 0.1.0 */
const EVERY = 2048

/** Checkpoints in a pack: what is read, and found sound or not, at once. @category constants @since 0.1.0 */
const IN_A_PACK = 16

/** Packs that are kept in memory. */
const AT_HAND = 32

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
 * A fold that can be put aside and taken up again: `S` is what it works on, `C` a copy that nothing changes any more.
 *
 * `decode` is given sound bytes of the same name and version, and gives none where they are not of this world all the
 * same. `version` goes up with every change of the meaning, or of the layout, of what is saved.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resumable<S, C extends Place> {
  readonly name: string
  readonly version: number
  readonly start: (world: World) => S
  readonly place: (state: S) => Place
  readonly advance: (state: S, event: Envelope<Event>) => void
  readonly copy: (state: S) => C
  readonly resume: (world: World, copy: C) => S
  readonly encode: (copies: ReadonlyArray<C>) => Uint8Array
  readonly decode: (world: World, bytes: Uint8Array) => Option.Option<ReadonlyArray<C>>
}

/** The checkpoints beside one log. @category models @since 0.1.0 */
export interface Checkpoints<E = ReadError> {
  /** The last checkpoint up to a position. */
  readonly nearest: <S, C extends Place>(
    fold: Resumable<S, C>,
    world: World,
    position: Position
  ) => Effect.Effect<Option.Option<C>, E>
  /** What keeps the checkpoints that a fold comes by. */
  readonly keeper: <S, C extends Place>(fold: Resumable<S, C>) => Keeper<S, E>
}

/** Takes note of a fold after each event; `keep` saves what there is to save. @category models @since 0.1.0 */
export interface Keeper<S, E> {
  readonly note: (state: S, seq: number) => void
  readonly isFull: () => boolean
  readonly keep: Effect.Effect<void, E>
}

/** Keeps nothing. @category constructors @since 0.1.0 */
export const NO_KEEPER: Keeper<unknown, never> = { note: () => {}, isFull: () => false, keep: Effect.void }

/** How far apart checkpoints are, and how many make a pack. @category models @since 0.1.0 */
export interface Spacing {
  readonly every?: number | undefined
  readonly inAPack?: number | undefined
}

/**
 * The checkpoints of a log, by its journal's snapshots. Where they cannot be written, there are none the next time.
 *
 * @category constructors
 * @since 0.1.0
 */
export const checkpointsOf = (
  snapshots: Snapshots,
  { every = EVERY, inAPack = IN_A_PACK }: Spacing = {}
): Checkpoints => {
  const shelves = new Map<string, Shelf>()
  const shelfOf = Effect.fnUntraced(function*({ name, version }: { readonly name: string; readonly version: number }) {
    const key = `${name}-${version}`
    const known = shelves.get(key)
    if (known !== undefined) return known
    const shelf: Shelf = { positions: [...yield* snapshots.positions(name, version)], packs: new Map() }
    shelves.set(key, shelf)
    return shelf
  })

  /** The checkpoints of a pack, none when it is not sound: then it is no more. */
  const open = Effect.fnUntraced(function*<S, C extends Place>(
    fold: Resumable<S, C>,
    shelf: Shelf,
    world: World,
    seq: number
  ) {
    const atHand = shelf.packs.get(seq)
    if (atHand !== undefined) return atHand as ReadonlyArray<C>
    const snapshot = yield* snapshots.at(fold.name, fold.version, seq)
    const found = snapshot === null ? Option.none() : fold.decode(world, snapshot.bytes)
    if (Option.isNone(found) || found.value.at(-1)?.seq !== seq) {
      shelf.positions.splice(shelf.positions.indexOf(seq), 1)
      return undefined
    }
    remember(shelf, seq, found.value)
    return found.value
  })

  const nearest = Effect.fnUntraced(function*<S, C extends Place>(
    fold: Resumable<S, C>,
    world: World,
    position: Position
  ) {
    const shelf = yield* shelfOf(fold)
    // Packs whose last checkpoint is not beyond the position: `low` of them are known to be, those from `high` not to.
    let low = 0
    let high = shelf.positions.length
    let before: C | undefined
    while (low < high) {
      const middle = (low + high) >>> 1
      const seq = shelf.positions[middle]!
      const isBeyond = position._tag === "Seq" && seq > position.seq
      const pack = isBeyond ? [] : yield* open(fold, shelf, world, seq)
      const last = pack?.at(-1)
      if (pack === undefined) {
        // One pack fewer: the search begins again.
        low = 0
        high = shelf.positions.length
        before = undefined
      } else if (last !== undefined && isUpTo(position, last)) {
        before = last
        low = middle + 1
      } else {
        high = middle
      }
    }
    const here = low < shelf.positions.length ? yield* open(fold, shelf, world, shelf.positions[low]!) : undefined
    return Option.fromUndefinedOr(here?.findLast((place) => isUpTo(position, place)) ?? before)
  })

  const keeper = <S, C extends Place>(fold: Resumable<S, C>): Keeper<S, ReadError> => {
    let copies: Array<C> = []
    const save = Effect.fnUntraced(function*(pack: ReadonlyArray<C>) {
      const { seq } = pack.at(-1)!
      const shelf = yield* shelfOf(fold)
      if (shelf.positions.includes(seq)) return
      const saved = yield* Effect.option(snapshots.save(fold.name, fold.version, seq, fold.encode(pack)))
      if (Option.isNone(saved)) return
      shelf.positions.push(seq)
      shelf.positions.sort((a, b) => a - b)
      remember(shelf, seq, pack)
    })
    return {
      note: (state, seq) => {
        if (seq % every === 0) copies.push(fold.copy(state))
      },
      isFull: () => copies.length >= inAPack,
      keep: Effect.suspend(() => {
        const packs = inPacks(copies, inAPack)
        copies = []
        return Effect.forEach(packs, save, { discard: true })
      })
    }
  }

  return { nearest, keeper }
}

const inPacks = <C>(copies: ReadonlyArray<C>, size: number): ReadonlyArray<ReadonlyArray<C>> =>
  Array.from({ length: Math.ceil(copies.length / size) }, (_, i) => copies.slice(i * size, (i + 1) * size))

/** The packs of one fold: the positions of those that there are, ascending, and those in memory by position. */
interface Shelf {
  readonly positions: Array<number>
  readonly packs: Map<number, ReadonlyArray<Place>>
}

const remember = ({ packs }: Shelf, seq: number, pack: ReadonlyArray<Place>): void => {
  packs.set(seq, pack)
  if (packs.size > AT_HAND) packs.delete(packs.keys().next().value!)
}
