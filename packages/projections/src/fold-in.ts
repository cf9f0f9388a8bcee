/**
 * Folding a log up to a position, from the last checkpoint before it.
 *
 * @since 0.1.0
 */
import type { World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { NO_KEEPER } from "./checkpoint.ts"
import type { Resumable } from "./checkpoint.ts"
import { readUpTo } from "./log.ts"
import type { Log } from "./log.ts"
import { NoSuchPosition } from "./position.ts"
import type { Position } from "./position.ts"
import { denseFrom } from "./projection.ts"
import type { LogNotDense } from "./projection.ts"

/**
 * Folds a log in its world up to a position, from the last checkpoint before it if the log has some; those that it comes
 * by are kept.
 *
 * @category folding
 * @since 0.1.0
 */
export const foldIn = Effect.fnUntraced(function*<E, S>(
  log: Log<E>,
  world: World,
  fold: Resumable<S>,
  position: Position
): Effect.fn.Return<S, E | NoSuchPosition | LogNotDense> {
  const checkpoint = yield* log.checkpoints?.nearest(fold, world, position) ?? Effect.succeedNone
  const state = Option.getOrElse(checkpoint, () => fold.start(world))
  yield* goOn(log, fold, state, position)
  return state
})

/** Folds what lies between a state and a position. @category folding @since 0.1.0 */
export const goOn = Effect.fnUntraced(function*<E, S>(
  log: Log<E>,
  fold: Resumable<S>,
  state: S,
  position: Position
): Effect.fn.Return<void, E | NoSuchPosition | LogNotDense> {
  const keeper = log.checkpoints?.keeper(fold) ?? NO_KEEPER
  const place = fold.place(state)
  const isNext = denseFrom(fold.name, place.seq + 1)
  yield* Stream.runForEachArray(readUpTo(log, position, place), (chunk): Effect.Effect<void, E | LogNotDense> => {
    for (const event of chunk) {
      const fault = isNext(event.seq)
      if (fault !== undefined) return Effect.fail(fault)
      fold.advance(state, event)
      keeper.note(state, event.seq)
    }
    return keeper.isFull() ? keeper.keep : Effect.void
  })
  yield* keeper.end
  yield* arrived(position, fold.place(state).seq)
})

/** Fails where the log ended before the position. */
const arrived = (position: Position, head: number): Effect.Effect<void, NoSuchPosition> =>
  position._tag === "Seq" && position.seq > head
    ? Effect.fail(new NoSuchPosition({ seq: position.seq, head }))
    : Effect.void
