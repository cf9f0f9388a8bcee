/**
 * Time travel: the state of the machine after any event of a log.
 *
 * The state is folded from the events by the protocol's own `Evolve`, so that it is the state the run had, cell by
 * cell. A trace says less than a run and may have holes: an event that the state has no room for (an end without its
 * start, a third nested range) changes no more than it can, and is counted.
 *
 * Hot: one event is a few assignments; a million a second.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import {
  Evolve,
  hashState,
  initialState,
  L,
  OPEN_RANGES,
  PROPERTY_IDS,
  replay,
  TRACKED_RANGES
} from "@pfnscope/protocol"
import type { Event, State, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { START } from "./checkpoint.ts"
import type { Place, Resumable } from "./checkpoint.ts"
import { foldIn } from "./fold-in.ts"
import { readUpTo } from "./log.ts"
import type { Log } from "./log.ts"
import type { NoSuchPosition, Position } from "./position.ts"
import type { LogNotDense } from "./projection.ts"
import { openStops, stopPack } from "./stops.ts"
import type { Stop } from "./stops.ts"
import { worldOf } from "./world.ts"
import type { NotAWorld } from "./world.ts"

/**
 * A state on its way through a log: `state` is as of the last event that `advance` took, `seq` its position and `t` its
 * time (ns; 0 before the first). `unapplied` counts events that the state had no room for; `violated` has a bit for every
 * property that was violated by then, by its place in `PROPERTY_IDS`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Traveller {
  readonly state: State
  readonly place: Place
  readonly seq: number
  readonly t: number
  readonly unapplied: number
  readonly violated: number
  readonly advance: (event: Envelope<Event>) => void
}

/** A traveller at the start of a world, or where another one was. @category constructors @since 0.1.0 */
export const traveller = (world: World, from?: Stop): Traveller => {
  const state = from?.state ?? initialState(world)
  const evolve = new Evolve(state)
  let { first, latest } = from ?? START
  const self = {
    state,
    seq: from?.seq ?? 0,
    t: from?.t ?? 0,
    unapplied: from?.unapplied ?? 0,
    violated: from?.violated ?? 0,
    get place(): Place {
      return { seq: self.seq, t: self.t, first, latest }
    },
    advance: ({ data, seq, t }: Envelope<Event>): void => {
      if (self.seq === 0) first = t
      if (t > latest) latest = t
      self.seq = seq
      self.t = t
      if (data._tag === "PropertyViolated") self.violated |= 1 << PROPERTY_IDS.indexOf(data.property)
      if (hasRoom(state, data)) replay(data, evolve)
      else {
        self.unapplied++
        applyCount(evolve, data)
      }
      if (data.to !== undefined && state.threads[data.thread] !== undefined) evolve.moved(data.thread, L[data.to])
    }
  }
  return self
}

/** The kernel's own count is right even where the range it belongs to was never seen. */
const applyCount = (evolve: Evolve, event: Event): void => {
  if (event._tag === "CountDecremented") evolve.CountIncremented(event.thread, event.count)
}

/** Whether the state has the cells that the event writes; always true in a log of a run. */
const hasRoom = (s: State, e: Event): boolean => {
  const thread = s.threads[e.thread]
  if (thread === undefined) return false
  if ("gpc" in e && e.gpc >= s.gpcs.length) return false
  switch (e._tag) {
    case "Locked":
    case "Unlocked":
      return e.gpc >= 0 || !e.lock.startsWith("gpc->")
    case "RangeStartCalled":
      return thread.depth < OPEN_RANGES
    case "MmuLockHeld":
    case "StartReturned":
    case "EndCalled":
    case "CountDecremented":
    case "EndReturned":
      return thread.depth > 0
    case "HullChanged":
      return e.entry < TRACKED_RANGES
    case "Woken":
      return e.sleeper < s.threads.length && s.kvm.sleeping(e.sleeper) !== 0
    case "FrameAllocated":
      return s.geo.frames > 0
    case "PageFaulted":
      return s.geo.frames > 0 && s.geo.pageOf(e.hva) >= 0
    case "MemslotsSwapped":
      return e.slot < s.geo.world.memslots.length
    default:
      return true
  }
}

/** The state of the machine, as it can be put aside. @category folding @since 0.1.0 */
export const states: Resumable<Traveller> = {
  name: "state",
  version: 2,
  every: 256,
  start: (world) => traveller(world),
  place: ({ place }) => place,
  advance: (at, event) => at.advance(event),
  pack: stopPack,
  open: (world, bytes, places) => {
    const stop = openStops(world, bytes, places)
    return (i) => Option.map(stop(i), (from) => traveller(world, from))
  }
}

/**
 * The state at a position: `seq` and `t` (ns) of the last event, the hash by which a run and its replay are compared,
 * and how many events were left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface StateAt {
  readonly seq: number
  readonly t: number
  readonly stateHash: string
  readonly unapplied: number
  readonly state: State
}

/**
 * Folds a log up to a position, that event included.
 *
 * @category queries
 * @since 0.1.0
 */
export const stateAt = Effect.fn("projections.stateAt")(
  function*<E>(
    log: Log<E>,
    position: Position
  ): Effect.fn.Return<StateAt, E | NotAWorld | NoSuchPosition | LogNotDense> {
    const at = yield* foldTo(log, states, position)
    const { seq, state, t, unapplied } = at
    return { seq, t, stateHash: hashState(state), unapplied, state }
  }
)

/**
 * Folds a log up to a position, from the last checkpoint before it if the log has some; those that it comes by are kept.
 *
 * @category folding
 * @since 0.1.0
 */
export const foldTo = Effect.fnUntraced(function*<E, S>(
  log: Log<E>,
  fold: Resumable<S>,
  position: Position
): Effect.fn.Return<S, E | NotAWorld | NoSuchPosition | LogNotDense> {
  return yield* foldIn(log, yield* worldOf(log), fold, position)
})

/**
 * The events from a position (the event that it is at or behind) up to another, that one included.
 *
 * @category queries
 * @since 0.1.0
 */
export const readBetween = Effect.fn("projections.readBetween")(
  function*<E>(log: Log<E>, from: Position, to: Position) {
    const { place } = yield* foldTo(log, states, from)
    return readUpTo(log, to, { ...place, seq: Math.max(0, place.seq - 1) })
  }
)
