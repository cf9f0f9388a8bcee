import { assert, describe, it } from "@effect/vitest"
import { POLICIES } from "@pfnscope/protocol"
import type { Policy, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { lieOf } from "../honesty.ts"
import { ALL_REDUCTIONS, NO_REDUCTIONS } from "../reduction.ts"
import type { Reductions } from "../reduction.ts"
import type { Report } from "../report.ts"
import { run } from "../run.ts"
import { Search } from "../search.ts"
import { policies, worlds } from "./arbitrary.ts"
import { protocolModel } from "./model.ts"
import { BOUNDED } from "./scenarios.ts"

const worldOf = (name: string): World => BOUNDED.find((bounded) => bounded.name === name)!.world

/** Two vCPUs that are alike, a memslot that goes and comes, and an invalidation. */
const busy: World = {
  ...worldOf("s1"),
  threads: [
    ...["vcpu/0", "vcpu/1"].map((name) => ({ name, ops: [{ _tag: "gpc_use" as const, gpc: 0 }], repeat: 1 })),
    { name: "mm/0", ops: [{ _tag: "delete_memslot", slot: 0 }], repeat: 1 }
  ]
}

/** The larger worlds are searched under one policy of each kind. */
const isOfEachKind = ({ name }: Policy): boolean =>
  /^(mainline-5.17|mainline-7.3|pfncache-2|needs-invalidation-v3-2|range-spin|exact-ranges)$/.test(name)

describe("what the protocol says of itself to the reductions is true", () => {
  const cases = POLICIES.flatMap((policy) => [
    { name: "s4", policy, world: worldOf("s4") },
    ...(isOfEachKind(policy) ? ["s1", "s2"].map((name) => ({ name, policy, world: worldOf(name) })) : []),
    ...(isOfEachKind(policy) ? [{ name: "busy", policy, world: busy }] : [])
  ])
  it.each(cases)("in $name under $policy.name", ({ policy, world }) => {
    assert.isUndefined(lieOf(protocolModel(world, policy)))
  }, 60_000)
})

const verdicts = (world: World, policy: Policy, reductions: Reductions) =>
  Effect.map(run(new Search(protocolModel(world, policy), reductions), { all: true }), ({ distinct, verdicts }) => ({
    distinct,
    verdicts: verdicts.map((verdict) =>
      verdict.outcome === "violated"
        ? `${verdict.property.name} ${verdict.counterexample.moves.length}`
        : `${verdict.property.name} ${verdict.outcome}`
    )
  }))

const outcomes = ({ verdicts }: Report) => verdicts.map(({ outcome, property }) => `${property.name} ${outcome}`)

describe("reductions keep every verdict", () => {
  const cases = POLICIES.flatMap((policy) => ["s1", "s2", "s3", "s4"].map((name) => ({ name, policy })))

  it.effect.each(cases)("in $name under $policy.name", ({ name, policy }) =>
    Effect.gen(function*() {
      const plain = yield* verdicts(worldOf(name), policy, NO_REDUCTIONS)
      const reduced = yield* verdicts(worldOf(name), policy, ALL_REDUCTIONS)
      assert.deepStrictEqual(reduced.verdicts, plain.verdicts)
      assert.isBelow(3 * reduced.distinct, plain.distinct)
    }), 60_000)

  it.effect.each(POLICIES.filter(isOfEachKind))("each by itself, under $name", (policy) =>
    Effect.gen(function*() {
      const plain = yield* verdicts(busy, policy, NO_REDUCTIONS)
      for (const one of ["partialOrder", "symmetry", "merge", "forget"]) {
        const reduced = yield* verdicts(busy, policy, { ...NO_REDUCTIONS, [one]: true })
        assert.deepStrictEqual(reduced.verdicts, plain.verdicts, one)
      }
    }), 60_000)

  it("in random worlds", () => {
    const limits = { states: 15_000 }
    const judge = (world: World, policy: Policy, reductions: Reductions) =>
      Effect.runSync(run(new Search(protocolModel(world, policy), reductions), { all: true, limits }))
    fc.assert(
      fc.property(worlds, policies, (world, policy) => {
        const plain = judge(world, policy, NO_REDUCTIONS)
        fc.pre(plain.isComplete)
        const reduced = judge(world, policy, ALL_REDUCTIONS)
        assert.deepStrictEqual(outcomes(reduced), outcomes(plain))
        assert.strictEqual(reduced.stuck > 0, plain.stuck > 0)
      }),
      { numRuns: 60 }
    )
  }, 120_000)
})

describe("what is said to the reductions is true", () => {
  it("in random worlds", () => {
    fc.assert(
      fc.property(worlds, policies, (world, policy) => {
        const search = new Search(protocolModel(world, policy), NO_REDUCTIONS)
        while (!search.isDone && search.count < 2500) search.advance(2500)
        fc.pre(search.isDone)
        assert.isUndefined(lieOf(search.model))
      }),
      { numRuns: 25 }
    )
  }, 120_000)
})
