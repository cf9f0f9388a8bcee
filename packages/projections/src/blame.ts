/**
 * Blame: whose invalidations made refreshes and guest faults try again.
 *
 * A lap that was thrown away for what was in flight is put down to those whose ranges were counted when the kernel
 * tested, one thrown away for a changed sequence count to those who changed it during the lap, one thrown away because
 * the cache was marked to those who marked it. Several may be to blame for one lap; each is counted once.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, RetryReason } from "@pfnscope/protocol"
import { isCounted, newestOf, rangesOf } from "./in-flight.ts"
import type { InFlight, OpenRange } from "./in-flight.ts"
import type { Invalidator, Invalidators } from "./invalidators.ts"

/** A lap of a refresh: what was seen in flight in it, and at its last test, and what bumped or marked what it looks at. */
interface Lap {
  readonly gpc: number
  readonly vm: string
  readonly inFlight: Set<OpenRange>
  readonly atTest: Set<OpenRange>
  readonly bumped: Set<OpenRange>
  readonly marked: Set<OpenRange>
}

/** A change of a VM's `mmu_invalidate_seq`, and the invalidation that made it. */
interface Bump {
  readonly seq: number
  readonly by: OpenRange
}

/** @category models @since 0.1.0 */
export interface Blame {
  /** The laps of the refreshes that run, by their thread. */
  readonly laps: Map<number, Lap>
  /** Invalidations of guest memory: `mmu_invalidate_in_progress` counts them. */
  readonly zapping: Set<OpenRange>
  /** The last changes of the sequence counts. */
  readonly bumps: Array<Bump>
  /** The snapshot of the sequence count that a thread took last. */
  readonly snapshots: Map<number, number>
}

/** Changes that are remembered: a guest fault between whose snapshot and test there are more is put down to these. */
const REMEMBERED_BUMPS = 64

/** @category constructors @since 0.1.0 */
export const noBlame = (): Blame => ({ laps: new Map(), zapping: new Set(), bumps: [], snapshots: new Map() })

/**
 * Takes one event into account; `ranges` and `who` have taken it already.
 *
 * @category folding
 * @since 0.1.0
 */
export const evolveBlame = (state: Blame, ranges: InFlight, who: Invalidators, event: Envelope<Event>): void => {
  const e = event.data
  switch (e._tag) {
    case "RefreshEntered":
      begin(state, ranges, e.thread, e.gpc, "mn/0")
      break
    case "Snapshotted": {
      const lap = state.laps.get(e.thread)
      state.snapshots.set(e.thread, e.seq)
      if (lap !== undefined) begin(state, ranges, e.thread, lap.gpc, event.stream)
      break
    }
    case "RangeStartCalled":
      for (const lap of state.laps.values()) if (lap.vm === event.stream) lap.inFlight.add(ranges.touched!)
      break
    case "MmuLockHeld": {
      const range = rangeNow(ranges, e.thread)
      if (range !== undefined) state.zapping.add(range)
      break
    }
    case "SeqBumped":
    case "GpcSeqBumped":
      bump(state, ranges, event, e.seq)
      break
    case "GpcInvalidated": {
      const range = rangeNow(ranges, e.thread)
      if (range === undefined) break
      for (const lap of state.laps.values()) if (lap.gpc === e.gpc) lap.marked.add(range)
      break
    }
    case "RetryTested": {
      const lap = state.laps.get(e.thread)
      if (lap !== undefined) addOpen(lap.atTest, ranges, event.stream, isCounted)
      break
    }
    case "RetryDecided": {
      const lap = state.laps.get(e.thread)
      if (lap === undefined) break
      blame(who, toBlame(lap, ranges, e.reason), "retries")
      begin(state, ranges, e.thread, lap.gpc, lap.vm)
      break
    }
    case "GuestFaultRetried":
      blame(who, toBlameForFault(state, event, e.reason), "faultRetries")
      break
    case "RefreshReturned":
      state.laps.delete(e.thread)
      break
    case "EndReturned":
      // Not every trace tells when the sequence count changes.
      if (ranges.touched !== undefined) state.zapping.delete(ranges.touched)
      break
    default:
  }
}

const rangeNow = (ranges: InFlight, thread: number): OpenRange | undefined => newestOf(ranges, thread, () => true)

/** Counts what was thrown away once for each of those to blame, and whether a cache's page was in what they did. */
const blame = (who: Invalidators, by: Iterable<OpenRange>, what: "retries" | "faultRetries"): void => {
  const overPage = new Map<Invalidator, boolean>()
  for (const range of by) {
    const invalidator = who.ofRange.get(range)
    if (invalidator === undefined) continue
    const isOver = (who.gpcsOf.get(range) ?? []).length > 0
    overPage.set(invalidator, isOver || overPage.get(invalidator) === true)
  }
  for (const [invalidator, isOver] of overPage) {
    invalidator[what]++
    if (isOver) invalidator.retriesOverPage++
  }
}

const begin = (state: Blame, ranges: InFlight, thread: number, gpc: number, vm: string): void => {
  const lap: Lap = { gpc, vm, inFlight: new Set(), atTest: new Set(), bumped: new Set(), marked: new Set() }
  state.laps.set(thread, lap)
  addOpen(lap.inFlight, ranges, vm, () => true)
}

const addOpen = (to: Set<OpenRange>, ranges: InFlight, vm: string, fits: (range: OpenRange) => boolean): void => {
  for (const range of rangesOf(ranges, vm).open) if (fits(range)) to.add(range)
}

const bump = (state: Blame, ranges: InFlight, event: Envelope<Event>, seq: number): void => {
  const { stream: vm, data: { _tag, thread } } = event
  const by = rangeNow(ranges, thread)
  if (by === undefined) return
  for (const lap of state.laps.values()) if (lap.vm === vm) lap.bumped.add(by)
  if (_tag !== "SeqBumped") return
  state.zapping.delete(by)
  state.bumps.push({ seq, by })
  if (state.bumps.length > REMEMBERED_BUMPS) state.bumps.shift()
}

/** What made a lap be thrown away. A probe may read what it tests a moment early: then whatever was there at all. */
const toBlame = (lap: Lap, ranges: InFlight, reason: RetryReason): ReadonlySet<OpenRange> => {
  const direct = reason === "seq" ? lap.bumped : reason === "flag" ? lap.marked : lap.atTest
  if (direct.size > 0) return direct
  const now = new Set<OpenRange>()
  addOpen(now, ranges, lap.vm, isCounted)
  return now.size > 0 ? now : lap.inFlight
}

const toBlameForFault = (state: Blame, event: Envelope<Event>, reason: RetryReason): ReadonlyArray<OpenRange> => {
  const { stream: vm, data: { thread } } = event
  if (reason !== "seq") return [...state.zapping].filter((range) => range.vm === vm)
  const snapshot = state.snapshots.get(thread) ?? Infinity
  return state.bumps.filter(({ by, seq }) => by.vm === vm && seq > snapshot).map(({ by }) => by)
}
