import { assert, describe, it } from "@effect/vitest"
import { flagWait } from "@pfnscope/protocol"
import type { World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { checkpoint, resume } from "../checkpoint.ts"
import { Outgrown } from "../error.ts"
import type { Model } from "../model.ts"
import { NO_REDUCTIONS } from "../reduction.ts"
import { run } from "../run.ts"
import { Search } from "../search.ts"
import { bitsOf } from "./bits.ts"
import type { Ground } from "./cells.ts"
import { protocolModel } from "./model.ts"
import { BOUNDED } from "./scenarios.ts"

const ground = (length: number): Ground => {
  const words = new Int32Array(length)
  return { cells: new Int16Array(words.buffer, 0, length), words }
}

const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -32_768, max: 32_767 }))

describe("packed cells", () => {
  const length = 9
  const seen = fc.array(fc.uniqueArray(value, { minLength: 1, maxLength: 6 }), { minLength: length, maxLength: length })

  it("come back as they were, and in no more bits than their values need", () =>
    fc.assert(
      fc.property(
        seen.chain((lists) => fc.tuple(fc.constant(lists), fc.tuple(...lists.map((l) => fc.constantFrom(...l))))),
        ([lists, state]) => {
          const here = ground(length)
          here.cells.set(state)
          const bits = bitsOf(here, () => ground(length), lists.map((list) => new Set(list)))
          const packed = new Int32Array(bits.words + 2)
          assert.isTrue(bits.pack(packed, 1))
          assert.deepStrictEqual([packed[0], packed.at(-1)], [0, 0])
          here.cells.fill(77)
          bits.unpack(packed, 1)
          assert.deepStrictEqual([...here.cells], [...state])
          assert.isAtMost(bits.words, Math.ceil(length * 8 / 24))
        }
      )
    ))

  it("are refused when one holds what it was never seen to hold beyond its bits", () =>
    fc.assert(
      fc.property(seen, fc.nat({ max: length - 1 }), value, (lists, cell, other) => {
        fc.pre(lists[cell].length === 1 && !lists[cell].includes(other))
        const here = ground(length)
        here.cells.set(lists.map((list) => list[0]))
        here.cells[cell] = other
        const bits = bitsOf(here, () => ground(length), lists.map((list) => new Set(list)))
        assert.isFalse(bits.pack(new Int32Array(bits.words), 0))
      })
    ))

  it("are told apart whenever they differ", () =>
    fc.assert(
      fc.property(seen, fc.infiniteStream(fc.nat()), (lists, choices) => {
        const here = ground(length)
        const bits = bitsOf(here, () => ground(length), lists.map((list) => new Set(list)))
        const states = Array.from({ length: 20 }, () => lists.map((list) => list[choices.next().value! % list.length]))
        const packed = states.map((state) => {
          here.cells.set(state)
          const words = new Int32Array(bits.words)
          bits.pack(words, 0)
          return words.join()
        })
        assert.strictEqual(new Set(packed).size, new Set(states.map((state) => state.join())).size)
      })
    ))
})

const counts = (model: Model) =>
  Effect.map(run(new Search(model, NO_REDUCTIONS), { all: true }), ({ depth, distinct, generated, outcome }) => ({
    depth,
    distinct,
    generated,
    outcome
  }))

describe("a model whose sample did not foresee a state", () => {
  const world: World = BOUNDED.find(({ name }) => name === "s1")!.world
  /** The model, as if nothing but the initial state had been seen. */
  const blind = (): Model => {
    const model = protocolModel(world, flagWait)
    const layout = model.layout!.save() as ReadonlyArray<ReadonlyArray<number>>
    model.initial(0)
    assert.isTrue(model.layout!.load(layout.map((values) => values.slice(0, 1))))
    return model
  }

  it.effect("begins again until it fits, to the same counts", () =>
    Effect.gen(function*() {
      const model = blind()
      const first = model.words
      assert.deepStrictEqual(yield* counts(model), yield* counts(protocolModel(world, flagWait)))
      assert.isAbove(model.words, first)
    }))

  it("says so to whoever searches without run", () => {
    const search = new Search(blind(), NO_REDUCTIONS)
    assert.throws(() => {
      while (!search.isDone) search.advance(1000)
    }, Outgrown)
  })

  it.effect("hands its layout on with a checkpoint", () =>
    Effect.gen(function*() {
      const model = blind()
      yield* run(new Search(model, NO_REDUCTIONS), { all: true })
      const search = new Search(model, NO_REDUCTIONS)
      for (let i = 0; i < 5; i++) search.advance(200)
      const saved = yield* checkpoint(search)
      const resumed = yield* resume(protocolModel(world, flagWait), saved)
      const report = yield* run(resumed, { all: true })
      assert.strictEqual(report.distinct, (yield* run(search, { all: true })).distinct)
    }))
})
