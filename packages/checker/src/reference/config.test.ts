import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { ReferenceConfig } from "./config.ts"
import { REFERENCE_CONFIGS } from "./configs.ts"

const decode = Schema.decodeUnknownResult(ReferenceConfig)
const small = REFERENCE_CONFIGS["small"]

/** The messages of a refusal. */
const refusal = (config: unknown): string => {
  const result = decode(config, { errors: "all" })
  return result._tag === "Failure" ? String(result.failure) : "accepted"
}

describe("a reference configuration", () => {
  it("is read as it is published", () => {
    for (const config of Object.values(REFERENCE_CONFIGS)) {
      assert.deepStrictEqual(Schema.decodeUnknownSync(ReferenceConfig)(JSON.parse(JSON.stringify(config))), config)
    }
    assert.strictEqual(Object.keys(REFERENCE_CONFIGS).length, 12)
  })

  const hostile: ReadonlyArray<readonly [string, object, string, string]> = [
    ["a cache outside every page", { gpage: [2] }, `["gpage"][0]`, "expected one of the 2 pages, not 2"],
    ["an empty range", { lo: [1, 0], hi: [1, 1] }, `["hi"][0]`, "not empty: more than lo, 1"],
    ["a range beyond the last page", { hi: [3, 1] }, `["hi"][0]`, "at most the number of pages, 2"],
    ["a negative bound", { NV: -1 }, `["NV"]`, "a whole number from 0 to 255"],
    ["a fraction", { V: 1.5 }, `["V"]`, "Expected an integer"],
    ["a vCPU of a cache that is not there", { gpcOf: [0, 1] }, `["gpcOf"][1]`, "expected one of the 1 caches, not 1"],
    ["a list that is too short", { ni: [1] }, `["ni"]`, "expected 2 entries (I), not 1"],
    ["a list that is too long", { slot: [1, 1, 1] }, `["slot"]`, "expected 2 entries (P), not 3"],
    ["a negative number of invalidations", { ni: [1, -2] }, `["ni"][1]`, "a whole number from 0 to 255"],
    ["a slot that is neither", { slot: [1, 2] }, `["slot"][1]`, "Expected 0 | 1"],
    ["no list", { lo: 0 }, `["lo"]`, "array"],
    ["nothing", { errg: undefined }, `["errg"]`, "0"]
  ]
  it.each(hostile)("is refused with the place: %s", (_, change, path, expected) => {
    const message = refusal({ ...small, ...change })
    assert.include(message, path)
    assert.include(message, expected)
  })
})
