import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { lieOf } from "./honesty.ts"
import type { Model } from "./model.ts"
import { programModel, programs } from "./programs.ts"
import { configs, variants } from "./reference/arbitrary.ts"
import { REFERENCE_CONFIGS } from "./reference/configs.ts"
import { referenceModel } from "./reference/model.ts"

const { "live-own": own, "live-sides": sides, small, "small-noerrg": unguarded, tiny } = REFERENCE_CONFIGS
const twoCaches = { ...small, name: "small, with two caches", G: 2, gpcOf: [0, 1], gpage: [0, 1], NV: 1 }

describe("what a model says of itself", () => {
  it("is so in small programs", () =>
    fc.assert(fc.property(programs, (given) => assert.isUndefined(lieOf(programModel(given))))))

  it("is so in the reference model", () =>
    fc.assert(
      fc.property(configs, variants, (config, variant) => assert.isUndefined(lieOf(referenceModel(config, variant)))),
      { numRuns: 15 }
    ))

  it.each([tiny, small, unguarded, own, sides])("is so in $name", (config) => {
    for (const variant of ["A", "B", "C", "D", "E"] as const) {
      assert.isUndefined(lieOf(referenceModel(config, variant)), variant)
    }
  })

  // What a second cache adds is the same in each variant: the walk goes on, and the caches' locks are two.
  it("is so in small, with two caches", () => assert.isUndefined(lieOf(referenceModel(twoCaches, "A"))))

  const model = referenceModel(small, "A")
  const words = new Int32Array(model.words)
  const lies: ReadonlyArray<readonly [string, Partial<Model>]> = [
    ["a step of thread 0 enables or disables thread 1", { footprint: (_, into, at) => into.fill(0, at, at + 4) }],
    ["a footprint is not written whole", { footprint: (_, into, at) => into.fill(0, at, at + 3) }],
    ["the next step of thread 0 is not among all its steps", {
      footprint: (_, into, at) => into.set([1, 1, 0, 0], at)
    }],
    ["what is forgotten makes a difference", {
      forget: () => {
        words.fill(0)
        model.unpack(words, 0)
      }
    }],
    ["threads 1 and 2 do not do the same", { symmetry: { groups: [[1, 2]], compare: () => 0, exchange: () => {} } }]
  ]
  it.each(lies)("is found out when it is not so: %s", (lie, change) => {
    assert.include(lieOf({ ...model, ...change }), lie)
  })
})
