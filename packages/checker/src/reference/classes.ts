/**
 * The classes of cells that the footprints of the reference model speak of, each a bit of a number.
 *
 * @since 0.1.0
 */
import type { ReferenceConfig } from "./config.ts"

const MOST_CLASSES = 31

/**
 * Where invalidators do the same thing to a cell in whatever order (raise the count, bump `seq`, free a page), each has
 * a class of its own there: so they do not conflict, and who reads the cell reads all of those classes.
 *
 * - `raise`, `lower`: the count, and the hull with it.
 * - `bump`: `mmu_invalidate_seq`.
 * - `zap`: the frames remembered of a page that caches lie on. A page that no cache lies on is nobody's business.
 * - `gpc`: a cache's `valid`, `pfn` and lock; `flag` and `refresher` are what they say.
 *
 * @category models
 * @since 0.1.0
 */
export interface Classes {
  readonly raise: (i: number) => number
  readonly lower: (i: number) => number
  readonly bump: (i: number) => number
  readonly zap: (i: number, page: number) => number
  readonly gpc: (g: number) => number
  readonly flag: (g: number) => number
  readonly refresher: (g: number) => number
  readonly anyRaise: number
  readonly anyLower: number
  readonly anyBump: number
  readonly anyZap: (page: number) => number
}

const union = (n: number, bit: (k: number) => number): number => {
  let all = 0
  for (let k = 0; k < n; k++) all |= bit(k)
  return all
}

/**
 * The classes of a configuration, or undefined when there are more than a number has bits.
 *
 * @category constructors
 * @since 0.1.0
 */
export const classesOf = ({ G, I, P, gpage }: ReferenceConfig): Classes | undefined => {
  const pages = [...new Set(gpage)]
  let classes = 0
  const group = (n: number) => {
    const first = classes
    classes += n
    return (k: number) => 1 << (first + k)
  }
  const raise = group(I)
  const lower = group(I)
  const bump = group(I)
  const gpc = group(G)
  const flag = group(G)
  const refresher = group(G)
  const zapped = group(I * pages.length)
  if (classes > MOST_CLASSES) return undefined
  const zaps = Array.from({ length: I }, (_, i) =>
    Array.from({ length: P }, (_, page) => {
      const place = pages.indexOf(page)
      return place < 0 ? 0 : zapped(i * pages.length + place)
    }))
  const anyZaps = Array.from({ length: P }, (_, page) => union(I, (i) => zaps[i][page]))
  return {
    raise,
    lower,
    bump,
    zap: (i, page) => zaps[i][page],
    gpc,
    flag,
    refresher,
    anyRaise: union(I, raise),
    anyLower: union(I, lower),
    anyBump: union(I, bump),
    anyZap: (page) => anyZaps[page]
  }
}
