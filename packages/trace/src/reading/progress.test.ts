import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { Counter } from "./census.ts"
import { makeProgress } from "./progress.ts"
import type { ImportProgress } from "./progress.ts"

describe("the progress of an import", () => {
  it.effect("is told from time to time, of all its files together", () =>
    Effect.gen(function*() {
      const told: Array<ImportProgress> = []
      const report = makeProgress((progress) => Effect.sync(() => told.push(progress)), 1000)
      const counters = [new Counter(), new Counter()]
      const read = Effect.fnUntraced(function*(ms: number, bytes: number, lines: number) {
        yield* TestClock.adjust(ms)
        for (const counter of counters) {
          counter.bytes += bytes
          counter.lines += lines
        }
        yield* report(counters)
      })
      yield* read(0, 10, 1)
      yield* read(100, 10, 1)
      yield* read(150, 10, 1)
      yield* read(100, 10, 1)
      yield* read(150, 10, 1)
      assert.deepStrictEqual(told, [
        { bytes: 60, size: 1000, lines: 6, linesPerSecond: 24 },
        { bytes: 100, size: 1000, lines: 10, linesPerSecond: 20 }
      ])
    }))
})
