import { assert, describe, it } from "@effect/vitest"
import { REFERENCE_CONFIGS, referenceModel, run, Search } from "@pfnscope/checker"
import * as Effect from "effect/Effect"
import { only } from "./only.ts"

const verdictsOf = (...names: ReadonlyArray<string>) =>
  Effect.map(
    run(new Search(only(referenceModel(REFERENCE_CONFIGS["tiny"]!, "E"), names)), { all: true }),
    (report) => report.verdicts.map(({ outcome, property }) => `${property.name} ${outcome}`)
  )

describe("a model with some of its properties", () => {
  it.effect("judges them as the whole model does, and no others", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* verdictsOf(), [
        "NoUseAfterFree violated",
        "NoMapInInvalidation violated",
        "CountsSane holds",
        "NoWarn holds"
      ])
      assert.deepStrictEqual(yield* verdictsOf("NoMapInInvalidation", "NoWarn"), [
        "NoMapInInvalidation violated",
        "NoWarn holds"
      ])
      assert.deepStrictEqual(yield* verdictsOf("NoWarn"), ["NoWarn holds"])
    }))

  it("has their goals too", () => {
    const model = referenceModel(REFERENCE_CONFIGS["live-heap"]!, "A")
    assert.deepStrictEqual(only(model, ["NoWarn"]).goals, [])
    assert.strictEqual(only(model, []), model)
  })
})
