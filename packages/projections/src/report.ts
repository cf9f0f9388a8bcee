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
import type { Invalidator } from "./invalidations.ts"
import { fold } from "./projection.ts"
import type { FinishedRefresh } from "./refreshes.ts"
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
  readonly lost: ReadonlyArray<{ readonly cpu: number; readonly count: number; readonly line: number }>
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
    /** Refreshes that looked a page up, from entry to return. */
    readonly ns: ReportedSpread
    /** The refreshes with most laps, most first. */
    readonly worst: ReadonlyArray<
      ReportedEvidence & Pick<FinishedRefresh, "gpc" | "thread" | "t" | "ns" | "laps" | "unrelated" | "failed">
    >
  }
  readonly invalidators: ReadonlyArray<Invalidator>
  readonly guestFaults: { readonly mapped: number; readonly stale: number; readonly hullOnly: number }
  readonly memslots: { readonly swaps: number; readonly waits: number; readonly ns: ReportedSpread }
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
  lost: []
})

/** Puts a report together from the activity of one file. @category reporting @since 0.1.0 */
export const compose = (a: Activity, file: ReportedFile): Report => ({
  files: [file],
  span: { from: a.from, to: a.to },
  events: a.events,
  tasks: a.threads.size,
  gpcs: [...a.validity.gpcs.values()].sort((x, y) => x.id - y.id).map((gpc) => reportGpc(gpc, a.to)),
  invalidations: reportInvalidations(a),
  refreshes: reportRefreshes(a, file.path),
  invalidators: [...a.invalidations.invalidators.values()]
    .filter((invalidator) => invalidator.count > 0)
    .sort((x, y) => y.count - x.count || x.pid - y.pid || (x.call < y.call ? -1 : 1))
    .map((invalidator) => ({ ...invalidator })),
  guestFaults: { mapped: a.memory.mapped, stale: a.memory.stale, hullOnly: a.memory.hullOnly.count },
  memslots: { swaps: a.memory.swaps, waits: a.memory.waits, ns: spreadOf(a.memory.swapDurations) },
  verdicts: diagnose(a).map((verdict) => reportVerdict(verdict, file.path))
})

const reportGpc = (gpc: GpcValidity, end: number): ReportedGpc => {
  const settled = { ...gpc }
  settleValidity(settled, end)
  const { id, pointer, uhva, validNs, invalidNs, invalidated } = settled
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

const reportInvalidations = (a: Activity): Report["invalidations"] => {
  const { busyNs, busySince, count, durations, hits, overlappingGpc } = a.invalidations
  const vms = [...a.ranges.vms.values()]
  return {
    count,
    overlappingGpc,
    maxInFlight: vms.reduce((max, vm) => Math.max(max, vm.maxInFlight), 0),
    hits: hits.count,
    open: vms.reduce((sum, vm) => sum + vm.open.length, 0),
    busyNs: busyNs + (busySince === undefined ? 0 : Math.max(0, a.to - busySince)),
    ns: spreadOf(durations)
  }
}

const reportRefreshes = (a: Activity, path: string): Report["refreshes"] => {
  const r = a.refreshes
  return {
    completed: r.completed,
    failed: r.failed,
    kept: r.kept.count,
    unfinished: r.running.size + r.abandoned,
    lapsMax: r.lapsMax,
    laps: [...r.laps].sort((x, y) => x[0] - y[0]).map(([laps, count]) => ({ laps, count })),
    retries: r.retries,
    retriesBy: [...r.retriesBy].map(([reason, count]) => ({ reason, count })),
    unrelatedLaps: r.unrelated,
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
