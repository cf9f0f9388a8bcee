/**
 * How a command ends when it does not end well: its exit code, and what to say on stderr.
 *
 * 0 nothing found · 1 a finding · 2 usage or bad input · 3 not enough evidence · 4 a damaged log.
 */
import * as Data from "effect/Data"

/** A finding, or the lack of evidence for one: everything was printed already. */
export class Found extends Data.TaggedError("Found")<{ readonly code: 1 | 3 }> {}

/** A usage error, bad input, or a damaged log: one line. */
export class Refused extends Data.TaggedError("Refused")<{ readonly code: 2 | 4; readonly message: string }> {}

/** Bad input. */
export const badInput = (message: string): Refused => new Refused({ code: 2, message: oneLine(message) })

const oneLine = (message: string): string => message.trim().split(/\s*\n\s*/).join("; ")

/** A typed error as the command's: a damaged log, or else bad input. */
export const refused = (error: { readonly _tag: string; readonly message: string }): Refused =>
  new Refused({ code: error._tag === "Damaged" ? 4 : 2, message: oneLine(error.message) })
