// The torture under every policy: 16 vCPUs writing their own address through one shared cache, against 50 random mm and memslot
// operations; 400 writes each, where `pfnscope run torture --policy all` has 1000. What is sound stays clean, what is not is caught.
import { assert, describe, it } from "@effect/vitest"
import { memory } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { fold, violations } from "@pfnscope/projections"
import { POLICIES } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"

const torture = SCENARIOS.find(({ name }) => name === "torture")!

/** What each policy's run must violate, one of them at least; none: it must be clean. */
const EXPECTED: Readonly<Record<string, ReadonlyArray<string>>> = {
  "mainline-5.17": ["P1", "P2", "P3", "P4", "P5", "P11"],
  "mainline-6.1": [],
  "mainline-6.12": [],
  "mainline-7.3": [],
  "range-retry": [],
  "range-retry-fixed": [],
  "end-validating": ["P1", "P2", "P3", "P4"],
  "pfncache-2": ["P1", "P2", "P3", "P4", "P9"],
  "needs-invalidation-v2": ["P1", "P2", "P3", "P4"],
  "needs-invalidation-v3-1": [],
  "needs-invalidation-v3-2": ["P10"],
  "needs-invalidation-v3-3": ["P11"],
  "needs-invalidation-v3-4": ["P1", "P2", "P3", "P4"],
  "range-spin": [],
  "flag-wait": [],
  "exact-ranges": []
}

describe("the torture", () => {
  for (const policy of POLICIES) {
    const expected = EXPECTED[policy.name]
    const title = expected === undefined || expected.length === 0
      ? "finds nothing"
      : `violates ${expected.join(" or ")}`
    it.effect(`under ${policy.name} ${title}`, () =>
      Effect.gen(function*() {
        const header = runHeader(torture, policy, { knobs: { writes: 400 } })
        const log = yield* memory(eventCodec)
        const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
        const outcome = yield* machine.run
        const { counts } = yield* fold(violations, log.read())
        assert.isDefined(expected, "a new policy needs its verdict here")
        if (expected!.length === 0) {
          assert.deepStrictEqual([...counts.keys()], [])
          assert.strictEqual(outcome.ended, "done")
          assert.deepStrictEqual(Machine.foreignWords(machine.state), [])
        } else {
          assert.isTrue([...counts.keys()].some((id) => expected!.includes(id)), [...counts.keys()].join(" "))
        }
      }))
  }
})
