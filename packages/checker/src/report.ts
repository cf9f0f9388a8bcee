/**
 * What a search can say when it ends, and what it says on the way.
 *
 * @since 0.1.0
 */
import type { Explorer, Order } from "./explorer.ts"
import type { Branch, Property } from "./model.ts"
import type { Path } from "./path.ts"
import type { Reductions } from "./reduction.ts"

/**
 * A path to a violation. `isShortest`: no path to a violation of that property has fewer steps.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counterexample extends Path {
  readonly isShortest: boolean
}

/**
 * What is known of a property. `holds`: in every state that there is. `not exercised`: it was not broken, but no step
 * that puts it to the test was ever taken. `unknown`: the search did not see everything.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  & { readonly property: Property }
  & (
    | { readonly outcome: "holds" | "not exercised" | "unknown" }
    | { readonly outcome: "violated"; readonly counterexample: Counterexample }
  )

/** Why a search ended before its end: a violation was enough, or a limit was reached. @category models @since 0.1.0 */
export type Stop = "violation" | "states" | "time" | "memory"

/**
 * How far a search is. Times are milliseconds of the run's clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly states: number
  /** Over the time since the last progress. */
  readonly statesPerSecond: number
  readonly frontier: number
  readonly depth: number
  readonly bytes: number
  readonly millis: number
}

/**
 * The result of a search.
 *
 * `outcome` is `violated` when a property is, `holds` when none is and every state was seen, `unknown` otherwise; also
 * when no property at all was exercised. `distinct` states, `generated` (one for each initial state, and one for each
 * step taken from each state), and `depth` (the longest of the shortest distances) are those of the space as reduced.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly model: string
  readonly order: Order
  readonly reductions: Reductions
  readonly outcome: "holds" | "violated" | "unknown"
  /** Why it ended early; absent: there was nothing left to do. */
  readonly stopped?: Stop
  /** Whether every state was seen. */
  readonly isComplete: boolean
  readonly distinct: number
  readonly generated: number
  readonly depth: number
  readonly frontier: number
  /** States with no enabled step. */
  readonly terminal: number
  /** Of those, states in which some thread is not done: a deadlock. 0 when the model does not say who is done. */
  readonly stuck: number
  readonly bytes: number
  readonly millis: number
  readonly verdicts: ReadonlyArray<Verdict>
  /** Branches that were never taken: of the states seen, if the search is not complete. */
  readonly unreached: ReadonlyArray<Branch>
}

type Coverage = Pick<Explorer, "model" | "reductions" | "taken">

/** Whether a branch was taken. Where alike threads were not told apart, a branch of one counts for all of them. */
const reachedIn = ({ model, reductions, taken }: Coverage): (branch: Branch) => boolean => {
  const groups = reductions.symmetry ? model.symmetry!.groups : []
  const keyOf = ({ outcome, step, thread }: Branch) =>
    JSON.stringify([groups.find((group) => group.includes(thread))?.[0] ?? thread, step, outcome])
  const reached = new Set(model.branches.filter((_, i) => taken[i] > 0).map(keyOf))
  return (branch) => reached.has(keyOf(branch))
}

/** The branches that were never taken. @category queries @since 0.1.0 */
export const unreached = (explorer: Coverage): ReadonlyArray<Branch> => {
  const isReached = reachedIn(explorer)
  return explorer.model.branches.filter((branch) => !isReached(branch))
}

/** Whether a property was put to the test. @category queries @since 0.1.0 */
export const isExercised = (explorer: Coverage, { exercisedBy }: Property): boolean =>
  exercisedBy === undefined || explorer.model.branches.filter(exercisedBy).some(reachedIn(explorer))
