/**
 * What the projections found, as text and as JSON.
 *
 * @since 0.1.0
 */
export * from "./bisect.ts"
export * from "./bookmarks.ts"
export * from "./check-json.ts"
export * from "./check.ts"
export * from "./checked.ts"
export * from "./conform.ts"
export * from "./event.ts"
export * from "./export.ts"
export * from "./race.ts"
export * from "./repair.ts"
export * from "./report.ts"
export * from "./run.ts"
export * from "./sqlite/index.ts"
export * from "./table.ts"
export * from "./travel.ts"
export * from "./verify.ts"
export * from "./whatif.ts"
