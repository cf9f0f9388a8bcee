import { assert, describe, it } from "@effect/vitest"
import { POLICIES } from "@pfnscope/protocol"
import type { World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { runLive } from "../live.ts"
import { NO_REDUCTIONS } from "../reduction.ts"
import { Search } from "../search.ts"
import { protocolModel } from "./model.ts"
import { BOUNDED } from "./scenarios.ts"

const worldOf = (name: string): World => BOUNDED.find((bounded) => bounded.name === name)!.world
const policyOf = (name: string) => POLICIES.find((policy) => policy.name === name)!

const progress = (world: World, policy: string) =>
  runLive(new Search(protocolModel(world, policyOf(policy)), { ...NO_REDUCTIONS, forget: true }))

/** Who starves in live-heap, live-slot, live-sides, live-own. */
const STARVES: Readonly<Record<string, ReadonlyArray<boolean>>> = {
  "mainline-5.17": [false, true, false, false],
  "mainline-6.1": [true, true, true, true],
  "mainline-6.12": [true, true, true, true],
  "mainline-7.3": [true, true, true, true],
  "range-retry": [true, true, true, true],
  "range-retry-fixed": [false, true, true, false],
  "end-validating": [false, false, false, false],
  // As posted its sleeper is on no queue: after the one invalidation of U nobody wakes it.
  "pfncache-2": [false, false, true, true],
  "needs-invalidation-v2": [false, false, true, false],
  "needs-invalidation-v3-1": [true, true, true, true],
  // It stops at the lock that it holds.
  "needs-invalidation-v3-2": [false, false, true, true],
  "needs-invalidation-v3-3": [false, false, true, false],
  "needs-invalidation-v3-4": [false, false, true, false],
  "range-spin": [false, true, true, false],
  "flag-wait": [false, false, true, false],
  "exact-ranges": [false, false, false, false]
}

const cases = Object.entries(STARVES).flatMap(([policy, starves]) =>
  ["live-heap", "live-slot", "live-sides", "live-own"].map((name, i) => ({ name, policy, starves: starves[i] }))
)

describe("a refresh against invalidations that recur for ever", () => {
  // Some seconds each: of mainline's kind one, and of those with two invalidators two; docs/verdicts.md has them all.
  const quick = cases.filter(({ name, policy }) =>
    (/heap|slot/.test(name) && !/^(mainline-6.1|mainline-7.3|needs-invalidation-v3-1)$/.test(policy)) ||
    /^(exact-ranges live-sides|flag-wait live-own)$/.test(`${policy} ${name}`)
  )
  it.effect.each(quick)("$policy in $name, starves: $starves", ({ name, policy, starves }) =>
    Effect.gen(function*() {
      const report = yield* progress(worldOf(name), policy)
      assert.deepStrictEqual(
        report.goals.map(({ outcome, property }) => `${property.name} ${outcome}`),
        [`${name === "live-own" ? "P7" : "P6"} of vcpu/0 ${starves ? "violated" : "holds"}`]
      )
    }), 60_000)
})

const goalsOf = (world: World) => protocolModel(world, policyOf("mainline-6.12")).goals!.map(({ name }) => name)

describe("progress is promised", () => {
  const heap = worldOf("live-heap")

  it("to nobody whose page is invalidated for ever", () => {
    const own = { _tag: "madvise" as const, start: 4, end: 5, free: "after-end" as const }
    assert.deepStrictEqual(
      goalsOf({ ...heap, threads: [...heap.threads, { name: "mm/9", ops: [own], repeat: 0 }] }),
      []
    )
  })

  it("to one of those who are alike, and to each of those who are not", () => {
    const read = { _tag: "gpc_use" as const, gpc: 0 }
    assert.deepStrictEqual(goalsOf(heap), ["P6 of vcpu/0"])
    assert.deepStrictEqual(
      goalsOf({ ...heap, threads: [...heap.threads, { name: "vcpu/2", ops: [read], repeat: 1 }] }),
      [
        "P6 of vcpu/0",
        "P6 of vcpu/2"
      ]
    )
  })

  it("is not put to the test where nobody refreshes", () =>
    Effect.gen(function*() {
      const valid: World = {
        ...heap,
        gpcs: [{ gpa: 12, state: "valid" }],
        threads: heap.threads.filter(({ name }) => name !== "mm/0")
      }
      const report = yield* progress(valid, "mainline-6.12")
      assert.deepStrictEqual(report.goals.map(({ outcome }) => outcome), ["not exercised"])
      assert.strictEqual(report.outcome, "unknown")
    }).pipe(Effect.runPromise))
})
