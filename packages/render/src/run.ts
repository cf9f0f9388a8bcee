/**
 * Runs: one row a policy.
 *
 * @since 0.1.0
 */
import type { RunSummary } from "@pfnscope/projections"
import { CAVEAT, counted, duration, table } from "./table.ts"

/** A run to show: how it ended, and what its log says. @category models @since 0.1.0 */
export interface ShownRun {
  readonly policy: string
  readonly outcome: {
    readonly ended: "done" | "until" | "deadlock"
    readonly nanos: number
    readonly steps: number
    readonly stuck: ReadonlyArray<{ readonly thread: string; readonly label: string }>
  }
  readonly summary: RunSummary
  readonly log: string | null
}

/** Threads that are named among those stuck. */
const NAMED = 4

/** What the properties of progress are called in a table; the others are called by their ids. */
const FINDINGS: Readonly<Record<string, string>> = { P6: "P6 starves", P7: "P7 starves" }

const findings = ({ violations }: RunSummary): string =>
  violations.map(({ count, property, seq }) =>
    `${FINDINGS[property] ?? property} #${seq}${count > 1 ? ` (x${count})` : ""}`
  ).join(", ") || "-"

const stuckLine = ({ outcome, policy }: ShownRun): ReadonlyArray<string> => {
  if (outcome.ended !== "deadlock") return []
  const named = outcome.stuck.slice(0, NAMED).map(({ label, thread }) => `${thread} at ${label}`).join(", ")
  const more = outcome.stuck.length > NAMED ? `, and ${counted(outcome.stuck.length - NAMED, "other")}` : ""
  return [`  ${policy}: nobody can go on: ${named}${more}`]
}

/**
 * The runs of a scenario as a table. A finding is the first position of a violation, and how many there are.
 *
 * @category text
 * @since 0.1.0
 */
export const runTable = (scenario: string, seed: number, runs: ReadonlyArray<ShownRun>): string => {
  const rows = runs.map(({ outcome, policy, summary: { refreshes, ...summary } }) => [
    policy,
    outcome.ended === "done" ? "done" : outcome.ended === "until" ? "time is up" : "deadlock",
    duration(outcome.nanos),
    `${refreshes.completed}/${refreshes.started}`,
    refreshes.lapsMax,
    Number(refreshes.lapsMean.toFixed(1)),
    refreshes.unrelatedLaps,
    refreshes.waits,
    findings({ refreshes, ...summary })
  ])
  const header = ["policy", "ended", "after", "refreshes", "laps max", "mean", "unrelated", "waits", "findings"]
  return [
    `${scenario}, seed ${seed}`,
    "",
    table(header, rows),
    ...runs.flatMap(stuckLine),
    "",
    "refreshes: completed/started. laps: lookups a refresh made; unrelated: thrown away though nothing touched its page.",
    "findings: property, and the first event that violates it (P6, P7: a refresh that gets nowhere).",
    CAVEAT
  ].join("\n")
}

/** The runs as JSON. @category json @since 0.1.0 */
export const runJson = (scenario: string, seed: number, runs: ReadonlyArray<ShownRun>): unknown => ({
  scenario,
  seed,
  runs: runs.map(({ log, outcome, policy, summary }) => ({
    policy,
    events: summary.events,
    steps: outcome.steps,
    ended: outcome.ended,
    nanos: outcome.nanos,
    stuck: outcome.stuck,
    log,
    refreshes: summary.refreshes,
    violations: summary.violations
  }))
})
