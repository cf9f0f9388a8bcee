/** Section E: the counter-proposal of October 2024, and the repaired protocol. */
import { assert, describe, it } from "@effect/vitest"
import { forever, HIGH, madvise, read, refresh, stage, starvation, thread, U, world } from "./interleaving.ts"
import type { Row } from "./interleaving.ts"
import { exactRanges } from "./policies/exact-ranges.ts"
import { flagWait } from "./policies/flag-wait.ts"
import { rangeSpin } from "./policies/range-spin.ts"
import type { Policy } from "./policy.ts"

const refresher = thread("vcpu/0", refresh)
const reader = thread("vcpu/1", read)
const invalidator = thread("mm/0", madvise(U))

const playI29 = (order: string, policy: Policy) => {
  const s = stage(world([refresher, invalidator]), policy)
  s.run("vcpu/0 to retry.relock", "mm/0 to start.count")
  const rows: { readonly [who: string]: Array<Row> } = {
    v: ["vcpu/0 to retry.count", "vcpu/0 once"],
    m: ["mm/0 to start.visit", "mm/0 once"]
  }
  for (const who of order) s.run(rows[who].shift()!)
  const retries = s.seen("RetryTested").some((event) => event.met)
  const found = s.seen("GpcVisited").some((event) => event.hit)
  // Whoever does not wait goes first: a walk that has found the cache waits for gpc->lock.
  if (!found) s.run("mm/0 to change")
  if (retries) s.run("vcpu/0 to retry.put")
  else s.run("vcpu/0 done")
  s.run("mm/0 done", "vcpu/0 done")
  return { s, retries, found }
}

describe("I-29: store buffering, as far as sequential consistency goes (the barriers are assumed)", () => {
  /** valid=1, then the test; against count++ with the hull, then the unlocked look: every order of the four. */
  const orders = ["vvmm", "vmvm", "vmmv", "mvvm", "mvmv", "mmvv"]
  it.each(orders)("range-spin holds P4 in order %s: one of them sees the other", (order) => {
    const { found, retries, s } = playI29(order, rangeSpin)
    assert.isTrue(retries || found)
    assert.deepStrictEqual(s.violated(), [])
    assert.strictEqual(s.state.gpcs[0].valid, retries ? 1 : 0)
    if (retries) assert.isBelow(s.trail().indexOf("RetryDecided"), s.trail().lastIndexOf("ValidCleared"))
  })

  it("in two orders only one of them sees the other, so that both sides are needed", () => {
    assert.deepInclude(playI29("vvmm", rangeSpin), { retries: false, found: true })
    assert.deepInclude(playI29("mmvv", rangeSpin), { retries: true, found: false })
  })

  it("with the store delayed past the test, as without a barrier, it violates P4", () => {
    const { found, retries, s } = playI29("vvmm", { ...rangeSpin, publish: "after-tests" })
    assert.deepEqual([retries, found], [false, false])
    assert.deepStrictEqual(s.violated(), ["P4 at Published", "P5 at EndReturned"])
  })
})

const playI30 = (policy: Policy) => {
  const s = stage(world([refresher, invalidator, reader], { memory: "heap" }), policy)
  s.run("vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done", "vcpu/1 done")
  return s
}

describe("I-30: a whole invalidation in the window, memory that no memslot covers", () => {
  it("range-spin violates P5 and P1", () => {
    assert.deepStrictEqual(playI30(rangeSpin).violated(), [
      "P5 at Published",
      "P1 at KhvaAccessed",
      "P2 at KhvaAccessed"
    ])
  })

  it("with the caches' own sequence it holds", () => {
    const s = playI30({ ...rangeSpin, snapshot: { of: "gpc_invalidate_seq", when: "before-lookup" } })
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["seq"])
  })

  it.each([flagWait, exactRanges])("$name holds: its flag was cleared", (policy) => {
    const s = playI30(policy)
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["flag"])
  })
})

describe.each([flagWait, exactRanges])("I-31: $name", (policy) => {
  it("holds P1 to P5 with the page invalidated in its window: a full lap, with a new wait", () => {
    const s = stage(world([refresher, invalidator, reader], { gpc: "active" }), policy)
    s.run("vcpu/0 to retry.relock", "mm/0 to change", "vcpu/0 to retry.wait", "vcpu/0 blocked at retry.sleep")
    s.run("mm/0 done", "vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["flag"])
    assert.strictEqual(s.seen("FlagSet").length, 2)
    assert.deepStrictEqual(s.seen("Published").map((event) => event.pfn), [s.state.mmu.pfn(1)])
  })

  it("violates P5 if its walk looks at the pfn", () => {
    const s = stage(world([refresher, invalidator], { gpc: "active" }), {
      ...policy,
      hit: { on: "flag", pfn: "required" }
    })
    s.run("vcpu/0 to retry.relock", "mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual(s.violated(), ["P5 at Published"])
  })

  it("does no lap for unrelated ranges, in a memslot or not, before or after the lookup", () => {
    for (const memory of ["slots", "heap-around"] as const) {
      const s = stage(world([refresher, forever("mm/0", madvise(HIGH))], { memory }), policy)
      s.run("mm/0 to change")
      assert.strictEqual(starvation(s, "mm/0 to idle", "mm/0 to change", "mm/0 to idle"), 0)
      assert.deepStrictEqual(s.seen("RetryDecided"), [])
    }
  })
})
