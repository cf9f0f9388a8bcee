/**
 * Runs a search as an effect: in slices, with progress, limits and interruption between them.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { NotCheckable } from "./error.ts"
import type { Explorer } from "./explorer.ts"
import type { Model } from "./model.ts"
import { replay } from "./path.ts"
import type { Path } from "./path.ts"
import { NO_REDUCTIONS } from "./reduction.ts"
import { isExercised, unreached } from "./report.ts"
import type { Progress, Report, Stop, Verdict } from "./report.ts"
import { Search } from "./search.ts"
import { attempt, bounded, limitReached, SLICE, whileOutgrown } from "./slice.ts"
import type { Limits } from "./slice.ts"
import { isStuck } from "./stuck.ts"

/** @category models @since 0.1.0 */
export interface RunOptions {
  /** Go on after a violation and see everything; by default the first violation ends the search. */
  readonly all?: boolean | undefined
  readonly limits?: Limits | undefined
  /** Called between slices, about every `progressMillis` (500 by default). */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
  readonly progressMillis?: number | undefined
}

/** A set of properties is a number that must not turn negative. */
const MOST_PROPERTIES = 31

/** Why a model cannot be checked: it would be taken for one that holds, or be judged wrongly. */
const obstacleIn = ({ initials, properties }: Model): string | undefined =>
  properties.length > MOST_PROPERTIES
    ? `${properties.length} properties, of which a set has room for ${MOST_PROPERTIES}`
    : initials < 1
    ? "no initial state, so nothing to check"
    : undefined

/**
 * Runs a search to its end, the first violation or a limit. Interrupted between slices, it leaves the search as it is:
 * it can be saved (`checkpoint`) or run on.
 *
 * A counterexample that a reduction may have made longer is searched for again without that reduction, no deeper than
 * its length; and every counterexample is replayed before it is reported.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (explorer: Explorer, options: RunOptions = {}) => whileOutgrown(explorer, runOnce(explorer, options))

const runOnce = Effect.fn("checker.run")(function*(explorer: Explorer, options: RunOptions) {
  const start = yield* Clock.currentTimeMillis
  const limits = bounded(options.limits, explorer)
  const stopped = yield* explore(explorer, { ...options, limits }, start)
  const verdicts: Array<Verdict> = []
  for (let property = 0; property < explorer.model.properties.length; property++) {
    verdicts.push(yield* judge(explorer, property, limits, start))
  }
  return summary(explorer, verdicts, stopped, (yield* Clock.currentTimeMillis) - start)
})

/** Advances the search until it is done, or has to stop: then it returns why. */
export const explore = Effect.fnUntraced(function*(explorer: Explorer, options: RunOptions, start: number) {
  const { all, limits = {}, onProgress, progressMillis = 500 } = options
  const { model } = explorer
  const reason = obstacleIn(model)
  if (reason !== undefined) return yield* new NotCheckable({ model: model.name, reason })
  let shown = start
  let shownStates = explorer.count
  while (!explorer.isDone) {
    if (explorer.broken !== 0 && all !== true) return "violation"
    const now = yield* Clock.currentTimeMillis
    const reached = limitReached(explorer, limits, now - start)
    if (reached !== undefined) return reached
    if (onProgress !== undefined && now - shown >= progressMillis) {
      yield* onProgress(progressOf(explorer, now - start, (explorer.count - shownStates) / (now - shown)))
      shown = now
      shownStates = explorer.count
    }
    if (!(yield* attempt(() => explorer.advance(Math.min(SLICE, (limits.states ?? Infinity) - explorer.count))))) {
      return "memory"
    }
    yield* Effect.yieldNow
  }
  return undefined
})

const progressOf = (explorer: Explorer, millis: number, statesPerMilli: number): Progress => ({
  states: explorer.count,
  statesPerSecond: Math.round(statesPerMilli * 1000),
  frontier: explorer.frontier,
  depth: explorer.depth,
  bytes: explorer.bytes,
  millis
})

const judge = Effect.fnUntraced(
  function*(explorer: Explorer, number: number, limits: Limits, start: number) {
    const { model } = explorer
    const property = model.properties[number]
    if ((explorer.broken >>> number & 1) === 0) {
      const outcome: "holds" | "not exercised" | "unknown" = !(explorer.isDone && explorer.isExhaustive)
        ? "unknown"
        : isExercised(explorer, property)
        ? "holds"
        : "not exercised"
      return { property, outcome }
    }
    const found = explorer.counterexample(number)
    const counterexample = found.isShortest || explorer.order !== "breadth-first"
      ? { ...found.path, isShortest: found.isShortest }
      : yield* shorten(explorer, number, found.path, limits, start)
    if (!breaks(explorer, number, counterexample)) {
      return yield* Effect.die(new Error(`the counterexample of ${property.name} does not replay`))
    }
    return { property, outcome: "violated" as const, counterexample }
  }
)

/** Whether a path ends where the property is broken. */
const breaks = ({ model }: Explorer, property: number, path: Path): boolean => {
  const steps = replay(model, path)
  if (steps === undefined) return false
  const atEnd = model.brokenAtEnd !== undefined && isStuck(model) ? model.brokenAtEnd() : 0
  const broken = atEnd | (steps.at(-1)?.broken ?? (model.brokenInState?.() ?? 0))
  return (broken >>> property & 1) === 1
}

/** A shortest path to a violation, if the limits leave time and room to find one; else the path given. */
const shorten = Effect.fnUntraced(
  function*(explorer: Explorer, property: number, path: Path, limits: Limits, start: number) {
    const { model, reductions: { forget, symmetry } } = explorer
    const search = new Search(model, { ...NO_REDUCTIONS, forget, symmetry })
    while (!search.isDone && search.depth < path.moves.length) {
      if ((search.broken >>> property & 1) === 1) break
      const spent = (yield* Clock.currentTimeMillis) - start
      const both = { count: search.count, bytes: explorer.bytes + search.bytes }
      if (limitReached(both, limits, spent) !== undefined || !(yield* attempt(() => search.advance(SLICE)))) {
        return { ...path, isShortest: false }
      }
      yield* Effect.yieldNow
    }
    const isShorter = (search.broken >>> property & 1) === 1
    return { ...(isShorter ? search.counterexample(property).path : path), isShortest: true }
  }
)

/** The report of a search that has stopped. */
export const summary = (
  explorer: Explorer,
  verdicts: ReadonlyArray<Verdict>,
  stopped: Stop | undefined,
  millis: number
): Report => {
  const isComplete = explorer.isDone && explorer.isExhaustive
  const outcome = verdicts.some((verdict) => verdict.outcome === "violated")
    ? "violated"
    : isComplete && verdicts.some((verdict) => verdict.outcome === "holds")
    ? "holds"
    : "unknown"
  return {
    model: explorer.model.name,
    order: explorer.order,
    reductions: explorer.reductions,
    outcome,
    ...(stopped === undefined ? {} : { stopped }),
    isComplete,
    distinct: explorer.count,
    generated: explorer.model.initials + explorer.steps,
    depth: explorer.depth,
    frontier: explorer.frontier,
    terminal: explorer.terminal,
    stuck: explorer.stuck,
    bytes: explorer.bytes,
    millis,
    verdicts,
    unreached: unreached(explorer)
  }
}
