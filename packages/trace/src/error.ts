/**
 * What can go wrong with a trace: one error, with the place and what was expected there.
 *
 * A line that cannot be read is no error: it is counted in the census.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Why a text cannot be read as a trace: the file cannot be read, holds nothing, is a binary file, is a text of a
 * known tool that cannot be read, is no text of any known tool, is compressed and damaged, or a map of names for it
 * cannot be understood.
 *
 * @category errors
 * @since 0.1.0
 */
export const TRACE_PROBLEMS = [
  "unreadable",
  "empty",
  "binary",
  "unsupported",
  "unrecognised",
  "damaged",
  "map"
] as const

/** @category errors @since 0.1.0 */
export type TraceProblem = (typeof TRACE_PROBLEMS)[number]

/**
 * A trace that cannot be read. `line` counts from 1 and `byte` from 0 where they are known; `expected` says what was
 * expected and, for a file of another tool, the command that turns it into text.
 *
 * @category errors
 * @since 0.1.0
 */
export class TraceError extends Schema.TaggedError<TraceError>()("TraceError", {
  file: Schema.String,
  problem: Schema.Literals(TRACE_PROBLEMS),
  line: Schema.optionalKey(Schema.Int),
  byte: Schema.optionalKey(Schema.Int),
  expected: Schema.String
}) {
  override get message(): string {
    const place = this.line !== undefined ? `:${this.line}` : this.byte !== undefined ? `: byte ${this.byte}` : ""
    return `${this.file}${place}: ${this.problem}: ${this.expected}`
  }
}
