/**
 * Decisions: what a kernel decided in a trace, and whether the model decides alike.
 *
 * @since 0.1.0
 */

/**
 * What is compared. `retry-test`: another lap or publish, and why; `walk`: each cache marked or passed over; `check`;
 * `keep`: a refresh that looks nothing up, or does; `guest-fault`: stale or mapped; `memslot-wait`: wait or publish.
 *
 * @category models
 * @since 0.1.0
 */
export const DECISIONS = ["retry-test", "walk", "check", "keep", "guest-fault", "memslot-wait"] as const

/**
 * Numbers that a record shows and the model must have too, though nothing is decided by showing them: the sequence that
 * a lap notes, the count after each change, the invalidations in progress, the memslots' generation.
 *
 * @category models
 * @since 0.1.0
 */
export const READINGS = ["snapshot", "count", "in-progress", "generation"] as const

/** @category models @since 0.1.0 */
export type DecisionKind = (typeof DECISIONS)[number] | (typeof READINGS)[number]

/**
 * How the decisions of one kind compare. `agree`: in every order that the trace leaves open the model decides as
 * recorded. `ambiguous`: in some order it does, in another it does not, and the trace does not say which was taken.
 * `disagree`: in none. `unknown`: what the decision rests on was never recorded, or events were lost.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tally {
  agree: number
  ambiguous: number
  disagree: number
  unknown: number
}

/** @category constructors @since 0.1.0 */
export const noTally = (): Tally => ({ agree: 0, ambiguous: 0, disagree: 0, unknown: 0 })

/**
 * A decision that the model does not make in any order: at which event (`seq`, and the line it was read from), what the
 * model expected and what the trace shows, and the state it expected it in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Disagreement {
  readonly seq: number
  readonly file: string
  readonly line: number
  readonly kind: DecisionKind
  readonly expected: string
  readonly actual: string
  readonly state: string
  /** What the model would have allowed the task to do next. */
  readonly allowed: ReadonlyArray<string>
}
