/**
 * Runs a program in a simulation, from inside an ordinary Effect.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Granularity, Simulation } from "./Simulation.ts"
import type { SimulationError } from "./SimulationError.ts"
import type { Strategy } from "./Strategy.ts"
import { simulated } from "./World.ts"

/**
 * How to run a program; see `run`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  /** Who goes next. */
  readonly strategy: Strategy
  /**
   * What is a choice. `"resume"` (the default): every wake-up of a fiber, so that plain Effect programs are explored as
   * they are. `"point"`: fibers that are woken go on at once, first come, first served; only when all are quiet, one of
   * those that stopped at a `point`, or whose timer has come, is chosen.
   */
  readonly granularity?: Granularity
  /** Virtual time at the start, ns; 0 by default. */
  readonly startNanos?: number
  /** Turns of fibers after which the run fails with a `StepLimit`; none by default. */
  readonly maxSteps?: number
  /** Seed of the program's `Random`, an integer; 0 by default. Has nothing to do with the strategy's. */
  readonly seed?: number
}

/** Turns between two chances for the real runtime: a few milliseconds. */
const SLICE = 4096

const drive = Effect.fnUntraced(function*(simulation: Simulation) {
  while (true) {
    switch (simulation.advance(SLICE)) {
      case "over":
        return
      case "again":
        yield* Effect.yieldNow
        break
      case "waiting":
        yield* simulation.arrival
    }
  }
})

/**
 * Runs `effect` as the fiber `main` of a simulation: its fibers run one at a time, in an order that is a function of
 * the strategy's choices, on a virtual clock and with seeded randomness.
 *
 * Ends as `effect` does, with its value, failure or defect; or with a `SimulationError`, after having interrupted the
 * fibers and run their finalizers. No fiber outlives the run: those left when main is done are interrupted, as are all
 * if the run itself is. (One that cannot be ended, uninterruptible and waiting for what never comes, makes it a
 * `Deadlock`.)
 *
 * The driver shares the surrounding runtime: it pauses between slices of steps, so that the process stays responsive.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: RunOptions
): Effect.Effect<A, E | SimulationError, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const context = yield* Effect.context<R>()
      const simulation = new Simulation({
        strategy: options.strategy,
        granularity: options.granularity ?? "resume",
        startNanos: options.startNanos ?? 0,
        maxSteps: options.maxSteps ?? Infinity,
        outer: context
      })
      simulation.start(effect, simulated(context, simulation, options.seed ?? 0))
      yield* Effect.onExit(restore(drive(simulation)), (exit) => {
        if (Exit.isSuccess(exit)) return Effect.void
        simulation.interrupt()
        return drive(simulation)
      })
      return yield* simulation.exit as Exit.Exit<A, E | SimulationError>
    })
  )
