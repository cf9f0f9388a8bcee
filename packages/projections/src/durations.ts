/**
 * Durations: how many, how long in all and at most, and how they are spread, in bounded memory.
 *
 * @since 0.1.0
 */

/** Buckets that one octave is divided into: a quantile is low by less than one part in so many. */
const BUCKETS = 1024

/**
 * Durations in ns. `count`, `sum` and `max` are exact; `spread` counts them by the lower bound of their bucket, which
 * is exact below 2048 ns and within 0.1 % above.
 *
 * @category models
 * @since 0.1.0
 */
export interface Durations {
  count: number
  sum: number
  max: number
  readonly spread: Map<number, number>
}

/** @category constructors @since 0.1.0 */
export const noDurations = (): Durations => ({ count: 0, sum: 0, max: 0, spread: new Map() })

/** Adds a duration in ns. @category folding @since 0.1.0 */
export const addDuration = (durations: Durations, ns: number): void => {
  durations.count++
  durations.sum += ns
  if (ns > durations.max) durations.max = ns
  const step = ns < 2 * BUCKETS ? 1 : 2 ** (Math.floor(Math.log2(ns)) - Math.log2(BUCKETS))
  const bucket = Math.floor(ns / step) * step
  durations.spread.set(bucket, (durations.spread.get(bucket) ?? 0) + 1)
}

/**
 * The duration at the fraction `q` (0 … 1) of them in order, the nearest one, in ns; 0 where there are none.
 *
 * @category reading
 * @since 0.1.0
 */
export const quantile = (durations: Durations, q: number): number => {
  const rank = Math.round((durations.count - 1) * q)
  let seen = 0
  for (const [bucket, count] of [...durations.spread].sort((a, b) => a[0] - b[0])) {
    seen += count
    if (seen > rank) return bucket
  }
  return 0
}
