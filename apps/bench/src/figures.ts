/**
 * What a bench says of a figure: what it is, what it should be, and whether it is.
 *
 * @since 0.1.0
 */
import * as Console from "effect/Console"

/** What one checker did with one configuration. `bytes` is what it says itself that it took; absent: it does not say. */
export interface Figure {
  readonly states: number
  readonly seconds: number
  readonly bytes?: number
}

export const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** States a second: the median of several runs. */
export const rateOf = (figures: ReadonlyArray<Figure>): number =>
  median(figures.map(({ seconds, states }) => states / seconds))

/** A line of a table. */
export const show = (name: string, figures: ReadonlyArray<Figure>) => {
  const [{ bytes, states }] = figures as [Figure]
  const rate = `${Math.round(rateOf(figures) / 1000)} k states/s`
  const memory = bytes === undefined ? "" : `  ${(bytes / states).toFixed(1)} bytes/state`
  return Console.log(`  ${name.padEnd(44)} ${String(states).padStart(9)} states ${rate.padStart(16)}${memory}`)
}

/** A ratio beside the one that is wanted. */
export const compare = (
  name: string,
  value: number,
  wanted: { readonly least: number } | { readonly most: number }
) => {
  const isEnough = "least" in wanted ? value >= wanted.least : value <= wanted.most
  const bound = "least" in wanted ? `at least ${wanted.least.toFixed(2)}` : `at most ${wanted.most.toFixed(2)}`
  return Console.log(
    `  ${name.padEnd(44)} ${value.toFixed(2).padStart(9)} wanted ${bound.padEnd(16)} ${isEnough ? "ok" : "falls short"}`
  )
}

export const notMeasured = (name: string, why: string) => Console.log(`  ${name.padEnd(44)} not measured: ${why}`)
