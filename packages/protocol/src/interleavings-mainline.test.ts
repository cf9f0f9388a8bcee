/** Section A: Linux 6.1, 6.12 and 7.3. */
import { assert, describe, it } from "@effect/vitest"
import {
  changed,
  forever,
  guest,
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
import { L } from "./label.ts"
import { endValidating } from "./policies/end-validating.ts"
import { exactRanges } from "./policies/exact-ranges.ts"
import { flagWait } from "./policies/flag-wait.ts"
import { mainline61 } from "./policies/mainline-6.1.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"
import { mainline73 } from "./policies/mainline-7.3.ts"
import { needsInvalidationV31 } from "./policies/needs-invalidation-v3-1.ts"
import { rangeRetryFixed } from "./policies/range-retry-fixed.ts"
import { rangeRetry } from "./policies/range-retry.ts"
import { rangeSpin } from "./policies/range-spin.ts"
import type { Policy } from "./policy.ts"
import type { Program } from "./step.ts"

const USE_AFTER_FREE = ["P1 at KhvaAccessed", "P2 at KhvaAccessed"]

const refresher = thread("vcpu/0", refresh)
const reader = thread("vcpu/1", read)
const invalidator = thread("mm/0", madvise(U))

const playI01 = (policy: Policy) => {
  const s = stage(world([refresher, invalidator, reader], { gpc: "active" }), policy)
  s.run("vcpu/0 to retry.map", "mm/0 done")
  assert.deepStrictEqual(s.seen("PageFreed"), [], "the lookup's reference keeps the page")
  s.run("vcpu/0 done", "vcpu/1 done")
  return s
}

describe("I-01: a whole invalidation in the refresh's unlocked window, memory in a memslot", () => {
  it("6.12 holds P1 and P5: the sequence has moved, the old page is put and never published", () => {
    const s = playI01(mainline612)
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("RetryDecided").map((event) => event.reason), ["seq"])
    const [old, now] = s.seen("PfnResolved").map((event) => event.pfn)
    assert.deepStrictEqual(s.seen("PageFreed").map((event) => event.pfn), [old])
    assert.deepStrictEqual(s.seen("Published").map((event) => event.pfn), [now])
    assert.isBelow(s.trail().indexOf("PageFreed"), s.trail().indexOf("Published"))
  })

  it("without the sequence test it violates P5 and P1", () => {
    assert.deepStrictEqual(playI01({ ...mainline612, retry: ["count"] }).violated(), [
      "P5 at Published",
      ...USE_AFTER_FREE
    ])
  })
})

describe("I-02: a lookup between start and the change of the entry", () => {
  it("6.12 holds P4: the count makes it retry until end", () => {
    const s = stage(world([refresher, invalidator, reader]), mainline612)
    s.run("mm/0 to change", "vcpu/0 to retry.decide", "vcpu/0 to retry.relock", "mm/0 to end.count", "vcpu/0 to gup")
    s.run("mm/0 done", "vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(
      s.seen("RetryDecided").map(({ covering, reason }) => [reason, covering]),
      [["count", 1], ["count", 1]]
    )
    assert.strictEqual(s.state.gpcs[0].pfn, s.state.mmu.pfn(1))
    assert.strictEqual(s.state.kvm.count, 0)
  })

  it("without the count test it violates P4 and P1", () => {
    const s = stage(world([refresher, invalidator, reader]), { ...mainline612, retry: ["seq"] })
    s.run("mm/0 to change", "vcpu/0 done", "mm/0 to end.mmu", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), ["P4 at Published", ...USE_AFTER_FREE])
  })
})

describe("I-03: an invalidation that the refresh reads too early to see", () => {
  it("6.12 holds P3: the walk waits for gpc->lock and finds the mapping", () => {
    const s = stage(world([refresher, invalidator]), mainline612)
    s.run("vcpu/0 to retry.decide", "mm/0 blocked at start.visit")
    assert.strictEqual(s.state.kvm.count, 1)
    s.run("vcpu/0 done")
    assert.strictEqual(s.state.gpcs[0].valid, 1)
    s.run("mm/0 to start.mmu")
    assert.strictEqual(s.state.gpcs[0].valid, 0)
    s.run("mm/0 done")
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("RetryDecided"), [])
    assert.isBelow(s.trail().indexOf("GpcInvalidated"), s.trail().indexOf("PteChanged"))
  })

  it("with a walk that does not wait for gpc->lock it violates P4", () => {
    const s = stage(world([refresher, invalidator]), changed(mainline612, "start.visit", { guard: () => true }))
    s.run("vcpu/0 to retry.decide", "mm/0 to change", "vcpu/0 done")
    assert.deepStrictEqual(s.violated(), ["P4 at Published"])
  })
})

describe("I-04: a reader inside while its page is invalidated", () => {
  const atStart = [
    mainline61,
    mainline612,
    mainline73,
    rangeRetry,
    rangeRetryFixed,
    rangeSpin,
    needsInvalidationV31,
    flagWait,
    exactRanges
  ]
  it.each(atStart)("$name holds P3: start waits until the reader has left", (policy) => {
    const s = stage(world([invalidator, reader], { gpc: "valid" }), policy)
    const wait = policy.startWalk.look === "write" ? "start.visit" : "start.invalidate"
    s.run("vcpu/1 to use.access", `mm/0 blocked at ${wait}`, "vcpu/1 to use.leave", `mm/0 blocked at ${wait}`)
    s.run("vcpu/1 done", "mm/0 done")
    assert.deepStrictEqual(s.violated(), [])
    assert.isBelow(s.trail().indexOf("ReaderLeft"), s.trail().indexOf("GpcInvalidated"))
    assert.isBelow(s.trail().indexOf("GpcInvalidated"), s.trail().indexOf("StartReturned"))
    assert.strictEqual(s.state.gpcs[0].valid, 0)
  })

  it("end-validating violates P3: start returns with the reader inside", () => {
    const s = stage(world([invalidator, reader], { gpc: "valid" }), endValidating)
    s.run("vcpu/1 to use.access", "mm/0 to end.mmu", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), ["P3 at StartReturned", ...USE_AFTER_FREE])
  })

  it("with a walk that does not wait for readers it violates P3", () => {
    const hasty = changed(mainline612, "start.invalidate", { guard: () => true })
    const s = stage(world([invalidator, reader], { gpc: "valid" }), hasty)
    s.run("vcpu/1 to use.access", "mm/0 to end.mmu", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), ["P3 at StartReturned", ...USE_AFTER_FREE])
  })
})

const playI05 = (policy: Policy) => {
  const heap = [forever("mm/0", madvise(LOW)), forever("mm/1", madvise(HIGH))]
  const s = stage(world([refresher, ...heap], { memory: "heap-around" }), policy)
  s.run("mm/0 to change")
  const rounds = starvation(s, "mm/1 to change", "mm/0 to idle", "mm/0 to change", "mm/1 to idle")
  return { s, rounds }
}

describe("I-05: two threads that free heap far from the cache, one always in flight", () => {
  it.each([mainline61, mainline612, mainline73])("$name violates P6: each round costs a lap", (policy) => {
    const { rounds, s } = playI05(policy)
    assert.strictEqual(rounds, ROUNDS)
    const laps = s.seen("RetryDecided")
    assert.strictEqual(laps.length, ROUNDS)
    assert.isTrue(laps.every((lap) => lap.reason === "count" && lap.inFlight > 0 && lap.covering === 0))
    assert.strictEqual(s.seen("PfnResolved").length, ROUNDS)
    assert.deepStrictEqual(s.violated(), [])
  })

  it.each([exactRanges, endValidating])("$name finishes in the first round", (policy) => {
    const { rounds, s } = playI05(policy)
    assert.strictEqual(rounds, 0)
    assert.deepStrictEqual(s.seen("RetryDecided"), [])
  })

  it.each([rangeRetryFixed, flagWait])("$name finishes in the first round when both are on one side", (policy) => {
    const heap = [forever("mm/0", madvise(HIGH)), forever("mm/1", madvise(HIGH))]
    const s = stage(world([refresher, ...heap], { memory: "heap-around" }), policy)
    s.run("mm/0 to change")
    assert.strictEqual(starvation(s, "mm/1 to change", "mm/0 to idle", "mm/0 to change", "mm/1 to idle"), 0)
    assert.deepStrictEqual(s.seen("RetryDecided"), [])
  })
})

const playI06 = (policy: Policy) => {
  const again = thread("mm/1", madvise(U))
  const s = stage(world([refresher, invalidator, reader, again], { memory: "heap", gpc: "active" }), policy)
  s.run("vcpu/0 to retry.map", "mm/0 done")
  assert.deepStrictEqual(s.seen("SeqBumped"), [])
  s.run("vcpu/0 done", "vcpu/1 done")
  return s
}

describe("I-06, I-07: a whole invalidation in the window, memory that no memslot covers", () => {
  it.each([mainline61, mainline612])("$name violates P1 and P5: nothing has moved", (policy) => {
    const s = playI06(policy)
    assert.deepStrictEqual(s.violated(), ["P5 at Published", ...USE_AFTER_FREE])
    const { pfn } = s.seen("Published")[0]
    assert.deepStrictEqual(s.seen("PageFreed").map((event) => event.pfn), [pfn], "freed while it is published")
    assert.isAbove(s.trail().indexOf("PageFreed"), s.trail().indexOf("Published"))
    assert.strictEqual(s.state.gpcs[0].valid, 1)
    s.run("mm/1 done")
    assert.strictEqual(s.state.gpcs[0].valid, 0, "until the next invalidation of the page")
  })

  it("6.12 violates P2 alone while the gather still holds the page", () => {
    const zap = thread("mm/0", madvise(U, "after-end"))
    const s = stage(world([refresher, zap, reader], { memory: "heap", gpc: "active" }), mainline612)
    s.run("vcpu/0 to retry.map", "mm/0 to finish", "vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), ["P5 at Published", "P2 at KhvaAccessed"])
  })

  it("7.3 holds: every end moves the caches' own sequence", () => {
    const s = playI06(mainline73)
    assert.deepStrictEqual(s.violated(), [])
    assert.deepStrictEqual(s.seen("RetryDecided").map((event) => event.reason), ["seq"])
    assert.deepStrictEqual(s.seen("GpcSeqBumped").map((event) => event.seq), [1])
    assert.isBelow(s.trail().indexOf("GpcSeqBumped"), s.trail().indexOf("CountDecremented"))
  })
})

const playI08 = (policy: Policy) => {
  const s = stage(world([refresher, forever("mm/0", madvise(LOW))], { memory: "heap-around" }), policy)
  return { s, rounds: starvation(s, "mm/0 to change", "mm/0 to idle") }
}

describe("I-08: a short heap invalidation in every window", () => {
  it("7.3 violates P6: each round costs a lap, though nothing is in flight", () => {
    const { rounds, s } = playI08(mainline73)
    assert.strictEqual(rounds, ROUNDS)
    const laps = s.seen("RetryDecided")
    assert.strictEqual(laps.length, ROUNDS)
    assert.isTrue(laps.every((lap) => lap.reason === "seq" && lap.inFlight === 0 && lap.covering === 0))
  })

  it.each([mainline612, rangeRetryFixed, flagWait, exactRanges])("$name finishes in the first round", (policy) => {
    const { rounds, s } = playI08(policy)
    assert.strictEqual(rounds, 0)
    assert.deepStrictEqual(s.seen("RetryDecided"), [])
  })
})

describe("I-09: an invalidation of the cache between every refresh and the check that follows it", () => {
  it.each([mainline612, mainline73, flagWait, exactRanges])("$name: its user never gets to use it", (policy) => {
    const user = thread("vcpu/0", { _tag: "gpc_use", gpc: 0 })
    const s = stage(world([user, forever("mm/0", madvise(U))]), policy)
    s.run("vcpu/0 to refresh.lock")
    for (let round = 0; round < ROUNDS; round++) s.run("vcpu/0 to use.enter", "mm/0 to change", "mm/0 to idle")
    assert.deepStrictEqual(s.seen("RefreshReturned").map((event) => event.ret), Array(ROUNDS).fill(0))
    assert.isTrue(s.seen("Checked").every((event) => !event.ok))
    assert.deepStrictEqual([s.seen("RetryDecided"), s.seen("KhvaAccessed")], [[], []])
    s.run("vcpu/0 done")
    assert.strictEqual(s.seen("KhvaAccessed").length, 1, "as soon as it stops")
    assert.deepStrictEqual(s.violated(), [])
  })
})

const forkedI10 = () => {
  const fork = thread("mm/0", { _tag: "fork", start: U, end: U + PAGE })
  return world([refresher, fork, reader])
}

describe("I-10: the refresh's own lookup copies the page, and so invalidates it", () => {
  it.each([mainline612, flagWait])("$name holds: it costs one lap", (policy) => {
    const s = stage(forkedI10(), policy)
    s.run("mm/0 done", "vcpu/0 to start.count", "vcpu/0 done", "vcpu/1 done")
    assert.strictEqual(s.seen("RangeStartCalled").filter((event) => event.change === "copy-on-write").length, 1)
    assert.strictEqual(s.seen("RetryDecided").length, 1)
    assert.strictEqual(s.seen("KhvaAccessed").length, 1)
    assert.deepStrictEqual(s.violated(), [])
    assert.strictEqual(s.state.gpcs[0].pfn, s.state.mmu.pfn(1))
  })
})

const playI11 = (protocol: Policy | Program) => {
  const activate = thread("vcpu/0", { _tag: "gpc_activate", gpc: 0, gpa: guest(HIGH) })
  const s = stage(world([activate, invalidator], { gpc: "valid" }), protocol)
  s.run("mm/0 to start.invalidate")
  assert.deepStrictEqual(s.seen("GpcVisited").map((event) => event.hit), [true])
  return s
}

describe("I-11: the cache is re-pointed between the walk's look and its write lock", () => {
  it("6.12 holds: the re-check finds another address, and the refresh retries until end", () => {
    const s = playI11(mainline612)
    s.run("vcpu/0 to retry.relock", "mm/0 to change", "vcpu/0 to retry.decide", "mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual(s.seen("GpcInvalidated"), [])
    assert.deepStrictEqual(s.seen("RetryDecided").map((event) => event.reason), ["count"])
    assert.deepStrictEqual([s.state.gpcs[0].uhva, s.state.gpcs[0].valid], [HIGH, 1])
    assert.deepStrictEqual(s.violated(), [])
  })

  it("range-retry-fixed holds: published elsewhere meanwhile, the new mapping stays", () => {
    const s = playI11(rangeRetryFixed)
    s.run("vcpu/0 done", "mm/0 done")
    assert.deepStrictEqual(s.seen("GpcInvalidated"), [])
    assert.deepStrictEqual([s.state.gpcs[0].uhva, s.state.gpcs[0].valid], [HIGH, 1])
    assert.deepStrictEqual(s.violated(), [])
  })

  it("without the re-check the wrong mapping would go", () => {
    const rash = changed(rangeRetryFixed, "start.invalidate", {
      run: (_s, t, emit) => {
        emit.GpcInvalidated(t.id, t.cursor, 0)
        return L["start.gpc_unlock"]
      }
    })
    const s = playI11(rash)
    s.run("vcpu/0 done", "mm/0 done")
    assert.deepStrictEqual([s.state.gpcs[0].uhva, s.state.gpcs[0].valid], [HIGH, 0])
  })
})
