import { assert, describe, it } from "@effect/vitest"
import { L, POLICIES, programOf, PROPERTIES } from "@pfnscope/protocol"
import type { Policy, Program, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { replay } from "../path.ts"
import { ALL_REDUCTIONS } from "../reduction.ts"
import { run } from "../run.ts"
import { Search } from "../search.ts"
import { protocolModel } from "./model.ts"
import { BOUNDED } from "./scenarios.ts"

const worldOf = (name: string) => BOUNDED.find((bounded) => bounded.name === name)!.world
const policyOf = (name: string) => POLICIES.find((policy) => policy.name === name)!

const verdict = (scenario: string, policy: Policy, program?: Program) => {
  const model = protocolModel(worldOf(scenario), policy, program)
  return Effect.map(run(new Search(model, ALL_REDUCTIONS), { all: true }), (report) => {
    assert.isTrue(report.isComplete)
    const violated = report.verdicts.filter((verdict) => verdict.outcome === "violated")
    for (const { counterexample, property } of violated) {
      const last = model.branches[replay(model, counterexample)!.at(-1)!.branch]
      const { testedBy } = PROPERTIES.find(({ id }) => id === property.name)!
      // P9 is put to the test by who is woken, and violated where nobody is; P10 by who comes to a lock.
      const isTested = testedBy.some((label) => label === last.step || label === last.outcome)
      assert.isTrue(isTested || property.name === "P9", `${property.name} at ${last.step}`)
    }
    return { violated: violated.map(({ property }) => property.name).join(" ") }
  })
}

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
  "needs-invalidation-v3-3": ["P1 P2 P3 P4 P5 P11", "P1 P2 P3 P4 P5 P11", "P1 P2 P5 P11", "", "P1 P2 P5 P11"],
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
      const { violated } = yield* verdict(scenario, policy)
      assert.strictEqual(violated, expected)
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

const farHva = (page: number) => 0x7f00_0000_0000 + page * 4096
const farGpa = (page: number) => 0x1_0000_0000 + page * 4096

/** The world of a scenario somewhere else: pages of 4 KiB, far up in the address space. */
const moved = (world: World): World => {
  return {
    ...world,
    pageSize: 4096,
    areas: world.areas.map((area) => ({ ...area, hva: farHva(area.hva) })),
    memslots: world.memslots.map((slot) => ({ ...slot, gpa: farGpa(slot.gpa), hva: farHva(slot.hva) })),
    gpcs: world.gpcs.map((gpc) => ({
      ...gpc,
      ...(gpc.gpa === undefined ? {} : { gpa: farGpa(gpc.gpa) }),
      ...(gpc.uhva === undefined ? {} : { uhva: farHva(gpc.uhva) })
    })),
    threads: world.threads.map((thread) => ({
      ...thread,
      ops: thread.ops.map((op) => op._tag === "madvise" ? { ...op, start: farHva(op.start), end: farHva(op.end) } : op)
    }))
  }
}

const searchAll = (world: World) => run(new Search(protocolModel(world, policyOf("end-validating"))), { all: true })

describe("addresses", () => {
  it.effect.each(["s1", "s2", "s3"])("do not matter: %s has as many states anywhere", (name) =>
    Effect.gen(function*() {
      const near = yield* searchAll(worldOf(name))
      const far = yield* searchAll(moved(worldOf(name)))
      assert.deepStrictEqual([far.distinct, far.generated, far.depth], [near.distinct, near.generated, near.depth])
    }))
})
