import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as TxRef from "effect/TxRef"
import { point, recorded, replay, run, seeded } from "./index.ts"

class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}

/** Each has one possible result, whatever the order of its fibers. */
const programs: Record<string, Effect.Effect<unknown, unknown>> = {
  "forEach, unbounded": Effect.forEach([3, 1, 2], (n) => Effect.as(Effect.sleep(n), n * 10), {
    concurrency: "unbounded"
  }),
  "forEach, two at a time": Effect.gen(function*() {
    let running = 0
    let most = 0
    const results = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
      Effect.gen(function*() {
        most = Math.max(most, ++running)
        yield* Effect.sleep(n)
        running--
        return n * n
      }), { concurrency: 2 })
    return { results, most }
  }),
  "forEach that fails interrupts the others": Effect.gen(function*() {
    const log: Array<string> = []
    const exit = yield* Effect.exit(
      Effect.forEach([1, 2], (n) =>
        n === 1
          ? Effect.andThen(Effect.sleep(1), Effect.fail("first"))
          : Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted"))), { concurrency: 2 })
    )
    return { log, failure: Exit.isFailure(exit) && Cause.squash(exit.cause) }
  }),
  "race": Effect.gen(function*() {
    const log: Array<string> = []
    const slow = Effect.onInterrupt(Effect.as(Effect.sleep(20), "slow"), () => Effect.sync(() => log.push("slow lost")))
    const winner = yield* Effect.race(slow, Effect.as(Effect.sleep(10), "fast"))
    return { winner, log, at: yield* Clock.currentTimeMillis }
  }),
  "timeout that strikes": Effect.gen(function*() {
    const exit = yield* Effect.exit(Effect.timeout(Effect.never, "3 seconds"))
    return { failed: Exit.isFailure(exit), at: yield* Clock.currentTimeMillis }
  }),
  "timeout that does not": Effect.gen(function*() {
    const value = yield* Effect.timeout(Effect.as(Effect.sleep("1 second"), 7), "3 seconds")
    return { value, at: yield* Clock.currentTimeMillis }
  }),
  "semaphore": Effect.gen(function*() {
    const semaphore = yield* Semaphore.make(2)
    let inside = 0
    let most = 0
    const visit = Effect.gen(function*() {
      most = Math.max(most, ++inside)
      yield* Effect.sleep(5)
      inside--
    })
    yield* Effect.all(Array.from({ length: 6 }, () => semaphore.withPermits(1)(visit)), { concurrency: "unbounded" })
    return { most, inside, at: yield* Clock.currentTimeMillis }
  }),
  "semaphore guards a read and a write": Effect.gen(function*() {
    const semaphore = yield* Semaphore.make(1)
    const ref = yield* Ref.make(0)
    const bump = Effect.gen(function*() {
      const value = yield* Ref.get(ref)
      yield* Effect.yieldNow
      yield* point
      yield* Ref.set(ref, value + 1)
    })
    yield* Effect.all(Array.from({ length: 5 }, () => semaphore.withPermits(1)(bump)), { concurrency: "unbounded" })
    return yield* Ref.get(ref)
  }),
  "bounded queue holds its producer back": Effect.gen(function*() {
    const queue = yield* Queue.bounded<number>(2)
    let most = 0
    const producer = yield* Effect.forkChild(
      Effect.forEach([1, 2, 3, 4, 5, 6], (n) => Queue.offer(queue, n), { discard: true })
    )
    const taken: Array<number> = []
    for (let i = 0; i < 6; i++) {
      most = Math.max(most, yield* Queue.size(queue))
      taken.push(yield* Queue.take(queue))
    }
    yield* Fiber.join(producer)
    return { taken, overfull: most > 2 }
  }),
  "deferred wakes all": Effect.gen(function*() {
    const deferred = yield* Deferred.make<number>()
    const fibers = yield* Effect.forEach(
      [1, 2, 3],
      (n) => Effect.forkChild(Effect.map(Deferred.await(deferred), (value) => value + n))
    )
    yield* Effect.sleep(1)
    yield* Deferred.succeed(deferred, 100)
    return yield* Fiber.joinAll(fibers)
  }),
  "latch": Effect.gen(function*() {
    const latch = yield* Latch.make(false)
    const done = yield* Ref.make(0)
    const fibers = yield* Effect.forEach(
      [1, 2, 3],
      () => Effect.forkChild(latch.whenOpen(Ref.update(done, (n) => n + 1)))
    )
    yield* Effect.sleep(10)
    const before = yield* Ref.get(done)
    yield* latch.open
    yield* Fiber.joinAll(fibers)
    return { before, after: yield* Ref.get(done) }
  }),
  "merged streams": Effect.gen(function*() {
    const left = Stream.fromSchedule(Schedule.spaced(3)).pipe(Stream.take(3), Stream.map((n) => `left ${n}`))
    const right = Stream.make(1, 2, 3).pipe(Stream.map((n) => `right ${n}`))
    const all = yield* Stream.runCollect(Stream.merge(left, right))
    return Array.from(all).sort()
  }),
  "stream with concurrent effects": Stream.range(1, 8).pipe(
    Stream.mapEffect((n) => Effect.as(Effect.sleep(9 - n), n * 2), { concurrency: 3 }),
    Stream.runCollect,
    Effect.map((all) => Array.from(all))
  ),
  "retry with growing delays": Effect.gen(function*() {
    let attempts = 0
    const flaky = Effect.suspend(() => ++attempts < 4 ? Effect.fail("not yet") : Effect.succeed("at last"))
    const value = yield* Effect.retry(flaky, Schedule.exponential("100 millis"))
    return { value, attempts, at: yield* Clock.currentTimeMillis }
  }),
  "repeat on a schedule": Effect.gen(function*() {
    let times = 0
    yield* Effect.repeat(Effect.sync(() => times++), { schedule: Schedule.spaced(50), times: 4 })
    return { times, at: yield* Clock.currentTimeMillis }
  }),
  "pubsub": Effect.scoped(Effect.gen(function*() {
    const pubsub = yield* PubSub.unbounded<number>()
    const subscriptions = [yield* PubSub.subscribe(pubsub), yield* PubSub.subscribe(pubsub)]
    const readers = yield* Effect.forEach(
      subscriptions,
      (subscription) => Effect.forkChild(Effect.replicateEffect(PubSub.take(subscription), 3))
    )
    yield* PubSub.publishAll(pubsub, [1, 2, 3])
    return yield* Fiber.joinAll(readers)
  })),
  "interrupted fiber runs its finalizers, innermost first": Effect.gen(function*() {
    const log: Array<string> = []
    const fiber = yield* Effect.forkChild(
      Effect.never.pipe(
        Effect.ensuring(Effect.sync(() => log.push("inner"))),
        Effect.ensuring(Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push("outer"))))
      )
    )
    yield* Effect.sleep(1)
    yield* Fiber.interrupt(fiber)
    return { log, at: yield* Clock.currentTimeMillis }
  }),
  "uninterruptible part is finished": Effect.gen(function*() {
    const log: Array<string> = []
    const started = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(
      Effect.uninterruptible(Effect.gen(function*() {
        yield* Deferred.succeed(started, undefined)
        yield* Effect.sleep(10)
        log.push("finished")
      })).pipe(Effect.andThen(Effect.sync(() => log.push("never"))))
    )
    yield* Deferred.await(started)
    yield* Fiber.interrupt(fiber)
    return log
  }),
  "scoped fibers end with the scope": Effect.gen(function*() {
    const log: Array<string> = []
    yield* Effect.scoped(Effect.gen(function*() {
      yield* Effect.acquireRelease(Effect.void, () => Effect.sync(() => log.push("resource released")))
      yield* Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("fiber interrupted"))))
      yield* Effect.sleep(1)
    }))
    return log
  }),
  "fiber map": Effect.scoped(Effect.gen(function*() {
    const map = yield* FiberMap.make<string>()
    yield* FiberMap.run(map, "a", Effect.never)
    const replaced = yield* FiberMap.run(map, "a", Effect.as(Effect.sleep(2), 1))
    return { value: yield* Fiber.join(replaced), size: yield* FiberMap.size(map) }
  })),
  "transactions": Effect.gen(function*() {
    const ref = yield* TxRef.make(0)
    const bump = Effect.tx(Effect.gen(function*() {
      const value = yield* TxRef.get(ref)
      yield* Effect.yieldNow
      yield* TxRef.set(ref, value + 1)
    }))
    yield* Effect.all([bump, bump, bump, bump], { concurrency: "unbounded" })
    return yield* Effect.tx(TxRef.get(ref))
  }),
  "layers": Effect.map(Greeting, (greeting) => greeting + "!").pipe(
    Effect.provide(Layer.effect(Greeting, Effect.as(Effect.sleep(3), "hello")))
  ),
  "a fiber that never suspends lets others in": Effect.gen(function*() {
    let stop = false
    const spinning = yield* Effect.forkChild(Effect.whileLoop({
      while: () => !stop,
      body: () => Effect.void,
      step: () => {}
    }))
    yield* Effect.yieldNow
    stop = true
    yield* Fiber.join(spinning)
    return stop
  })
}

/** On Effect's own scheduler, with a clock that need not be waited for. */
const reference = <A, E>(program: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(program)
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.await(fiber)
  })

describe("a program with one possible result has it on Effect's scheduler and in every simulation", () => {
  it.effect.each(Object.keys(programs))("%s", (name) =>
    Effect.gen(function*() {
      const program = programs[name]!
      const expected = yield* reference(program)
      assert.isTrue(Exit.isSuccess(expected), String(expected))
      for (const granularity of ["resume", "point"] as const) {
        for (let seed = 1; seed <= 50; seed++) {
          const strategy = recorded(seeded(seed))
          const options = { granularity, maxSteps: 20_000, seed }
          const exit = yield* Effect.exit(run(program, { ...options, strategy }))
          assert.deepStrictEqual(exit, expected, `${granularity}, seed ${seed}`)
          const again = recorded(replay(strategy.recording))
          assert.deepStrictEqual(yield* Effect.exit(run(program, { ...options, strategy: again })), expected)
          assert.deepStrictEqual(again.recording, strategy.recording)
        }
      }
    }))
})
