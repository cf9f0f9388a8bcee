import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ALL_REDUCTIONS, NO_REDUCTIONS } from "../reduction.ts"
import { run } from "../run.ts"
import { Search } from "../search.ts"
import { REFERENCE_CONFIGS } from "./configs.ts"
import { referenceModel } from "./model.ts"
import { COUNTS } from "./published.ts"

// The larger configurations are compared by the bench, apps/bench/src/checker.ts.
const SMALL = COUNTS.filter(({ distinct }) => distinct < 20_000)

describe("the reference model", () => {
  it.effect.each(SMALL)(
    "has the published counts: $config $variant",
    ({ config, shortest, variant, ...counts }) =>
      Effect.gen(function*() {
        const model = referenceModel(REFERENCE_CONFIGS[config], variant)
        for (const reductions of [NO_REDUCTIONS, ALL_REDUCTIONS]) {
          const report = yield* run(new Search(model, reductions), { all: true })
          const violated = report.verdicts.flatMap((verdict) =>
            verdict.outcome === "violated" ? [[verdict.property.name, verdict.counterexample.moves.length]] : []
          )
          assert.deepStrictEqual(Object.fromEntries(violated), shortest)
          if (reductions === NO_REDUCTIONS) assert.deepInclude(report, counts)
          else assert.isBelow(report.distinct * 2, counts.distinct)
        }
      })
  )

  const LIVE = Object.values(REFERENCE_CONFIGS).filter(({ ni }) => ni.includes(0))

  it.effect.each(LIVE)("has the verdicts of the whole space when reduced: $name", (config) =>
    Effect.gen(function*() {
      for (const variant of ["A", "B", "C", "D", "E"] as const) {
        const told = []
        for (const reductions of [NO_REDUCTIONS, ALL_REDUCTIONS]) {
          const { terminal, verdicts } = yield* run(new Search(referenceModel(config, variant), reductions), {
            all: true
          })
          const found = verdicts.map((verdict) =>
            verdict.outcome === "violated" ? verdict.counterexample.moves.length : verdict.outcome
          )
          told.push({ found, ends: terminal > 0 })
        }
        assert.deepStrictEqual(told[1], told[0])
      }
    }))

  it.effect("never ends before every vCPU is done", () =>
    Effect.gen(function*() {
      const model = referenceModel(REFERENCE_CONFIGS["small"], "D")
      const report = yield* run(new Search(model), { all: true })
      assert.isAbove(report.terminal, 0)
      assert.strictEqual(report.stuck, 0)
    }))
})
