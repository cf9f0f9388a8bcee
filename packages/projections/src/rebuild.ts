/**
 * Rebuilding a projection from a whole log, with progress, and no event unseen.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Log } from "./log.ts"
import { denseFrom } from "./projection.ts"
import type { LogNotDense, Projection } from "./projection.ts"

/** Events from one report of progress to the next. @category constants @since 0.1.0 */
export const REPORTED_EVERY = 65_536

/** How far a rebuild is: events folded so far, and whether those are all. @category models @since 0.1.0 */
export interface Progress {
  readonly events: number
  readonly isDone: boolean
}

/** What a rebuild made, of so many events. @category models @since 0.1.0 */
export interface Rebuilt<S> {
  readonly state: S
  readonly events: number
}

/**
 * Folds a log from position 1 to its end. Fails with {@link LogNotDense} where a position is left out, comes twice or
 * comes too early, so that what was rebuilt is never short of an event.
 *
 * @category folding
 * @since 0.1.0
 */
export const rebuild = Effect.fn("projections.rebuild")(function*<S, E, E2 = never, R = never>(
  projection: Projection<S>,
  log: Pick<Log<E>, "read">,
  onProgress: (progress: Progress) => Effect.Effect<void, E2, R> = () => Effect.void
): Effect.fn.Return<Rebuilt<S>, E | E2 | LogNotDense, R> {
  const isNext = denseFrom(projection.name, 1)
  let state = projection.init()
  let events = 0
  let reported = 0
  yield* Stream.runForEachArray(log.read(), (chunk): Effect.Effect<void, E2 | LogNotDense, R> => {
    for (const event of chunk) {
      const fault = isNext(event.seq)
      if (fault !== undefined) return Effect.fail(fault)
      state = projection.evolve(state, event)
      events++
    }
    if (events - reported < REPORTED_EVERY) return Effect.void
    reported = events
    return onProgress({ events, isDone: false })
  })
  yield* onProgress({ events, isDone: true })
  return { state, events }
})
