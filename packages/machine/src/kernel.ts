/**
 * What the actors of one machine have in common: the recorder, the threads' queues, and who hears of a crash.
 *
 * @since 0.1.0
 */
import { BatchTooLarge, Closed, WriteFailed } from "@pfnscope/journal"
import type { AppendError } from "@pfnscope/journal"
import type { ActorId, OpCode, Thread } from "@pfnscope/protocol"
import { named } from "@pfnscope/schedule"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Recorder } from "./recorder.ts"

/** The answer to a request: the step has run. @category models @since 0.1.0 */
export const REPLY = "reply"

/** An operation for a thread without a script; its errno (0 or negative) comes back. @category models @since 0.1.0 */
export interface Call {
  readonly op: OpCode
  readonly returned: Deferred.Deferred<number>
}

/** What comes to a thread's queue. @category models @since 0.1.0 */
export type Message = typeof REPLY | Call

/**
 * What the actors of one machine have in common.
 *
 * @category services
 * @since 0.1.0
 */
export class Kernel extends Context.Service<Kernel, {
  readonly recorder: Recorder
  /** One queue a thread. */
  readonly queues: ReadonlyArray<Queue.Queue<Message>>
  /** The threads that wait in an actor when the machine starts, the longest first. */
  readonly waitingIn: (actor: ActorId) => Array<Thread>
  /** When the machine starts: the time of each thread's last event, ns; none for a thread that waits in an actor. */
  readonly lastTimes: ReadonlyArray<number | undefined>
  /** How long a thread takes to its next step, ns; `position` is that of its last event. */
  readonly stepTime: (thread: Thread, position: number) => number
  /** The time of the run, ns. */
  readonly clock: Effect.Effect<number>
  /** Failed with the cause of the first actor that dies. */
  readonly crashed: Deferred.Deferred<never, AppendError>
  /** Done when every thread with a finite script is at its end. */
  readonly finished: Deferred.Deferred<void>
}>()("@pfnscope/machine/Kernel") {}

/**
 * Forks an actor's fiber in the current scope, under its name; if it dies, the whole machine does, with its cause.
 *
 * @category supervision
 * @since 0.1.0
 */
export const supervised = (
  kernel: Kernel["Service"],
  name: string,
  effect: Effect.Effect<unknown, AppendError>
): Effect.Effect<void, never, Scope.Scope> => {
  const crash = (cause: Cause.Cause<AppendError>) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Deferred.failCause(kernel.crashed, typed(cause))
  return Effect.asVoid(named(name)(Effect.forkScoped(Effect.onError(effect, crash))))
}

/** A batch whose commit has failed throws at the next event, in the middle of a step: it is the log's error all the same. */
const typed = (cause: Cause.Cause<AppendError>): Cause.Cause<AppendError> => {
  const defect = Result.getOrUndefined(Cause.findDefect(cause))
  return defect instanceof WriteFailed || defect instanceof BatchTooLarge || defect instanceof Closed
    ? Cause.fail(defect)
    : cause
}
