/**
 * One report about several files.
 *
 * Each file has been read on its own: nothing that is open in one reaches into another. Positions are those of each
 * file's own events, caches are numbered through, and a verdict is the gravest that any file gives.
 *
 * @since 0.1.0
 */
import type { Report, ReportedInvalidator, ReportedSpread, ReportedVerdict } from "./report.ts"
import { addInvalidator, byBlame } from "./storm.ts"
import type { Storm } from "./storm.ts"

/** From the harmless to the grave: what one file shows, a silence of another cannot undo. */
const GRAVITY = ["holds", "unknown", "found", "violated"] as const

/** Refreshes with most laps that are kept of all. */
const KEPT_WORST = 10

/**
 * Combines the reports of several files, in the order given. The quantiles of durations cannot be combined: the
 * highest of each is given.
 *
 * @category reporting
 * @since 0.1.0
 */
export const combine = (first: Report, ...more: ReadonlyArray<Report>): Report => more.reduce(addReport, first)

const addReport = (a: Report, b: Report): Report => ({
  files: [...a.files, ...b.files],
  span: { from: Math.min(a.span.from, b.span.from), to: Math.max(a.span.to, b.span.to) },
  events: a.events + b.events,
  tasks: a.tasks + b.tasks,
  gpcs: [...a.gpcs, ...b.gpcs.map((gpc) => ({ ...gpc, id: gpc.id + a.gpcs.length }))],
  invalidations: {
    count: a.invalidations.count + b.invalidations.count,
    overlappingGpc: a.invalidations.overlappingGpc + b.invalidations.overlappingGpc,
    maxInFlight: Math.max(a.invalidations.maxInFlight, b.invalidations.maxInFlight),
    hits: a.invalidations.hits + b.invalidations.hits,
    open: a.invalidations.open + b.invalidations.open,
    busyNs: a.invalidations.busyNs + b.invalidations.busyNs,
    ns: addSpread(a.invalidations.ns, a.invalidations.count, b.invalidations.ns, b.invalidations.count),
    inferredEnds: a.invalidations.inferredEnds + b.invalidations.inferredEnds,
    openRanges: [...a.invalidations.openRanges, ...b.invalidations.openRanges]
  },
  refreshes: addRefreshes(a.refreshes, b.refreshes, a.gpcs.length),
  invalidators: addInvalidators(a.invalidators, b.invalidators.map((one) => shifted(one, a.gpcs.length))),
  storm: greater(a.storm, b.storm, a.gpcs.length),
  guestFaults: addGuestFaults(a.guestFaults, b.guestFaults),
  faultStates: [...a.faultStates, ...b.faultStates],
  memslots: {
    swaps: a.memslots.swaps + b.memslots.swaps,
    waits: a.memslots.waits + b.memslots.waits,
    ns: addSpread(a.memslots.ns, a.memslots.swaps, b.memslots.ns, b.memslots.swaps)
  },
  clockSteps: {
    count: a.clockSteps.count + b.clockSteps.count,
    evidence: [...a.clockSteps.evidence, ...b.clockSteps.evidence]
  },
  verdicts: addVerdicts(a.verdicts, b.verdicts)
})

const addRefreshes = (a: Report["refreshes"], b: Report["refreshes"], gpcs: number): Report["refreshes"] => ({
  completed: a.completed + b.completed,
  failed: a.failed + b.failed,
  kept: a.kept + b.kept,
  unfinished: a.unfinished + b.unfinished,
  lapsMax: Math.max(a.lapsMax, b.lapsMax),
  laps: addCounts(a.laps, b.laps, (x) => x.laps).sort((x, y) => x.laps - y.laps),
  retries: a.retries + b.retries,
  retriesBy: addCounts(a.retriesBy, b.retriesBy, (x) => x.reason),
  unrelatedLaps: a.unrelatedLaps + b.unrelatedLaps,
  hullOnly: a.hullOnly + b.hullOnly,
  ns: addSpread(a.ns, a.completed - a.kept, b.ns, b.completed - b.kept),
  worst: addWorst(a.worst, b.worst, gpcs),
  running: addWorst(a.running, b.running, gpcs)
})

const addWorst = <A extends { readonly gpc: number; readonly laps: number }>(
  a: ReadonlyArray<A>,
  b: ReadonlyArray<A>,
  gpcs: number
): ReadonlyArray<A> =>
  [...a, ...b.map((refresh) => ({ ...refresh, gpc: refresh.gpc + gpcs }))]
    .sort((x, y) => y.laps - x.laps)
    .slice(0, KEPT_WORST)

const addCounts = <A extends { readonly count: number }>(
  a: ReadonlyArray<A>,
  b: ReadonlyArray<A>,
  key: (item: A) => unknown
): Array<A> => {
  const all = new Map(a.map((item) => [key(item), item]))
  for (const item of b) all.set(key(item), { ...item, count: item.count + (all.get(key(item))?.count ?? 0) })
  return [...all.values()]
}

const addSpread = (a: ReportedSpread, aCount: number, b: ReportedSpread, bCount: number): ReportedSpread => ({
  p50: Math.max(a.p50, b.p50),
  p90: Math.max(a.p90, b.p90),
  p99: Math.max(a.p99, b.p99),
  max: Math.max(a.max, b.max),
  mean: aCount + bCount === 0 ? 0 : Math.round((a.mean * aCount + b.mean * bCount) / (aCount + bCount))
})

const addGuestFaults = (a: Report["guestFaults"], b: Report["guestFaults"]): Report["guestFaults"] => ({
  mapped: a.mapped + b.mapped,
  stale: a.stale + b.stale,
  hullOnly: a.hullOnly + b.hullOnly,
  lapsMax: Math.max(a.lapsMax, b.lapsMax),
  laps: addCounts(a.laps, b.laps, (x) => x.laps).sort((x, y) => x.laps - y.laps),
  unfinished: a.unfinished + b.unfinished,
  worst: [...a.worst, ...b.worst].sort((x, y) => y.laps - x.laps).slice(0, KEPT_WORST)
})

/** The caches of a second file are numbered on from those of the first. */
const shifted = (invalidator: ReportedInvalidator, gpcs: number): ReportedInvalidator => ({
  ...invalidator,
  gpcs: invalidator.gpcs.map(({ count, id }) => ({ id: id + gpcs, count }))
})

/** Files may be of other times and hosts: of two storms the greater is told. */
const greater = (a: Storm | null, b: Storm | null, gpcs: number): Storm | null =>
  b === null || causedBy(a) >= causedBy(b) ? a : { ...b, gpcs: b.gpcs.map((id) => id + gpcs) }

const causedBy = (storm: Storm | null): number =>
  storm === null ? -1 : storm.tasks.reduce((sum, { faultRetries, retries }) => sum + retries + faultRetries, 0)

const addInvalidators = (
  a: ReadonlyArray<ReportedInvalidator>,
  b: ReadonlyArray<ReportedInvalidator>
): ReadonlyArray<ReportedInvalidator> => {
  const all = new Map<string, ReportedInvalidator>()
  for (const invalidator of [...a, ...b]) {
    const key = `${invalidator.pid} ${invalidator.call} ${invalidator.comm} ${invalidator.chain?.join(" ") ?? ""}`
    const known = all.get(key)
    all.set(key, known === undefined ? invalidator : addInvalidator(known, invalidator))
  }
  return [...all.values()].sort(byBlame)
}

const addVerdicts = (
  a: ReadonlyArray<ReportedVerdict>,
  b: ReadonlyArray<ReportedVerdict>
): ReadonlyArray<ReportedVerdict> => {
  const all = new Map(a.map((verdict) => [verdict.id, verdict]))
  for (const verdict of b) {
    const known = all.get(verdict.id)
    all.set(verdict.id, known === undefined ? verdict : graver(known, verdict))
  }
  return [...all.values()]
}

const graver = (a: ReportedVerdict, b: ReportedVerdict): ReportedVerdict => ({
  id: a.id,
  verdict: GRAVITY.indexOf(a.verdict) >= GRAVITY.indexOf(b.verdict) ? a.verdict : b.verdict,
  count: a.count + b.count,
  evidence: [...a.evidence, ...b.evidence],
  inferred: a.inferred || b.inferred
})
