/**
 * Spans of time on the command line: a number and its unit.
 */
import * as Effect from "effect/Effect"
import { badInput } from "./ended.ts"
import type { Refused } from "./ended.ts"

const NANOS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 }

/** `2ms`, `500us`, `1.5s` in ns; `flag` is where it was given. */
export const nanosOf = (text: string, flag = "--until"): Effect.Effect<number, Refused> => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(text) ?? []
  return number === undefined || unit === undefined
    ? Effect.fail(badInput(`${flag} ${text}: expected a number with ns, us, ms or s, such as 2ms`))
    : Effect.succeed(Math.round(Number(number) * NANOS[unit]!))
}
