/**
 * What can go wrong with a simulated run itself, as opposed to the program in it.
 *
 * Each error says where the run stood (virtual nanoseconds, steps, or the number of the choice) and names the fibers
 * concerned. They are schemas, so that a failing run can be logged, sent and read back.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A fiber that cannot go on, and what it said it waits for (see `waitingFor`); no `waitsFor` if it said nothing.
 *
 * @since 0.1.0
 * @category models
 */
export const Blocked = Schema.Struct({
  fiber: Schema.String,
  waitsFor: Schema.optionalKey(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Blocked = typeof Blocked.Type

const blockedLine = ({ fiber, waitsFor }: Blocked): string =>
  waitsFor === undefined
    ? `  ${fiber} is suspended (it did not say what it waits for)`
    : `  ${fiber} waits for ${waitsFor}`

/**
 * Nobody can run, no timer is pending, and the main fiber is not done. `blocked` holds every fiber of the run, by name.
 *
 * A fiber that waits for the real world without saying so through `external` looks the same: nothing in the simulation
 * can wake it.
 *
 * @since 0.1.0
 * @category errors
 */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", {
  /** Every fiber that was left, ordered by name. */
  blocked: Schema.Array(Blocked),
  /** Virtual time, ns. */
  at: Schema.Number,
  /** Turns of fibers run before. */
  steps: Schema.Number
}) {
  override get message(): string {
    return `deadlock at ${this.at} ns, after ${this.steps} steps: nobody can run and no timer is pending\n`
      + this.blocked.map(blockedLine).join("\n")
  }
}

/**
 * The run took more than `maxSteps` turns of fibers.
 *
 * @since 0.1.0
 * @category errors
 */
export class StepLimit extends Schema.TaggedError<StepLimit>()("StepLimit", {
  /** The `maxSteps` of the run. */
  limit: Schema.Number,
  /** Names of the fibers that could have gone on, ordered. */
  runnable: Schema.Array(Schema.String),
  /** Virtual time, ns. */
  at: Schema.Number
}) {
  override get message(): string {
    return `not done after ${this.limit} steps, at ${this.at} ns; could go on: ${this.runnable.join(", ")}`
  }
}

/**
 * A replayed run came to a choice that its recording does not fit: the recorded fiber is not ready, or the recording is
 * at its end (then `expected` is absent).
 *
 * @since 0.1.0
 * @category errors
 */
export class Divergence extends Schema.TaggedError<Divergence>()("Divergence", {
  /** Number of the choice, from 0: the index into the recording. */
  at: Schema.Number,
  /** The recorded name. */
  expected: Schema.optionalKey(Schema.String),
  /** Names of the fibers that are ready, ordered. */
  ready: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const expected = this.expected === undefined ? "the recording ends here" : `${this.expected} was recorded`
    return `choice ${this.at}: ${expected}, but ready are ${this.ready.join(", ")}`
  }
}

/**
 * Something outside the simulation (a promise, a socket, a fiber of another run) woke a simulated fiber, or put work
 * into it, without `external`. When it arrives depends on the real world, so nothing after it could be repeated.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutsideWakeup extends Schema.TaggedError<OutsideWakeup>()("OutsideWakeup", {
  /** Who was woken; absent if the outside touched a queue, a latch or the like whose waiter is not known yet. */
  fiber: Schema.optionalKey(Schema.String),
  /** Virtual time, ns. */
  at: Schema.Number,
  /** Turns of fibers run before. */
  steps: Schema.Number
}) {
  override get message(): string {
    return `${this.fiber ?? "the simulation"} was woken from outside at ${this.at} ns, after ${this.steps} steps: `
      + `wrap what it waits for in external`
  }
}

/**
 * What `run` can fail with, on top of the program's own errors.
 *
 * @since 0.1.0
 * @category errors
 */
export type SimulationError = Deadlock | StepLimit | Divergence | OutsideWakeup
