/**
 * Invalidations: how many, how long, who made them, which hit a cache, and which were left open.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { addDuration, noDurations } from "./durations.ts"
import type { Durations } from "./durations.ts"
import { find, notFound, sightingOf } from "./evidence.ts"
import type { Finding } from "./evidence.ts"
import { advance, covers, noneInFlight } from "./in-flight.ts"
import type { InFlight, OpenRange } from "./in-flight.ts"
import { actorOf, addChain, addGpc, addRange, invalidatorNow, NO_CALL, noInvalidators } from "./invalidators.ts"
import type { Invalidators } from "./invalidators.ts"
import type { Projection } from "./projection.ts"

/** @category models @since 0.1.0 */
export interface Invalidations {
  count: number
  /** By the notifier's event: how many. */
  readonly byEvent: Map<string, number>
  /** From the call of range_start to the return of range_end, in ns. */
  readonly durations: Durations
  /** Time in ns with at least one invalidation open, of any VM. */
  busyNs: number
  busySince: number | undefined
  openNow: number
  /** Invalidations whose range held the address of a cache. */
  overlappingGpc: number
  /** Walks that marked a cache. */
  readonly hits: Finding
  readonly who: Invalidators
  /** The last address of every cache. */
  readonly addresses: Map<number, number>
  /** Ranges that their thread left open: it returned from the call in which it had opened them. */
  readonly leftOpen: Finding
  /** Ends without a start, of threads whose starts are recorded. */
  readonly endsWithoutStart: Finding
  /** `mmu_invalidate_in_progress` below 0. */
  readonly negative: Finding
  /** Ranges whose part in the count is inferred: only their start was seen. Ends that were seen, and inferred ones. */
  readonly startOnly: WeakSet<OpenRange>
  startsOnly: number
  ends: number
  inferredEnds: number
  /** Changes of the count that were seen. */
  counted: number
  /** Bumps of a sequence count. */
  bumps: number
}

/** @category constructors @since 0.1.0 */
export const noInvalidations = (): Invalidations => ({
  count: 0,
  byEvent: new Map(),
  durations: noDurations(),
  busyNs: 0,
  busySince: undefined,
  openNow: 0,
  overlappingGpc: 0,
  hits: notFound(),
  who: noInvalidators(),
  addresses: new Map(),
  leftOpen: notFound(),
  endsWithoutStart: notFound(),
  negative: notFound(),
  startOnly: new WeakSet(),
  startsOnly: 0,
  ends: 0,
  inferredEnds: 0,
  counted: 0,
  bumps: 0
})

/**
 * Takes one event into account; `ranges` has taken it already.
 *
 * @category folding
 * @since 0.1.0
 */
export const evolveInvalidations = (state: Invalidations, ranges: InFlight, event: Envelope<Event>): Invalidations => {
  const e = event.data
  switch (e._tag) {
    case "TaskSeen": {
      const actor = actorOf(state.who, e.thread, event.stream)
      actor.comm = e.comm
      actor.pid = e.pid
      break
    }
    case "Called": {
      const actor = actorOf(state.who, e.thread, event.stream)
      actor.call = e.op
      actor.callSeq = event.seq
      break
    }
    case "Returned":
      comeBack(state, ranges, event)
      break
    case "RangeStartCalled":
      start(state, event, e.event, ranges.touched)
      break
    case "CountIncremented":
      if (event.how !== "inferred") state.counted++
      else if (ranges.touched !== undefined) {
        state.startsOnly++
        state.startOnly.add(ranges.touched)
      }
      break
    case "CallChainSeen":
      addChain(state.who, ranges, event, e.frames)
      break
    case "EndCalled":
      if (event.how === "inferred") state.inferredEnds++
      else state.ends++
      if (ranges.touched === undefined && state.who.all.size > 0) find(state.endsWithoutStart, sightingOf(event))
      break
    case "EndReturned":
      finish(state, event, ranges.touched)
      break
    case "SeqBumped":
      state.bumps++
      if (e.inProgress < 0) find(state.negative, sightingOf(event))
      break
    case "GpcSeqBumped":
      state.bumps++
      break
    case "GpcInvalidated":
      find(state.hits, sightingOf(event))
      invalidatorNow(state.who, ranges, e.thread).hits++
      break
    case "RefreshEntered":
    case "Translated":
    case "Published":
      learn(state, ranges, e.gpc, e.uhva)
      break
    case "Deactivated":
      state.addresses.delete(e.gpc)
  }
  return state
}

const start = (state: Invalidations, event: Envelope<Event>, why: string, range: OpenRange | undefined): void => {
  if (range === undefined) return
  state.count++
  state.byEvent.set(why, (state.byEvent.get(why) ?? 0) + 1)
  if (state.openNow++ === 0) state.busySince = event.t
  const gpcs = [...state.addresses].filter(([, uhva]) => covers(range, uhva)).map(([gpc]) => gpc)
  if (gpcs.length > 0) state.overlappingGpc++
  addRange(state.who, range, gpcs)
}

/** A cache has an address, or another: a range that is open already may hold it. */
const learn = (state: Invalidations, ranges: InFlight, gpc: number, uhva: number): void => {
  if (uhva < 0 || state.addresses.get(gpc) === uhva) return
  state.addresses.set(gpc, uhva)
  for (const { open } of ranges.vms.values()) {
    for (const range of open) {
      if (covers(range, uhva) && addGpc(state.who, range, gpc)) state.overlappingGpc++
    }
  }
}

const finish = (state: Invalidations, event: Envelope<Event>, range: OpenRange | undefined): void => {
  if (range === undefined) return
  addDuration(state.durations, Math.max(0, event.t - range.started.t))
  if (--state.openNow === 0 && state.busySince !== undefined) {
    state.busyNs += Math.max(0, event.t - state.busySince)
    state.busySince = undefined
  }
}

/** A thread is back from a call: what it opened in the call should be closed. */
const comeBack = (state: Invalidations, ranges: InFlight, event: Envelope<Event>): void => {
  const actor = actorOf(state.who, event.data.thread, event.stream)
  for (const range of ranges.byThread.get(event.data.thread) ?? []) {
    if (range.cause === undefined || range.cause !== actor.callSeq || range.started.seq < ranges.lostAt) continue
    find(state.leftOpen, { seq: range.started.seq, src: range.src }, sightingOf(event))
  }
  actor.call = NO_CALL
}

/** Invalidations, as a projection. @category projections @since 0.1.0 */
export const invalidations: Projection<{ readonly ranges: InFlight; readonly invalidations: Invalidations }> = {
  name: "invalidations",
  version: 2,
  init: () => ({ ranges: noneInFlight(), invalidations: noInvalidations() }),
  evolve: (state, event) => {
    advance(state.ranges, event.seq, event)
    evolveInvalidations(state.invalidations, state.ranges, event)
    return state
  }
}
