/**
 * What commands print: data on stdout, nothing else.
 */
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** `--json`, which every command has. */
export const jsonFlag = Flag.Boolean("json").pipe(
  Flag.withDescription("Print JSON, with the fields that scripts can rely on"),
  Flag.withDefault(false)
)

/** Prints JSON, or lines of text. */
export const print = (json: boolean, value: () => unknown, text: () => string): Effect.Effect<void> =>
  Console.log(json ? JSON.stringify(value(), null, 2) : text().replace(/\n$/, ""))
