/**
 * Checkpoints: what a fold had come to at some positions of a log, kept beside it, so that a fold need not begin at the
 * first event.
 *
 * They lie in packs, one snapshot of the journal's each: a pack at position `n` has the checkpoints from the pack before
 * it up to `n`. The journal binds a snapshot to the log's hash, so that one that is damaged, or of another log, is not
 * there; then the fold begins further ahead and keeps what it comes by. A log that is shorter than a pack has none.
 *
 * @since 0.1.0
 */
import type { Envelope, ReadError, Snapshots } from "@pfnscope/journal"
import type { Event, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Position } from "./position.ts"
import { shelfOf } from "./shelf.ts"
import type { Shelf } from "./shelf.ts"

/** Events of a pack: what is read, and found sound or not, at once. */
const PACK = 32_768

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
export const checkpointsOf = (snapshots: Snapshots, options: CheckpointOptions = {}): Checkpoints => {
  const shelves = new Map<string, Shelf<unknown>>()
  const shelf = Effect.fnUntraced(function*<S>(fold: Resumable<S>) {
    const known = shelves.get(fold.name) ?? (yield* shelfOf(snapshots, fold))
    shelves.set(fold.name, known)
    return known as Shelf<S>
  })
  return {
    nearest: (fold, world, position) => Effect.flatMap(shelf(fold), (packs) => nearestOn(packs, world, position)),
    keeper: (fold) => keeperOf(fold, shelf(fold), options)
  }
}

const nearestOn = Effect.fnUntraced(function*<S>(
  shelf: Shelf<S>,
  world: World,
  position: Position
): Effect.fn.Return<Option.Option<S>, ReadError> {
  const upTo = yield* packsUpTo(shelf, world, position)
  // It is in the pack that reaches beyond the position, or ends the one before.
  for (const seq of [shelf.positions[upTo], shelf.positions[upTo - 1]]) {
    if (seq === undefined) continue
    const pack = yield* shelf.open(world, seq)
    if (pack === undefined) return yield* nearestOn(shelf, world, position)
    const i = pack.places.findLastIndex((place) => isUpTo(position, place))
    if (i < 0) continue
    const state = pack.resume(i)
    if (Option.isSome(state)) return state
    shelf.forget(seq)
    return yield* nearestOn(shelf, world, position)
  }
  return Option.none()
})

/** How many packs end at or before a position. Searched again where a pack turns out to be none. */
const packsUpTo = Effect.fnUntraced(function*<S>(shelf: Shelf<S>, world: World, position: Position) {
  // A pack that is looked for by position need not be opened for it.
  const needsTimes = position._tag === "Time" || position._tag === "Elapsed"
  let low = 0
  let high = shelf.positions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const seq = shelf.positions[middle]!
    const last = needsTimes ? yield* shelf.lastPlace(world, seq) : { ...START, seq }
    if (last === undefined) {
      low = 0
      high = shelf.positions.length
    } else if (isUpTo(position, last)) low = middle + 1
    else high = middle
  }
  return low
})

const keeperOf = <S>(
  fold: Resumable<S>,
  shelf: Effect.Effect<Shelf<S>, ReadError>,
  { every = fold.every, pack: packed = PACK, progress = () => Effect.void }: CheckpointOptions
): Keeper<S, ReadError> => {
  let pack = fold.pack()
  let places: Array<Place> = []
  let full: Array<readonly [ReadonlyArray<Place>, Uint8Array]> = []
  let told = 0
  const seal = (): void => {
    if (places.length > 0) full.push([places, pack.bytes()])
    pack = fold.pack()
    places = []
  }
  const save = Effect.suspend(() => {
    const sealed = full
    full = []
    if (sealed.length === 0) return Effect.void
    return Effect.flatMap(shelf, (on) => Effect.forEach(sealed, (one) => on.save(...one), { discard: true }))
  })
  const tell = (isOver: boolean) => Effect.suspend(() => progress({ fold: fold.name, seq: told, isOver }))
  return {
    note: (state, seq) => {
      if (seq % every !== 0) return
      places.push(fold.place(state))
      pack.add(state)
      if (seq % packed !== 0) return
      seal()
      told = seq
    },
    isFull: () => full.length > 0,
    keep: Effect.andThen(save, tell(false)),
    end: Effect.suspend(() => {
      // A log that is no longer than a pack is folded in no time, and nothing need lie beside it.
      if ((places.at(-1)?.seq ?? 0) > packed) seal()
      const saved = Effect.andThen(save, Effect.flatMap(shelf, ({ saveLastPlaces }) => saveLastPlaces))
      return told === 0 ? saved : Effect.andThen(saved, tell(true))
    })
  }
}
