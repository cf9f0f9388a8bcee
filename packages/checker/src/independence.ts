/**
 * Which threads can be moved without moving the others.
 *
 * A set of threads is *persistent* in a state when nothing that the other threads do, from now on and without it, can
 * interfere with the next step of any thread in it (Godefroid 1996). Exploring only such a set loses no violation, if
 * it moves at all and does not put the others off for ever; the latter is the search's proviso.
 *
 * @since 0.1.0
 */
import type { Footprint, Model } from "./model.ts"

/** Threads there is room for in a set. @category constants @since 0.1.0 */
export const MOST_THREADS = 30

/**
 * Looks for persistent sets in the working state. A set of threads is a number, bit by bit.
 *
 * @category models
 * @since 0.1.0
 */
export class Independence {
  private readonly threads: number
  private readonly footprint: Footprint
  private readonly print: Int32Array
  /** For each thread, the others that could interfere with its next step. */
  private readonly rivals: Int32Array

  constructor(model: Model) {
    this.threads = model.threads.length
    this.footprint = model.footprint!
    this.print = new Int32Array(4 * this.threads)
    this.rivals = new Int32Array(this.threads)
  }

  /** The smallest persistent set with a step enabled, given each thread's enabled ways; all threads if none is smaller. */
  persistent(ways: Int32Array): number {
    const { rivals, threads } = this
    this.survey()
    let best = 2 ** threads - 1
    let fewest = total(ways, best)
    for (let t = 0; t < threads; t++) {
      if (ways[t] === 0) continue
      let set = 1 << t
      for (let grown = true; grown;) {
        grown = false
        for (let u = 0; u < threads; u++) {
          if ((set >>> u & 1) === 0 || (rivals[u] & ~set) === 0) continue
          set |= rivals[u]
          grown = true
        }
      }
      const n = total(ways, set)
      if (n >= fewest) continue
      best = set
      fewest = n
    }
    return best
  }

  /** A thread whose one enabled way interferes with nobody, or -1. */
  local(model: Model): number {
    this.look()
    for (let t = 0; t < this.threads; t++) if (!this.hasRival(t) && model.ways(t) === 1) return t
    return -1
  }

  private look(): void {
    const { footprint, print, threads } = this
    for (let t = 0; t < threads; t++) footprint(t, print, 4 * t)
  }

  private survey(): void {
    const { rivals, threads } = this
    this.look()
    for (let t = 0; t < threads; t++) {
      let set = 0
      for (let u = 0; u < threads; u++) if (u !== t && clash(this.print, 4 * t, 4 * u)) set |= 1 << u
      rivals[t] = set
    }
  }

  private hasRival(t: number): boolean {
    for (let u = 0; u < this.threads; u++) if (u !== t && clash(this.print, 4 * t, 4 * u)) return true
    return false
  }
}

/** Whether the next step of one thread conflicts with what another may do from now on. */
const clash = (print: Int32Array, one: number, other: number): boolean =>
  ((print[one] | print[one + 1]) & print[other + 3] | print[one + 1] & print[other + 2]) !== 0

const total = (ways: Int32Array, set: number): number => {
  let n = 0
  for (let t = 0; t < ways.length; t++) if ((set >>> t & 1) === 1) n += ways[t]
  return n
}
