import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Model } from "./model.ts"
import { REFERENCE_CONFIGS } from "./reference/known.ts"
import { referenceModel } from "./reference/model.ts"
import { search } from "./search.ts"
import type { Progress } from "./search.ts"

const small = referenceModel(REFERENCE_CONFIGS.find(({ name }) => name === "small")!, "C")
const medium = referenceModel(REFERENCE_CONFIGS.find(({ name }) => name === "medium")!, "A")

/** Two threads that count up to a limit; one property says that they are never both at 2, the other always holds. */
const counters = (limit: number): Model => {
  const at = [0, 0]
  return {
    name: "counters",
    words: 1,
    threads: ["a", "b"],
    properties: ["NotBothAtTwo", "Sane"],
    labels: ["a", "b", "never"],
    start: () => void at.fill(0),
    load: (packed, from) => {
      at[0] = packed[from] & 0xff
      at[1] = packed[from] >> 8
    },
    store: (packed, to) => {
      packed[to] = at[0] | at[1] << 8
    },
    label: (thread) => thread,
    ways: (thread) => at[thread] < limit ? 1 : 0,
    apply: (thread) => {
      at[thread]++
      return 0
    },
    judge: () => at[0] === 2 && at[1] === 2 ? 1 : 0,
    isDone: (thread) => at[thread] === 4
  }
}

describe("a search", () => {
  it.effect("sees every state once, and says what was never run and where nobody can go on", () =>
    Effect.gen(function*() {
      const found = yield* search(counters(3), { all: true })
      assert.deepStrictEqual([found.distinct, found.generated, found.depth], [16, 25, 6])
      assert.deepStrictEqual(found.untaken, ["never"])
      assert.strictEqual(found.stuck, 1)
      assert.deepStrictEqual(found.counterexamples.map(({ path }) => path.length), [4])
    }))

  it.effect("stops at the first violation, and leaves the rest undecided", () =>
    Effect.gen(function*() {
      const found = yield* search(small)
      assert.strictEqual(found.stopped, "violation")
      assert.isFalse(found.complete)
      assert.deepStrictEqual(found.counterexamples.map(({ path, property }) => [property, path.length]), [[
        "NoMapInInvalidation",
        6
      ]])
    }))

  it.effect("ends at its limits without a verdict", () =>
    Effect.gen(function*() {
      const states = yield* search(medium, { maxStates: 50_000 })
      assert.strictEqual(states.stopped, "states")
      assert.isAtLeast(states.distinct, 50_000)
      const memory = yield* search(medium, { memory: 4_000_000 })
      assert.strictEqual(memory.stopped, "memory")
      assert.isFalse(memory.complete || states.complete)
    }))

  it.effect("tells of its progress, which only grows", () =>
    Effect.gen(function*() {
      const seen: Array<Progress> = []
      yield* search(medium, { maxStates: 200_000 }, (progress) => Effect.sync(() => void seen.push(progress)))
      assert.isAbove(seen.length, 2)
      for (const [i, { depth, distinct }] of seen.entries()) {
        assert.isAtLeast(distinct, seen[i - 1]?.distinct ?? 0)
        assert.isAtLeast(depth, seen[i - 1]?.depth ?? 0)
      }
    }))
})
