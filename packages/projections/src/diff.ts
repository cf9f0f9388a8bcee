/**
 * What changed between two positions of a log, and which event changed each field last.
 *
 * @since 0.1.0
 */
import { hashState } from "@pfnscope/protocol"
import type { State } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { worldOf } from "./log.ts"
import type { Log, NotAWorld } from "./log.ts"
import type { NoSuchPosition, Position } from "./position.ts"
import { leavesOf, pathOf } from "./state-view.ts"
import type { Leaf, Value } from "./state-view.ts"
import { arrived, travel, traveller } from "./time-travel.ts"

/** A changed field; null where it is absent. `seq` is the last event that changed it. @category models @since 0.1.0 */
export interface Change {
  readonly path: string
  readonly before: Value | null
  readonly after: Value | null
  readonly seq: number
}

/** The difference between two positions; `from` is the earlier one. @category models @since 0.1.0 */
export interface Diff {
  readonly from: number
  readonly to: number
  readonly changes: ReadonlyArray<Change>
}

/**
 * Compares the states at two positions, in whichever order they are given.
 *
 * Reads the log up to the later one, and the events between the two a second time.
 *
 * @category queries
 * @since 0.1.0
 */
export const diff = Effect.fn("projections.diff")(
  function*<E>(log: Log<E>, a: Position, b: Position): Effect.fn.Return<Diff, E | NotAWorld | NoSuchPosition> {
    const world = yield* worldOf(log)
    const there = traveller(world)
    const other = traveller(world)
    yield* travel(log, a, there.advance)
    yield* arrived(a, there.seq)
    yield* travel(log, b, other.advance)
    yield* arrived(b, other.seq)
    const [from, to] = there.seq <= other.seq ? [there, other] : [other, there]
    const range = { from: from.seq, to: to.seq }
    if (hashState(from.state) === hashState(to.state) && from.seq === to.seq) return { ...range, changes: [] }
    const changed = changedLeaves(from.state, to.state)
    const before = changed.map((leaf) => leaf.read(from.state))
    const last = before.map(() => 0)
    const now = [...before]
    if (changed.length > 0) {
      yield* Stream.runForEachArray(log.read({ from: from.seq + 1, to: to.seq }), (chunk) =>
        Effect.sync(() => {
          for (const event of chunk) {
            from.advance(event)
            for (let i = 0; i < changed.length; i++) {
              const value = changed[i]!.read(from.state)
              if (value === now[i]) continue
              now[i] = value
              last[i] = event.seq
            }
          }
        }))
    }
    const changes = changed.map((leaf, i): Change => ({
      path: pathOf(leaf),
      before: before[i] ?? null,
      after: now[i] ?? null,
      seq: last[i]!
    }))
    return { ...range, changes }
  }
)

/** The leaves that read differently, those of either state. */
const changedLeaves = (a: State, b: State): ReadonlyArray<Leaf> => {
  const all = new Map<string, Leaf>()
  for (const leaf of [...leavesOf(a), ...leavesOf(b)]) {
    const path = pathOf(leaf)
    if (!all.has(path)) all.set(path, leaf)
  }
  return [...all.values()].filter((leaf) => leaf.read(a) !== leaf.read(b))
}
