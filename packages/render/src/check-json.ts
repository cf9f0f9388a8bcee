/**
 * What a check found, as JSON.
 *
 * @since 0.1.0
 */
import type { GoalVerdict, Verdict } from "@pfnscope/checker"
import { lengthOf, runOf } from "./checked.ts"
import type { Checked } from "./checked.ts"

const propertyJson = (verdict: Verdict | GoalVerdict, { evidence }: Checked) => {
  const { outcome, property } = verdict
  const at = evidence.find(({ ids }) => ids.includes(property.name))
  const log = at?.logs[at.ids.indexOf(property.name)] ?? null
  const run = runOf(verdict)
  return {
    id: property.name,
    statement: property.statement,
    outcome,
    holds: outcome === "unknown" ? "unknown" : outcome !== "violated",
    length: run === undefined ? null : lengthOf(verdict),
    log,
    ...(outcome === "violated" && !("lasso" in verdict)
      ? { isShortest: verdict.counterexample.isShortest }
      : {}),
    ...(run === undefined ? {} : { path: { initial: run.initial, moves: run.moves } }),
    ...(outcome === "violated" && "lasso" in verdict
      ? { cycle: verdict.lasso.cycle, fairness: verdict.fairness }
      : {})
  }
}

/**
 * What was found, as JSON. `path` and `cycle` are steps: the number of a thread, and which of its ways; any beginning of
 * them can be gone on from.
 *
 * @category json
 * @since 0.1.0
 */
export const checkJson = (config: string, results: ReadonlyArray<Checked>): unknown => ({
  config,
  results: results.map((checked) => {
    const { report } = checked
    return {
      policy: checked.policy,
      order: report.order,
      reductions: report.reductions,
      distinct: report.distinct,
      generated: report.generated,
      depth: report.depth,
      frontier: report.frontier,
      terminal: report.terminal,
      stuck: checked.report.stuck,
      complete: report.isComplete,
      stopped: report.stopped ?? null,
      seconds: report.millis / 1000,
      bytes: report.bytes,
      threads: checked.threads,
      properties: checked.verdicts.map((verdict) => propertyJson(verdict, checked)),
      unreached: report.unreached.map(({ outcome, step, thread }) => ({
        thread: checked.threads[thread],
        step,
        outcome
      }))
    }
  })
})
