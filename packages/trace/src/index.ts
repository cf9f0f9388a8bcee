/**
 * Kernel trace texts read into events, each with its file and line and how it is known.
 *
 * @since 0.1.0
 */
export type { Census, Lost, Rejected, Unmapped } from "./census.ts"
export { TRACE_PROBLEMS, TraceError } from "./error.ts"
export type { TraceProblem } from "./error.ts"
export { importBytes, importTrace } from "./import.ts"
export type { ImportedTrace, ImportOptions } from "./import.ts"
export { importTraces } from "./merge.ts"
export type { ImportedTraces, TraceFile } from "./merge.ts"
export type { ImportProgress } from "./progress.ts"
export * from "./recipe/index.ts"
export { envelopesOf, reportedFile, reportOfTrace, reportTrace } from "./report.ts"
