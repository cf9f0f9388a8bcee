/**
 * What is checked: a finite transition system of threads over one flat state. This page is the whole contract.
 *
 * A model owns one *working state*, laid out as it likes; the engine only ever moves it to and from packed words. Every
 * function speaks of the working state and none allocates: they run some hundred thousand times a second or more.
 *
 * @since 0.1.0
 */

/**
 * One thing a step can do: a thread, its step, and which way the step's own decision went ("" if it makes none).
 *
 * @category models
 * @since 0.1.0
 */
export interface Branch {
  readonly thread: number
  readonly step: string
  readonly outcome: string
}

/**
 * Something that must hold. `statement` is one sentence. `exercisedBy` says which branches put it to the test: when
 * none of them was taken, the property is reported as never exercised instead of as holding.
 *
 * @category models
 * @since 0.1.0
 */
export interface Property {
  readonly name: string
  readonly statement: string
  readonly exercisedBy?: (branch: Branch) => boolean
}

/**
 * Something that must happen again and again (for a goal that is kept once met: eventually), whatever the interleaving,
 * as long as it is fair.
 *
 * @category models
 * @since 0.1.0
 */
export interface Goal extends Property {
  /** Whether the working state meets it. */
  readonly met: () => boolean
}

/**
 * What steps touch, for partial-order reduction: classes of cells as bits of a number, at most 31 classes.
 *
 * Two steps conflict when one writes a class that the other reads or writes. Steps that do not conflict must commute,
 * and neither may enable or disable the other. Beside what it computes with, a step reads its guard and whatever the
 * properties depend on that it can make or mend: so a property's cells are spoken for. Cells that no other thread ever
 * touches need no class, and a step with no class at all is local.
 *
 * The next step's may be told as the step would go in this state, as long as no step that does not conflict with it makes
 * it larger. What a thread may touch from now on never grows. (`honesty.ts` puts all of this to the test.)
 *
 * Writes four numbers at `at` of `into`: the classes that the thread's next step reads and writes, then those that
 * any of its steps reads and writes from now on.
 *
 * @category models
 * @since 0.1.0
 */
export type Footprint = (thread: number, into: Int32Array, at: number) => void

/**
 * Threads that are alike: exchanging two of them is an automorphism of the whole system, properties included.
 *
 * @category models
 * @since 0.1.0
 */
export interface Symmetry {
  /** Groups of thread numbers, each ascending. */
  readonly groups: ReadonlyArray<ReadonlyArray<number>>
  /** A total order of two alike threads in the working state; 0 only when exchanging them changes nothing. */
  readonly compare: (a: number, b: number) => number
  /** Exchanges them, and every mention of them. */
  readonly exchange: (a: number, b: number) => void
}

/**
 * A model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Model {
  readonly name: string
  /** The names of the threads; everywhere else a thread is its place in this list. */
  readonly threads: ReadonlyArray<string>
  /** 32-bit words in a packed state; a constant, but for a model that can be `Outgrown`. */
  readonly words: number
  /** How it packs states, as plain data that another instance can take over; absent: every instance does it alike. */
  readonly layout?: {
    readonly save: () => unknown
    /** Takes it over; false, and nothing is changed, when it is no layout of this model's. */
    readonly load: (saved: unknown) => boolean
  }
  /** At most 31. A set of properties is a number: bit `i` is property `i`. */
  readonly properties: ReadonlyArray<Property>
  /** Every branch that could be taken; those that never are, are reported. */
  readonly branches: ReadonlyArray<Branch>
  /** How many initial states there are. */
  readonly initials: number
  /** Makes the working state the `k`-th initial state. */
  readonly initial: (k: number) => void
  /** Reads the working state from `words` at `at`. */
  readonly unpack: (words: Int32Array, at: number) => void
  /**
   * Writes the working state to `words` at `at`. The packed form is what makes two states equal: what no step and no
   * property can tell apart (a counter's value as opposed to whether it changed, the names of frames) must not enter it.
   */
  readonly pack: (words: Int32Array, at: number) => void
  /** In how many ways the thread's next step can go now; 0: it is disabled. */
  readonly ways: (thread: number) => number
  /** Takes one of them, and returns the branch taken: a place in `branches`. */
  readonly apply: (thread: number, way: number) => number
  /** The properties that the last `apply` broke: those judged at a step. */
  readonly brokenByStep: () => number
  /** The properties that the working state breaks: those judged on states; absent: none is. */
  readonly brokenInState?: () => number
  /** The properties that the working state breaks in that no thread has an enabled step; absent: none. */
  readonly brokenAtEnd?: () => number
  /** Whether the thread has done all that it is there for; absent: no thread is missed when everything stops. */
  readonly isDone?: (thread: number) => boolean
  /** What must be reached again and again; absent: nothing. */
  readonly goals?: ReadonlyArray<Goal>
  /** Whether the scheduler is weakly fair to the thread: it moves at last if it could at every moment; absent: to all. */
  readonly isFair?: (thread: number) => boolean
  /**
   * Whether what the thread waits for in the working state is given in turn, as a queued lock is: then it moves at last
   * if it could again and again, though not at every moment (strong fairness). It must depend on nothing but where the
   * thread stands. Absent: nothing is.
   */
  readonly waitsInTurn?: (thread: number) => boolean
  /** What steps touch; absent: no partial-order reduction and no merging. */
  readonly footprint?: Footprint
  /** Which threads are alike; absent: none. */
  readonly symmetry?: Symmetry
  /** Sets cells of the working state that are written before anything reads them to one value; absent: none are. */
  readonly forget?: () => void
}

/**
 * The model with some of its parts replaced. (Spread in an object, `words` would stay what it is now.)
 *
 * @category constructors
 * @since 0.1.0
 */
export const replacing = (model: Model, parts: Partial<Model>): Model =>
  Object.defineProperties({}, {
    ...Object.getOwnPropertyDescriptors(model),
    ...Object.getOwnPropertyDescriptors(parts)
  }) as Model

/** One step of a path: which thread, and which of its ways. @category models @since 0.1.0 */
export interface Move {
  readonly thread: number
  readonly way: number
}
