/**
 * The report: what happened in a trace or a log, as data. Rendering it is another's.
 *
 * The shape is that of `pfnscope report --json`: times are ns, addresses are `0x…`, positions are numbers.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { hex } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { activity } from "./activity.ts"
import type { Activity } from "./activity.ts"
import { diagnose } from "./diagnosis.ts"
import type { Verdict, VerdictId, VerdictKind } from "./diagnosis.ts"
import { quantile } from "./durations.ts"
import type { Durations } from "./durations.ts"
import type { Sighting } from "./evidence.ts"
import type { FinishedFault } from "./fault-laps.ts"
import type { VcpuFaults } from "./fault-states.ts"
import type { Invalidator } from "./invalidators.ts"
import { fold } from "./projection.ts"
import { seesLookups } from "./refreshes.ts"
import type { FinishedRefresh } from "./refreshes.ts"
import { byBlame, stormOf } from "./storm.ts"
import type { Storm } from "./storm.ts"
import { settleValidity } from "./validity.ts"
import type { GpcValidity } from "./validity.ts"

/** A file that a report is about: a trace with the census of its lines, or a log, which has none. @category models @since 0.1.0 */
export interface ReportedFile {
  readonly path: string
  readonly sha256: string
  readonly lines: number
  readonly census: {
    readonly parsed: number
    readonly markers: number
    readonly comments: number
    readonly rejected: ReadonlyArray<
      { readonly reason: string; readonly count: number; readonly lines: ReadonlyArray<number> }
    >
    readonly unmapped: ReadonlyArray<{ readonly event: string; readonly count: number }>
  }
  /** Losses: of a trace by line, of a log by the event that tells of each (the first 100). */
  readonly lost: ReadonlyArray<
    { readonly cpu: number; readonly count: number; readonly line: number; readonly seq?: number }
  >
  /** `ticks`: the times are numbers of a counter, not ns. */
  readonly clock: "time" | "ticks"
}

/** An event that a verdict rests on. `line` is 0 where the event was not read from a text. @category models @since 0.1.0 */
export interface ReportedEvidence {
  readonly seq: number
  readonly file: string
  readonly line: number
}

/** @category models @since 0.1.0 */
export interface ReportedVerdict {
  readonly id: VerdictId
  readonly verdict: VerdictKind
  readonly count: number
  readonly evidence: ReadonlyArray<ReportedEvidence>
  /** It rests on events that nobody saw, which others tell. */
  readonly inferred: boolean
}

/** Durations in ns. @category models @since 0.1.0 */
export interface ReportedSpread {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
  readonly mean: number
}

/** A cache. `uhva` is null where it has no address, `pointer` where it is not known. @category models @since 0.1.0 */
export interface ReportedGpc {
  readonly id: number
  readonly pointer: string | null
  readonly uhva: string | null
  readonly validNs: number
  readonly invalidNs: number
  readonly checks: { readonly hit: number; readonly miss: number }
  readonly invalidated: number
}

/** Who invalidates: see {@link Invalidator}. @category models @since 0.1.0 */
export interface ReportedInvalidator extends Omit<Invalidator, "gpcs"> {
  readonly gpcs: ReadonlyArray<{ readonly id: number; readonly count: number }>
}

/** A range that is open at the end, and what is known of who opened it. @category models @since 0.1.0 */
export interface ReportedOpenRange extends ReportedEvidence, Pick<Invalidator, "comm" | "pid" | "call" | "chain"> {
  readonly start: string
  readonly end: string
  readonly ns: number
}

/** What the faults of a vCPU saw of the notifier's state. @category models @since 0.1.0 */
export interface ReportedFaultState extends ReportedEvidence {
  readonly vcpu: string
  readonly faults: number
  readonly seqFrom: number
  readonly seqTo: number
  readonly changes: number
  readonly ns: number
  /** The longest run of faults that saw one state. */
  readonly longest: ReportedEvidence & {
    readonly faults: number
    readonly seq: number
    readonly inProgress: number
    readonly start: string
    readonly end: string
  }
}

/** What happened. @category models @since 0.1.0 */
export interface Report {
  readonly files: ReadonlyArray<ReportedFile>
  readonly span: { readonly from: number; readonly to: number }
  readonly events: number
  readonly tasks: number
  readonly gpcs: ReadonlyArray<ReportedGpc>
  readonly invalidations: {
    readonly count: number
    readonly overlappingGpc: number
    readonly maxInFlight: number
    /** Times that a walk marked a cache. */
    readonly hits: number
    /** Ranges that are open at the end. */
    readonly open: number
    readonly busyNs: number
    readonly ns: ReportedSpread
    /** Ranges whose end nobody saw: it is inferred from the return of the call that opened them. */
    readonly inferredEnds: number
    /** Some of the ranges that are open at the end, the longest first. */
    readonly openRanges: ReadonlyArray<ReportedOpenRange>
  }
  readonly refreshes: {
    readonly completed: number
    readonly failed: number
    readonly kept: number
    readonly unfinished: number
    readonly lapsMax: number
    readonly laps: ReadonlyArray<{ readonly laps: number; readonly count: number }>
    readonly retries: number
    readonly retriesBy: ReadonlyArray<{ readonly reason: string; readonly count: number }>
    readonly unrelatedLaps: number
    /** Retries in which the union of the ranges in flight held the address, and none of them. */
    readonly hullOnly: number
    /** Refreshes that looked a page up, from entry to return. */
    readonly ns: ReportedSpread
    /** The refreshes with most laps, most first. */
    readonly worst: ReadonlyArray<
      ReportedEvidence & Pick<FinishedRefresh, "gpc" | "thread" | "t" | "ns" | "laps" | "unrelated" | "failed">
    >
    /** Those that are in a lap still when the trace ends, most laps first. */
    readonly running: ReadonlyArray<
      ReportedEvidence & Pick<FinishedRefresh, "gpc" | "thread" | "t" | "ns" | "laps" | "unrelated">
    >
  }
  /** Those who made most others try again first. */
  readonly invalidators: ReadonlyArray<ReportedInvalidator>
  readonly storm: Storm | null
  readonly guestFaults: {
    readonly mapped: number
    readonly stale: number
    readonly hullOnly: number
    readonly lapsMax: number
    readonly laps: ReadonlyArray<{ readonly laps: number; readonly count: number }>
    readonly unfinished: number
    /** The faults with most laps, most first: where the first stale one was read. */
    readonly worst: ReadonlyArray<
      ReportedEvidence & Pick<FinishedFault, "thread" | "t" | "ns" | "laps"> & { readonly gfn: string }
    >
  }
  readonly faultStates: ReadonlyArray<ReportedFaultState>
  readonly memslots: { readonly swaps: number; readonly waits: number; readonly ns: ReportedSpread }
  /** Times that the clock went back. */
  readonly clockSteps: { readonly count: number; readonly evidence: ReadonlyArray<ReportedEvidence> }
  readonly verdicts: ReadonlyArray<ReportedVerdict>
}

/**
 * Reports on a stream of events. `file` is asked once the stream has ended, because only then is a census whole. Fails
 * with {@link LogNotDense} where a position is missing.
 *
 * @category reporting
 * @since 0.1.0
 */
export const reportOf = Effect.fn("projections.reportOf")(function*<E, R, E2, R2>(
  events: Stream.Stream<Envelope<Event>, E, R>,
  file: Effect.Effect<ReportedFile, E2, R2>
) {
  const state = yield* fold(activity, events)
  return compose(state, yield* file)
})

/** The file of a log, which has no lines to take a census of. @category reporting @since 0.1.0 */
export const logFile = (path: string, sha256: string): ReportedFile => ({
  path,
  sha256,
  lines: 0,
  census: { parsed: 0, markers: 0, comments: 0, rejected: [], unmapped: [] },
  lost: [],
  clock: "time"
})

/** What a log has lost, its events tell; what a trace has, its census. */
const withLosses = (file: ReportedFile, { lost }: Activity): ReportedFile =>
  file.lines > 0 ? file : { ...file, lost: lost.first }

/** Puts a report together from the activity of one file. @category reporting @since 0.1.0 */
export const compose = (a: Activity, file: ReportedFile): Report => {
  const invalidators = reportInvalidators(a)
  const ns = file.clock === "ticks" ? 0 : a.to - a.from
  return {
    files: [withLosses(file, a)],
    span: { from: a.from, to: a.to },
    events: a.events,
    tasks: a.threads.size,
    gpcs: [...a.validity.gpcs.values()].sort((x, y) => x.id - y.id).map((gpc) => reportGpc(gpc, a)),
    invalidations: reportInvalidations(a, file.path),
    refreshes: reportRefreshes(a, file.path),
    invalidators,
    storm: stormOf({
      invalidators,
      ns,
      seesCaches: a.refreshes.addresses.size > 0 ||
        [...a.refreshes.running.values()].some(({ uhva }) => uhva !== undefined && uhva > 0),
      seesRetries: a.simulated ||
        a.refreshes.completed + a.refreshes.running.size + a.memory.mapped + a.memory.stale > 0
    }),
    guestFaults: reportGuestFaults(a, file.path),
    faultStates: [...a.faultStates.values()].map((of) => reportFaultState(of, file.path)),
    memslots: { swaps: a.memory.swaps, waits: a.memory.waits, ns: spreadOf(a.memory.swapDurations) },
    clockSteps: {
      count: a.clockSteps.count,
      evidence: a.clockSteps.evidence.map((sighting) => reportSighting(sighting, file.path))
    },
    verdicts: diagnose(a).map((verdict) => reportVerdict(verdict, file.path))
  }
}

const reportInvalidators = (a: Activity): ReadonlyArray<ReportedInvalidator> =>
  [...a.invalidations.who.all.values()]
    .filter(({ count }) => count > 0)
    .map((invalidator) => ({
      ...invalidator,
      gpcs: [...invalidator.gpcs].filter(([, count]) => count > 0).map(([id, count]) => ({ id, count }))
        .sort((x, y) => x.id - y.id)
    }))
    .sort(byBlame)

const reportGpc = (gpc: GpcValidity, a: Activity): ReportedGpc => {
  const settled = { ...gpc }
  settleValidity(settled, a.to)
  const { id, pointer, uhva, invalidated } = settled
  // Refreshes that nobody published: the trace does not tell when a cache becomes valid.
  const { completed, failed, published, withLookup } = a.refreshes
  const isBlind = !a.simulated && published === 0 && completed > failed &&
    (withLookup > failed || !seesLookups(a.refreshes))
  const { invalidNs, validNs } = isBlind ? { invalidNs: 0, validNs: 0 } : settled
  return {
    id,
    pointer: pointer ?? null,
    uhva: uhva === undefined ? null : hex(uhva),
    validNs,
    invalidNs,
    checks: { ...gpc.checks },
    invalidated
  }
}

/** Open ranges that are told one by one. */
const KEPT_OPEN = 5

const reportInvalidations = (a: Activity, path: string): Report["invalidations"] => {
  const { busyNs, busySince, count, durations, hits, inferredEnds, overlappingGpc } = a.invalidations
  const vms = [...a.ranges.vms.values()]
  return {
    count,
    overlappingGpc,
    // Without a probe on the count, what is open is known.
    maxInFlight: vms.reduce((max, vm) => Math.max(max, vm.maxInFlight > 0 ? vm.maxInFlight : vm.maxOpen), 0),
    hits: hits.count,
    open: vms.reduce((sum, vm) => sum + vm.open.length, 0),
    busyNs: busyNs + (busySince === undefined ? 0 : Math.max(0, a.to - busySince)),
    ns: spreadOf(durations),
    inferredEnds,
    openRanges: reportOpenRanges(a, path)
  }
}

const reportOpenRanges = (a: Activity, path: string): ReadonlyArray<ReportedOpenRange> =>
  [...a.ranges.byThread.values()].flat()
    .sort((x, y) => x.started.seq - y.started.seq)
    .slice(0, KEPT_OPEN)
    .map((range) => {
      const { call = "none", chain = null, comm = "", pid = -1 } = a.invalidations.who.ofRange.get(range) ?? {}
      return {
        ...reportSighting({ seq: range.started.seq, src: range.src }, path),
        comm,
        pid,
        call,
        chain,
        start: hex(range.start),
        end: hex(range.end),
        ns: a.to - range.started.t
      }
    })

const reportGuestFaults = (a: Activity, path: string): Report["guestFaults"] => {
  const { hullOnly, laps: { abandoned, laps, lapsMax, running, worst }, mapped, stale } = a.memory
  return {
    mapped,
    stale,
    hullOnly: hullOnly.count,
    lapsMax,
    laps: histogram(laps),
    unfinished: running.size + abandoned,
    worst: worst.map(({ gfn, laps, ns, seq, src, t, thread }) => ({
      ...reportSighting({ seq, src }, path),
      gfn: hex(gfn),
      thread,
      t,
      ns,
      laps
    }))
  }
}

const reportFaultState = (of: VcpuFaults, path: string): ReportedFaultState => {
  const { changes, faults, first, from, longest, run, seqFrom, to, vcpu } = of
  return {
    ...reportSighting(first, path),
    vcpu,
    faults,
    seqFrom,
    seqTo: run.seq,
    changes,
    ns: to - from,
    longest: {
      ...reportSighting(longest.first, path),
      faults: longest.faults,
      seq: longest.seq,
      inProgress: longest.inProgress,
      start: hex(longest.start),
      end: hex(longest.end)
    }
  }
}

const histogram = (laps: ReadonlyMap<number, number>): Report["refreshes"]["laps"] =>
  [...laps].sort((x, y) => x[0] - y[0]).map(([laps, count]) => ({ laps, count }))

const reportRefreshes = (a: Activity, path: string): Report["refreshes"] => {
  const r = a.refreshes
  return {
    completed: r.completed,
    failed: r.failed,
    kept: r.kept.count,
    unfinished: r.running.size + r.abandoned,
    lapsMax: r.lapsMax,
    laps: seesLookups(r) ? histogram(r.laps) : [],
    running: reportRunning(a, path),
    retries: r.retries,
    retriesBy: [...r.retriesBy].map(([reason, count]) => ({ reason, count })),
    unrelatedLaps: r.unrelated,
    hullOnly: r.hullOnly.count,
    ns: spreadOf(r.durations),
    worst: r.worst.map(({ failed, gpc, laps, ns, seq, src, t, thread, unrelated }) => ({
      ...reportSighting({ seq, src }, path),
      gpc,
      thread,
      t,
      ns,
      laps,
      unrelated,
      failed
    }))
  }
}

/** Refreshes that are told one by one. */
const KEPT_RUNNING = 10

const reportRunning = (a: Activity, path: string): Report["refreshes"]["running"] =>
  [...a.refreshes.running.values()]
    .filter(({ looked, retries }) => looked || retries > 0)
    .sort((x, y) => y.retries - x.retries || x.entered.seq - y.entered.seq)
    .slice(0, KEPT_RUNNING)
    .map(({ entered, gpc, retries, sighting, thread, unrelated }) => ({
      ...reportSighting(sighting, path),
      gpc,
      thread,
      t: entered.t,
      ns: a.to - entered.t,
      laps: retries + 1,
      unrelated
    }))

const spreadOf = (durations: Durations): ReportedSpread => ({
  p50: quantile(durations, 0.5),
  p90: quantile(durations, 0.9),
  p99: quantile(durations, 0.99),
  max: durations.max,
  mean: durations.count === 0 ? 0 : Math.round(durations.sum / durations.count)
})

const reportVerdict = (verdict: Verdict, path: string): ReportedVerdict => ({
  ...verdict,
  evidence: verdict.evidence.map((sighting) => reportSighting(sighting, path))
})

const reportSighting = ({ seq, src }: Sighting, path: string): ReportedEvidence => ({
  seq,
  file: src?.file ?? path,
  line: src?.line ?? 0
})
