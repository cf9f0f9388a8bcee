/**
 * The verdict of a report: the storm, what was found and where, what holds, and what nobody can say and why.
 *
 * @since 0.1.0
 */
import { printable, tellingFrames } from "@pfnscope/projections"
import type { Report, ReportedEvidence, ReportedVerdict, Storm, VerdictId } from "@pfnscope/projections"
import { PROPERTIES } from "@pfnscope/protocol"
import { wrap } from "./race.ts"
import { unitOf } from "./report-unit.ts"
import { counted, percent } from "./table.ts"

/** What each diagnosis says when it is found. */
const SAYINGS: Readonly<Partial<Record<VerdictId, string>>> = {
  "stale-publish": "a page that had been invalidated completely was published (use after free)",
  "pessimistic-retry": "refreshes retried for invalidations in flight that were nowhere near their page",
  "unpaired-range": "an invalidation was started and never ended",
  thrash: "a page is invalidated faster than it can be mapped again",
  "unranged-seq": "refreshes retried for completed invalidations elsewhere: the sequence knows no ranges",
  "accumulated-hull": "the union of the ranges in flight held the page, none of the ranges did",
  "sign-extended-seq": "a sequence with bit 31 set is compared with a 32-bit copy of it: never equal, the fault is" +
    " stale for ever (fixed by accident in v6.3; stable 6.1 review of 2023-08-28)",
  "generation-churn": "refreshes because of memslot generations, with nothing to look up",
  "memslot-starved": "memslot updates waited for invalidations in flight",
  "stuck-fault": "vCPUs fault on and on though no invalidation is in progress or ends: a stale root, or a memslot's" +
    " generation",
  "refresh-failed": "refreshes returned an error: no retry problem, but no memslot there, or no page"
}

const sayingOf = ({ id, verdict }: ReportedVerdict): string => {
  const saying = SAYINGS[id] ?? PROPERTIES.find((property) => property.id === id)?.statement ?? ""
  return verdict === "violated" ? `not so: ${saying}` : saying
}

/** Columns that a verdict keeps to. */
export const WIDTH = 100

/** The name of a file without its folders. @category text @since 0.1.0 */
export const fileName = (path: string): string => printable(path.split("/").at(-1) ?? path)

/** Where a piece of evidence is: file and line, or the position in the log. @category text @since 0.1.0 */
export const placeOf = ({ file, line, seq }: ReportedEvidence): string =>
  line > 0 ? `${fileName(file)}:${line}` : `#${seq}`

/** A line of text after a word, with what continues below it. */
const entry = (word: string, text: string): ReadonlyArray<string> =>
  wrap(text, WIDTH - 11, 0).map((line, i) => `  ${(i === 0 ? word : "").padEnd(8)} ${line}`)

/** A stale publish is shown by three events: the lookup, the invalidation, the publish. */
const WHOLE: Readonly<Partial<Record<VerdictId, number>>> = { "stale-publish": 3 }

const verdictLines = (report: Report, verdict: ReportedVerdict, few: number): ReadonlyArray<string> => {
  const { count, evidence, id } = verdict
  if (count === 0) return []
  const shown = Math.max(few, WHOLE[id] ?? 0)
  const word = verdict.verdict === "unknown" ? "unknown" : verdict.verdict.toUpperCase()
  const places = evidence.slice(0, shown).map(placeOf).join(", ")
  const saying = `${sayingOf(verdict)}${detailOf(report, id)}`
  const doubt = verdict.verdict === "unknown" ? `; ${doubtOf(report)}` : ""
  return [
    ...entry(word, `${id} (x${count})  ${places}${evidence.length > shown ? ", …" : ""}`),
    ...entry("", saying + doubt),
    ...(id === "unpaired-range" ? openerLines(report, shown) : [])
  ]
}

/** Why something that was seen is no finding. */
const doubtOf = ({ faultStates, files }: Report): string =>
  faultStates.length > 0 && files.every(({ lost }) => lost.length === 0)
    ? "seen too few times to tell"
    : "what was not recorded may explain it"

/** What the numbers of a report add to a diagnosis. */
const detailOf = ({ faultStates, guestFaults, refreshes }: Report, id: VerdictId): string => {
  if (id === "accumulated-hull") {
    const parts = [
      ...(refreshes.hullOnly === 0 ? [] : [counted(refreshes.hullOnly, "retry", "retries")]),
      ...(guestFaults.hullOnly === 0 ? [] : [counted(guestFaults.hullOnly, "guest fault")])
    ]
    return ` (${parts.join(", ")})`
  }
  const most = faultStates.toSorted((a, b) => b.changes - a.changes)[0]
  if (id !== "thrash" || most === undefined || most.changes === 0) return ""
  return ` (the sequence changed ${most.changes} times in ${most.faults} faults of vcpu ${printable(most.vcpu)})`
}

/** Who opened what is not closed, as far as anything tells. */
const openerLines = (report: Report, shown: number): ReadonlyArray<string> => {
  const { openRanges } = report.invalidations
  const unit = unitOf(report)
  const openers = openRanges.slice(0, shown).flatMap((range) => {
    const chain = chainText(range.chain ?? [])
    const why = chain === "" ? "" : `, ${chain}`
    const who = `${printable(range.comm)}-${range.pid} ${range.call}`
    return entry("", `open: [${range.start}, ${range.end}) by ${who}, for ${unit(range.ns)} (${placeOf(range)})${why}`)
  })
  if (openers.length > 0) return openers
  return report.faultStates.filter(({ longest }) => longest.inProgress > 0).slice(0, 1).flatMap(({ longest }) =>
    entry("", `in progress: [${longest.start}, ${longest.end}); who started it is not in the trace: record range_start`)
  )
}

/** Frames of a call chain that are shown. */
const FRAMES = 3

/** Why an invalidation is made: the frames of its call chain that tell. @category text @since 0.1.0 */
export const chainText = (chain: ReadonlyArray<string>): string =>
  tellingFrames(chain).slice(0, FRAMES).map(printable).join(" <- ")

/** Fewer invalidations, or fewer a second, are nobody's storm. */
const STORM = { count: 10, perSecond: 100 }

const stormLines = (report: Report): ReadonlyArray<string> => {
  const { storm } = report
  if (storm === null) return []
  const { count, perSecond, tasks } = storm
  const [first] = tasks
  const caused = tasks.reduce((sum, { faultRetries, retries }) => sum + retries + faultRetries, 0)
  const isStorm = count >= STORM.count && (perSecond ?? Infinity) >= STORM.perSecond
  const calls = new Set(tasks.map(({ call, comm }) => `${comm} ${call}`))
  const names = calls.size === 1 && tasks.length > 1
    ? `${printable(first!.comm)}-${tasks.map(({ pid }) => pid).join(", -")} ${first!.call}`
    : tasks.map(({ call, comm, pid }) => `${printable(comm)}-${pid} ${call}`).join(", ")
  const rate = perSecond === null ? "" : ` (${perSecond}/s)`
  const told = report.files.some(({ lost }) => lost.length > 0) ? ", as far as was recorded" : ""
  const title = isStorm ? "The storm" : caused === 0 ? "Most invalidations" : "Retries are put down to"
  return wrap(
    `  ${title}: ${names}, ${counted(count, "range")}${rate}, ${relationText(storm, report.refreshes)}${told}.`,
    WIDTH,
    2
  )
}

const relationText = (
  { count, gpcs, overlapping, relation, tasks }: Storm,
  { retries, unrelatedLaps }: Report["refreshes"]
): string => {
  if (relation === "unknown") return "on which the trace shows nobody waiting: related or not is unknown"
  if (overlapping === 0) return "none over a cache's page: unrelated"
  const pages = gpcs.length === 1 ? `gpc/${gpcs[0]}'s page` : `the pages of ${gpcs.map((id) => `gpc/${id}`).join(" ")}`
  const over = `${overlapping} of ${count} over ${pages}`
  if (relation === "on-page") {
    const others = unrelatedLaps === 0
      ? ""
      : `, though ${percent(unrelatedLaps, retries)} of the retries were for another's`
    return gpcs.length === 1 ? `${over}: on the page itself` : `${over}: on the pages themselves${others}`
  }
  const all = tasks.reduce((sum, { faultRetries, retries }) => sum + retries + faultRetries, 0)
  const part = percent(all - tasks.reduce((sum, { retriesOverPage }) => sum + retriesOverPage, 0), all)
  return `${over}, but ${part} of the retries were for the others: ${
    relation === "partly" ? "partly related" : relation
  }`
}

/** Why less can be said than the trace seems to show. */
const doubtLines = (report: Report): ReadonlyArray<string> => {
  const lost = report.files.flatMap(({ lost, path }) =>
    lost.map(({ line, seq }) => seq === undefined || line > 0 ? `${fileName(path)}:${line}` : `#${seq}`)
  )
  const { clockSteps, invalidations: { inferredEnds } } = report
  const resting = report.verdicts.filter(({ count, inferred, verdict }) =>
    inferred && (count > 0 || verdict === "holds")
  )
  const inferred = resting.map(({ id }) => id).join(" ")
  return [
    ...(lost.length === 0 ? [] : entry(
      "lost",
      `events, ${counted(lost.length, "time")} (${lost[0]}${lost.length > 1 ? ", …" : ""}): nothing holds, and what` +
        " only an absence shows is unknown"
    )),
    ...(clockSteps.count === 0 ? [] : entry(
      "clock",
      `went back ${counted(clockSteps.count, "time")} (${placeOf(clockSteps.evidence[0]!)}): nothing holds`
    )),
    ...(inferredEnds === 0 ? [] : entry(
      "inferred",
      `ends of ${counted(inferredEnds, "invalidation")} are inferred from the syscalls' returns${
        inferred === "" ? "" : `; on them rest ${inferred}`
      }`
    ))
  ]
}

/** The lines of the verdict; `shown` is how many pieces of evidence of each. @category text @since 0.1.0 */
export const verdictBlock = (report: Report, shown: number): ReadonlyArray<string> => {
  const seen = report.verdicts.filter(({ count }) => count > 0)
  const names = (kind: string) =>
    report.verdicts.filter(({ count, verdict }) => verdict === kind && count === 0).map(({ id }) => id).join(" ")
  const holds = names("holds")
  const unknown = names("unknown")
  const found = seen.flatMap((verdict) => verdictLines(report, verdict, shown))
  return [
    ...stormLines(report),
    ...(found.length === 0 ? ["  nothing found"] : found),
    ...(holds === "" ? [] : entry("holds", holds)),
    ...(unknown === "" ? [] : entry("unknown", unknown)),
    ...doubtLines(report)
  ]
}
