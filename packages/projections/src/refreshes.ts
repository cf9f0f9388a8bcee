/**
 * Refreshes: the laps of each, why a lap was thrown away, and whether the reason had anything to do with the cache.
 *
 * The laps of a refresh are the lookups it made: its retries and one more, or none where it kept its mapping. A lap
 * lasts from its snapshot to the decision to throw it away. A retry is *unrelated* when the cache's address is known and no
 * invalidation whose range holds it was open in that time, or was over just at its beginning.
 *
 * A publish is *stale* when an invalidation of the page was counted and uncounted again between the lookup of the pfn
 * and the last test, and marked nothing: the page that the pfn names is gone, and nothing tells the cache.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, EventOf, RetryReason } from "@pfnscope/protocol"
import { addDuration, noDurations } from "./durations.ts"
import type { Durations } from "./durations.ts"
import { find, notFound, sightingOf } from "./evidence.ts"
import type { Finding, Sighting } from "./evidence.ts"
import { advance, countCovering, covers, isInHull, noneInFlight, rangesOf } from "./in-flight.ts"
import type { InFlight, Moment, OpenRange } from "./in-flight.ts"
import { maybeAfter, surelyBefore } from "./order.ts"
import type { Projection } from "./projection.ts"

/** A refresh that is running: `uhva` is undefined until it is known. @category models @since 0.1.0 */
export interface RunningRefresh {
  readonly gpc: number
  readonly thread: number
  readonly entered: Moment
  readonly sighting: Sighting
  uhva: number | undefined
  vm: string
  looked: boolean
  kept: boolean
  /** Where it failed. */
  failed: Sighting | undefined
  retries: number
  unrelated: number
  /** Where the lap began: its snapshot, or else where the lap before ended. */
  lap: Moment
  /** An invalidation whose range holds the address touched this lap; the lap before. */
  related: boolean
  relatedBefore: boolean
  resolved: Moment | undefined
  resolvedSighting: Sighting | undefined
  tested: Moment | undefined
  /** At the last test the hull of what was in flight held the address, and no range did. */
  hullOnly: boolean
  /** The first invalidation of the page that was counted and uncounted since the lookup, and marked nothing. */
  overrun: OpenRange | undefined
}

/** A refresh that is over: its laps, ns from entry to return, and the position of its entry. @category models @since 0.1.0 */
export interface FinishedRefresh {
  readonly seq: number
  readonly gpc: number
  readonly thread: number
  readonly t: number
  readonly ns: number
  readonly laps: number
  readonly retries: number
  readonly unrelated: number
  readonly failed: boolean
  readonly src: Sighting["src"]
}

/** @category models @since 0.1.0 */
export interface Refreshes {
  readonly running: Map<number, RunningRefresh>
  /** The refresh that the last event ended, or undefined. */
  finished: FinishedRefresh | undefined
  /** The last address of every cache. */
  readonly addresses: Map<number, number>
  completed: number
  failed: number
  readonly failures: Finding
  /** Refreshes that found their mapping still good: only the memslots' generation had changed. */
  readonly kept: Finding
  /** Of these, those that are taken for such only because no lookup of theirs was recorded. */
  keptInferred: number
  withLookup: number
  /** Refreshes that their thread left for another without returning. */
  abandoned: number
  lapsMax: number
  /** Laps → how many refreshes made so many. */
  readonly laps: Map<number, number>
  retries: number
  readonly retriesBy: Map<RetryReason, number>
  unrelated: number
  readonly unrelatedBy: Map<RetryReason, Finding>
  /** Retries that one hull of all ranges in flight would not have saved: it held the address, and no range did. */
  readonly hullOnly: Finding
  /** Refreshes with {@link THRASH_RETRIES} related retries or more. */
  readonly thrashed: Finding
  /** Durations of refreshes that looked a page up; of those that did not. */
  readonly durations: Durations
  readonly keptDurations: Durations
  /** The refreshes with most laps, most first. */
  readonly worst: Array<FinishedRefresh>
  published: number
  readonly stalePublishes: Finding
  /** The same, but events were lost since the lookup: another lap, or a mark on the cache, may be among them. */
  readonly doubtfulPublishes: Finding
  /** Laps in which the same happened and the sequence count gave it away. */
  readonly caughtBySeq: Finding
  /** Snapshots with the sign bit of a 32-bit count spread over the upper half. */
  readonly signExtended: Finding
  /** Publishes of an error pfn. */
  readonly publishedNothing: Finding
  snapshots: number
}

/**
 * So many retries of one refresh for invalidations of its own page: without a storm a refresh makes none, and a page
 * that is invalidated every now and then costs one or two.
 *
 * @category constants
 * @since 0.1.0
 */
export const THRASH_RETRIES = 10

/** Refreshes that are kept one by one. */
const KEPT_WORST = 10

/** @category constructors @since 0.1.0 */
export const noRefreshes = (): Refreshes => ({
  running: new Map(),
  finished: undefined,
  addresses: new Map(),
  completed: 0,
  failed: 0,
  failures: notFound(),
  kept: notFound(),
  keptInferred: 0,
  withLookup: 0,
  abandoned: 0,
  lapsMax: 0,
  laps: new Map(),
  retries: 0,
  retriesBy: new Map(),
  unrelated: 0,
  unrelatedBy: new Map(),
  hullOnly: notFound(),
  thrashed: notFound(),
  durations: noDurations(),
  keptDurations: noDurations(),
  worst: [],
  published: 0,
  stalePublishes: notFound(),
  doubtfulPublishes: notFound(),
  caughtBySeq: notFound(),
  signExtended: notFound(),
  publishedNothing: notFound(),
  snapshots: 0
})

/**
 * Takes one event into account; `ranges` has taken it already.
 *
 * @category folding
 * @since 0.1.0
 */
export const evolveRefreshes = (state: Refreshes, ranges: InFlight, event: Envelope<Event>): Refreshes => {
  const e = event.data
  state.finished = undefined
  switch (e._tag) {
    case "RefreshEntered":
      enter(state, ranges, event, e.gpc, e.uhva)
      break
    case "SlotsRead":
      learn(state, ranges, e.thread, e.hva)
      break
    case "Translated":
      state.addresses.set(e.gpc, e.uhva)
      learn(state, ranges, e.thread, e.uhva)
      break
    case "ValidCleared":
    case "FlagSet":
      look(state, e.thread)
      break
    case "Snapshotted":
      snapshot(state, ranges, event, e.seq)
      break
    case "PfnResolved":
      resolve(state, ranges, event, e.hva)
      break
    case "RetryTested": {
      const run = state.running.get(e.thread)
      if (run !== undefined) test(run, ranges, event)
      break
    }
    case "RetryDecided":
      retry(state, ranges, event, e)
      break
    case "MappingKept": {
      const run = state.running.get(e.thread)
      if (run !== undefined) run.kept = true
      if (event.how === "inferred") state.keptInferred++
      break
    }
    case "Published":
      state.addresses.set(e.gpc, e.uhva)
      publish(state, ranges, event, e.pfn)
      break
    case "RefreshFailed": {
      const run = state.running.get(e.thread)
      if (run !== undefined) run.failed = sightingOf(event)
      break
    }
    case "RefreshReturned":
      leave(state, event, e.ret)
      break
    case "GpcInvalidated":
      for (const run of state.running.values()) if (run.gpc === e.gpc) run.overrun = undefined
      break
    case "RangeStartCalled":
      relate(state, ranges.touched)
      break
    case "CountDecremented":
      overrun(state, event, ranges.touched)
  }
  return state
}

const enter = (state: Refreshes, ranges: InFlight, event: Envelope<Event>, gpc: number, uhva: number): void => {
  const thread = event.data.thread
  if (state.running.has(thread)) state.abandoned++
  const entered = { seq: event.seq, t: event.t }
  const run: RunningRefresh = {
    gpc,
    thread,
    entered,
    sighting: sightingOf(event),
    uhva: uhva < 0 ? state.addresses.get(gpc) : uhva,
    vm: "mn/0",
    looked: false,
    kept: false,
    failed: undefined,
    retries: 0,
    unrelated: 0,
    lap: entered,
    related: false,
    relatedBefore: false,
    resolved: undefined,
    resolvedSighting: undefined,
    tested: undefined,
    hullOnly: false,
    overrun: undefined
  }
  state.running.set(thread, run)
  beginLap(run, ranges, event)
}

/** The address is known, or another: what is open now may be about it. */
const learn = (state: Refreshes, ranges: InFlight, thread: number, uhva: number): void => {
  const run = state.running.get(thread)
  if (run === undefined || uhva < 0 || run.uhva === uhva) return
  run.uhva = uhva
  for (const range of rangesOf(ranges, run.vm).open) if (covers(range, uhva)) run.related = true
}

const look = (state: Refreshes, thread: number): void => {
  const run = state.running.get(thread)
  if (run !== undefined) run.looked = true
}

const snapshot = (state: Refreshes, ranges: InFlight, event: Envelope<Event>, seq: number): void => {
  state.snapshots++
  if (seq < 0) find(state.signExtended, sightingOf(event))
  const run = state.running.get(event.data.thread)
  if (run === undefined) return
  run.vm = event.stream
  run.looked = true
  beginLap(run, ranges, event)
}

const beginLap = (run: RunningRefresh, ranges: InFlight, event: Envelope<Event>): void => {
  run.lap = { seq: event.seq, t: event.t }
  run.resolved =
    run.tested =
    run.overrun =
    run.resolvedSighting =
      undefined
  run.hullOnly = false
  const uhva = run.uhva
  if (uhva === undefined) return
  const vm = rangesOf(ranges, run.vm)
  run.related = vm.open.some((range) => covers(range, uhva)) ||
    vm.justFinished.some((range) => covers(range, uhva) && maybeAfter(range.finished!, run.lap, event.how))
}

const resolve = (state: Refreshes, ranges: InFlight, event: Envelope<Event>, hva: number): void => {
  const run = state.running.get(event.data.thread)
  if (run === undefined) return
  run.looked = true
  learn(state, ranges, event.data.thread, hva)
  run.resolved = { seq: event.seq, t: event.t }
  run.resolvedSighting = sightingOf(event)
  run.overrun = undefined
}

const test = (run: RunningRefresh, ranges: InFlight, event: Envelope<Event>): void => {
  run.tested = { seq: event.seq, t: event.t }
  run.hullOnly = isUnderHullOnly(run, ranges)
}

const isUnderHullOnly = ({ uhva, vm }: RunningRefresh, ranges: InFlight): boolean =>
  uhva !== undefined && isInHull(rangesOf(ranges, vm), uhva) && countCovering(rangesOf(ranges, vm), uhva) === 0

const relate = (state: Refreshes, range: OpenRange | undefined): void => {
  if (range === undefined) return
  for (const run of state.running.values()) {
    if (run.vm === range.vm && run.uhva !== undefined && covers(range, run.uhva)) run.related = true
  }
}

/** The first range that was counted and uncounted since the lookup is the one that was over soonest: it is kept. */
const overrun = (state: Refreshes, event: Envelope<Event>, range: OpenRange | undefined): void => {
  if (range?.counted === undefined) return
  for (const run of state.running.values()) {
    if (run.vm !== range.vm || run.uhva === undefined || !covers(range, run.uhva)) continue
    if (run.resolved === undefined || run.tested !== undefined || run.overrun !== undefined) continue
    if (surelyBefore(run.resolved, range.counted, event.how)) run.overrun = range
  }
}

/** Whether the page of a lap was certainly invalidated from beginning to end between its lookup and its test. */
const isOverrun = (run: RunningRefresh, event: Envelope<Event>): boolean => {
  const over = run.overrun?.uncounted
  return over !== undefined && surelyBefore(over, run.tested ?? { seq: event.seq, t: event.t }, event.how)
}

const retry = (
  state: Refreshes,
  ranges: InFlight,
  event: Envelope<Event>,
  { covering, inFlight, reason }: EventOf<"RetryDecided">
): void => {
  state.retries++
  state.retriesBy.set(reason, (state.retriesBy.get(reason) ?? 0) + 1)
  const sighting = sightingOf(event)
  const run = state.running.get(event.data.thread)
  if (covering === 0 && (reason === "hull" || (reason === "count" && run?.hullOnly))) find(state.hullOnly, sighting)
  if (run === undefined) return
  run.retries++
  if (reason === "seq" && isOverrun(run, event)) find(state.caughtBySeq, sighting)
  // Where the address or the ranges are not recorded nobody can say what they have to do with each other.
  const isTold = run.uhva !== undefined && (ranges.seen > 0 || inFlight > 0)
  // A lap that is known by its lookup only began somewhat before it.
  const isRelated = run.related || (reason === "none" && run.relatedBefore)
  run.relatedBefore = run.related
  if (!isRelated && isTold) {
    run.unrelated++
    state.unrelated++
    const finding = state.unrelatedBy.get(reason) ?? notFound()
    find(finding, sighting)
    state.unrelatedBy.set(reason, finding)
  }
  beginLap(run, ranges, event)
}

const publish = (state: Refreshes, ranges: InFlight, event: Envelope<Event>, pfn: number): void => {
  state.published++
  if (pfn < 0) find(state.publishedNothing, sightingOf(event))
  const run = state.running.get(event.data.thread)
  if (run === undefined || !isOverrun(run, event)) return
  const looked = run.resolvedSighting === undefined ? [] : [run.resolvedSighting]
  const finding = ranges.lostAt > run.resolved!.seq ? state.doubtfulPublishes : state.stalePublishes
  find(finding, ...looked, { seq: run.overrun!.started.seq, src: run.overrun!.src }, sightingOf(event))
}

const leave = (state: Refreshes, event: Envelope<Event>, ret: number): void => {
  const run = state.running.get(event.data.thread)
  if (run === undefined) return
  state.running.delete(event.data.thread)
  const failed = run.failed !== undefined || ret < 0
  const laps = run.kept || !run.looked ? 0 : run.retries + 1
  const ns = event.t - run.entered.t
  state.completed++
  if (failed) {
    state.failed++
    find(state.failures, run.failed ?? sightingOf(event))
  }
  if (run.kept) find(state.kept, run.sighting)
  if (laps > 0) state.withLookup++
  addDuration(laps > 0 ? state.durations : state.keptDurations, Math.max(0, ns))
  state.laps.set(laps, (state.laps.get(laps) ?? 0) + 1)
  state.lapsMax = Math.max(state.lapsMax, laps)
  if (run.retries - run.unrelated >= THRASH_RETRIES) find(state.thrashed, run.sighting)
  const { gpc, retries, sighting: { src }, thread, unrelated } = run
  state.finished = { seq: run.entered.seq, t: run.entered.t, src, gpc, thread, retries, unrelated, laps, ns, failed }
  keepWorst(state, state.finished)
}

const keepWorst = (state: Refreshes, refresh: FinishedRefresh): void => {
  const least = state.worst[KEPT_WORST - 1]
  if (least !== undefined && least.laps >= refresh.laps) return
  state.worst.push(refresh)
  state.worst.sort((a, b) => b.laps - a.laps || a.seq - b.seq)
  state.worst.length = Math.min(state.worst.length, KEPT_WORST)
}

/** Whether lookups are recorded at all: where there is none, and no mapping was seen to be kept, nobody knows the laps. @category reading @since 0.1.0 */
export const seesLookups = ({ kept, keptInferred, retries, withLookup }: Refreshes): boolean =>
  withLookup > 0 || kept.count > keptInferred || retries > 0

/** Refreshes, as a projection. @category projections @since 0.1.0 */
export const refreshes: Projection<{ readonly ranges: InFlight; readonly refreshes: Refreshes }> = {
  name: "refreshes",
  version: 2,
  init: () => ({ ranges: noneInFlight(), refreshes: noRefreshes() }),
  evolve: (state, event) => {
    advance(state.ranges, event.seq, event)
    evolveRefreshes(state.refreshes, state.ranges, event)
    return state
  }
}
