import { assert, describe, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { ALL_REDUCTIONS } from "./reduction.ts"
import { REFERENCE_CONFIGS } from "./reference/configs.ts"
import { referenceModel } from "./reference/model.ts"
import type { Progress } from "./report.ts"
import { run } from "./run.ts"
import { Search } from "./search.ts"

const small = (variant: "A" | "C" = "A") => referenceModel(REFERENCE_CONFIGS["small"], variant)

describe("run", () => {
  it.effect("stops at the first violation, and says that the rest needs the whole space", () =>
    Effect.gen(function*() {
      const report = yield* run(new Search(small("C")))
      assert.deepInclude(report, { outcome: "violated", stopped: "violation", isComplete: false })
      assert.deepStrictEqual(
        report.verdicts.map(({ outcome }) => outcome),
        ["unknown", "violated", "unknown", "unknown"]
      )
      assert.isBelow(report.distinct, 600)
    }))

  it.effect("goes on after a violation when told to", () =>
    Effect.gen(function*() {
      const report = yield* run(new Search(small("C")), { all: true })
      assert.deepInclude(report, { outcome: "violated", isComplete: true, distinct: 6466 })
      assert.notProperty(report, "stopped")
    }))

  it.effect("is unknown at the limit of states, and goes on from there", () =>
    Effect.gen(function*() {
      const search = new Search(small())
      const report = yield* run(search, { limits: { states: 2000 } })
      assert.deepInclude(report, { outcome: "unknown", stopped: "states", isComplete: false })
      assert.deepStrictEqual(new Set(report.verdicts.map(({ outcome }) => outcome)), new Set(["unknown"]))
      assert.isAtLeast(report.distinct, 2000)
      assert.isBelow(report.distinct, 6000)
      assert.isAbove(report.frontier, 0)
      const rest = yield* run(search)
      assert.deepInclude(rest, { outcome: "holds", distinct: 9589, generated: 28128, depth: 30 })
    }))

  it.effect("is unknown at the limit of memory", () =>
    Effect.gen(function*() {
      const report = yield* run(new Search(small()), { limits: { bytes: 550_000 } })
      assert.deepInclude(report, { outcome: "unknown", stopped: "memory" })
    }))

  it.effect("takes no more than most of the memory that is free, unless it is told to", () =>
    Effect.gen(function*() {
      const free = vi.spyOn(process, "availableMemory").mockReturnValue(100_000)
      const report = yield* run(new Search(small()))
      assert.deepInclude(report, { outcome: "unknown", stopped: "memory" })
      assert.isBelow(report.distinct, 5000)
      const told = yield* run(new Search(small()), { limits: { bytes: 1e9 } })
      assert.deepInclude(told, { outcome: "holds", distinct: 9589 })
      free.mockRestore()
    }))

  it.effect("is unknown when an allocation fails, and so is what is left of the search", () =>
    Effect.gen(function*() {
      const model = small()
      let calls = 0
      const search = new Search({
        ...model,
        apply: (thread, way) => {
          if (++calls === 5000) throw new RangeError("Array buffer allocation failed")
          return model.apply(thread, way)
        }
      })
      assert.deepInclude(yield* run(search), { outcome: "unknown", stopped: "memory" })
      assert.deepInclude(yield* run(search), { outcome: "unknown", stopped: "memory" })
    }))

  it.effect("does not take a model's own failure for a lack of memory", () =>
    Effect.gen(function*() {
      const search = new Search({
        ...small(),
        apply: () => {
          throw new Error("no such step")
        }
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(run(search))))
    }))

  it.effect("is unknown when its time is over", () =>
    Effect.gen(function*() {
      const search = new Search(small())
      const report = yield* run(search, {
        limits: { millis: 100 },
        progressMillis: 0,
        onProgress: () => TestClock.adjust("40 millis")
      })
      assert.deepInclude(report, { outcome: "unknown", stopped: "time", millis: 120 })
    }))

  it.effect("tells how far it is", () =>
    Effect.gen(function*() {
      const seen: Array<Progress> = []
      yield* run(new Search(small()), {
        progressMillis: 0,
        onProgress: (progress) => {
          seen.push(progress)
          return TestClock.adjust("10 millis")
        }
      })
      assert.isAbove(seen.length, 20)
      for (let i = 1; i < seen.length; i++) {
        assert.isAtLeast(seen[i].states, seen[i - 1].states)
        assert.strictEqual(seen[i].millis, 10 * i)
        assert.strictEqual(seen[i].statesPerSecond, 100 * (seen[i].states - seen[i - 1].states))
      }
      assert.isAbove(seen.at(-1)!.depth, 20)
      assert.isAbove(seen.at(-1)!.bytes, 100_000)
    }))

  it.effect("can be interrupted between slices, and then run on to the same counts", () =>
    Effect.gen(function*() {
      const search = new Search(small(), ALL_REDUCTIONS)
      const whole = yield* run(new Search(small(), ALL_REDUCTIONS))
      const reached = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(run(search, {
        progressMillis: 0,
        onProgress: ({ depth }) =>
          depth < 12 ? Effect.void : Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      }))
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
      assert.isFalse(search.isDone)
      const { millis: _, ...rest } = yield* run(search)
      assert.deepInclude(whole, rest)
    }))
})
