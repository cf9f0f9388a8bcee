import { assert, describe, it } from "@effect/vitest"
import { L, POLICIES, programOf } from "@pfnscope/protocol"
import type { Policy, Program } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { search } from "../search.ts"
import { protocolModel } from "./model.ts"
import { BOUNDED } from "./scenarios.ts"

const worldOf = (name: string) => BOUNDED.find((bounded) => bounded.name === name)!.world
const policyOf = (name: string) => POLICIES.find((policy) => policy.name === name)!

const verdict = (scenario: string, policy: Policy, program?: Program) =>
  Effect.map(search(protocolModel(worldOf(scenario), policy, program), { all: true }), (found) => {
    assert.isTrue(found.complete)
    return { violated: found.counterexamples.map(({ property }) => property).join(" "), stuck: found.stuck > 0 }
  })

const atEnd = ["P1 P2 P3 P4 P5", "P1 P2 P3 P4 P5", "P1 P2 P3 P4", "P1 P2 P3", "P1 P2 P3 P4"]
const unmapped = ["", "P1 P2 P5", "", "", "P1 P2 P5"]
const clean = ["", "", "", "", ""]

/** What is violated in s1 s2 s3 s4 s6, in every interleaving. An access to a freed page is no access to the mapped one. */
const VERDICTS: Readonly<Record<string, ReadonlyArray<string>>> = {
  "mainline-5.17": ["P1 P2 P3 P4 P5 P11", "P1 P2 P3 P4 P5 P11", "P1 P2 P3 P4 P5 P11", "", "P1 P2 P3 P4 P5 P11"],
  "mainline-6.1": unmapped,
  "mainline-6.12": unmapped,
  "mainline-7.3": clean,
  "range-retry": unmapped,
  "range-retry-fixed": unmapped,
  "end-validating": atEnd,
  "pfncache-2": atEnd.map((found, i) => i === 3 ? found : `${found} P9`),
  "needs-invalidation-v2": atEnd,
  "needs-invalidation-v3-1": unmapped,
  "needs-invalidation-v3-2": ["P1 P2 P3 P4 P5 P10", "P1 P2 P3 P4 P5 P10", "P10", "", "P10"],
  "needs-invalidation-v3-3": ["P1 P2 P3 P4 P5 P11", "P1 P2 P3 P4 P5 P11", "P5 P11", "", "P5 P11"],
  "needs-invalidation-v3-4": atEnd,
  "range-spin": unmapped,
  "flag-wait": clean,
  "exact-ranges": clean
}

const SCENARIOS = ["s1", "s2", "s3", "s4", "s6"]

describe("in every interleaving", () => {
  const cases = POLICIES.flatMap((policy) =>
    SCENARIOS.map((scenario, i) => ({ name: policy.name, policy, scenario, expected: VERDICTS[policy.name][i] }))
  )
  it.effect.each(cases)("$name in $scenario: $expected", ({ expected, policy, scenario }) =>
    Effect.gen(function*() {
      const { stuck, violated } = yield* verdict(scenario, policy)
      assert.strictEqual(violated, expected)
      assert.strictEqual(stuck, /P9|P10/.test(expected), "someone can never go on")
    }), 60_000)

  it.effect.each(["mainline-6.12", "flag-wait", "end-validating"])(
    "%s in s5: another range beside U changes nothing",
    (name) =>
      Effect.gen(function*() {
        const { violated } = yield* verdict("s5", policyOf(name))
        assert.strictEqual(violated, name === "end-validating" ? "P1 P2 P3 P4" : "")
      }),
    60_000
  )
})

describe("one faulty step", () => {
  /** The walk forgets to invalidate what it hits. */
  const faulty = programOf(policyOf("mainline-6.12")).map((step) =>
    step.label !== "start.invalidate" ? step : {
      ...step,
      run: (
        s: Parameters<typeof step.run>[0],
        t: Parameters<typeof step.run>[1],
        emit: Parameters<typeof step.run>[2]
      ) => {
        const { cursor } = t
        emit.GpcVisited(t.id, cursor, 0)
        return cursor + 1 < s.gpcs.length ? L["start.visit"] : L["start.gpc_unlock"]
      }
    }
  )

  it.effect("is caught, by a shortest counterexample", () =>
    Effect.gen(function*() {
      const sound = yield* verdict("s4", policyOf("mainline-6.12"))
      const broken = yield* verdict("s4", policyOf("mainline-6.12"), faulty)
      assert.strictEqual(sound.violated, "")
      assert.strictEqual(broken.violated, "P1 P2 P3 P5")
    }))
})

describe("a world that is too large", () => {
  it("is refused, not checked wrongly", () => {
    const world = {
      ...worldOf("s1"),
      areas: [{ hva: 0x1000, pages: 1, populated: true }],
      memslots: [],
      gpcs: [{ uhva: 0x1000, state: "active" as const }]
    }
    assert.throws(() => Effect.runSync(search(protocolModel(world, policyOf("mainline-6.12")))), /too large to check/)
  })
})
