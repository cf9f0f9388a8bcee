/**
 * Checks progress: explores everything, then looks for fair runs that never meet a goal again.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FairCycles } from "./fairness.ts"
import { isFair, lassoIn, replayLasso } from "./lasso.ts"
import type { Fairness, Lasso } from "./lasso.ts"
import type { Goal } from "./model.ts"
import { isExercised } from "./report.ts"
import type { Report } from "./report.ts"
import { explore, summary } from "./run.ts"
import type { RunOptions } from "./run.ts"
import { Search } from "./search.ts"
import { attempt, bounded, limitReached, SLICE, whileOutgrown } from "./slice.ts"
import type { Limits } from "./slice.ts"

/**
 * What is known of a goal. `holds`: every fair run meets it again and again. `violated`: the lasso is a fair run that
 * does not, and `fairness` says, thread by thread, why it is fair. `not exercised`, `unknown`: as for a property.
 *
 * @category models
 * @since 0.1.0
 */
export type GoalVerdict =
  & { readonly property: Goal }
  & (
    | { readonly outcome: "holds" | "not exercised" | "unknown" }
    | { readonly outcome: "violated"; readonly lasso: Lasso; readonly fairness: ReadonlyArray<Fairness> }
  )

/**
 * The result of a check of progress; `goals` beside what any search reports of safety.
 *
 * @category models
 * @since 0.1.0
 */
export interface LiveReport extends Omit<Report, "verdicts"> {
  readonly goals: ReadonlyArray<GoalVerdict>
}

/**
 * Checks the goals of the search's model under weak fairness; under strong, for who waits in turn. The search is explored to its end first; it must be one
 * without reductions but `forget`: the others do not keep every fair run.
 *
 * A lasso is replayed before it is reported: its cycle closes, and is fair.
 *
 * @category running
 * @since 0.1.0
 */
export const runLive = (search: Search, options: Omit<RunOptions, "all"> = {}) =>
  whileOutgrown(search, runLiveOnce(search, options))

const runLiveOnce = Effect.fn("checker.runLive")(function*(search: Search, options: Omit<RunOptions, "all">) {
  const { merge, partialOrder, symmetry } = search.reductions
  if (merge || partialOrder || symmetry) {
    return yield* Effect.die(new Error("progress is checked on a search without reductions other than `forget`"))
  }
  const start = yield* Clock.currentTimeMillis
  const limits = bounded(options.limits, search)
  const stopped = yield* explore(search, { ...options, limits, all: true }, start)
  const goals: Array<GoalVerdict> = []
  let stop = stopped
  for (const goal of search.model.goals ?? []) {
    const cycles = new FairCycles(search, goal)
    stop ??= yield* analyse(cycles, search, limits, start)
    goals.push(yield* judge(search, cycles, goal))
  }
  const { verdicts: _, ...report } = summary(search, [], stop, (yield* Clock.currentTimeMillis) - start)
  const outcome = goals.some((goal) => goal.outcome === "violated")
    ? "violated"
    : goals.some((goal) => goal.outcome === "unknown") || !goals.some((goal) => goal.outcome === "holds")
    ? "unknown"
    : "holds"
  return { ...report, outcome, goals } satisfies LiveReport
})

/** Does the analysis of a finished search, or has to stop: then it returns why. */
const analyse = Effect.fnUntraced(
  function*(cycles: FairCycles, search: Search, { bytes, millis }: Limits, start: number) {
    while (!cycles.isDone) {
      const both = { count: search.count, bytes: search.bytes + cycles.bytes }
      const reached = limitReached(both, { bytes, millis }, (yield* Clock.currentTimeMillis) - start)
      if (reached !== undefined) return reached
      if (!(yield* attempt(() => cycles.advance(SLICE)))) return "memory"
      yield* Effect.yieldNow
    }
    return undefined
  }
)

const judge = Effect.fnUntraced(function*(search: Search, cycles: FairCycles, property: Goal) {
  if (!search.isDone || !cycles.isDone) return { property, outcome: "unknown" as const }
  const part = cycles.found
  if (part === undefined) {
    return { property, outcome: isExercised(search, property) ? "holds" as const : "not exercised" as const }
  }
  const lasso = lassoIn(search, part, cycles.edges)
  const fairness = replayLasso(search, property, lasso)
  if (fairness === undefined || !isFair(search.model, fairness)) {
    return yield* Effect.die(new Error(`the run that never meets ${property.name} does not replay`))
  }
  return { property, outcome: "violated" as const, lasso, fairness }
})
