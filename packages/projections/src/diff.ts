/**
 * What changed between two positions of a log, and which event changed each field last.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { readingOf } from "./changes.ts"
import type { Changes } from "./changes.ts"
import { lastChanges } from "./last-change.ts"
import type { Log } from "./log.ts"
import type { NoSuchPosition, Position } from "./position.ts"
import type { LogNotDense } from "./projection.ts"
import { changes } from "./resumable-changes.ts"
import { framesOf, pathOf } from "./state-view.ts"
import type { Leaf, Value } from "./state-view.ts"
import { foldTo } from "./time-travel.ts"
import type { NotAWorld } from "./world.ts"

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
 * Reads the log up to each; what changed each field last is known at the later one.
 *
 * @category queries
 * @since 0.1.0
 */
export const diff = Effect.fn("projections.diff")(
  function*<E>(
    log: Log<E>,
    a: Position,
    b: Position
  ): Effect.fn.Return<Diff, E | NotAWorld | NoSuchPosition | LogNotDense> {
    const there = yield* foldTo(log, changes, a)
    const other = yield* foldTo(log, changes, b)
    const [from, to] = there.at.seq <= other.at.seq ? [there, other] : [other, there]
    const [before, after] = [from.at.state, to.at.state]
    const changed = changedLeaves(from, to)
    const seqs = yield* lastChanges(log, to, changed, from.at.seq)
    return {
      from: from.at.seq,
      to: to.at.seq,
      changes: changed.map((leaf): Change => ({
        path: pathOf(leaf),
        before: leaf.read(before) ?? null,
        after: leaf.read(after) ?? null,
        seq: seqs.get(leaf) ?? 0
      }))
    }
  }
)

const isOfMmu = ({ subject }: Leaf): boolean => subject === "mmu/0"

/** The leaves that read differently: those that last, and those of the frames of either state. */
const changedLeaves = (a: Changes, b: Changes): ReadonlyArray<Leaf> => {
  const [before, after] = [readingOf(a).values, readingOf(b).values]
  const lasting = a.fields.lasting.filter((_, field) => before[field] !== after[field])
  const frames = framesOf(a.at.state)
  const known = new Set(frames.map(({ pfn }) => pfn))
  const differs = ({ read }: Leaf) => read(a.at.state) !== read(b.at.state)
  return [
    ...lasting.filter(isOfMmu),
    ...frames.filter(differs),
    ...lasting.filter((leaf) => !isOfMmu(leaf)),
    ...framesOf(b.at.state).filter(({ pfn }) => !known.has(pfn)).filter(differs)
  ]
}
