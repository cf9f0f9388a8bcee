/**
 * What was read of a log last, at hand: one question reads the same few events more than once.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Log } from "./log.ts"

/** Events of a span that is kept at hand at most, and such spans. */
const LONGEST = 4096
const SPANS = 8

interface Span {
  readonly from: number
  readonly to: number
  readonly events: ReadonlyArray<Envelope<Event>>
}

/** Reads as `read` does; short spans a second time from memory. @category reading @since 0.1.0 */
export const rememberingReads = <E>(read: Log<E>["read"]): Log<E>["read"] => {
  const spans: Array<Span> = []
  return ({ from = 1, to = Infinity } = {}) =>
    Stream.suspend(() => {
      const held = spans.find((span) => span.from <= from && to <= span.to)
      if (held !== undefined) return Stream.fromIterable(held.events.slice(from - held.from, to - held.from + 1))
      if (to - from >= LONGEST) return read({ from, to })
      const events: Array<Envelope<Event>> = []
      return read({ from, to }).pipe(
        Stream.mapArray((chunk) => {
          events.push(...chunk)
          return chunk
        }),
        Stream.onEnd(Effect.sync(() => {
          // A span that the log has only the beginning of may grow.
          if (events.length === 0 || events.length !== to - from + 1) return
          spans.unshift({ from, to, events })
          spans.length = Math.min(spans.length, SPANS)
        }))
      )
    })
}
