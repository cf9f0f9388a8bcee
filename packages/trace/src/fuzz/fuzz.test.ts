import { assert, describe, it } from "@effect/vitest"
import { attemptOf, failureOf, shrink } from "./index.ts"

/** Enough to meet every format, whole and mangled, some dozens of times; `npm run fuzz` goes on. */
const ATTEMPTS = 400

describe("the readers", () => {
  it("stand what `npm run fuzz` begins with", () => {
    for (let seed = 1; seed <= ATTEMPTS; seed++) {
      assert.isUndefined(failureOf(attemptOf(seed)), `npm run fuzz -- --seed ${seed}`)
    }
  })
})

describe("an attempt", () => {
  it("is the same for the same seed", () => {
    assert.deepStrictEqual(attemptOf(7), attemptOf(7))
    assert.notDeepEqual(attemptOf(7).bytes, attemptOf(8).bytes)
  })

  it("shrinks to what fails", () => {
    const text = new TextEncoder().encode("one\ntwo\nthree bad words\nfour\n")
    const small = shrink(text, (bytes) => new TextDecoder().decode(bytes).includes("bad"))
    assert.strictEqual(new TextDecoder().decode(small), "bad")
  })
})
