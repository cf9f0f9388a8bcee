/**
 * What a program can say to the simulation that it runs in.
 *
 * All of it also works on Effect's own scheduler, where there is nothing to say: a program is written once.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Simulation } from "./Simulation.ts"

/**
 * A place where the scheduler may let another fiber go first. Put it before an access to shared data that is not an
 * Effect operation of its own. Takes no virtual time; nothing happens on Effect's own scheduler.
 *
 * @since 0.1.0
 * @category program
 */
export const point: Effect.Effect<void> = Effect.callback<void>(function(resume) {
  if (this instanceof Simulation) this.point(resume)
  else resume(Effect.void)
})

/**
 * Suspends the fiber for `ns` nanoseconds of virtual time, after which it is a choice. Zero and below is a `point`,
 * `Infinity` is for ever. One suspension, no `Duration`: for hot loops. On Effect's own scheduler it is `Effect.sleep`.
 *
 * @since 0.1.0
 * @category program
 */
export const sleepNanos = (ns: number): Effect.Effect<void> =>
  Effect.callback<void>(function(resume) {
    if (this instanceof Simulation) this.sleep(ns, resume)
    else resume(Effect.sleep(ns === Infinity ? Duration.infinity : Duration.nanos(BigInt(Math.round(ns)))))
  })

/**
 * The time in nanoseconds: virtual in a simulation (exact below 2^53, which is 104 days), else the `Clock`'s.
 *
 * @since 0.1.0
 * @category program
 */
export const nowNanos: Effect.Effect<number> = Effect.withFiber((fiber) => {
  const { scheduler } = fiber.cache
  return scheduler instanceof Simulation
    ? Effect.succeed(scheduler.moment.nowNanos)
    : Effect.map(Clock.currentTimeNanos, Number)
})

/**
 * Says what the fiber waits for while it is suspended inside `effect`, for the message of a `Deadlock`. Holds for this
 * fiber only, not for those that it forks inside.
 *
 * @since 0.1.0
 * @category program
 */
export const waitingFor = (what: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const { scheduler } = fiber.cache
    return scheduler instanceof Simulation ? scheduler.waiting(what, effect) : effect
  })

/**
 * Real work inside a simulation: files, sockets, promises, real time.
 *
 * The effect runs on the scheduler, clock and randomness that surround `run`. The simulated world stands still until it
 * is done: nobody else runs, time does not move, and the fiber goes on in the same step, as if the work had been
 * synchronous. It must not wait for a simulated fiber, which could not run. If the fiber is interrupted, so is the
 * work.
 *
 * @since 0.1.0
 * @category program
 */
export const external = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const { scheduler } = fiber.cache
    return scheduler instanceof Simulation
      ? scheduler.external(effect, fiber.context as Context.Context<R>)
      : effect
  })
