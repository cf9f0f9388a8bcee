/**
 * Which event changed a field last, as of a position.
 *
 * The fold knows it of all fields but those of frames that lost their slots in an earlier span: of these, it is known at
 * the end of that span. Spans are looked into in strides that grow, since most frames do not live long.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { isInSlot, lastChange, SPAN } from "./changes.ts"
import type { Changes } from "./changes.ts"
import type { Log } from "./log.ts"
import { atSeq } from "./position.ts"
import type { NoSuchPosition } from "./position.ts"
import type { LogNotDense } from "./projection.ts"
import { changes } from "./resumable-changes.ts"
import { isOfFrame } from "./state-view.ts"
import type { FrameLeaf, Leaf } from "./state-view.ts"
import { foldTo } from "./time-travel.ts"
import type { NotAWorld } from "./world.ts"

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
    const gone = leaves.filter((leaf) => !note(found, now, leaf)).filter(isOfFrame)
    yield* search(log, found, gone, { from: Math.floor(from / SPAN), to: Math.floor((now.at.seq - 1) / SPAN) }, 0)
    return found
  }
)

/** A stride is so many times as long as the one before. */
const GROWTH = 8

/** Notes the last change of a leaf, if it is known. */
const note = (found: Map<Leaf, number>, c: Changes, leaf: Leaf): boolean => {
  const seq = lastChange(c, leaf)
  if (seq !== undefined) found.set(leaf, seq)
  return seq !== undefined
}

/** Finds the last changes of frames' leaves that lost their slots in one of the spans `from` … `to`, half open. */
const search = Effect.fnUntraced(function*<E>(
  log: Log<E>,
  found: Map<Leaf, number>,
  gone: ReadonlyArray<FrameLeaf>,
  { from, to }: { readonly from: number; readonly to: number },
  stride: number
): Effect.fn.Return<void, E | NotAWorld | NoSuchPosition | LogNotDense> {
  if (gone.length === 0 || from >= to) return
  const span = Math.min(from + stride, to - 1)
  const there = yield* foldTo(log, changes, atSeq((span + 1) * SPAN))
  const later = gone.filter((leaf) => isInSlot(there, leaf))
  const earlier = gone.filter((leaf) => !isInSlot(there, leaf) && !note(found, there, leaf))
  yield* search(log, found, earlier, { from, to: span }, Math.floor((span - from) / 2))
  yield* search(log, found, later, { from: span + 1, to }, Math.max(1, stride * GROWTH))
})
