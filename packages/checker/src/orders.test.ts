import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { DepthFirst } from "./depth-first.ts"
import type { Explorer } from "./explorer.ts"
import * as oracle from "./oracle.ts"
import { programModel, programs } from "./programs.ts"
import { RandomWalk } from "./random-walk.ts"
import { ALL_REDUCTIONS } from "./reduction.ts"
import { REFERENCE_CONFIGS } from "./reference/configs.ts"
import { referenceModel } from "./reference/model.ts"
import { run } from "./run.ts"

const explore = (explorer: Explorer, all = true) => Effect.runSync(run(explorer, { all }))

const violated = (report: ReturnType<typeof explore>) =>
  report.verdicts.flatMap(({ outcome }, i) => outcome === "violated" ? [i] : [])

describe("depth first", () => {
  it("sees what a plain search sees", () =>
    fc.assert(fc.property(programs, (given) => {
      const model = programModel(given)
      const { distinct, generated, shortest, stuck, terminal } = oracle.search(model)
      const broken = [...shortest.keys()].sort()
      const report = explore(new DepthFirst(model))
      assert.deepInclude(report, { distinct, generated, terminal, stuck, isComplete: true })
      assert.deepStrictEqual(violated(report), broken)
      assert.deepStrictEqual(violated(explore(new DepthFirst(model, ALL_REDUCTIONS))), broken)
    })))

  it("stops at the first violation", () => {
    const report = explore(new DepthFirst(referenceModel(REFERENCE_CONFIGS["small"], "C")), false)
    assert.deepInclude(report, { outcome: "violated", stopped: "violation", isComplete: false })
  })

  it("does not say of a counterexample that it is a shortest one", () => {
    const report = explore(new DepthFirst(referenceModel(REFERENCE_CONFIGS["small"], "C")))
    const [verdict] = report.verdicts
    if (verdict.outcome !== "violated") return assert.fail(verdict.outcome)
    assert.isFalse(verdict.counterexample.isShortest)
    assert.isAtLeast(verdict.counterexample.moves.length, 8)
  })

  it("can remember bits instead of states, and then nothing holds by it", () => {
    const model = referenceModel(REFERENCE_CONFIGS["small"], "A")
    const roomy = explore(new DepthFirst(model, undefined, { bitstateBytes: 1 << 20 }))
    assert.deepInclude(roomy, { outcome: "unknown", isComplete: false, distinct: 9589 })
    assert.isAtLeast(roomy.bytes, 1 << 20)
    assert.isBelow(roomy.bytes, (1 << 20) + 10_000)
    const tight = explore(new DepthFirst(model, undefined, { bitstateBytes: 1 << 10 }))
    assert.isBelow(tight.distinct, 9589)
    assert.isAbove(tight.distinct, 500)
    assert.strictEqual(tight.outcome, "unknown")
  })

  it("finds violations by bits", () => {
    const model = referenceModel(REFERENCE_CONFIGS["small"], "C")
    assert.deepStrictEqual(violated(explore(new DepthFirst(model, undefined, { bitstateBytes: 1 << 16 }))), [0, 1])
  })
})

describe("a random walk", () => {
  const model = referenceModel(REFERENCE_CONFIGS["small"], "C")
  const walk = (seed: number) => explore(new RandomWalk(model, { seed, runs: 300, length: 60 }))

  it("finds violations, with paths that replay, and never says that anything holds", () => {
    const report = walk(1)
    assert.deepStrictEqual(violated(report), [0, 1])
    assert.deepInclude(report, { outcome: "violated", isComplete: false, terminal: 300 })
    assert.deepStrictEqual(report.verdicts.slice(2).map(({ outcome }) => outcome), ["unknown", "unknown"])
  })

  it("is the same for the same seed, and another for another", () => {
    assert.deepInclude(walk(7), { generated: walk(7).generated, depth: walk(7).depth })
    assert.notStrictEqual(walk(7).generated, walk(8).generated)
  })

  it("takes every branch that there is, given enough runs", () => {
    const all = explore(new RandomWalk(model, { seed: 3, runs: 3000, length: 60 }))
    assert.deepStrictEqual(all.unreached, [])
  })

  it("ends a run at its length", () => {
    const forever = referenceModel(REFERENCE_CONFIGS["live-heap"], "A")
    const report = explore(new RandomWalk(forever, { seed: 1, runs: 5, length: 100 }))
    assert.deepInclude(report, { depth: 100, generated: 501, terminal: 0 })
  })
})
