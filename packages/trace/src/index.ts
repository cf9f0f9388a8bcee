/**
 * Kernel trace texts read into events, each with its file and line and how it is known.
 *
 * @since 0.1.0
 */
export { conform } from "./conform/conform.ts"
export type { Conformance, ConformOptions, Rereadable } from "./conform/conform.ts"
export { DECISIONS, READINGS } from "./conform/decision.ts"
export type { DecisionKind, Disagreement, Tally } from "./conform/decision.ts"
export { kernelOf } from "./conform/kernel.ts"
export type { KernelPolicy } from "./conform/kernel.ts"
export { TRACE_PROBLEMS, TraceError } from "./error.ts"
export type { TraceProblem } from "./error.ts"
export { importBytes, importTrace } from "./import.ts"
export type { ImportedTrace, ImportOptions } from "./import.ts"
export { nearest } from "./mapping/nearest.ts"
export type { Census, Lost, Rejected, Unmapped } from "./reading/census.ts"
export { importTraces } from "./reading/merge.ts"
export type { ImportedTraces, TraceFile } from "./reading/merge.ts"
export type { ImportProgress } from "./reading/progress.ts"
export * from "./recipe/index.ts"
export { envelopesOf, reportedFile, reportOfTrace, reportTrace } from "./report.ts"
export { whatIf } from "./whatif/whatif.ts"
export type { WhatIf, WhatIfRefreshes, WhatIfRow } from "./whatif/whatif.ts"
