import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { checkpoint, resume } from "./checkpoint.ts"
import { programModel, programs } from "./programs.ts"
import { ALL_REDUCTIONS, NO_REDUCTIONS } from "./reduction.ts"
import { REFERENCE_CONFIGS } from "./reference/configs.ts"
import { referenceModel } from "./reference/model.ts"
import { run } from "./run.ts"
import { Search } from "./search.ts"

const small = () => referenceModel(REFERENCE_CONFIGS["small"], "C")
const larger = () => referenceModel({ ...REFERENCE_CONFIGS["small"], NV: 3 }, "B")

const save = Effect.fnUntraced(function*(search: Search) {
  return Buffer.concat(yield* checkpoint(search))
})

const part = Effect.fnUntraced(function*(slices: number) {
  const search = new Search(small())
  for (let i = 0; i < slices; i++) search.advance(100)
  return yield* save(search)
})

describe("a checkpoint", () => {
  it.effect("is taken up to the counts, coverage and counterexamples of the whole search, wherever it was taken", () =>
    Effect.gen(function*() {
      for (const reductions of [NO_REDUCTIONS, ALL_REDUCTIONS]) {
        const whole = yield* run(new Search(small(), reductions), { all: true })
        for (const slices of [0, 1, 2, 7, 30, 60, 1000]) {
          const search = new Search(small(), reductions)
          for (let i = 0; i < slices; i++) search.advance(100)
          const bytes = yield* save(search)
          const pieces = [bytes.subarray(0, 5), bytes.subarray(5, 5), bytes.subarray(5, 1000), bytes.subarray(1000)]
          const resumed = yield* resume(small(), pieces)
          assert.deepStrictEqual(yield* save(resumed), bytes)
          const { bytes: _, ...report } = yield* run(resumed, { all: true })
          assert.deepInclude(JSON.parse(JSON.stringify(whole)), JSON.parse(JSON.stringify(report)))
        }
      }
    }))

  it.effect("holds more than one chunk of states", () =>
    Effect.gen(function*() {
      const whole = yield* run(new Search(larger()))
      assert.isAbove(whole.distinct, 17_000)
      const search = new Search(larger())
      yield* run(search, { limits: { states: 17_000 } })
      const resumed = yield* resume(larger(), yield* checkpoint(search))
      assert.deepInclude(yield* run(resumed), {
        distinct: whole.distinct,
        generated: whole.generated,
        depth: whole.depth
      })
    }))

  it.effect("is the same for any program", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(programs, fc.nat({ max: 30 }), (given, slices) =>
          Effect.runPromise(Effect.gen(function*() {
            const whole = yield* run(new Search(programModel(given), ALL_REDUCTIONS))
            const search = new Search(programModel(given), ALL_REDUCTIONS)
            for (let i = 0; i < slices && search.broken === 0; i++) search.advance(3)
            const report = yield* run(yield* resume(programModel(given), yield* checkpoint(search)))
            assert.deepStrictEqual(
              report.verdicts.map((verdict) => JSON.stringify(verdict)),
              whole.verdicts.map((verdict) => JSON.stringify(verdict))
            )
          }))),
        { numRuns: 60 }
      )
    ))

  it.effect("is refused when a byte is changed, wherever", () =>
    Effect.gen(function*() {
      const bytes = yield* part(20)
      for (let at = 0; at < bytes.length; at += 1 + Math.floor(bytes.length / 300)) {
        const damaged = Buffer.from(bytes)
        damaged[at] ^= 4
        const error = yield* Effect.flip(resume(small(), [damaged]))
        assert.strictEqual(error._tag, "NotResumable")
        assert.match(error.message, /^checkpoint, byte \d+: expected /)
      }
    }))

  it.effect("is refused when it is cut off or goes on too long", () =>
    Effect.gen(function*() {
      const bytes = yield* part(20)
      for (const cut of [0, 7, 11, 20, 500, bytes.length - 1]) {
        yield* Effect.flip(resume(small(), [bytes.subarray(0, cut)]))
      }
      const error = yield* Effect.flip(resume(small(), [bytes, Uint8Array.of(0)]))
      assert.strictEqual(error.byte, bytes.length)
    }))

  it.effect("is refused for another model, even of the same name", () =>
    Effect.gen(function*() {
      const bytes = yield* part(3)
      const other = yield* Effect.flip(resume(referenceModel(REFERENCE_CONFIGS["small"], "A"), [bytes]))
      assert.match(other.message, /the model small A \(\w+\), not small C/)
      const changed = referenceModel({ ...REFERENCE_CONFIGS["small"], P: 3, slot: [1, 1, 1] }, "C")
      assert.match((yield* Effect.flip(resume(changed, [bytes]))).message, /the model small C/)
    }))

  it.effect("is not made of a search that broke off in the middle", () =>
    Effect.gen(function*() {
      const model = small()
      let left = 50
      const search = new Search({
        ...model,
        pack: (words, at) => {
          if (--left < 0) throw new RangeError("Array buffer allocation failed")
          model.pack(words, at)
        }
      })
      yield* run(search)
      assert.match((yield* Effect.flip(checkpoint(search))).message, /has not run out of memory/)
    }))
})
