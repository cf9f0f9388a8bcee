/**
 * Conditions for `bisect`: what `log -F` takes, and comparisons of the state's fields as `at` and `diff` name them.
 *
 * ```
 * condition  <- all ('||' all)*
 * all        <- part ('&&' part)*
 * part       <- PATH ('==' / '!=' / '>=' / '>' / '<=' / '<') VALUE / comparison of log -F
 * ```
 * PATH has an actor and a field: `gpc/0.valid`, `mn/0.mmu_invalidate_seq`. A field that means nothing now is `none`.
 */
import { allOf, anyOf, eventIs, fieldCompares, fieldOf, leavesOf, pathOf } from "@pfnscope/projections"
import type { Comparison, Condition } from "@pfnscope/projections"
import type { State } from "@pfnscope/protocol"
import { nearest } from "@pfnscope/trace"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { badInput } from "./ended.ts"
import type { Refused } from "./ended.ts"
import { comparison } from "./filter.ts"

const PART = /^([\w-]+\/\d+\.[^=!<>]+?)\s*(==|!=|>=|<=|>|<)\s*(.+)$/

const partOf = (text: string, start: State): Effect.Effect<Condition, Refused> => {
  const [, path, operator, value] = PART.exec(text.trim()) ?? []
  if (path !== undefined && value !== undefined) {
    return Option.match(fieldOf(start, path), {
      onNone: () => Effect.fail(unknownPath(path, start)),
      onSome: (read) => Effect.succeed(fieldCompares(path, read, operator as Comparison, value.trim()))
    })
  }
  const wanted = comparison(text)
  return wanted === undefined
    ? Effect.fail(badInput(
      `condition ${
        JSON.stringify(text.trim())
      }: expected gpc/0.valid==true, mn/0.mmu_invalidate_seq>=4, or what log -F ` +
        "takes"
    ))
    : Effect.succeed(eventIs(wanted))
}

const unknownPath = (path: string, start: State): Refused =>
  badInput(`no field ${path}; the nearest: ${nearest(path, leavesOf(start).map(pathOf)).join(", ")}`)

/** Reads a condition on a log whose world starts in this state. */
export const parseCondition = (text: string, start: State): Effect.Effect<Condition, Refused> =>
  Effect.map(
    Effect.forEach(text.split("||"), (any) => Effect.forEach(any.split("&&"), (part) => partOf(part, start))),
    (any) => anyOf(any.map(allOf))
  )
