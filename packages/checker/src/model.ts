/**
 * What can be checked: a finite system of threads over a packed state.
 *
 * A model keeps one working state. The checker loads a packed state into it, asks which ways each thread can go, lets
 * one go, and stores the result, in canonical form: states that differ in nothing that matters are the same bytes.
 *
 * @since 0.1.0
 */

/**
 * A finite system.
 *
 * @category models
 * @since 0.1.0
 */
export interface Model {
  readonly name: string
  /** 32-bit words of a packed state. */
  readonly words: number
  readonly threads: ReadonlyArray<string>
  /** Properties, at most 31; a violation is a bit by its place. */
  readonly properties: ReadonlyArray<string>
  /** The names of the steps, for coverage. */
  readonly labels: ReadonlyArray<string>
  /** Puts the initial state into the working state. */
  readonly start: () => void
  readonly load: (packed: Int32Array, at: number) => void
  readonly store: (packed: Int32Array, at: number) => void
  /** The place in `labels` of a thread's next step. */
  readonly label: (thread: number) => number
  /** In how many ways the thread can go now; 0: it cannot. */
  readonly ways: (thread: number) => number
  /** Lets a thread go one way; the bits of the properties that this step violates. */
  readonly apply: (thread: number, way: number) => number
  /** The bits of the properties that the working state violates. */
  readonly judge: () => number
  /** Whether the thread has done all that it was asked for. */
  readonly isDone: (thread: number) => boolean
}

/** A step of a path: which thread went, and which way. @category models @since 0.1.0 */
export interface Move {
  readonly thread: number
  readonly way: number
}
