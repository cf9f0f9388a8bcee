import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import {
  type Choice,
  fifo,
  fork,
  named,
  nowNanos,
  point,
  run,
  seeded,
  sleepNanos,
  type Strategy,
  waitingFor
} from "./index.ts"

/** Keeps the names that were ready at each choice, and takes the first. */
const watching = (): Strategy & { readonly seen: Array<string> } => {
  const seen: Array<string> = []
  return {
    seen,
    next(ready: ReadonlyArray<Choice>) {
      seen.push(ready.map((choice) => `${choice.name}:${choice.kind}`).join(" "))
      return 0
    }
  }
}

/** Names of the fibers that stop at points in a run, in the order of their first choice. */
const namesIn = <E>(program: Effect.Effect<unknown, E>) =>
  Effect.gen(function*() {
    const strategy = watching()
    yield* run(program, { strategy, granularity: "point" })
    return strategy.seen[0]
  })

describe("time", () => {
  it.effect("sleepers wake in the order of their times, and no time passes otherwise", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const sleeper = (ms: number) =>
        Effect.andThen(Effect.sleep(ms), Effect.map(Clock.currentTimeMillis, (now) => log.push(`${ms} at ${now}`)))
      const program = Effect.gen(function*() {
        yield* Effect.all([sleeper(30), sleeper(10), sleeper(20)], { concurrency: "unbounded" })
        return yield* nowNanos
      })
      assert.strictEqual(yield* run(program, { strategy: seeded(1), startNanos: 5_000_000 }), 35_000_000)
      assert.deepStrictEqual(log, ["10 at 15", "20 at 25", "30 at 35"])
    }))

  it.effect("timers of the same time are choices together, those of later times are not", () =>
    Effect.gen(function*() {
      for (const granularity of ["resume", "point"] as const) {
        const strategy = watching()
        const program = Effect.gen(function*() {
          const fibers = [
            yield* fork("c")(sleepNanos(10)),
            yield* fork("a")(Effect.sleep("10 nanos")),
            yield* fork("b")(sleepNanos(10)),
            yield* fork("late")(sleepNanos(11))
          ]
          yield* Fiber.awaitAll(fibers)
        })
        yield* run(program, { strategy, granularity })
        assert.include(strategy.seen, "a:timer b:timer c:timer")
        assert.isFalse(strategy.seen.some((ready) => ready.includes("late:timer ")))
      }
    }))

  it.effect("a sleep of nothing is a point, an endless one is no timer", () =>
    Effect.gen(function*() {
      const strategy = watching()
      const program = Effect.gen(function*() {
        const fibers = [yield* fork("a")(sleepNanos(0)), yield* fork("b")(point)]
        yield* fork("endless")(sleepNanos(Infinity))
        yield* Fiber.awaitAll(fibers)
        return yield* nowNanos
      })
      assert.strictEqual(yield* run(program, { strategy, granularity: "point" }), 0)
      assert.deepStrictEqual(strategy.seen, ["a:timer b:point"])
    }))

  it.effect("the program's randomness is a function of the seed", () =>
    Effect.gen(function*() {
      const draw = Effect.all([Random.next, Random.nextInt, Random.nextIntBetween(0, 10), Random.nextBoolean])
      const first = yield* run(draw, { strategy: fifo, seed: 7 })
      assert.deepStrictEqual(yield* run(draw, { strategy: seeded(3), seed: 7 }), first)
      assert.notDeepEqual(yield* run(draw, { strategy: fifo, seed: 8 }), first)
      assert.isTrue(first[0] >= 0 && first[0] < 1 && Number.isSafeInteger(first[1]))
    }))

  it.effect("on Effect's own scheduler a point is nothing and a sleep is a sleep", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* point
        yield* waitingFor("the clock")(sleepNanos(2_000_000))
        return yield* nowNanos
      })
      const fiber = yield* Effect.forkChild(named("x")(program))
      yield* TestClock.adjust("2 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 2_000_000)
    }))
})

describe("names", () => {
  it.effect("a fiber has its name from its first step on", () =>
    Effect.gen(function*() {
      const strategy = watching()
      const program = Effect.gen(function*() {
        const fibers = [
          yield* fork("left")(Effect.void),
          yield* Effect.forkDetach(Effect.void).pipe(named("right"))
        ]
        yield* Fiber.joinAll(fibers)
      })
      yield* run(program, { strategy })
      assert.include(strategy.seen, "left:woken right:woken")
    }))

  it.effect("an unnamed fiber is numbered after its parent, in the order of forking", () =>
    Effect.gen(function*() {
      const family = Effect.gen(function*() {
        yield* Effect.forkChild(point)
        const child = yield* Effect.forkChild(Effect.andThen(Effect.forkChild(point), Effect.yieldNow))
        yield* fork("named")(Effect.forEach([1, 2], () => point, { concurrency: "unbounded" }))
        yield* Fiber.await(child)
        yield* point
      })
      assert.strictEqual(yield* namesIn(family), "main:point main.1:point named.1:point named.2:point")
    }))

  it.effect("two living fibers never share a name, a dead one's is free again", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* Fiber.join(yield* fork("twin")(Effect.void))
        yield* fork("twin")(point)
        yield* fork("twin")(point)
        yield* point
      })
      assert.strictEqual(yield* namesIn(program), "main:point twin:point twin#2:point")
    }))
})

describe("granularity", () => {
  const requests = Effect.gen(function*() {
    const log: Array<string> = []
    const inbox = yield* Queue.unbounded<Deferred.Deferred<void>>()
    const actor = Effect.gen(function*() {
      while (true) {
        const reply = yield* Queue.take(inbox)
        log.push("actor")
        yield* Deferred.succeed(reply, undefined)
      }
    })
    const thread = (name: string) =>
      Effect.gen(function*() {
        yield* point
        log.push(`${name} asks`)
        const reply = yield* Deferred.make<void>()
        yield* Queue.offer(inbox, reply)
        yield* Deferred.await(reply)
        log.push(`${name} goes on`)
      })
    yield* fork("actor")(actor)
    const threads = yield* Effect.forEach(["a", "b"], (name) => fork(name)(thread(name)))
    yield* Fiber.joinAll(threads)
    return log.join(", ")
  })

  it.effect("by points, actors answer at once: only the next thread is chosen", () =>
    Effect.gen(function*() {
      const outcomes = new Set<string>()
      for (let seed = 0; seed < 30; seed++) {
        outcomes.add(yield* run(requests, { strategy: seeded(seed), granularity: "point" }))
      }
      assert.deepStrictEqual(Array.from(outcomes).sort(), [
        "a asks, actor, a goes on, b asks, actor, b goes on",
        "b asks, actor, b goes on, a asks, actor, a goes on"
      ])
    }))

  it.effect("by wake-ups, the steps of both threads mix", () =>
    Effect.gen(function*() {
      const outcomes = new Set<string>()
      for (let seed = 0; seed < 60; seed++) outcomes.add(yield* run(requests, { strategy: seeded(seed) }))
      assert.isAbove(outcomes.size, 2)
      assert.isTrue(Array.from(outcomes).some((outcome) => outcome.startsWith("a asks, b asks")))
    }))

  it.effect("a fiber runs on alone until it suspends, whomever it wakes", () =>
    Effect.gen(function*() {
      for (const granularity of ["resume", "point"] as const) {
        const log: Array<string> = []
        const program = Effect.gen(function*() {
          const deferred = yield* Deferred.make<void>()
          const waiter = yield* Effect.forkChild(
            Effect.andThen(Deferred.await(deferred), Effect.sync(() => log.push("waiter")))
          )
          yield* Effect.sleep(1)
          yield* Deferred.succeed(deferred, undefined)
          log.push("completer")
          yield* Fiber.join(waiter)
        })
        yield* run(program, { strategy: seeded(1), granularity })
        assert.deepStrictEqual(log, ["completer", "waiter"])
      }
    }))
})
