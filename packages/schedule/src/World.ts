/**
 * The world that a simulated program sees instead of the real one: the scheduler, a virtual clock and seeded
 * randomness.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { MAIN, Naming } from "./FiberName.ts"
import { hash } from "./hash.ts"
import type { Simulation } from "./Simulation.ts"

const NANOS_PER_MILLI = 1_000_000
const TWO_21 = 0x20_0000
const TWO_53 = 2 ** 53

const nanosOf = (duration: Duration.Duration): number =>
  Duration.isFinite(duration) ? Number(Duration.toNanosUnsafe(duration)) : Infinity

const virtualClock = (simulation: Simulation): Clock.Clock => {
  const { moment } = simulation
  const millis = () => Math.floor(moment.nowNanos / NANOS_PER_MILLI)
  const nanos = () => BigInt(Math.floor(moment.nowNanos))
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>(function(resume) {
        if (this === simulation) simulation.sleep(nanosOf(duration), resume)
        else resume(Effect.die(new Error("a fiber on another scheduler cannot sleep on the clock of a simulation")))
      })
  }
}

const seededRandom = (seed: number): Random.Random => {
  let drawn = 0
  const next = () => {
    const high = hash(seed, drawn++)
    return (high * TWO_21 + (hash(seed, drawn++) >>> 11)) / TWO_53
  }
  return {
    nextDoubleUnsafe: next,
    nextIntUnsafe: () =>
      Math.floor(next() * (Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER + 1)) + Number.MIN_SAFE_INTEGER
  }
}

/** `context` with the simulation's scheduler, clock and randomness. */
export const simulated = <R>(
  context: Context.Context<R>,
  simulation: Simulation,
  seed: number
): Context.Context<R> =>
  context.pipe(
    Context.add(Scheduler.Scheduler, simulation),
    Context.add(Scheduler.PreventSchedulerYield, false),
    Context.add(Clock.Clock, virtualClock(simulation)),
    Context.add(Random.Random, seededRandom(seed)),
    Context.add(Naming, { base: MAIN, claimed: true, children: 0 })
  )

/** `context` of a simulated fiber with the scheduler, clock and randomness of `outer` again. */
export const realised = <R>(context: Context.Context<R>, outer: Context.Context<never>): Context.Context<R> =>
  context.pipe(
    Context.add(Scheduler.Scheduler, Context.get(outer, Scheduler.Scheduler)),
    Context.add(Scheduler.PreventSchedulerYield, Context.get(outer, Scheduler.PreventSchedulerYield)),
    Context.add(Clock.Clock, Context.get(outer, Clock.Clock)),
    Context.add(Random.Random, Context.get(outer, Random.Random))
  )
