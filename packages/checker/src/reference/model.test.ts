import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { search } from "../search.ts"
import { ReferenceConfig } from "./config.ts"
import { KNOWN, REFERENCE_CONFIGS } from "./known.ts"
import { referenceModel } from "./model.ts"

const configOf = (name: string) => REFERENCE_CONFIGS.find((config) => config.name === name)!

/** `medium` and `large` take long; one of the former is here, the bench has the rest. */
const known = KNOWN.filter(({ config, variant }) =>
  !/medium|large/.test(config) || (config === "medium" && variant === "D")
)

describe("the reference model", () => {
  it.effect.each(known)(
    "$config $variant has the states that five other checkers count",
    (expected) =>
      Effect.gen(function*() {
        const found = yield* search(referenceModel(configOf(expected.config), expected.variant), { all: true })
        assert.deepStrictEqual(
          {
            config: expected.config,
            variant: expected.variant,
            distinct: found.distinct,
            generated: found.generated,
            depth: found.depth,
            violated: found.counterexamples.map(({ path, property }) => `${property}:${path.length}`).join(" ")
          },
          expected
        )
        assert.strictEqual(found.stuck, 0)
        assert.isTrue(found.complete)
      })
  )

  it("replays a counterexample to its violation, and not to one step before", () => {
    const model = referenceModel(configOf("tiny-hva"), "A")
    const { counterexamples } = Effect.runSync(search(model, { all: true }))
    const [{ path, property }] = counterexamples
    model.start()
    path.forEach(({ thread, way }, i) => {
      assert.isAbove(model.ways(thread), way)
      const bits = model.apply(thread, way) | model.judge()
      assert.strictEqual(bits !== 0, i === path.length - 1, `after step ${i + 1} to ${property}`)
    })
  })
})

describe("a configuration", () => {
  const tiny = configOf("tiny")
  const refusal = (change: Partial<Record<keyof ReferenceConfig, unknown>>) =>
    Effect.runSyncExit(Schema.decodeUnknownEffect(ReferenceConfig)({ ...tiny, ...change }))

  it.each([
    [{ gpage: [3] }, /expected one of the 1 pages[\s\S]*\["gpage"\]\[0\]/],
    [{ lo: [1] }, /expected less than hi[\s\S]*\["lo"\]\[0\]/],
    [{ ni: [-1] }, /\["ni"\]\[0\]/],
    [{ gpcOf: [0, 0] }, /expected 1 entries[\s\S]*\["gpcOf"\]/],
    [{ V: 0 }, /\["V"\]/],
    [{ hi: [4] }, /expected at most 1[\s\S]*\["hi"\]\[0\]/]
  ])("with %j is refused with the path and what was expected", (change, message) => {
    const exit = refusal(change)
    assert.match(Exit.isFailure(exit) ? String(exit.cause) : "accepted", message)
  })

  it("that is known is accepted", () => {
    for (const config of REFERENCE_CONFIGS) {
      assert.deepStrictEqual(Schema.decodeUnknownSync(ReferenceConfig)(config), config)
    }
  })
})
