/**
 * Deterministic scheduling of Effect fibers: a concurrent program becomes a function of its choices.
 *
 * @since 0.1.0
 */
export { fork, named } from "./FiberName.ts"
export { external, nowNanos, point, sleepNanos, waitingFor } from "./Program.ts"
export { run, type RunOptions } from "./Run.ts"
export { type Granularity } from "./Simulation.ts"
export { Blocked, Deadlock, Divergence, OutsideWakeup, type SimulationError, StepLimit } from "./SimulationError.ts"
export {
  type Choice,
  fifo,
  type Moment,
  type Recorded,
  recorded,
  type Recording,
  replay,
  seeded,
  type Strategy
} from "./Strategy.ts"
