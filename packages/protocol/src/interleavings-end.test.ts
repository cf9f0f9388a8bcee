/** Sections C and D: the patches of August 2024 that invalidate at range_end, and the flag of v3. */
import { assert, describe, it } from "@effect/vitest"
import {
  forever,
  HIGH,
  LOW,
  madvise,
  PAGE,
  read,
  refresh,
  ROUNDS,
  stage,
  starvation,
  thread,
  U,
  world
} from "./interleaving.ts"
import { endValidating } from "./policies/end-validating.ts"
import { exactRanges } from "./policies/exact-ranges.ts"
import { flagWait } from "./policies/flag-wait.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"
import { needsInvalidationV2 } from "./policies/needs-invalidation-v2.ts"
import { needsInvalidationV32 } from "./policies/needs-invalidation-v3-2.ts"
import { needsInvalidationV33 } from "./policies/needs-invalidation-v3-3.ts"
import { needsInvalidationV34 } from "./policies/needs-invalidation-v3-4.ts"
import { pfncache2 } from "./policies/pfncache-2.ts"
import type { Policy } from "./policy.ts"

const USE_AFTER_FREE = ["P1 at KhvaAccessed", "P2 at KhvaAccessed"]

const refresher = thread("vcpu/0", refresh)
const reader = thread("vcpu/1", read)
const invalidator = thread("mm/0", madvise(U))
const waiting = [pfncache2, needsInvalidationV2, needsInvalidationV34]

const playI18 = (policy: Policy) => {
  const s = stage(world([invalidator, reader], { gpc: "valid" }), policy)
  s.run("mm/0 to end.mmu", "vcpu/1 done", "mm/0 done")
  return s
}

describe("I-18: a valid cache between start and end", () => {
  it.each([endValidating, ...waiting])("$name violates P3 and P1: it stays valid while its page is freed", (policy) => {
    const s = playI18(policy)
    assert.deepStrictEqual(s.violated(), ["P3 at StartReturned", ...USE_AFTER_FREE])
    assert.isBelow(s.trail().indexOf("PageFreed"), s.trail().indexOf("KhvaAccessed"))
    assert.isBelow(s.trail().indexOf("KhvaAccessed"), s.trail().indexOf("EndCalled"))
    assert.strictEqual(s.state.gpcs[0].valid, 0, "too late")
  })

  it.each([mainline612, flagWait])("$name holds: the reader finds it invalid", (policy) => {
    const s = playI18(policy)
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("Checked").map((event) => event.ok), [false])
  })
})

describe("I-19: a mapping made between start and the change of the entry", () => {
  it("end-validating violates P4 and then P1", () => {
    const s = stage(world([refresher, invalidator, reader]), endValidating)
    s.run("mm/0 to change", "vcpu/0 done", "mm/0 to end.mmu", "vcpu/1 done", "mm/0 done")
    assert.deepStrictEqual(s.violated(), ["P4 at Published", ...USE_AFTER_FREE])
    assert.strictEqual(s.state.gpcs[0].valid, 0)
  })

  it.each([flagWait, exactRanges])("$name holds: it sleeps until end", (policy) => {
    const s = stage(world([refresher, invalidator, reader]), policy)
    s.run("mm/0 to change", "vcpu/0 blocked at retry.sleep", "mm/0 done", "vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("Woken").map((event) => event.sleeper), [0])
  })
})

const playI20 = (policy: Policy) => {
  const unrelated = thread("mm/1", madvise(HIGH))
  const s = stage(world([refresher, invalidator, reader, unrelated], { gpc: "active" }), policy)
  s.run("vcpu/0 to retry.relock", "mm/0 done", "vcpu/0 done", "mm/1 done", "vcpu/1 done")
  return s
}

describe("I-20: a first map, whose error pfn hides the cache from the walk", () => {
  it.each([endValidating, ...waiting])("$name violates P5 for good, and P1", (policy) => {
    const s = playI20(policy)
    assert.deepStrictEqual(s.violated(), ["P5 at Published", "P5 at EndReturned", ...USE_AFTER_FREE])
    assert.deepStrictEqual(s.seen("GpcInvalidated"), [])
    assert.strictEqual(s.state.gpcs[0].valid, 1)
  })

  it.each([endValidating, ...waiting])("$name would retry if its walk ignored the pfn", (policy) => {
    const s = playI20({ ...policy, hit: { on: "flag", pfn: "ignored" } })
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["flag"])
  })
})

const playI21 = (policy: Policy) => {
  const slots = thread("slots/0", { _tag: "set_memslot", slot: 2, hva: HIGH })
  const s = stage(world([thread("mm/0", madvise(U, "after-end")), slots], { gpc: "valid" }), policy)
  s.run("mm/0 to end.gpc_lock")
  return s
}

describe("I-21: the count is 0 and the walk has not begun", () => {
  it("end-validating: whoever sees the count at 0 goes on with a stale cache", () => {
    const s = playI21(endValidating)
    s.run("slots/0 done")
    assert.strictEqual(s.state.kvm.count, 0)
    assert.strictEqual(s.state.gpcs[0].valid, 1)
    assert.notStrictEqual(s.state.gpcs[0].pfn, s.state.mmu.pfn(1))
    assert.strictEqual(s.seen("MemslotsSwapped").length, 1)
  })

  it.each(waiting)("$name: the count stays up until the walk is over", (policy) => {
    const s = playI21(policy)
    s.run("slots/0 blocked at swap.sleep", "mm/0 to end.count")
    assert.deepStrictEqual([s.state.kvm.count, s.state.gpcs[0].valid], [1, 0])
    assert.deepStrictEqual(s.seen("MemslotsSwapped"), [])
    s.run("mm/0 done", "slots/0 done")
    assert.strictEqual(s.seen("MemslotsSwapped").length, 1)
  })
})

const playI22 = (policy: Policy) => {
  const zap = thread("mm/0", madvise(U, "after-end"))
  const s = stage(world([zap, thread("mm/1", { _tag: "touch", hva: U }), reader], { gpc: "valid" }), policy)
  s.run("mm/0 to end.mmu", "mm/1 done", "vcpu/1 done")
  assert.deepStrictEqual(s.seen("PageFreed"), [])
  s.run("mm/0 done")
  return s
}

describe("I-22: another page is faulted in before end, and none is freed", () => {
  it.each([endValidating, ...waiting])("$name violates P2: the write goes to the page that was there", (policy) => {
    const s = playI22(policy)
    assert.deepStrictEqual(s.violated(), ["P3 at StartReturned", "P2 at KhvaAccessed"])
    assert.notStrictEqual(s.seen("KhvaAccessed")[0].pfn, s.seen("PageFaulted")[0].pfn)
    assert.strictEqual(s.state.gpcs[0].valid, 0)
  })

  it.each([mainline612, flagWait])("$name holds", (policy) => {
    assert.deepStrictEqual(playI22(policy).violated(), [])
  })
})

describe("I-23: the wait is over, then start, then the mapping is published", () => {
  it.each(waiting)("$name violates P4 and then P1: the look and the publish are not one section", (policy) => {
    const s = stage(world([refresher, invalidator, reader]), policy)
    s.run("vcpu/0 to retry.relock")
    assert.deepStrictEqual(s.seen("Waited").map((event) => event.pending), [false])
    s.run("mm/0 to change", "vcpu/0 done", "mm/0 to end.mmu", "vcpu/1 done", "mm/0 done")
    assert.deepStrictEqual(s.violated(), ["P4 at Published", ...USE_AFTER_FREE])
    assert.strictEqual(s.state.gpcs[0].valid, 0)
  })

  it.each([flagWait, exactRanges])("$name holds: start has cleared its flag", (policy) => {
    const s = stage(world([refresher, invalidator, reader]), policy)
    s.run("vcpu/0 to retry.relock", "mm/0 to change", "vcpu/0 blocked at retry.sleep", "mm/0 done", "vcpu/0 done")
    s.run("vcpu/1 done")
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["flag"])
    assert.deepStrictEqual(s.violated(), [])
  })
})

const playI24 = (policy: Policy) => {
  const s = stage(world([refresher, invalidator]), policy)
  s.run("mm/0 to change", "vcpu/0 blocked at retry.sleep", "mm/0 done")
  return s
}

describe("I-24: a waiter that was never put on the queue", () => {
  it("pfncache-2 violates P9: it sleeps for ever, and holds refresh_lock and kvm->srcu", () => {
    const s = playI24(pfncache2)
    s.run("vcpu/0 blocked at retry.sleep")
    assert.deepStrictEqual(s.violated(), ["P9 at EndReturned"])
    assert.deepStrictEqual(s.seen("Woken"), [])
    assert.strictEqual(s.state.kvm.count, 0)
    assert.deepStrictEqual([s.state.gpcs[0].refreshLock, s.state.kvm.srcuReaders(0)], [1, 1])
  })

  it.each([needsInvalidationV2, needsInvalidationV34])("$name holds: it is queued, and woken", (policy) => {
    const s = playI24(policy)
    s.run("vcpu/0 done")
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("Woken").map((event) => event.sleeper), [0])
  })
})

const playI25 = (policy: Policy, before: "swap" | "refresh") => {
  const others = [forever("mm/1", madvise(LOW)), forever("mm/2", madvise(LOW))]
  const slots = thread("slots/0", { _tag: "set_memslot", slot: 0, hva: U })
  const threads = [refresher, thread("mm/0", madvise(U)), ...others, slots]
  const s = stage(world(threads, { memory: "heap-around" }), policy)
  if (before === "swap") s.run("vcpu/0 to refresh.lock", "slots/0 blocked at swap.drain")
  s.run("mm/0 to change", "mm/1 to change", "mm/0 done")
  return s
}

describe("I-25: asleep for the whole storm, and the memslots with it", () => {
  const storm = ["mm/2 to change", "mm/1 to idle", "mm/1 to change", "mm/2 to idle"] as const
  it.each(waiting)("$name violates P7: nothing covers it, and an update of the memslots cannot begin", (policy) => {
    const s = playI25(policy, "refresh")
    s.run("vcpu/0 blocked at retry.sleep", "slots/0 blocked at swap.sleep")
    assert.strictEqual(starvation(s, ...storm), ROUNDS)
    s.run("vcpu/0 blocked at retry.sleep", "slots/0 blocked at swap.sleep")
    assert.deepStrictEqual(s.seen("MemslotsSwapped"), [])
  })

  it.each([...waiting, flagWait])("$name violates P7: an update that has begun waits for it", (policy) => {
    const s = playI25(policy, "swap")
    assert.strictEqual(starvation(s, ...storm), ROUNDS)
    s.run("vcpu/0 blocked at retry.sleep", "slots/0 blocked at swap.drain")
  })

  it("exact-ranges finishes in the first round, and the update after it", () => {
    const s = playI25(exactRanges, "swap")
    assert.strictEqual(starvation(s, ...storm), 0)
    s.run("vcpu/0 done", "slots/0 done")
    assert.deepStrictEqual(s.violated(), [])
  })
})

describe("I-26: the inner continue of v3 2/5", () => {
  it("needs-invalidation-v3-2 violates P10: it takes gpc->lock twice", () => {
    const s = stage(world([refresher, invalidator]), needsInvalidationV32)
    s.run("mm/0 to change", "vcpu/0 to retry.relock_inner", "vcpu/0 to retry.wait")
    s.run("vcpu/0 blocked at retry.relock_inner", "mm/0 done", "vcpu/0 blocked at retry.relock_inner")
    assert.deepStrictEqual(s.violated(), ["P10 at Waited"])
    assert.strictEqual(s.state.gpcs[0].writer, 1)
  })

  it("needs-invalidation-v3-2 violates P10 as well if the invalidation ends in between: it looks up with the lock held", () => {
    const s = stage(world([refresher, invalidator]), needsInvalidationV32)
    s.run("mm/0 to change", "vcpu/0 to retry.relock_inner", "vcpu/0 to retry.wait", "mm/0 done")
    s.run("vcpu/0 blocked at retry.relock")
    assert.strictEqual(s.seen("PfnResolved").length, 1)
    assert.deepStrictEqual(s.violated(), ["P10 at Mapped"])
  })

  it("needs-invalidation-v3-2 violates P10 in a lookup that copies: its own walk waits for its lock", () => {
    const forker = thread("mm/1", { _tag: "fork", start: U, end: U + PAGE })
    const s = stage(world([refresher, forker]), needsInvalidationV32)
    s.run("mm/1 to end.mmu", "vcpu/0 to retry.relock_inner", "vcpu/0 to retry.wait", "mm/1 done")
    s.run("vcpu/0 blocked at start.visit")
    assert.deepStrictEqual(s.violated(), ["P10 at Locked"])
  })

  it("with nothing in flight it does not meet it", () => {
    const s = stage(world([refresher, invalidator]), needsInvalidationV32)
    s.run("vcpu/0 done", "mm/0 done")
    assert.deepStrictEqual(s.violated(), [])
  })
})

const playI27 = (policy: Policy) => {
  const s = stage(world([refresher, invalidator, reader]), policy)
  s.run("mm/0 to change", "vcpu/0 blocked at retry.sleep", "mm/0 done", "vcpu/0 done", "vcpu/1 done")
  return s
}

describe("I-27: the outer continue of v3 3/5", () => {
  it("needs-invalidation-v3-3 violates P11: it publishes without a mapping, and returns 0", () => {
    const s = playI27(needsInvalidationV33)
    assert.deepStrictEqual(s.seen("PfnResolved"), [])
    assert.deepStrictEqual(s.seen("Published").map((event) => event.pfn), [-1])
    assert.deepStrictEqual(s.seen("RefreshReturned").map((event) => event.ret), [0])
    assert.deepStrictEqual(s.violated(), [
      "P11 at Published",
      "P5 at Published",
      "P11 at Checked",
      "P11 at KhvaAccessed"
    ])
  })

  it("needs-invalidation-v3-3 sleeps again if something is pending when it wakes, and only then continues", () => {
    const s = stage(
      world([refresher, invalidator, thread("mm/1", madvise(U))], { gpc: "active" }),
      needsInvalidationV33
    )
    s.run("mm/0 to change", "vcpu/0 blocked at retry.sleep", "mm/0 done", "mm/1 to change")
    s.run("vcpu/0 once", "vcpu/0 blocked at retry.sleep", "mm/1 done", "vcpu/0 done")
    assert.deepStrictEqual(s.seen("Waited").map((event) => event.pending), [true, true, false])
    assert.deepStrictEqual(s.seen("PfnResolved"), [])
  })

  it("needs-invalidation-v3-3 publishes the last lap's page in a second lap: the wait comes before the put", () => {
    const s = stage(world([refresher, invalidator, reader]), needsInvalidationV33)
    s.run("vcpu/0 to retry.map", "mm/0 to change", "vcpu/0 blocked at retry.sleep", "mm/0 done")
    s.run("vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.seen("Published").map((event) => event.pfn), s.seen("PfnResolved").map(({ pfn }) => pfn))
    assert.deepStrictEqual(s.violated(), ["P5 at Published", ...USE_AFTER_FREE])
  })

  it("a continue that looks again holds", () => {
    const { wait } = needsInvalidationV33
    const s = playI27({ ...needsInvalidationV33, wait: { ...wait, afterwards: "lookup" } })
    assert.deepStrictEqual(s.violated(), [])
  })
})

const playI28 = (policy: Policy) => {
  const s = stage(world([refresher, invalidator, reader], { gpc: "active" }), policy)
  s.run("vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done", "vcpu/1 done")
  return s
}

describe("I-28: the error pfn hides a first map from the walk at start", () => {
  it.each([needsInvalidationV32, needsInvalidationV33])("$name violates P5 for good, and P1", (policy) => {
    const s = playI28(policy)
    assert.deepStrictEqual(s.violated(), ["P5 at Published", ...USE_AFTER_FREE])
    assert.deepStrictEqual(s.seen("GpcInvalidated"), [])
  })

  it("flag-wait holds: its walk ignores the pfn", () => {
    const s = playI28(flagWait)
    assert.deepStrictEqual(s.violated(), [])
    assert.strictEqual(s.seen("GpcInvalidated").length, 1)
  })
})
