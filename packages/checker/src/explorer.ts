/**
 * What every way of searching looks like from outside: it does a slice of work when told to, and can be asked how far it
 * is and what it found.
 *
 * @since 0.1.0
 */
import type { Model } from "./model.ts"
import type { Path } from "./path.ts"
import type { Reductions } from "./reduction.ts"

/** The ways of searching. @category models @since 0.1.0 */
export type Order = "breadth-first" | "depth-first" | "random"

/**
 * A search under way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Explorer {
  readonly model: Model
  readonly order: Order
  readonly reductions: Reductions
  /** Whether there is nothing left to do. */
  readonly isDone: boolean
  /** Whether, being done, it has seen every state that there is: else nothing "holds" by it. */
  readonly isExhaustive: boolean
  /** Distinct states found; for a search that does not remember them, states visited. */
  readonly count: number
  /** Steps taken. */
  readonly steps: number
  /** States found and not yet expanded. */
  readonly frontier: number
  /** The greatest distance from the start, in stored states. */
  readonly depth: number
  /** States with no enabled step. */
  readonly terminal: number
  /** Of those, states in which some thread is not done. */
  readonly stuck: number
  /** Bytes that the search takes, tables and states. */
  readonly bytes: number
  /** How often each branch was taken. */
  readonly taken: Float64Array
  /** The properties seen broken, as a set. */
  readonly broken: number
  /** A path to where a property in `broken` breaks, and whether there is none shorter. */
  readonly counterexample: (property: number) => { readonly path: Path; readonly isShortest: boolean }
  /**
   * Does some work: about `most` states. Returns early when a property breaks that was not broken. A promise when the
   * work is done elsewhere.
   */
  readonly advance: (most: number) => void | Promise<void>
  /** Begins again from nothing, when the model has `Outgrown` its words. */
  readonly restart: () => void | Promise<void>
}
