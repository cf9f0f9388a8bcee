/**
 * Folds over a log: what was in flight, when each cache was valid, what each refresh went through, and the report.
 *
 * @since 0.1.0
 */
export * from "./activity.ts"
export * from "./durations.ts"
export * from "./evidence.ts"
export * from "./in-flight.ts"
export * from "./invalidations.ts"
export * from "./memory.ts"
export * from "./order.ts"
export * from "./projection.ts"
export * from "./refreshes.ts"
export * from "./validity.ts"
