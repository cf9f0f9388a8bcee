/**
 * Bisecting: the first position of a log where something is so.
 *
 * What stays so once it is so (a property was violated, a count that only grows has passed a number) is searched for by
 * halves, each a jump to a position. Anything else may have been so any number of times before: every event is looked at.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, PropertyId, State, World } from "@pfnscope/protocol"
import { PROPERTY_IDS } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { eventAt } from "./log.ts"
import type { Log } from "./log.ts"
import { atSeq, END } from "./position.ts"
import type { NoSuchPosition } from "./position.ts"
import type { LogNotDense } from "./projection.ts"
import { leavesOf, pathOf } from "./state-view.ts"
import type { Leaf, Value } from "./state-view.ts"
import { foldTo, states, traveller } from "./time-travel.ts"
import type { Traveller } from "./time-travel.ts"
import { worldOf } from "./world.ts"
import type { NotAWorld } from "./world.ts"

/**
 * What is looked for. `holds` is asked after an event, or before the first (no event); with `stays` it is true from some
 * position on, if it is ever true, and does not look at the event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Condition {
  readonly stays: boolean
  readonly holds: (at: Traveller, event: Option.Option<Envelope<Event>>) => boolean
}

/** The first position; none: nowhere. `looked` counts the positions that were looked at. @category models @since 0.1.0 */
export interface Bisected {
  readonly how: "search" | "scan"
  readonly looked: number
  readonly seq: number | undefined
  readonly event: Envelope<Event> | undefined
}

/**
 * Finds the first position at which a condition holds.
 *
 * @category queries
 * @since 0.1.0
 */
export const bisect = Effect.fn("projections.bisect")(
  function*<E>(
    log: Log<E>,
    condition: Condition
  ): Effect.fn.Return<Bisected, E | NotAWorld | NoSuchPosition | LogNotDense> {
    // Without checkpoints a jump is a fold from the first event.
    const bySearch = condition.stays && log.checkpoints !== undefined
    const found = yield* bySearch ? search(log, condition) : scan(log, condition, yield* worldOf(log))
    const { looked, seq } = found
    const event = seq === undefined ? Option.none() : yield* eventAt(log, seq)
    return { how: bySearch ? "search" : "scan", looked, seq, event: Option.getOrUndefined(event) }
  }
)

const search = Effect.fnUntraced(function*<E>(log: Log<E>, { holds }: Condition) {
  const end = yield* foldTo(log, states, END)
  let looked = 1
  if (!holds(end, Option.none())) return { looked, seq: undefined }
  // It holds at `high`, and not at `low`.
  let low = -1
  let high = end.seq
  while (high - low > 1) {
    const middle = (low + high) >> 1
    looked++
    if (holds(yield* foldTo(log, states, atSeq(middle)), Option.none())) high = middle
    else low = middle
  }
  return { looked, seq: high }
})

const scan = Effect.fnUntraced(function*<E>(log: Log<E>, { holds }: Condition, world: World) {
  const at = traveller(world)
  if (holds(at, Option.none())) return { looked: 1, seq: 0 }
  let seq: number | undefined
  const isFirst = (event: Envelope<Event>): boolean => {
    if (seq !== undefined) return false
    at.advance(event)
    if (holds(at, Option.some(event))) seq = event.seq
    return seq !== undefined
  }
  yield* Stream.runHead(Stream.filter(log.read(), isFirst))
  return { looked: at.seq + 1, seq }
})

/** A property was violated; it was, for ever after. @category conditions @since 0.1.0 */
export const wasViolated = (property: PropertyId): Condition => {
  const bit = 1 << PROPERTY_IDS.indexOf(property)
  return { stays: true, holds: ({ violated }) => (violated & bit) !== 0 }
}

/** A comparison of a field with a value. @category models @since 0.1.0 */
export type Comparison = "==" | "!=" | ">=" | ">" | "<=" | "<"

/** The field of that path, as `at` and `diff` name it; frames come and go, and are looked for when they are there. @category queries @since 0.1.0 */
export const fieldOf = (state: State, path: string): Option.Option<(state: State) => Value | undefined> => {
  const find = (s: State): Leaf | undefined => leavesOf(s).find((leaf) => pathOf(leaf) === path)
  const leaf = find(state)
  if (leaf !== undefined) return Option.some(leaf.read)
  return path.startsWith("mmu/0.frames.") ? Option.some((s) => find(s)?.read(s)) : Option.none()
}

/** Fields that only ever grow, in a run. */
const GROWING = /^mn\/0\.(?:mmu_invalidate_seq|gpc_invalidate_seq|generation)$|\.round$/

/** A field compares so with a value, a number or a word. @category conditions @since 0.1.0 */
export const fieldCompares = (
  path: string,
  read: (state: State) => Value | undefined,
  comparison: Comparison,
  value: string
): Condition => ({
  stays: GROWING.test(path) && comparison.startsWith(">"),
  holds: ({ state }) => compares(read(state), comparison, value)
})

const compares = (found: Value | undefined, comparison: Comparison, value: string): boolean => {
  switch (comparison) {
    case "==":
      return isSame(found, value)
    case "!=":
      return !isSame(found, value)
    case ">=":
      return Number(found) >= Number(value)
    case ">":
      return Number(found) > Number(value)
    case "<=":
      return Number(found) <= Number(value)
    case "<":
      return Number(found) < Number(value)
  }
}

/** Numbers and addresses by what they are, words by their letters; a field that means nothing now is `none`. */
const isSame = (found: Value | undefined, value: string): boolean =>
  String(found ?? "none") === value || (/^(?:0x[0-9a-f]+|-?\d+)$/i.test(value) && Number(found) === Number(value))

/** An event is such. @category conditions @since 0.1.0 */
export const eventIs = (wanted: (event: Envelope<Event>) => boolean): Condition => ({
  stays: false,
  holds: (_at, event) => Option.isSome(event) && wanted(event.value)
})

/** All of some conditions hold. @category conditions @since 0.1.0 */
export const allOf = (conditions: ReadonlyArray<Condition>): Condition => ({
  stays: conditions.every(({ stays }) => stays),
  holds: (at, event) => conditions.every(({ holds }) => holds(at, event))
})

/** One of some conditions holds. @category conditions @since 0.1.0 */
export const anyOf = (conditions: ReadonlyArray<Condition>): Condition => ({
  stays: conditions.every(({ stays }) => stays),
  holds: (at, event) => conditions.some(({ holds }) => holds(at, event))
})
