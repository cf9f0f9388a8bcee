/**
 * The report on a trace or a log: the verdict first, the evidence after.
 *
 * @since 0.1.0
 */
import { printable, secondsText } from "@pfnscope/projections"
import type { Report } from "@pfnscope/projections"
import { isInTicks, unitOf } from "./report-unit.ts"
import { chainText, fileName, placeOf, verdictBlock } from "./report-verdict.ts"
import { bar, CAVEAT, counted, percent, table } from "./table.ts"
import type { Cell } from "./table.ts"

/** How many of each are shown: pieces of evidence for a verdict, rows of a table, bars of a histogram, files. */
interface Detail {
  readonly evidence: number
  readonly rows: number
  readonly laps: number
  readonly files: number
}

/** From much to little: a report takes the first with which it fits a screen. */
const DETAILS: ReadonlyArray<Detail> = [
  { evidence: 2, rows: 4, laps: 4, files: 8 },
  { evidence: 2, rows: 3, laps: 4, files: 4 },
  { evidence: 2, rows: 3, laps: 3, files: 4 },
  { evidence: 2, rows: 2, laps: 3, files: 2 },
  { evidence: 2, rows: 2, laps: 2, files: 2 },
  { evidence: 1, rows: 1, laps: 1, files: 1 }
]
const ALL: Detail = { evidence: 10, rows: Infinity, laps: Infinity, files: Infinity }

/** Lines of a screen that a report keeps to, unless it is to be verbose. */
const SCREEN = 40

/** How much to show. @category models @since 0.1.0 */
export interface ReportOptions {
  readonly verbose: boolean
}

type Histogram = Report["refreshes"]["laps"]

const bars = (laps: Histogram, shown: number): ReadonlyArray<string> => {
  const largest = Math.max(1, ...laps.map(({ count }) => count))
  return laps.slice(0, shown).map(({ count, laps }) =>
    `  ${String(laps).padStart(6)} ${(laps === 1 ? "lap" : "laps").padEnd(4)} ${String(count).padStart(7)}  ${
      bar(count, largest, 40)
    }`
  )
}

const refreshBlock = (report: Report, shown: number): ReadonlyArray<string> => {
  const r = report.refreshes
  if (r.completed + r.unfinished === 0) return ["Refreshes: none recorded."]
  const unit = unitOf(report)
  const rest = r.laps.slice(shown)
  const more = rest.reduce((n, { count }) => n + count, 0)
  const reasons = r.retriesBy.map(({ count, reason }) =>
    `${count} by ${reason === "none" ? "a reason not recorded" : reason}`
  )
  if (r.laps.length === 0 && r.completed > 0) {
    return [`Refreshes: ${r.completed} completed, ${r.failed} failed; laps are not recorded.`]
  }
  return [
    `Refreshes: ${r.completed} completed, ${r.failed} failed, ${r.unfinished} unfinished; ${
      counted(r.retries, "retry", "retries")
    }${r.retries === 0 ? "" : ` (${reasons.join(", ")}), ${percent(r.unrelatedLaps, r.retries)} unrelated`}`,
    ...(r.completed === 0
      ? []
      : [`  duration: median ${unit(r.ns.p50)}, 99 % ${unit(r.ns.p99)}, max ${unit(r.ns.max)}`]),
    ...bars(r.laps, shown),
    ...(more === 0 ? [] : [`  … up to ${r.lapsMax} laps: ${counted(more, "more refresh", "more refreshes")}`]),
    ...r.worst.slice(0, 1).filter(({ laps }) => laps > 1).map((worst) =>
      `  worst: gpc/${worst.gpc}, ${worst.laps} laps, ${worst.unrelated} thrown away for nothing over its page, ${
        unit(worst.ns)
      } (${placeOf(worst)})`
    ),
    ...r.running.slice(0, 1).map((run) =>
      `  unfinished: gpc/${run.gpc}, in lap ${run.laps}, ${run.unrelated} thrown away for nothing over its page, for ${
        unit(run.ns)
      } (${placeOf(run)})`
    )
  ]
}

/** Indents a table's lines below their title. */
const indented = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>): ReadonlyArray<string> =>
  rows.length === 0 ? [] : table(header, rows).split("\n").map((line) => `  ${line}`)

/** Columns by their title; those that say nothing in any row are left out. */
const columns = <A>(
  rows: ReadonlyArray<A>,
  all: ReadonlyArray<readonly [title: string, cell: (row: A) => Cell, isTold: boolean]>
): ReadonlyArray<string> => {
  const told = all.filter(([, , isTold]) => isTold)
  return indented(told.map(([title]) => title), rows.map((row) => told.map(([, cell]) => cell(row))))
}

const invalidatorBlock = (report: Report, shown: number): ReadonlyArray<string> => {
  const { invalidations, invalidators, refreshes } = report
  if (invalidations.count === 0) return ["Invalidations: none recorded."]
  const unit = unitOf(report)
  const rows = invalidators.slice(0, shown)
  const more = invalidators.length - rows.length
  return [
    `Invalidations: ${invalidations.count}, at most ${invalidations.maxInFlight} in flight; ` +
    `${invalidations.overlappingGpc} over a cache's page; median ${unit(invalidations.ns.p50)}, max ${
      unit(invalidations.ns.max)
    }${invalidations.open === 0 ? "" : `; ${invalidations.open} open at the end`}`,
    ...columns(rows, [
      ["task", ({ comm }) => printable(comm), true],
      ["pid", ({ pid }) => pid, true],
      ["call", ({ call }) => call, true],
      ["ranges", ({ count }) => count, true],
      ["over page", ({ overlapping }) => overlapping, true],
      ["hits", ({ hits }) => hits, invalidations.hits > 0],
      ["retries", ({ retries }) => retries, refreshes.completed > 0],
      ["faults", ({ faultRetries }) => faultRetries, rows.some(({ faultRetries }) => faultRetries > 0)],
      ["why", ({ chain }) => chainText(chain ?? []) || "-", rows.some(({ chain }) => chainText(chain ?? []) !== "")]
    ]),
    ...(more > 0 ? [`  … and ${more} more`] : [])
  ]
}

const gpcBlock = ({ gpcs, invalidations }: Report, shown: number, verbose: boolean): ReadonlyArray<string> => {
  const used = gpcs.filter(({ checks, uhva, validNs }) => checks.hit + checks.miss + validNs > 0 || uhva !== null)
  const rows = used.slice(0, shown)
  const more = used.length - rows.length
  if (rows.length === 0) return []
  return [
    "Caches:",
    ...columns(rows, [
      ["gpc", ({ id }) => `gpc/${id}`, true],
      ["uhva", ({ uhva }) => uhva ?? "-", true],
      ["pointer", ({ pointer }) => printable(pointer ?? "-"), verbose],
      ["valid", ({ invalidNs, validNs }) => percent(validNs, validNs + invalidNs), true],
      ["hit", ({ checks }) => checks.hit, true],
      ["miss", ({ checks }) => checks.miss, true],
      ["invalidated", ({ invalidated }) => invalidated, invalidations.hits > 0]
    ]),
    ...(more > 0 ? [`  … and ${more} more`] : [])
  ]
}

const guestBlock = (report: Report, shown: number, verbose: boolean): ReadonlyArray<string> => {
  const { hullOnly, laps, lapsMax, mapped, stale, unfinished, worst } = report.guestFaults
  if (mapped + stale === 0) return []
  const text = `Guest faults: ${mapped} mapped, ${stale} stale (${hullOnly} for the hull only)`
  const [first] = worst
  if (first === undefined) return [`${text}.`]
  const each = laps.slice(0, shown).map(({ count, laps }) => `${laps} x${count}`).join(", ")
  const last = `${laps.length > shown ? `, … up to ${lapsMax}` : ""} (${placeOf(first)})`
  if (!verbose) return [`${text}; laps: ${each}${last}`]
  return [
    `${text}; ${unfinished} unfinished`,
    ...bars(laps, shown),
    `  worst: gfn ${first.gfn}, ${first.laps} laps, ${unitOf(report)(first.ns)} (${placeOf(first)})`
  ]
}

const hexSeq = (seq: number): string => `0x${BigInt.asUintN(64, BigInt(seq)).toString(16)}`

const faultStateBlock = ({ faultStates }: Report, shown: number): ReadonlyArray<string> => {
  const rows = faultStates.toSorted((a, b) => b.longest.faults - a.longest.faults).slice(0, shown)
  const more = faultStates.length - rows.length
  if (rows.length === 0) return []
  return [
    "What the faults of each vCPU saw; its longest run of one state:",
    ...columns(rows, [
      ["vcpu", ({ vcpu }) => printable(vcpu), true],
      ["faults", ({ faults }) => faults, true],
      ["seq changed", ({ changes }) => changes, true],
      ["same state", ({ longest }) => longest.faults, true],
      ["seq", ({ longest }) => hexSeq(longest.seq), true],
      ["inprog", ({ longest }) => longest.inProgress, true],
      ["hull", ({ longest: { end, start } }) => `${start}-${end}`, true],
      ["at", ({ longest }) => placeOf(longest), true]
    ]),
    ...(more > 0 ? [`  … and ${more} more`] : [])
  ]
}

const memslotBlock = (report: Report): ReadonlyArray<string> => {
  const { ns, swaps, waits } = report.memslots
  if (swaps === 0) return []
  return [`Memslot updates: ${swaps}, ${counted(waits, "wait")}, max ${unitOf(report)(ns.max)}.`]
}

const whereLost = ({ line, seq }: Report["files"][number]["lost"][number]): string =>
  seq === undefined || line > 0 ? `line ${line}` : `#${seq}`

const fileBlock = (report: Report, shown: number): ReadonlyArray<string> => {
  const lines = report.files.slice(0, shown).flatMap(({ census, lost, path, lines }) => {
    const rejected = census.rejected.reduce((n, { count }) => n + count, 0)
    const more = census.rejected.length - shown
    return [
      `${fileName(path)}: ${
        lines > 0 ? `${lines} lines, ${census.parsed} parsed, ${rejected} rejected` : `${report.events} events`
      }` +
      `, ${lost.length === 0 ? "none lost" : `events lost ${counted(lost.length, "time")} (${whereLost(lost[0]!)})`}`,
      ...census.rejected.slice(0, shown).map(({ count, lines: first, reason }) =>
        `  ${count} rejected: ${reason} (line ${first.join(", ")})`
      ),
      ...(more > 0 ? [`  … for ${counted(more, "more reason")}`] : [])
    ]
  })
  const more = report.files.length - shown
  return [...lines, ...(more > 0 ? [`… and ${counted(more, "more file")}`] : [])]
}

const spanLine = (report: Report): string => {
  const { span: { from, to }, tasks } = report
  const [first, last] = isInTicks(report) ? [String(from), String(to)] : [secondsText(from), secondsText(to)]
  return `Span ${first} to ${last} (${unitOf(report)(to - from)}), ${counted(tasks, "task")}`
}

const reportLines = (report: Report, detail: Detail, verbose: boolean): ReadonlyArray<string> => [
  "Verdict",
  ...verdictBlock(report, detail.evidence),
  "",
  spanLine(report),
  ...refreshBlock(report, detail.laps),
  "",
  ...invalidatorBlock(report, detail.rows),
  ...gpcBlock(report, detail.rows, verbose),
  ...guestBlock(report, detail.laps, verbose),
  ...faultStateBlock(report, detail.rows),
  ...memslotBlock(report),
  ...fileBlock(report, detail.files),
  CAVEAT
]

/**
 * A report as text: at most some forty lines, unless it is to be verbose. Every claim cites file and line, or the
 * position in the log.
 *
 * @category text
 * @since 0.1.0
 */
export const reportText = (report: Report, { verbose }: ReportOptions): string => {
  if (verbose) return reportLines(report, ALL, true).join("\n")
  const texts = DETAILS.map((detail) => reportLines(report, detail, false))
  return (texts.find((lines) => lines.length <= SCREEN) ?? texts.at(-1)!).join("\n")
}

/** A report as JSON. @category json @since 0.1.0 */
export const reportJson = (report: Report): unknown => report
