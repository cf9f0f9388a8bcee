/**
 * The protocol run by Effect fibers and queues.
 *
 * @since 0.1.0
 */
export type { Actor } from "./actor.ts"
export { Gpcs, KvmNotifier, NoSuchThread, PrimaryMmu, Threads } from "./actors.ts"
export { eventCodec, EventLog, RunHeader } from "./eventLog.ts"
export { BeyondRun, fork, forkHeader, type ForkOptions, NoSuchStep } from "./fork.ts"
export * as Machine from "./machine.ts"
export { runHeaderOf } from "./machine.ts"
export { runHeader, type RunSettings } from "./run.ts"
export { GPA, gpaPage, GUEST, guestPage, HEAP, heapPage, type Knobs, PAGE, type Scenario } from "./scenario.ts"
export { SCENARIOS } from "./scenarios.ts"
export { TIMING, Timing } from "./timing.ts"
