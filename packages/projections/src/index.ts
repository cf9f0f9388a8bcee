/**
 * Folds over a log: what was in flight, when each cache was valid, what each refresh went through, and the report.
 *
 * @since 0.1.0
 */
export * from "./activity.ts"
export * from "./combine.ts"
export * from "./diagnosis.ts"
export * from "./diff.ts"
export * from "./durations.ts"
export * from "./event-text.ts"
export * from "./evidence.ts"
export * from "./in-flight.ts"
export * from "./invalidations.ts"
export * from "./log.ts"
export * from "./memory.ts"
export * from "./order.ts"
export * from "./position.ts"
export * from "./projection.ts"
export * from "./race.ts"
export * from "./refreshes.ts"
export * from "./report.ts"
export * from "./run-summary.ts"
export * from "./state-view.ts"
export * from "./time-travel.ts"
export * from "./validity.ts"
export * from "./violations.ts"
export * from "./waits.ts"
export * from "./why.ts"
