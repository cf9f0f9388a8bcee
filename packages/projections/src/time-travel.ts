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
import { Evolve, hashState, initialState, L, OPEN_RANGES, replay, TRACKED_RANGES } from "@pfnscope/protocol"
import type { Event, State, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readUpTo, worldOf } from "./log.ts"
import type { Log, NotAWorld } from "./log.ts"
import { NoSuchPosition } from "./position.ts"
import type { Position } from "./position.ts"

/**
 * A state on its way through a log: `state` is as of the last event that `advance` took, `seq` its position and `t` its
 * time (ns; 0 before the first). `unapplied` counts events that the state had no room for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Traveller {
  readonly state: State
  readonly seq: number
  readonly t: number
  readonly unapplied: number
  readonly advance: (event: Envelope<Event>) => void
}

/** A traveller at the start of a world. @category constructors @since 0.1.0 */
export const traveller = (world: World): Traveller => {
  const state = initialState(world)
  const evolve = new Evolve(state)
  const self = {
    state,
    seq: 0,
    t: 0,
    unapplied: 0,
    advance: ({ data, seq, t }: Envelope<Event>): void => {
      self.seq = seq
      self.t = t
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
  function*<E>(log: Log<E>, position: Position): Effect.fn.Return<StateAt, E | NotAWorld | NoSuchPosition> {
    const at = traveller(yield* worldOf(log))
    yield* travel(log, position, at.advance)
    yield* arrived(position, at.seq)
    const { seq, state, t, unapplied } = at
    return { seq, t, stateHash: hashState(state), unapplied, state }
  }
)

/** Shows every event up to a position to a fold that changes in place. @category folding @since 0.1.0 */
export const travel = <E>(
  log: Log<E>,
  position: Position,
  advance: (event: Envelope<Event>) => void
): Effect.Effect<void, E> =>
  Stream.runForEachArray(readUpTo(log, position), (chunk) => Effect.sync(() => chunk.forEach(advance)))

/** Fails where the log ended before the position. @category queries @since 0.1.0 */
export const arrived = (position: Position, head: number): Effect.Effect<void, NoSuchPosition> =>
  position._tag === "Seq" && position.seq > head
    ? Effect.fail(new NoSuchPosition({ seq: position.seq, head }))
    : Effect.void
