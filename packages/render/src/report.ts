/**
 * The report on a trace or a log: the verdict first, the evidence after.
 *
 * @since 0.1.0
 */
import { printable, secondsText } from "@pfnscope/projections"
import type { Report, ReportedVerdict, VerdictId } from "@pfnscope/projections"
import { PROPERTIES } from "@pfnscope/protocol"
import { bar, CAVEAT, counted, duration, percent, table } from "./table.ts"

/** What each diagnosis says when it is found, in one line. */
const SAYINGS: Readonly<Partial<Record<VerdictId, string>>> = {
  "stale-publish": "a page that had been invalidated completely was published (use after free)",
  "pessimistic-retry": "refreshes retried for invalidations in flight that were nowhere near their page",
  "unpaired-range": "an invalidation was started and never ended",
  thrash: "a cache's own page is invalidated faster than it can be refreshed",
  "unranged-seq": "refreshes retried because of completed invalidations elsewhere: the sequence knows no ranges",
  "accumulated-hull": "faults retried for the union of ranges, which covers what none of them does",
  "sign-extended-seq": "a sequence was compared after sign extension",
  "generation-churn": "refreshes because of memslot generations, with nothing to look up",
  "memslot-starved": "memslot updates waited for invalidations in flight"
}

const sayingOf = (id: VerdictId): string =>
  SAYINGS[id] ?? PROPERTIES.find((property) => property.id === id)?.statement ?? ""

/** Pieces of evidence shown for a verdict, and rows of a list, unless all are wanted. */
const FEW = { evidence: 2, rows: 4, laps: 4 }
const ALL = { evidence: 10, rows: Infinity, laps: Infinity }

/** How much to show. @category models @since 0.1.0 */
export interface ReportOptions {
  readonly verbose: boolean
}

const fileName = (path: string): string => printable(path.split("/").at(-1) ?? path)

const verdictLines = ({ count, evidence, id, verdict }: ReportedVerdict, shown: number): ReadonlyArray<string> => {
  const word = verdict.toUpperCase()
  if (verdict === "holds" || verdict === "unknown") return []
  const places = evidence.slice(0, shown).map(({ file, line, seq }) =>
    line > 0 ? `${fileName(file)}:${line}` : `#${seq}`
  )
  const statement = verdict === "violated" ? `not so: ${sayingOf(id)}` : sayingOf(id)
  return [
    `  ${word.padEnd(8)} ${id} (x${count}): ${statement}`,
    `           ${places.join(", ")}${evidence.length > shown ? ", …" : ""}`
  ]
}

const verdictBlock = (report: Report, shown: number): ReadonlyArray<string> => {
  const names = (kind: string) =>
    report.verdicts.filter(({ verdict }) => verdict === kind).map(({ id }) => id).join(" ")
  const holds = names("holds")
  const unknown = names("unknown")
  const lines = report.verdicts.flatMap((verdict) => verdictLines(verdict, shown))
  return [
    ...(lines.length === 0 ? ["  nothing found"] : lines),
    ...(holds === "" ? [] : [`  holds    ${holds}`]),
    ...(unknown === "" ? [] : [`  unknown  ${unknown}`])
  ]
}

const refreshBlock = ({ refreshes: r }: Report, shown: number): ReadonlyArray<string> => {
  const largest = Math.max(1, ...r.laps.map(({ count }) => count))
  const shownLaps = r.laps.slice(0, shown)
  const rest = r.laps.slice(shown)
  const reasons = r.retriesBy.map(({ count, reason }) => `${count} by ${reason}`).join(", ")
  return [
    `Refreshes: ${r.completed} completed, ${r.failed} failed, ${r.unfinished} unfinished; ${r.retries} retries` +
    `${reasons === "" ? "" : ` (${reasons})`}, ${percent(r.unrelatedLaps, r.retries)} unrelated`,
    `  duration: median ${duration(r.ns.p50)}, 99 % ${duration(r.ns.p99)}, max ${duration(r.ns.max)}`,
    ...shownLaps.map(({ count, laps }) =>
      `  ${String(laps).padStart(6)} laps ${String(count).padStart(7)}  ${bar(count, largest, 40)}`
    ),
    ...(rest.length === 0
      ? []
      : [
        `  … up to ${r.lapsMax} laps: ${
          counted(rest.reduce((n, { count }) => n + count, 0), "more refresh", "more refreshes")
        }`
      ]),
    ...r.worst.slice(0, 1).filter(({ laps }) => laps > 1).map(({ file, laps, line, ns, seq, unrelated }) =>
      `  worst: ${laps} laps, ${unrelated} thrown away for nothing over its page, ${duration(ns)} (${
        line > 0 ? `${fileName(file)}:${line}` : `#${seq}`
      })`
    )
  ]
}

const invalidatorBlock = ({ invalidations, invalidators }: Report, shown: number): ReadonlyArray<string> => {
  const rows = invalidators.slice(0, shown).map((
    { call, comm, count, hits, pid }
  ) => [printable(comm), pid, call, count, hits])
  const more = invalidators.length - rows.length
  return [
    `Invalidations: ${invalidations.count}, at most ${invalidations.maxInFlight} in flight; ` +
    `${invalidations.overlappingGpc} over a cache's page; median ${duration(invalidations.ns.p50)}, max ${
      duration(invalidations.ns.max)
    }`,
    ...(rows.length === 0
      ? []
      : table(["task", "pid", "call", "ranges", "hits"], rows).split("\n").map((line) => `  ${line}`)),
    ...(more > 0 ? [`  … and ${more} more`] : [])
  ]
}

const gpcBlock = ({ gpcs }: Report, shown: number): ReadonlyArray<string> => {
  const used = gpcs.filter(({ checks, validNs }) => checks.hit + checks.miss + validNs > 0)
  const rows = used.slice(0, shown).map(({ checks, id, invalidNs, invalidated, uhva, validNs }) => [
    `gpc/${id}`,
    uhva ?? "-",
    percent(validNs, validNs + invalidNs),
    checks.hit,
    checks.miss,
    invalidated
  ])
  const more = used.length - rows.length
  if (rows.length === 0) return []
  return [
    "Caches:",
    ...table(["gpc", "uhva", "valid", "hit", "miss", "invalidated"], rows).split("\n").map((line) => `  ${line}`),
    ...(more > 0 ? [`  … and ${more} more`] : [])
  ]
}

const fileBlock = (report: Report): ReadonlyArray<string> =>
  report.files.flatMap(({ census, lost, path, lines }) => {
    const rejected = census.rejected.reduce((n, { count }) => n + count, 0)
    return [
      `${fileName(path)}: ${
        lines > 0 ? `${lines} lines, ${census.parsed} parsed, ${rejected} rejected` : `${report.events} events`
      }` +
      `, ${lost.length === 0 ? "none lost" : `events lost ${counted(lost.length, "time")} (line ${lost[0]!.line})`}`,
      ...census.rejected.map(({ count, lines: first, reason }) =>
        `  ${count} rejected: ${reason} (line ${first.join(", ")})`
      )
    ]
  })

/**
 * A report as text: at most some forty lines, unless it is to be verbose. Every claim cites file and line, or the
 * position in the log.
 *
 * @category text
 * @since 0.1.0
 */
export const reportText = (report: Report, { verbose }: ReportOptions): string => {
  const { evidence, laps, rows } = verbose ? ALL : FEW
  const { from, to } = report.span
  const { guestFaults: faults, memslots } = report
  const other = [
    ...(faults.mapped + faults.stale === 0
      ? []
      : [`Guest faults: ${faults.mapped} mapped, ${faults.stale} stale (${faults.hullOnly} for the hull only).`]),
    ...(memslots.swaps === 0 ? [] : [`Memslot updates: ${memslots.swaps}, ${counted(memslots.waits, "wait")}.`])
  ].join(" ")
  return [
    "Verdict",
    ...verdictBlock(report, evidence),
    "",
    `Span ${secondsText(from)} to ${secondsText(to)} (${duration(to - from)}), ${counted(report.tasks, "task")}`,
    ...refreshBlock(report, laps),
    "",
    ...invalidatorBlock(report, rows),
    ...gpcBlock(report, rows),
    ...(other === "" ? [] : [other]),
    ...fileBlock(report),
    CAVEAT
  ].join("\n")
}

/** A report as JSON. @category json @since 0.1.0 */
export const reportJson = (report: Report): unknown => report
