/**
 * An actor: a fiber with one queue. A request is a thread that wants its next step run here.
 *
 * A request whose guard is not met waits in the actor until its state changes: that is what a lock, an rwsem and a
 * wait queue are. Waiters go on in the order in which they began to wait.
 *
 * Hot: one take, one step and one offer a request.
 *
 * @since 0.1.0
 */
import type { AppendError } from "@pfnscope/journal"
import type { ActorId, Thread } from "@pfnscope/protocol"
import { external } from "@pfnscope/schedule"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { Kernel, REPLY, supervised } from "./kernel.ts"

/**
 * What others know of an actor: where to ask for a thread's next step. The answer comes to the thread's own queue.
 *
 * @category models
 * @since 0.1.0
 */
export interface Actor {
  readonly name: string
  readonly ask: (thread: Thread) => void
}

/**
 * Starts an actor in the current scope. Threads that the state says are blocked in it wait in it from the start.
 *
 * @category constructors
 * @since 0.1.0
 */
export const spawn = Effect.fnUntraced(function*(
  id: ActorId,
  name: string
): Effect.fn.Return<Actor, never, Kernel | Scope.Scope> {
  const kernel = yield* Kernel
  const requests = yield* Queue.unbounded<Thread>()
  yield* supervised(kernel, name, serve(kernel, id, requests))
  return { name, ask: (thread) => void Queue.offerUnsafe(requests, thread) }
})

const serve = Effect.fnUntraced(function*(
  kernel: Kernel["Service"],
  id: ActorId,
  requests: Queue.Queue<Thread>
): Effect.fn.Return<never, AppendError> {
  const { queues, recorder } = kernel
  const waiting = kernel.waitingIn(id)
  const run = (thread: Thread): void => {
    recorder.step(thread)
    Queue.offerUnsafe(queues[thread.id]!, REPLY)
  }
  /** Lets those go on whose guard is met now; each one's step can close it again for the next. */
  const goOn = (): void => {
    for (let i = 0; i < waiting.length;) {
      const thread = waiting[i]!
      if (!recorder.isEnabled(thread)) {
        i++
        continue
      }
      waiting.splice(i, 1)
      recorder.causes.release(thread.id)
      run(thread)
      i = 0
    }
  }
  goOn()
  while (true) {
    const thread = yield* Queue.take(requests)
    if (recorder.isEnabled(thread)) {
      run(thread)
      if (waiting.length > 0) goOn()
    } else {
      recorder.block(thread, id)
      waiting.push(thread)
    }
    if (recorder.isFull()) yield* external(recorder.commit)
  }
})
