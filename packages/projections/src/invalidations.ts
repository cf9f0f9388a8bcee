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
import { advance, noneInFlight } from "./in-flight.ts"
import type { InFlight, OpenRange } from "./in-flight.ts"
import type { Projection } from "./projection.ts"

/**
 * A task that invalidates, and by what call: `none` where no call of it was open (a page fault, a kernel thread, or
 * calls that were not recorded). In a log without pids, `comm` is the thread's stream and `pid` its number.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invalidator {
  readonly comm: string
  readonly pid: number
  readonly call: string
  count: number
  /** Invalidations of its that marked a cache. */
  hits: number
}

/** A thread: who it is, the call that it is in, and what it has open. */
interface Actor {
  comm: string
  pid: number
  call: string
  callSeq: number
}

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
  readonly actors: Map<number, Actor>
  readonly invalidators: Map<string, Invalidator>
  /** The last address of every cache. */
  readonly addresses: Map<number, number>
  /** Ranges that their thread left open: it returned from the call in which it had opened them. */
  readonly leftOpen: Finding
  /** Ends without a start, of threads whose starts are recorded. */
  readonly endsWithoutStart: Finding
  /** `mmu_invalidate_in_progress` below 0. */
  readonly negative: Finding
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
  actors: new Map(),
  invalidators: new Map(),
  addresses: new Map(),
  leftOpen: notFound(),
  endsWithoutStart: notFound(),
  negative: notFound(),
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
      const actor = actorOf(state, e.thread, event.stream)
      actor.comm = e.comm
      actor.pid = e.pid
      break
    }
    case "Called": {
      const actor = actorOf(state, e.thread, event.stream)
      actor.call = e.op
      actor.callSeq = event.seq
      break
    }
    case "Returned":
      comeBack(state, ranges, event)
      break
    case "RangeStartCalled":
      start(state, event, e.start, e.end, e.event)
      break
    case "EndCalled":
      if (ranges.touched === undefined && state.invalidators.size > 0) find(state.endsWithoutStart, sightingOf(event))
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
      hit(state, event)
      break
    case "Translated":
      if (e.uhva >= 0) state.addresses.set(e.gpc, e.uhva)
      break
    case "Published":
      state.addresses.set(e.gpc, e.uhva)
      break
    case "Deactivated":
      state.addresses.delete(e.gpc)
  }
  return state
}

const actorOf = (state: Invalidations, thread: number, stream: string): Actor => {
  const known = state.actors.get(thread)
  if (known !== undefined) return known
  const actor: Actor = { comm: stream, pid: thread, call: NO_CALL, callSeq: 0 }
  state.actors.set(thread, actor)
  return actor
}

const NO_CALL = "none"

const start = (state: Invalidations, event: Envelope<Event>, from: number, to: number, why: string): void => {
  state.count++
  state.byEvent.set(why, (state.byEvent.get(why) ?? 0) + 1)
  if (state.openNow++ === 0) state.busySince = event.t
  for (const uhva of state.addresses.values()) {
    if (from <= uhva && uhva < to) {
      state.overlappingGpc++
      break
    }
  }
  invalidatorOf(state, event.data.thread).count++
}

const invalidatorOf = (state: Invalidations, thread: number): Invalidator => {
  const { comm, pid, call } = actorOf(state, thread, `thread ${thread}`)
  const key = `${pid} ${call} ${comm}`
  const known = state.invalidators.get(key)
  if (known !== undefined) return known
  const invalidator: Invalidator = { comm, pid, call, count: 0, hits: 0 }
  state.invalidators.set(key, invalidator)
  return invalidator
}

const finish = (state: Invalidations, event: Envelope<Event>, range: OpenRange | undefined): void => {
  if (range === undefined) return
  addDuration(state.durations, Math.max(0, event.t - range.started.t))
  if (--state.openNow === 0 && state.busySince !== undefined) {
    state.busyNs += Math.max(0, event.t - state.busySince)
    state.busySince = undefined
  }
}

const hit = (state: Invalidations, event: Envelope<Event>): void => {
  find(state.hits, sightingOf(event))
  invalidatorOf(state, event.data.thread).hits++
}

/** A thread is back from a call: what it opened in the call should be closed. */
const comeBack = (state: Invalidations, ranges: InFlight, event: Envelope<Event>): void => {
  const actor = actorOf(state, event.data.thread, event.stream)
  for (const range of ranges.byThread.get(event.data.thread) ?? []) {
    if (range.cause === undefined || range.cause !== actor.callSeq || range.started.seq < ranges.lostAt) continue
    find(state.leftOpen, { seq: range.started.seq, src: range.src }, sightingOf(event))
  }
  actor.call = NO_CALL
}

/** Invalidations, as a projection. @category projections @since 0.1.0 */
export const invalidations: Projection<{ readonly ranges: InFlight; readonly invalidations: Invalidations }> = {
  name: "invalidations",
  version: 1,
  init: () => ({ ranges: noneInFlight(), invalidations: noInvalidations() }),
  evolve: (state, event) => {
    advance(state.ranges, event.seq, event)
    evolveInvalidations(state.invalidations, state.ranges, event)
    return state
  }
}
