/**
 * Filters over events, in the manner of trace-cmd: comparisons of fields joined by && and ||.
 *
 * ```
 * filter     <- all ('||' all)*
 * all        <- comparison ('&&' comparison)*
 * comparison <- TYPE / FIELD ('==' / '!=') VALUE
 * ```
 * FIELD is a field of the event, or one of type, stream, seq, how; VALUE a number, decimal or 0x…, or a word.
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { badInput } from "./ended.ts"
import type { Refused } from "./ended.ts"

/** Whether an event is wanted. */
export type Filter = (event: Envelope<Event>) => boolean

const fieldOf = (event: Envelope<Event>, field: string): unknown => {
  const values: Readonly<Record<string, unknown>> = { ...event, ...event.data }
  return Object.hasOwn(values, field) ? values[field] : undefined
}

/** A comparison; none where the text is not one. */
export const comparison = (text: string): Filter | undefined => {
  const [, field, operator, value] = /^(\w+)\s*(==|!=)\s*([\w./>()-]+)$/.exec(text.trim()) ?? []
  if (field === undefined || value === undefined) {
    const type = /^\s*(\w+)\s*$/.exec(text)?.[1]
    return type === undefined ? undefined : (event) => event.type === type
  }
  const number = /^(0x[0-9a-f]+|-?\d+)$/i.test(value) ? Number(value) : undefined
  const equal = (found: unknown) => found === number || String(found) === value
  return operator === "==" ? (event) => equal(fieldOf(event, field)) : (event) => !equal(fieldOf(event, field))
}

/** Reads a filter. */
export const parseFilter = (text: string): Effect.Effect<Filter, Refused> => {
  const any: Array<ReadonlyArray<Filter>> = []
  for (const alternative of text.split("||")) {
    const all: Array<Filter> = []
    for (const part of alternative.split("&&")) {
      const filter = comparison(part)
      if (filter === undefined) {
        return Effect.fail(
          badInput(`filter ${JSON.stringify(part.trim())}: expected TYPE, FIELD==VALUE or FIELD!=VALUE`)
        )
      }
      all.push(filter)
    }
    any.push(all)
  }
  return Effect.succeed((event) => any.some((all) => all.every((filter) => filter(event))))
}
