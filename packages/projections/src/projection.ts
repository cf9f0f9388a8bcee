/**
 * A projection: a pure fold over a log, named and versioned so that what it made can be kept beside the log.
 *
 * A log's positions are dense, so a projection cannot skip an event unseen: {@link fold} refuses a gap.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/**
 * A fold over a log.
 *
 * `evolve` may change the state it is given and return it: a state belongs to one fold, and whoever needs an earlier
 * one folds again up to there. It never fails: an event it does not know changes nothing. `version` goes up with
 * every change of the meaning of the state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Projection<S> {
  readonly name: string
  readonly version: number
  readonly init: () => S
  readonly evolve: (state: S, event: Envelope<Event>) => S
}

/** An event is missing, or came twice: `found` is the position that stood where `expected` belongs. @category errors @since 0.1.0 */
export class LogNotDense extends Schema.TaggedError<LogNotDense>()("LogNotDense", {
  projection: Schema.String,
  expected: Schema.Int,
  found: Schema.Int
}) {
  override get message(): string {
    return `${this.projection}: event #${this.found} came where #${this.expected} was expected`
  }
}

/**
 * Watches positions go by: gives what is wrong with one that is not the next. The first may be any, unless `first` says
 * which.
 *
 * @category folding
 * @since 0.1.0
 */
export const denseFrom = (projection: string, first?: number): (found: number) => LogNotDense | undefined => {
  let expected = first
  return (found) => {
    if (expected !== undefined && found !== expected) return new LogNotDense({ projection, expected, found })
    expected = found + 1
    return undefined
  }
}

/**
 * Folds a stream of events, one after the other, from the position of the first. Fails with {@link LogNotDense} where
 * a position is left out or comes twice; so it does behind events that a reader left out because it did not know them.
 *
 * @category folding
 * @since 0.1.0
 */
export const fold = Effect.fnUntraced(function*<S, E, R>(
  projection: Projection<S>,
  events: Stream.Stream<Envelope<Event>, E, R>
) {
  let state = projection.init()
  const isNext = denseFrom(projection.name)
  yield* Stream.runForEachArray(events, (chunk) => {
    for (const event of chunk) {
      const fault = isNext(event.seq)
      if (fault !== undefined) return Effect.fail(fault)
      state = projection.evolve(state, event)
    }
    return Effect.void
  })
  return state
})
