/**
 * Numbers that look random and come again from the same seed (mulberry32).
 *
 * @since 0.1.0
 */

/** @category models @since 0.1.0 */
export interface Random {
  /** A whole number from 0 to `n` - 1. */
  readonly below: (n: number) => number
  readonly pick: <A>(list: ReadonlyArray<A>) => A
  /** True once in `n`. */
  readonly onceIn: (n: number) => boolean
}

/** @category constructors @since 0.1.0 */
export const makeRandom = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const below = (n: number): number => Math.floor(next() * n)
  return { below, pick: (list) => list[below(list.length)]!, onceIn: (n) => below(n) === 0 }
}
