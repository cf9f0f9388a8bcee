/**
 * The golden verdicts: which properties each policy violates in each of six scenarios, found by random schedules.
 *
 * A violation that is found is certain; that nothing else is found is not a proof, which is the checker's to give.
 */
import { assert, describe, it } from "@effect/vitest"
import type { PropertyId } from "./event.ts"
import { execute } from "./execute.ts"
import { LOW, PAGE, read, refresh, thread, U, world } from "./interleaving.ts"
import { POLICIES } from "./policies/index.ts"
import type { Policy } from "./policy.ts"
import { programOf } from "./program.ts"
import { randomRun, seeded } from "./random.ts"
import type { Outcome } from "./random.ts"
import { initialState } from "./state.ts"
import type { World } from "./world.ts"

const RUNS = 3000

const invalidate = (name: string, hva: number) =>
  thread(name, { _tag: "madvise", start: hva, end: hva + PAGE, free: "either" })

const refresher = thread("vcpu/0", refresh)
const reader = thread("vcpu/1", read)
const ofU = invalidate("mm/0", U)
const ofLow = invalidate("mm/1", LOW)
const toucher = thread("mm/1", { _tag: "touch", hva: U })

const SCENARIOS: ReadonlyArray<World> = [
  world([refresher, reader, ofU], { gpc: "active" }),
  world([refresher, reader, ofU], { gpc: "active", memory: "heap" }),
  world([refresher, reader, ofU]),
  world([reader, ofU, toucher], { gpc: "valid" }),
  world([refresher, reader, ofU, ofLow]),
  world([refresher, reader, ofU, ofLow], { memory: "heap" })
]

const atEnd = ["P1 P2 P3 P4 P5", "P1 P2 P3 P4 P5", "P1 P2 P3 P4", "P1 P2 P3", "P1 P2 P3 P4", "P1 P2 P3 P4"]
const noSequence = ["", "P1 P2 P5", "", "", "", "P1 P2 P5"]
const clean = ["", "", "", "", "", ""]

/** What is violated in s1 to s6. An access to a freed page is none to the page that is mapped: P1 brings P2. */
const VERDICTS: { readonly [policy: string]: ReadonlyArray<string> } = {
  "mainline-5.17": [
    "P1 P2 P3 P4 P5 P11",
    "P1 P2 P3 P4 P5 P11",
    "P1 P2 P3 P4 P5 P11",
    "",
    "P1 P2 P3 P4 P5 P11",
    "P1 P2 P3 P4 P5 P11"
  ],
  "mainline-6.1": noSequence,
  "mainline-6.12": noSequence,
  "mainline-7.3": clean,
  "range-retry": noSequence,
  "range-retry-fixed": noSequence,
  "end-validating": atEnd,
  "pfncache-2": atEnd.map((found, scenario) => scenario === 3 ? found : `${found} P9`),
  "needs-invalidation-v2": atEnd,
  "needs-invalidation-v3-1": noSequence,
  "needs-invalidation-v3-2": ["P1 P2 P3 P4 P5 P10", "P1 P2 P3 P4 P5 P10", "P10", "", "P10", "P10"],
  "needs-invalidation-v3-3": [
    "P1 P2 P3 P4 P5 P11",
    "P1 P2 P3 P4 P5 P11",
    "P1 P2 P5 P11",
    "",
    "P1 P2 P5 P11",
    "P1 P2 P5 P11"
  ],
  "needs-invalidation-v3-4": atEnd,
  "range-spin": noSequence,
  "flag-wait": clean,
  "exact-ranges": clean
}

const byNumber = (a: string, b: string) => Number(a.slice(1)) - Number(b.slice(1))

const play = (world: World, policy: Policy) => {
  const found = new Set<PropertyId>()
  const outcomes = new Set<Outcome>()
  const state = initialState(world)
  const start = state.cells.slice()
  const executor = execute(state, { event: () => {}, violated: (property) => found.add(property) })
  const program = programOf(policy)
  const random = seeded(1)
  for (let run = 0; run < RUNS; run++) {
    state.cells.set(start)
    outcomes.add(randomRun(state, program, random, executor.step, 1000))
  }
  return { found: [...found].sort(byNumber).join(" "), outcomes }
}

describe.each(POLICIES)("$name", (policy) => {
  const rows = SCENARIOS.map((world, i) => ({ name: `s${i + 1}`, world, expected: VERDICTS[policy.name][i] }))
  it.each(rows)("in $name: $expected", ({ expected, world }) => {
    const { found, outcomes } = play(world, policy)
    assert.strictEqual(found, expected)
    assert.strictEqual(outcomes.has("stuck"), /P9|P10/.test(expected), "a thread that can never go on")
    assert.isFalse(outcomes.has("endless"))
  })
})
