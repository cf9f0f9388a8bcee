/**
 * Which event changed a field last, as of a position.
 *
 * The fold knows it of all fields but those of frames that are gone: of these, it is known where the frame was in its slot
 * last. That is looked for from checkpoint to checkpoint, in strides that grow, since most frames do not live long.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { advanceChanges, changes, lastChange } from "./changes.ts"
import type { Changes } from "./changes.ts"
import type { Log, NotAWorld } from "./log.ts"
import { atSeq } from "./position.ts"
import type { NoSuchPosition } from "./position.ts"
import type { LogNotDense } from "./projection.ts"
import type { Leaf } from "./state-view.ts"
import { foldTo } from "./time-travel.ts"

/** Events behind `from` (exclusive), up to `to`. @category models @since 0.1.0 */
export interface Span {
  readonly from: number
  readonly to: number
}

/**
 * The position of the event that changed each leaf last, up to where the changes are; 0 for none. The frames that leaves
 * are of lived at position `from` or later.
 *
 * @category queries
 * @since 0.1.0
 */
export const lastChanges = Effect.fn("projections.lastChanges")(
  function*<E>(
    log: Log<E>,
    now: Changes,
    leaves: ReadonlyArray<Leaf>,
    from: number
  ): Effect.fn.Return<ReadonlyMap<Leaf, number>, E | NotAWorld | NoSuchPosition | LogNotDense> {
    const found = new Map<Leaf, number>()
    const gone = leaves.filter((leaf) => !note(found, now, leaf))
    yield* search(log, found, gone, { from, to: now.at.seq }, 0)
    return found
  }
)

/** Notes the last change of a leaf, unless its frame is not there. */
const note = (found: Map<Leaf, number>, c: Changes, leaf: Leaf): boolean => {
  const seq = lastChange(c, leaf)
  if (seq !== undefined) found.set(leaf, seq)
  return seq !== undefined
}

/** A stride is longer than the one before by so much. */
const GROWTH = 8

/** Finds the last changes of frames' leaves that are in their slots at one end of a span, and not at the other. */
const search = Effect.fnUntraced(function*<E>(
  log: Log<E>,
  found: Map<Leaf, number>,
  gone: ReadonlyArray<Leaf>,
  { from, to }: Span,
  stride: number
): Effect.fn.Return<void, E | NotAWorld | NoSuchPosition | LogNotDense> {
  if (gone.length === 0) return
  const every = log.checkpoints?.spacing(changes) ?? Infinity
  if (to - from <= every) return yield* walk(log, found, gone, { from, to })
  // At a checkpoint nothing is left to fold.
  const middle = from - from % every + Math.max(every, Math.floor(Math.min(stride, (to - from) / 2) / every) * every)
  const there = yield* foldTo(log, changes, atSeq(middle))
  const isThere = (leaf: Leaf) => lastChange(there, leaf) !== undefined
  yield* search(log, found, gone.filter((leaf) => !isThere(leaf)), { from, to: middle }, (middle - from) / 2)
  yield* search(log, found, gone.filter(isThere), { from: middle, to }, Math.max(every, stride * GROWTH))
})

const walk = Effect.fnUntraced(function*<E>(
  log: Log<E>,
  found: Map<Leaf, number>,
  gone: ReadonlyArray<Leaf>,
  { from, to }: Span
) {
  const c = yield* foldTo(log, changes, atSeq(from))
  let left = gone
  yield* Stream.runForEachArray(log.read({ from: from + 1, to }), (chunk) =>
    Effect.sync(() => {
      for (const event of chunk) {
        left = left.filter((leaf) => note(found, c, leaf))
        if (left.length === 0) return
        advanceChanges(c, event)
      }
    }))
})
