import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import {
  Deadlock,
  external,
  fifo,
  fork,
  OutsideWakeup,
  point,
  replay,
  run,
  seeded,
  sleepNanos,
  StepLimit,
  type Strategy,
  waitingFor
} from "./index.ts"

const granularities = ["resume", "point"] as const

/** A turn of the real event loop, which Effect knows nothing of. */
const eventLoop = (turns = 1) =>
  new Promise<void>((resolve) => {
    const turn = (left: number): void => left === 0 ? resolve() : void setImmediate(() => turn(left - 1))
    turn(turns)
  })

describe("the outcome of main", () => {
  it.effect("is the outcome of the run: value, failure and defect", () =>
    Effect.gen(function*() {
      for (const granularity of granularities) {
        const go = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.exit(run(Effect.andThen(Effect.sleep(1), effect), { strategy: fifo, granularity }))
        assert.deepStrictEqual(yield* go(Effect.succeed(1)), Exit.succeed(1))
        assert.deepStrictEqual(yield* go(Effect.fail("no")), Exit.fail("no"))
        assert.deepStrictEqual(yield* go(Effect.die("broken")), Exit.die("broken"))
        const interrupted = yield* go(Effect.interrupt)
        assert.isTrue(Exit.isFailure(interrupted) && Cause.hasInterruptsOnly(interrupted.cause))
      }
    }))

  it.effect("is awaited no longer: children and daemons are interrupted and run their finalizers", () =>
    Effect.gen(function*() {
      for (const granularity of granularities) {
        const log: Array<string> = []
        const lingering = (name: string) =>
          Effect.ensuring(Effect.never, Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push(name))))
        const program = Effect.gen(function*() {
          yield* Effect.forkChild(lingering("child"))
          yield* Effect.forkDetach(lingering("daemon"))
          yield* Effect.forkDetach(Effect.forever(Effect.sleep(1)))
          yield* Effect.sleep(1)
          return "main"
        })
        assert.strictEqual(yield* run(program, { strategy: seeded(2), granularity, maxSteps: 1000 }), "main")
        assert.deepStrictEqual(log, ["child", "daemon"])
      }
    }))

  it.effect("with a fiber left that cannot be ended is a deadlock that names it", () =>
    Effect.gen(function*() {
      const stuck = Effect.uninterruptible(waitingFor("Godot")(Effect.never))
      const program = Effect.andThen(Effect.forkDetach(stuck), Effect.yieldNow)
      const error = yield* Effect.flip(run(program, { strategy: fifo }))
      assert.instanceOf(error, Deadlock)
      assert.deepStrictEqual(error.blocked, [{ fiber: "main.1", waitsFor: "Godot" }])
    }))
})

describe("deadlock", () => {
  /** Two token queues, taken in opposite orders. */
  const transfers = Effect.gen(function*() {
    const tokens = { x: yield* Queue.unbounded<"token">(), y: yield* Queue.unbounded<"token">() }
    yield* Queue.offer(tokens.x, "token")
    yield* Queue.offer(tokens.y, "token")
    const transfer = (from: "x" | "y", to: "x" | "y") =>
      Effect.gen(function*() {
        yield* waitingFor(`token ${from}`)(Queue.take(tokens[from]))
        yield* sleepNanos(100)
        yield* waitingFor(`token ${to}`)(Queue.take(tokens[to]))
        yield* Queue.offer(tokens[from], "token")
        yield* Queue.offer(tokens[to], "token")
      })
    const left = yield* fork("left")(transfer("x", "y"))
    const right = yield* fork("right")(transfer("y", "x"))
    yield* waitingFor("both transfers")(Fiber.joinAll([left, right]))
  })

  it.effect("names every fiber and what it waits for", () =>
    Effect.gen(function*() {
      for (const granularity of granularities) {
        const error = yield* Effect.flip(run(transfers, { strategy: fifo, granularity }))
        assert.instanceOf(error, Deadlock)
        assert.deepStrictEqual(error.blocked, [
          { fiber: "left", waitsFor: "token y" },
          { fiber: "main", waitsFor: "both transfers" },
          { fiber: "right", waitsFor: "token x" }
        ])
        assert.strictEqual(error.at, 100)
        assert.match(error.message, /^deadlock at 100 ns, after \d+ steps: nobody can run and no timer is pending\n/)
        assert.include(error.message, "\n  left waits for token y\n  main waits for both transfers\n")
      }
    }))

  it.effect("ends the fibers, whose finalizers run", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const wait = (name: string) =>
        Effect.ensuring(Effect.never, Effect.andThen(Effect.sleep(1), Effect.sync(() => log.push(name))))
      const program = Effect.andThen(fork("child")(wait("child")), wait("main"))
      assert.instanceOf(yield* Effect.flip(run(program, { strategy: fifo })), Deadlock)
      assert.deepStrictEqual(log, ["main", "child"])
    }))

  it.effect("what a fiber waits for is not said of the fibers that it forks", () =>
    Effect.gen(function*() {
      const program = waitingFor("all of them")(Effect.all([Effect.never, Effect.never], { concurrency: 2 }))
      const error = yield* Effect.flip(run(program, { strategy: fifo }))
      assert.instanceOf(error, Deadlock)
      assert.deepStrictEqual(error.blocked, [
        { fiber: "main", waitsFor: "all of them" },
        { fiber: "main.1" },
        { fiber: "main.2" }
      ])
      assert.include(error.message, "main.1 is suspended (it did not say what it waits for)")
    }))

  it.effect("is written down and read back like any other error", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(transfers, { strategy: fifo }))
      assert.instanceOf(error, Deadlock)
      const json = Schema.encodeSync(Schema.fromJsonString(Deadlock))(error)
      assert.deepStrictEqual(Schema.decodeSync(Schema.fromJsonString(Deadlock))(json), error)
    }))
})

describe("step limit", () => {
  it.effect("names those who could have gone on", () =>
    Effect.gen(function*() {
      const spin = Effect.forever(Effect.yieldNow)
      const program = Effect.gen(function*() {
        yield* fork("idle")(Effect.never)
        yield* fork("spinner")(spin)
        yield* spin
      })
      for (const granularity of granularities) {
        const error = yield* Effect.flip(run(program, { strategy: seeded(1), granularity, maxSteps: 500 }))
        assert.instanceOf(error, StepLimit)
        assert.strictEqual(error.message, "not done after 500 steps, at 0 ns; could go on: main, spinner")
      }
    }))

  it.effect("holds for a finalizer that never ends, too", () =>
    Effect.gen(function*() {
      const program = Effect.ensuring(Effect.never, Effect.forever(Effect.yieldNow))
      assert.instanceOf(yield* Effect.flip(run(program, { strategy: fifo, maxSteps: 100 })), Deadlock)
    }))

  it.effect("is what a run ends with whose daemon cannot be ended", () =>
    Effect.gen(function*() {
      const daemon = fork("daemon")(Effect.ensuring(Effect.never, Effect.forever(Effect.yieldNow)))
      const error = yield* Effect.flip(run(Effect.andThen(daemon, Effect.sleep(1)), { strategy: fifo, maxSteps: 100 }))
      assert.instanceOf(error, StepLimit)
      assert.deepStrictEqual(error.runnable, ["daemon"])
    }))

  it.effect("counts the turns of a fiber that only sleeps, and takes exactly as many as allowed", () =>
    Effect.gen(function*() {
      let slept = 0
      const naps = Effect.gen(function*() {
        while (true) {
          yield* sleepNanos(10)
          slept++
        }
      })
      const error = yield* Effect.flip(run(naps, { strategy: fifo, granularity: "point", maxSteps: 50 }))
      assert.instanceOf(error, StepLimit)
      assert.deepInclude(error, { limit: 50, runnable: ["main"], at: 500 })
      assert.strictEqual(slept, 49)
    }))

  it.effect("counts the turns of a fiber that never suspends", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(Effect.forever(Effect.void), { strategy: fifo, maxSteps: 10 }))
      assert.instanceOf(error, StepLimit)
    }))
})

describe("interruption", () => {
  it.effect("of a parked fiber takes it out of the choices and the timers", () =>
    Effect.gen(function*() {
      for (const granularity of granularities) {
        for (let seed = 0; seed < 20; seed++) {
          const log: Array<string> = []
          const parked = (name: string, effect: Effect.Effect<void>) =>
            Effect.onInterrupt(
              Effect.andThen(effect, Effect.never),
              () => Effect.andThen(Effect.sleep(1), Effect.sync(() => log.push(name)))
            )
          const program = Effect.gen(function*() {
            const fibers = [
              yield* fork("point")(parked("point", point)),
              yield* fork("asleep")(parked("asleep", sleepNanos(1_000_000_000))),
              yield* fork("asleep too")(parked("asleep too", Effect.sleep("2 seconds"))),
              yield* fork("waiting")(parked("waiting", Effect.never))
            ]
            yield* Effect.yieldNow
            yield* Fiber.interruptAll(fibers)
            return yield* Clock.currentTimeMillis
          })
          const at = yield* run(program, { strategy: seeded(seed), granularity, maxSteps: 1000 })
          assert.isAtMost(at, 1)
          if (granularity === "point") {
            assert.deepStrictEqual(log.toSorted(), ["asleep", "asleep too", "point", "waiting"])
          }
        }
      }
    }))

  it.effect("of the run ends main, then its children, then the rest, with their finalizers", () =>
    Effect.gen(function*() {
      for (const granularity of granularities) {
        const log: Array<string> = []
        const noted = (name: string) =>
          Effect.onInterrupt(
            Effect.forever(sleepNanos(1_000_000)),
            () => Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push(name)))
          )
        const program = Effect.gen(function*() {
          yield* Effect.forkDetach(noted("daemon"))
          yield* Effect.forkChild(noted("child"))
          yield* noted("main")
        })
        const fiber = yield* Effect.forkChild(run(program, { strategy: seeded(1), granularity }))
        yield* Effect.promise(() => eventLoop(3))
        yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        assert.deepStrictEqual(log, ["main", "child", "daemon"])
      }
    }))

  it.effect("leaves the process responsive while a long run goes on", () =>
    Effect.gen(function*() {
      let turns = 0
      const ticking = yield* Effect.forkChild(
        Effect.forever(Effect.andThen(Effect.yieldNow, Effect.sync(() => turns++)))
      )
      const program = Effect.forEach(Array.from({ length: 100_000 }), () => sleepNanos(1), { discard: true })
      yield* run(program, { strategy: fifo, granularity: "point" })
      yield* Fiber.interrupt(ticking)
      assert.isAtLeast(turns, 10)
    }))
})

const work = (turns: number) => external(Effect.promise(() => eventLoop(turns)))

/** Three workers, each of whose steps does some work; answers when each began and ended. */
const workers = (io: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const trace: Array<string> = []
    const worker = (name: string) =>
      Effect.gen(function*() {
        for (let step = 0; step < 3; step++) {
          yield* sleepNanos(7)
          trace.push(`${name} begins at ${yield* Clock.currentTimeNanos}`)
          yield* io
          trace.push(`${name} ends at ${yield* Clock.currentTimeNanos}`)
          yield* point
        }
      })
    const fibers = yield* Effect.forEach(["a", "b", "c"], (name) => fork(name)(worker(name)))
    yield* Fiber.joinAll(fibers)
    return trace
  })

describe("external", () => {
  it.effect("holds the world still: the trace is as if the work were synchronous", () =>
    Effect.gen(function*() {
      for (const granularity of granularities) {
        for (let seed = 0; seed < 5; seed++) {
          const options = { strategy: seeded(seed), granularity }
          const synchronous = yield* run(workers(Effect.void), options)
          assert.deepStrictEqual(yield* run(workers(work(1 + seed % 3)), options), synchronous)
          for (let i = 0; i < synchronous.length; i += 2) {
            assert.strictEqual(synchronous[i]!.replace("begins", "ends"), synchronous[i + 1])
          }
        }
      }
    }))

  it.live("runs in real time and hands back value, failure and defect", () =>
    Effect.gen(function*() {
      const before = yield* Clock.currentTimeMillis
      const realNow = yield* run(external(Effect.andThen(Effect.sleep(2), Clock.currentTimeMillis)), { strategy: fifo })
      assert.isAtLeast(realNow, before)
      const failure = Effect.andThen(Effect.promise(() => eventLoop()), Effect.fail("no such file"))
      assert.strictEqual(yield* Effect.flip(run(external(failure), { strategy: fifo })), "no such file")
      const defect = yield* Effect.exit(run(external(Effect.promise(() => Promise.reject("torn"))), { strategy: fifo }))
      assert.deepStrictEqual(defect, Exit.die("torn"))
      assert.strictEqual(yield* external(Effect.succeed("no simulation")), "no simulation")
    }))

  it.effect("is interrupted with the run", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const forever = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(Effect.promise(() => eventLoop()), Effect.sync(() => log.push("work"))))
      const program = Effect.gen(function*() {
        yield* Effect.forkChild(Effect.ensuring(
          external(forever),
          Effect.sync(() =>
            log.push("fiber")
          )
        ))
        yield* Effect.ensuring(Effect.sleep(10), Effect.sync(() => log.push("main")))
      })
      const fiber = yield* Effect.forkChild(run(program, { strategy: fifo }))
      yield* Effect.promise(() => eventLoop(3))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["main", "work", "fiber"])
    }))
})

describe("the real world without external", () => {
  it.effect("is an error that names the fiber that was woken", () =>
    Effect.gen(function*() {
      for (const granularity of granularities) {
        const sneaky = fork("sneaky")(Effect.promise(() => Promise.resolve(1)))
        const program = Effect.gen(function*() {
          yield* sneaky
          yield* Effect.forever(sleepNanos(1))
        })
        const error = yield* Effect.flip(run(program, { strategy: seeded(1), granularity }))
        assert.instanceOf(error, OutsideWakeup)
        assert.strictEqual(error.fiber, "sneaky")
        assert.include(error.message, "wrap what it waits for in external")
        const idle = yield* Effect.flip(run(Effect.promise(() => Promise.resolve(1)), { strategy: fifo, granularity }))
        assert.instanceOf(idle, OutsideWakeup)
      }
    }))

  it.effect("is an error also while an external holds the world still", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const deferred = yield* Deferred.make<void>()
        yield* fork("waiter")(Deferred.await(deferred))
        yield* sleepNanos(1)
        yield* external(Effect.andThen(Effect.promise(() => eventLoop()), Deferred.succeed(deferred, undefined)))
        yield* sleepNanos(1)
      })
      const error = yield* Effect.flip(run(program, { strategy: fifo }))
      assert.instanceOf(error, OutsideWakeup)
      assert.strictEqual(error.fiber, "waiter")
    }))

  it.effect("is a deadlock if nothing comes in time, and an error without a name if a queue is touched", () =>
    Effect.gen(function*() {
      const late = yield* Effect.flip(run(Effect.promise(() => eventLoop(50)), { strategy: fifo }))
      assert.instanceOf(late, Deadlock)
      const program = Effect.gen(function*() {
        const queue = yield* Queue.unbounded<number>()
        yield* Effect.sync(() => void eventLoop(0).then(() => Queue.offerUnsafe(queue, 1)))
        return yield* Queue.take(queue)
      })
      const touched = yield* Effect.flip(run(program, { strategy: fifo }))
      assert.instanceOf(touched, OutsideWakeup)
      assert.isUndefined(touched.fiber)
    }))
})

describe("a run", () => {
  it.effect("can run inside a run", () =>
    Effect.gen(function*() {
      const inner = Effect.andThen(Effect.sleep(5), Clock.currentTimeMillis)
      const outer = Effect.gen(function*() {
        yield* Effect.sleep(100)
        const within = yield* external(run(inner, { strategy: seeded(1) }))
        return { within, around: yield* Clock.currentTimeMillis }
      })
      assert.deepStrictEqual(yield* run(outer, { strategy: seeded(1) }), { within: 5, around: 100 })
      const direct = Effect.zip(run(inner, { strategy: fifo }), Clock.currentTimeMillis)
      assert.deepStrictEqual(yield* run(direct, { strategy: fifo }), [5, 0])
    }))

  it.effect("whose strategy throws is a defect, after its fibers have ended", () =>
    Effect.gen(function*() {
      let ended = false
      const broken: Strategy = {
        next() {
          throw new Error("broken strategy")
        }
      }
      const program = Effect.ensuring(
        Effect.all([point, point], { concurrency: 2 }),
        Effect.sync(() => {
          ended = true
        })
      )
      const exit = yield* Effect.exit(run(program, { strategy: broken }))
      assert.include(String(exit), "broken strategy")
      assert.isTrue(ended)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(run(point, { strategy: replay([]) }))))
    }))
})
