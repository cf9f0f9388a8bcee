/**
 * Who goes next: the seam between the simulation and whatever explores it.
 *
 * One method. Random, replayed, first-come and recorded runs are the same thing with another strategy, and so is a
 * search: it makes a strategy for each run and looks at what it was asked.
 *
 * @since 0.1.0
 */
import { hashIndex } from "./hash.ts"
import { Divergence } from "./SimulationError.ts"

/**
 * A fiber that may go next.
 *
 * @since 0.1.0
 * @category models
 */
export interface Choice {
  /** The fiber's name, unique among the fibers of the run that are alive. */
  readonly name: string
  /** Why it can run: something woke it, it stopped at a `point`, or its timer has come. */
  readonly kind: "woken" | "point" | "timer"
  /** Order of arrival: lower suspended earlier. Depends on the history, unlike the name. */
  readonly since: number
}

/**
 * Where the run stands when a choice is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Moment {
  /** Choices made before this one. */
  readonly position: number
  /** Virtual time, ns. */
  readonly nowNanos: number
  /** Turns of fibers so far. */
  readonly steps: number
}

/**
 * Picks one of the fibers that can run.
 *
 * Asked only when there are two or more. `ready` is ordered by name, so that the same set of names is the same array
 * however it came about. Both arguments are the simulation's own and change after the call: keep copies.
 *
 * @since 0.1.0
 * @category models
 */
export interface Strategy {
  /** Answers an index into `ready`, or a `Divergence`, which ends the run. */
  readonly next: (ready: ReadonlyArray<Choice>, moment: Moment) => number | Divergence
}

/**
 * First come, first served. Its choices depend on the order in which fibers suspended, not on the set alone.
 *
 * @since 0.1.0
 * @category strategies
 */
export const fifo: Strategy = {
  next(ready) {
    let first = 0
    for (let i = 1; i < ready.length; i++) {
      if (ready[i]!.since < ready[first]!.since) first = i
    }
    return first
  }
}

/**
 * Random, each choice being a pure hash of (`seed`, position): the same set at the same position gives the same pick.
 *
 * `position` defaults to the number of choices made so far in the run. A program that can be rebuilt from a log passes
 * its own (its place in that log), and chooses after recovery as it would have without.
 *
 * @since 0.1.0
 * @category strategies
 */
export const seeded = (seed: number, position?: () => number): Strategy => ({
  next: (ready, moment) => hashIndex(seed, position === undefined ? moment.position : position(), ready.length)
})

/**
 * The names chosen in a run, in order. Plain strings: print it, keep it, pass it to `replay`.
 *
 * @since 0.1.0
 * @category models
 */
export type Recording = ReadonlyArray<string>

const indexOf = (ready: ReadonlyArray<Choice>, name: string): number => {
  let low = 0
  let high = ready.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ready[middle]!.name < name) low = middle + 1
    else high = middle
  }
  return low < ready.length && ready[low]!.name === name ? low : -1
}

/**
 * Chooses as recorded, and stops the run with a `Divergence` where that is not possible. Names left over when main is
 * done are ignored.
 *
 * @since 0.1.0
 * @category strategies
 */
export const replay = (recording: Recording): Strategy => ({
  next(ready, { position }) {
    const expected = recording[position]
    const index = expected === undefined ? -1 : indexOf(ready, expected)
    if (index >= 0) return index
    const names = ready.map((choice) => choice.name)
    return new Divergence(
      expected === undefined ? { at: position, ready: names } : { at: position, expected, ready: names }
    )
  }
})

/**
 * A strategy that keeps what it chose.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recorded extends Strategy {
  readonly recording: Recording
}

/**
 * Chooses as `strategy` does and keeps the names. Make one for each run.
 *
 * @since 0.1.0
 * @category strategies
 */
export const recorded = (strategy: Strategy): Recorded => {
  const recording: Array<string> = []
  return {
    recording,
    next(ready, moment) {
      const index = strategy.next(ready, moment)
      if (typeof index === "number" && index in ready) recording.push(ready[index]!.name)
      return index
    }
  }
}
