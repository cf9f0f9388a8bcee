import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as fc from "fast-check"
import { hash } from "./hash.ts"
import {
  type Choice,
  Divergence,
  fifo,
  fork,
  point,
  recorded,
  type Recording,
  replay,
  run,
  seeded,
  sleepNanos,
  type Strategy
} from "./index.ts"

/** Two clients of a register that can only be read and written: one of their updates can get lost. */
const lostUpdate = Effect.gen(function*() {
  type Request =
    | { readonly op: "read"; readonly reply: Queue.Queue<number> }
    | { readonly op: "write"; readonly value: number; readonly reply: Queue.Queue<number> }
  const inbox = yield* Queue.unbounded<Request>()
  const trace: Array<string> = []
  let value = 0
  yield* fork("register")(Effect.gen(function*() {
    while (true) {
      const request = yield* Queue.take(inbox)
      if (request.op === "write") value = request.value
      yield* Queue.offer(request.reply, value)
    }
  }))
  const client = (name: string) =>
    Effect.gen(function*() {
      const reply = yield* Queue.unbounded<number>()
      yield* point
      yield* Queue.offer(inbox, { op: "read", reply })
      const seen = yield* Queue.take(reply)
      trace.push(`${name} read ${seen}`)
      yield* point
      yield* Queue.offer(inbox, { op: "write", value: seen + 1, reply })
      yield* Queue.take(reply)
      trace.push(`${name} wrote ${seen + 1}`)
    })
  const clients = yield* Effect.forEach(["a", "b"], (name) => fork(name)(client(name)))
  yield* Fiber.joinAll(clients)
  return { value, trace: trace.join(", ") }
})

const lost = Effect.fnUntraced(function*(granularity: "resume" | "point") {
  for (let seed = 0; seed < 100; seed++) {
    const strategy = recorded(seeded(seed))
    const { value } = yield* run(lostUpdate, { strategy, granularity })
    if (value === 1) return { seed, recording: strategy.recording }
  }
  return yield* Effect.die("no seed lost an update")
})

/** Each worker appends its name to the log at each of its steps, and has `done` some before. */
const workers = (log: Array<string>, done: ReadonlyMap<string, number>, order: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const fibers = yield* Effect.forEach(order, (name) =>
      fork(name)(Effect.gen(function*() {
        for (let step = done.get(name) ?? 0; step < 6; step++) {
          yield* point
          log.push(name)
        }
      })))
    yield* Fiber.joinAll(fibers)
  })

const choices = (size: number): Array<Choice> =>
  Array.from({ length: size }, (_, i) => ({ name: `${i}`, kind: "point", since: i }))

const recovered = (log: Array<string>, done: ReadonlyMap<string, number>, order: ReadonlyArray<string>) =>
  run(workers(log, done, order), { strategy: seeded(11, () => log.length), granularity: "point" })

describe("seeded", () => {
  it.effect("finds the lost update, but not in every run", () =>
    Effect.gen(function*() {
      for (const granularity of ["resume", "point"] as const) {
        const values = new Set<number>()
        for (let seed = 0; seed < 40; seed++) {
          values.add((yield* run(lostUpdate, { strategy: seeded(seed), granularity })).value)
        }
        assert.deepStrictEqual(Array.from(values).sort(), [1, 2])
      }
    }))

  it.effect("the same seed gives the same trace and recording", () =>
    Effect.gen(function*() {
      for (let seed = 0; seed < 20; seed++) {
        const first = recorded(seeded(seed))
        const second = recorded(seeded(seed))
        const { trace } = yield* run(lostUpdate, { strategy: first })
        assert.strictEqual((yield* run(lostUpdate, { strategy: second })).trace, trace)
        assert.deepStrictEqual(second.recording, first.recording)
      }
    }))

  it.effect("with a position of its own, a run goes on elsewhere as it would have here", () =>
    Effect.gen(function*() {
      const names = ["a", "b", "c", "d"]
      const whole: Array<string> = []
      yield* recovered(whole, new Map(), names)
      assert.strictEqual(whole.length, 24)
      for (let cut = 0; cut <= whole.length; cut++) {
        const log = whole.slice(0, cut)
        const done = new Map(names.map((name) => [name, log.filter((entry) => entry === name).length]))
        yield* recovered(log, done, names.toReversed())
        assert.deepStrictEqual(log, whole, `recovered at ${cut}`)
      }
    }))

  it("its pick is a function of seed, position and the number of candidates, and about uniform", () => {
    const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    fc.assert(fc.property(seeds, seeds, fc.integer({ min: 2, max: 50 }), (seed, position, size) => {
      const moment = { position, nowNanos: 0, steps: 0 }
      const pick = seeded(seed).next(choices(size), moment)
      assert.isTrue(typeof pick === "number" && Number.isInteger(pick) && pick >= 0 && pick < size)
      assert.strictEqual(seeded(seed, () => position).next(choices(size), { ...moment, position: 0 }), pick)
    }))
    const counts = Array.from({ length: 7 }, () => 0)
    for (let position = 0; position < 70_000; position++) {
      counts[seeded(5).next(choices(7), { position, nowNanos: 0, steps: 0 }) as number]!++
    }
    for (const count of counts) assert.approximately(count, 10_000, 500)
    assert.notStrictEqual(hash(1, 2 ** 40), hash(1, 0))
    assert.deepStrictEqual(
      [hash(0, 0), hash(1, 0), hash(0, 1)],
      [937260802, 504418101, 1491686787],
      "seeds that were kept must stay valid"
    )
    assert.notStrictEqual(hash(2 ** 40, 1), hash(0, 1))
  })
})

describe("recorded and replay", () => {
  it.effect("a hundred replays of a recording have one outcome", () =>
    Effect.gen(function*() {
      for (const granularity of ["resume", "point"] as const) {
        const { recording } = yield* lost(granularity)
        const printed = JSON.stringify(recording)
        const outcomes = new Set<string>()
        for (let i = 0; i < 100; i++) {
          const strategy = replay(JSON.parse(printed) as Recording)
          outcomes.add(JSON.stringify(yield* run(lostUpdate, { strategy, granularity })))
        }
        assert.strictEqual(outcomes.size, 1)
        assert.isTrue(Array.from(outcomes)[0]!.includes("\"value\":1"))
      }
    }))

  it.effect("a recording of a recorded replay is the recording", () =>
    Effect.gen(function*() {
      const { recording } = yield* lost("resume")
      const strategy = recorded(replay(recording))
      yield* run(lostUpdate, { strategy })
      assert.deepStrictEqual(strategy.recording, recording)
    }))

  it.effect("a recorded fiber that is not ready is a divergence, and so is an end that comes too early", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* Fiber.joinAll([yield* fork("a")(point), yield* fork("b")(point)])
      })
      const wrong = yield* Effect.flip(run(program, { strategy: replay(["z"]), granularity: "point" }))
      assert.instanceOf(wrong, Divergence)
      assert.deepInclude(wrong, { at: 0, expected: "z", ready: ["a", "b"] })
      assert.strictEqual(wrong.message, "choice 0: z was recorded, but ready are a, b")
      const short = yield* Effect.flip(run(program, { strategy: replay([]), granularity: "point" }))
      assert.strictEqual(short.message, "choice 0: the recording ends here, but ready are a, b")
    }))
})

describe("the seam", () => {
  it.effect("is not asked when one fiber is ready, and sees the ready by name whatever the order of arrival", () =>
    Effect.gen(function*() {
      const asked: Array<ReadonlyArray<string>> = []
      const strategy: Strategy = {
        next(ready) {
          asked.push(ready.map((choice) => choice.name))
          return ready.length - 1
        }
      }
      const names = ["m", "c", "x", "a", "k"]
      const program = Effect.gen(function*() {
        yield* point
        yield* sleepNanos(5)
        yield* Fiber.joinAll(yield* Effect.forEach(names, (name) => fork(name)(point)))
      })
      yield* run(program, { strategy, granularity: "point" })
      const sorted = names.toSorted()
      assert.deepStrictEqual(asked, [5, 4, 3, 2].map((left) => sorted.slice(0, left)))
    }))

  it.effect("first come, first served is by time of suspension", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const program = Effect.gen(function*() {
        const fibers = yield* Effect.forEach(["m", "c", "x", "a"], (name) =>
          fork(name)(Effect.andThen(point, Effect.sync(() => log.push(name)))))
        yield* Fiber.joinAll(fibers)
      })
      yield* run(program, { strategy: fifo, granularity: "point" })
      assert.deepStrictEqual(log, ["m", "c", "x", "a"])
    }))

  it.effect("a strategy that answers nonsense is a defect", () =>
    Effect.gen(function*() {
      const program = Effect.forEach([1, 2], () => point, { concurrency: 2 })
      const exit = yield* Effect.exit(run(program, { strategy: { next: () => 7 } }))
      assert.include(String(exit), "the strategy chose 7 of 2 ready fibers")
    }))
})
