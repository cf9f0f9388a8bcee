/**
 * A step of the reference model: a named piece of a thread that runs without interruption.
 *
 * @since 0.1.0
 */

/** What a step can do, as {@link Step.run} numbers it; a step that decides nothing has the one outcome "". */
export interface Step<Thread> {
  readonly label: string
  readonly outcomes: ReadonlyArray<string>
  /** Whether it can run now. */
  readonly isEnabled: (thread: Thread) => boolean
  /** Runs it and returns the outcome. */
  readonly run: (thread: Thread) => number
}

/** The guard of a step that can always run. */
export const always = (): boolean => true

/** The outcomes of a step that decides nothing. */
export const PLAIN: ReadonlyArray<string> = [""]
