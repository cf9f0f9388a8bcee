/**
 * The actors: the primary MMU, the KVM notifier, the caches, and the threads that ask them for steps. Each is a
 * service with its layer, and they share nothing but queues.
 *
 * @since 0.1.0
 */
import type { AppendError } from "@pfnscope/journal"
import { encodeOp, gpcActor, isDone, KVM, L, MMU } from "@pfnscope/protocol"
import type { Op, State, Thread } from "@pfnscope/protocol"
import { external, sleepNanos, waitingFor } from "@pfnscope/schedule"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { spawn } from "./actor.ts"
import type { Actor } from "./actor.ts"
import { Kernel, REPLY, supervised } from "./kernel.ts"
import type { Call, Message } from "./kernel.ts"

/**
 * The primary MMU: the host's page table, its frames and mmap_lock.
 *
 * @category services
 * @since 0.1.0
 */
export class PrimaryMmu extends Context.Service<PrimaryMmu, Actor>()("@pfnscope/machine/PrimaryMmu") {
  static readonly layer: Layer.Layer<PrimaryMmu, never, Kernel> = Layer.effect(this, spawn(MMU, "mmu/0"))
}

/**
 * The KVM notifier: `struct kvm` with its counts, hulls, memslots and sleepers.
 *
 * @category services
 * @since 0.1.0
 */
export class KvmNotifier extends Context.Service<KvmNotifier, Actor>()("@pfnscope/machine/KvmNotifier") {
  static readonly layer: Layer.Layer<KvmNotifier, never, Kernel> = Layer.effect(this, spawn(KVM, "mn/0"))
}

/**
 * The caches, one actor each.
 *
 * @category services
 * @since 0.1.0
 */
export class Gpcs extends Context.Service<Gpcs, ReadonlyArray<Actor>>()("@pfnscope/machine/Gpcs") {
  static readonly layer: Layer.Layer<Gpcs, never, Kernel> = Layer.effect(
    this,
    Effect.flatMap(
      Kernel,
      ({ recorder }) => Effect.forEach(recorder.state.gpcs, (gpc) => spawn(gpcActor(gpc.id), `gpc/${gpc.id}`))
    )
  )
}

/** No thread of that name takes calls: `known` are those that do. @category errors @since 0.1.0 */
export class NoSuchThread extends Schema.TaggedError<NoSuchThread>()("NoSuchThread", {
  name: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `no thread ${this.name} takes calls, expected one of: ${
      this.known.join(", ") || "(the world has none without a script)"
    }`
  }
}

/**
 * The vCPUs and the mm tasks, one actor each: they walk through their programs and ask the others for the steps.
 *
 * `call` gives an operation to a thread that has no script of its own, and returns its errno (0 or negative).
 *
 * @category services
 * @since 0.1.0
 */
export class Threads extends Context.Service<Threads, {
  readonly call: (name: string, op: Op) => Effect.Effect<number, NoSuchThread>
}>()("@pfnscope/machine/Threads") {
  static readonly layer: Layer.Layer<Threads, never, Kernel | PrimaryMmu | KvmNotifier | Gpcs> = Layer.effect(
    this,
    Effect.gen(function*() {
      const kernel = yield* Kernel
      const { geo, threads } = kernel.recorder.state
      const others = [yield* PrimaryMmu, yield* KvmNotifier, ...yield* Gpcs]
      const finite = threads.filter((t) => geo.world.threads[t.id]!.repeat > 0)
      const left = { finite: finite.filter((t) => !isDone(kernel.recorder.state, t)).length }
      // With no finite script the run goes on to its time, unless there is nothing at all to do.
      const isOver = finite.length > 0 ? left.finite === 0 : threads.length === 0
      if (isOver) yield* Deferred.succeed(kernel.finished, undefined)
      for (const thread of threads) {
        yield* supervised(kernel, geo.world.threads[thread.id]!.name, live(kernel, others, thread, left))
      }
      const callable = threads.filter((thread) => takesCalls(kernel.recorder.state, thread))
      const known = callable.map((thread) => geo.world.threads[thread.id]!.name)
      return {
        call: Effect.fn("Threads.call")(function*(name: string, op: Op) {
          const place = known.indexOf(name)
          if (place < 0) return yield* new NoSuchThread({ name, known })
          const returned = yield* Deferred.make<number>()
          Queue.offerUnsafe(kernel.queues[callable[place]!.id]!, { op: encodeOp(op), returned })
          return yield* waitingFor(`${name} to return from ${op._tag}`)(Deferred.await(returned))
        })
      }
    })
  )
}

const takesCalls = (state: State, thread: Thread): boolean => state.geo.world.threads[thread.id]!.ops.length === 0

/** A thread's life: step after step, each after its time, at the actor that owns the lock. */
const live = Effect.fnUntraced(function*(
  kernel: Kernel["Service"],
  others: ReadonlyArray<Actor>,
  thread: Thread,
  left: { finite: number }
): Effect.fn.Return<void, AppendError> {
  const { clock, recorder, stepTime } = kernel
  const { state } = recorder
  const queue = kernel.queues[thread.id]!
  const calls: Array<Call> = []
  let current: Call | undefined
  const isFinite = state.geo.world.threads[thread.id]!.repeat > 0
  const last = kernel.lastTimes[thread.id]
  if (last === undefined) yield* reply(queue, calls)
  // Where the machine was rebuilt in between, part of the time to the next step has passed.
  let since = last === undefined ? 0 : last - (yield* clock)
  while (true) {
    if (thread.pc === L.idle && current !== undefined) {
      Deferred.doneUnsafe(current.returned, Effect.succeed(recorder.lastReturn(thread.id)))
      current = undefined
    }
    if (isDone(state, thread)) {
      if (!takesCalls(state, thread)) break
      current = calls.shift() ?? (yield* nextCall(queue))
      recorder.now = yield* clock
      recorder.call(thread, current.op)
    }
    yield* sleepNanos(Math.max(0, since + stepTime(thread, recorder.causes.last(thread.id))))
    since = 0
    recorder.now = yield* clock
    const actor = others[recorder.program[thread.pc]!.actor(state, thread)]
    if (actor === undefined) {
      recorder.step(thread)
      if (recorder.isFull()) yield* external(recorder.commit)
    } else {
      actor.ask(thread)
      yield* reply(queue, calls)
    }
  }
  if (isFinite && --left.finite === 0) Deferred.doneUnsafe(kernel.finished, Effect.void)
})

/** Waits for the answer to a request; calls that come in between are put aside. */
const reply = (queue: Queue.Queue<Message>, calls: Array<Call>): Effect.Effect<void> =>
  Effect.flatMap(Queue.take(queue), (message) => {
    if (message === REPLY) return Effect.void
    calls.push(message)
    return reply(queue, calls)
  })

const nextCall = (queue: Queue.Queue<Message>): Effect.Effect<Call> =>
  Effect.flatMap(Queue.take(queue), (message) => message === REPLY ? nextCall(queue) : Effect.succeed(message))
