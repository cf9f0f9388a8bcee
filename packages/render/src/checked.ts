/**
 * What a check found, as data: what the text and the JSON of it are made of.
 *
 * @since 0.1.0
 */
import type { Branch, GoalVerdict, Move, Path, Report, Verdict } from "@pfnscope/checker"
import type { Race } from "@pfnscope/projections"
import { PROPERTIES } from "@pfnscope/protocol"

/**
 * A counterexample as it is shown: as a race, where the model's steps are events, or else step by step. `ids` are the
 * properties that it breaks; `cycleAt` the step (from 0) or the event at which what repeats for ever begins.
 *
 * @category models
 * @since 0.1.0
 */
export interface Evidence {
  readonly ids: ReadonlyArray<string>
  readonly logs: ReadonlyArray<string>
  readonly shown:
    | { readonly as: "race"; readonly race: Race; readonly cycleAt: number | undefined }
    | { readonly as: "steps"; readonly steps: ReadonlyArray<Branch>; readonly cycleAt: number | undefined }
}

/**
 * A check of one policy. `isWhole`: every property was asked about, and then a state in which nobody can go on is a
 * finding too. `searched` says in words how it was searched; `threads` and `branches` are the model's.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checked {
  readonly policy: string
  readonly isWhole: boolean
  readonly searched: string
  readonly threads: ReadonlyArray<string>
  readonly branches: ReadonlyArray<Branch>
  readonly report: Omit<Report, "verdicts">
  readonly verdicts: ReadonlyArray<Verdict | GoalVerdict>
  readonly evidence: ReadonlyArray<Evidence>
}

/** The run that breaks a property: a path, and for one of progress the cycle it ends in. */
interface Run extends Path {
  readonly cycle?: ReadonlyArray<Move>
}

/** The run that a verdict shows, if it shows one. @category queries @since 0.1.0 */
export const runOf = (verdict: Verdict | GoalVerdict): Run | undefined => {
  if (verdict.outcome !== "violated") return undefined
  return "lasso" in verdict ? { ...verdict.lasso.stem, cycle: verdict.lasso.cycle } : verdict.counterexample
}

/** Steps of a run: for one of progress, with one round of its cycle. @category queries @since 0.1.0 */
export const lengthOf = (verdict: Verdict | GoalVerdict): number => {
  const run = runOf(verdict)
  return run === undefined ? 0 : run.moves.length + (run.cycle?.length ?? 0)
}

/** Whether a check has something to look at. @category queries @since 0.1.0 */
export const isFound = (checked: Checked): boolean =>
  (checked.isWhole && checked.report.stuck > 0) || checked.verdicts.some(({ outcome }) => outcome === "violated")

/** The property's id and its short name, where it has one. @category text @since 0.1.0 */
export const titleOf = (id: string): string => {
  const known = PROPERTIES.find((property) => property.id === id)
  return known === undefined ? id : `${id} ${known.name}`
}

/** The properties with that outcome. @category queries @since 0.1.0 */
export const idsOf = ({ verdicts }: Checked, outcome: Verdict["outcome"]): ReadonlyArray<string> =>
  verdicts.filter((verdict) => verdict.outcome === outcome).map(({ property }) => property.name)
