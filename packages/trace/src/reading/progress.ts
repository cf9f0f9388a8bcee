/**
 * How far an import is.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Counter } from "./census.ts"

/**
 * How far an import is: `bytes` read of `size` (0: not known), as they lie in the file; `lines` read, and how many a
 * second.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImportProgress {
  readonly bytes: number
  readonly size: number
  readonly lines: number
  readonly linesPerSecond: number
}

/** Told at most so often, in ms. */
const INTERVAL = 200

/** Tells `tell` how far the files of `counters` are, unless it was told just before. Call it after every piece. */
export const makeProgress = (
  tell: (progress: ImportProgress) => Effect.Effect<void>,
  size: number
): (counters: ReadonlyArray<Counter>) => Effect.Effect<void> => {
  let start: number | undefined
  let told = 0
  return (counters) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      start ??= now
      if (now - start < told + INTERVAL) return Effect.void
      told = now - start
      const bytes = counters.reduce((sum, counter) => sum + counter.bytes, 0)
      const lines = counters.reduce((sum, counter) => sum + counter.lines, 0)
      return tell({ bytes, size, lines, linesPerSecond: Math.round((lines * 1000) / told) })
    })
}
