/** Section B: the range sketch of August 2024 and its hazards. */
import { assert, describe, it } from "@effect/vitest"
import { LOCK } from "./evolve.ts"
import {
  changed,
  forever,
  HIGH,
  LOW,
  madvise,
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
import { exactRanges } from "./policies/exact-ranges.ts"
import { flagWait } from "./policies/flag-wait.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"
import { needsInvalidationV2 } from "./policies/needs-invalidation-v2.ts"
import { needsInvalidationV33 } from "./policies/needs-invalidation-v3-3.ts"
import { needsInvalidationV34 } from "./policies/needs-invalidation-v3-4.ts"
import { pfncache2 } from "./policies/pfncache-2.ts"
import { rangeRetryFixed } from "./policies/range-retry-fixed.ts"
import { rangeRetry } from "./policies/range-retry.ts"
import { rangeSpin } from "./policies/range-spin.ts"
import type { Policy } from "./policy.ts"
import { programOf } from "./program.ts"
import type { Program } from "./step.ts"

const refresher = thread("vcpu/0", refresh)
const reader = thread("vcpu/1", read)

const playI12 = (policy: Policy) => {
  const sides = [forever("mm/0", madvise(LOW)), forever("mm/1", madvise(HIGH))]
  const s = stage(world([refresher, ...sides], { memory: "heap-around" }), policy)
  s.run("mm/0 to change", "mm/1 to change")
  return { s, rounds: starvation(s, "mm/0 to idle", "mm/0 to change", "mm/1 to idle", "mm/1 to change") }
}

describe("I-12: one range below the cache and one above it", () => {
  it.each([rangeRetry, rangeRetryFixed])("$name violates P6: the hull of both covers it", (policy) => {
    const { rounds, s } = playI12(policy)
    assert.strictEqual(rounds, ROUNDS)
    const laps = s.seen("RetryDecided")
    assert.strictEqual(laps.length, ROUNDS)
    assert.isTrue(laps.every((lap) => lap.reason === "hull" && lap.inFlight === 2 && lap.covering === 0))
  })

  it.each([rangeSpin, flagWait, needsInvalidationV2])("$name waits all the while", (policy) => {
    const { rounds, s } = playI12(policy)
    assert.strictEqual(rounds, ROUNDS)
    assert.isTrue(s.seen("Waited").some((event) => event.pending))
    assert.deepStrictEqual(s.seen("Published"), [])
  })

  it("exact-ranges finishes in the first round", () => {
    const { rounds, s } = playI12(exactRanges)
    assert.strictEqual(rounds, 0)
    assert.deepStrictEqual(s.seen("RetryDecided"), [])
    assert.isTrue(s.seen("Waited").every((event) => !event.pending))
  })
})

const playI13 = (policy: Policy) => {
  const others = [forever("mm/1", madvise(HIGH)), forever("mm/2", madvise(HIGH))]
  const s = stage(world([refresher, thread("mm/0", madvise(U)), ...others], { memory: "heap-around" }), policy)
  s.run("mm/0 to change", "mm/1 to change", "mm/0 done")
  return { s, rounds: starvation(s, "mm/2 to change", "mm/1 to idle", "mm/1 to change", "mm/2 to idle") }
}

describe("I-13: the cache's own range has ended, others keep the count above 0", () => {
  const sleepers = [pfncache2, needsInvalidationV2, needsInvalidationV33, needsInvalidationV34, flagWait]
  it.each([rangeRetry, rangeRetryFixed, rangeSpin, ...sleepers])(
    "$name violates P7: the hull keeps what has ended",
    (policy) => {
      const { rounds, s } = playI13(policy)
      assert.strictEqual(rounds, ROUNDS)
      assert.deepStrictEqual(s.seen("Published"), [])
      assert.isTrue(s.seen("RetryDecided").every((lap) => lap.reason === "hull" && lap.covering === 0))
      assert.isTrue(s.seen("CountDecremented").every((event) => event.count > 0))
      assert.isAbove(policy.wait.how === "none" ? s.seen("RetryDecided").length : s.seen("Waited").length, 0)
      if (policy.wait.how === "none") assert.strictEqual(s.seen("RetryDecided").length, ROUNDS)
    }
  )

  it("exact-ranges finishes in the first round", () => {
    assert.strictEqual(playI13(exactRanges).rounds, 0)
  })
})

const playI14 = (policy: Policy) => {
  const storm = [thread("mm/0", madvise(HIGH)), forever("mm/1", madvise(LOW)), forever("mm/2", madvise(LOW))]
  const s = stage(world([refresher, ...storm], { memory: "heap-around" }), policy)
  s.run("mm/0 done", "mm/1 to change")
  return { s, rounds: starvation(s, "mm/2 to change", "mm/1 to idle", "mm/1 to change", "mm/2 to idle") }
}

describe("I-14: a hull that starts as [0, 0) and is never reset", () => {
  it("range-retry violates P6: one range above the cache, and every count above 0 is a lap", () => {
    const { rounds, s } = playI14(rangeRetry)
    assert.strictEqual(rounds, ROUNDS)
    assert.isTrue(s.seen("RetryDecided").every((lap) => lap.reason === "hull" && lap.covering === 0))
    assert.isTrue(s.seen("HullChanged").every((event) => event.start === 0 && event.end > HIGH))
  })

  it.each([rangeRetryFixed, flagWait, exactRanges])("$name finishes in the first round", (policy) => {
    assert.strictEqual(playI14(policy).rounds, 0)
  })
})

/** The sketch with its hull under gpc_lock, reset on the way out of an end that found the count at 0. */
const lateResetI15 = (): Program => {
  const steps = programOf({ ...rangeRetryFixed, hull: { under: "gpc_lock", reset: "by-overwrite", ranges: 1 } })
  const leave = steps[L["end.wake"]]
  const counting = changed(steps, "end.count", {
    run: (s, t, emit) => {
      emit.CountDecremented(t.id, s.kvm.count - 1)
      return s.kvm.count > 0 ? leave.run(s, t, emit, 0) : L["end.wake"]
    }
  })
  return changed(counting, "end.wake", {
    run: (s, t, emit) => {
      emit.HullChanged(t.id, 0, 0, 0, 0)
      return leave.run(s, t, emit, 0)
    }
  })
}

const playI15 = (protocol: Policy | Program, afterCount: "mm/0 to end.wake" | "mm/0 done") => {
  const invalidators = [thread("mm/0", madvise(LOW)), thread("mm/1", madvise(U))]
  const s = stage(world([refresher, ...invalidators, reader]), protocol)
  s.run("mm/0 to end.count", "vcpu/0 to retry.map", afterCount, "mm/1 to end.mmu")
  if (afterCount !== "mm/0 done") s.run("mm/0 done")
  return s
}

describe("I-15: a hull that is reset after mn_invalidate_lock was dropped", () => {
  it("violates P4 and then P1: the late reset erases a range that has just begun", () => {
    const s = playI15(lateResetI15(), "mm/0 to end.wake")
    s.run("vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), ["P4 at Published", "P1 at KhvaAccessed", "P2 at KhvaAccessed"])
  })

  it("range-retry-fixed holds: it resets with the decrement", () => {
    const s = playI15(rangeRetryFixed, "mm/0 done")
    s.run("vcpu/0 to retry.decide", "mm/1 done", "vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["hull"])
    assert.deepStrictEqual(s.violated(), [])
  })
})

const playI16 = (protocol: Policy | Program) => {
  const s = stage(world([refresher, thread("mm/0", madvise(U)), reader]), protocol)
  s.run("vcpu/0 to retry.relock", "mm/0 to start.gpc_lock")
  assert.deepStrictEqual([s.state.kvm.count, s.state.kvm.hullEnd(0)], [1, 0])
  s.run("vcpu/0 done")
  assert.strictEqual(s.state.gpcs[0].valid, 1)
  s.run("mm/0 to end.mmu", "vcpu/1 done", "mm/0 done")
  return s
}

describe("I-16: the count is up, the hull is not there yet", () => {
  it("range-retry holds P3: the walk comes after the hull and finds the mapping", () => {
    const s = playI16(rangeRetry)
    assert.deepStrictEqual(s.violated(), [])
    assert.strictEqual(s.state.gpcs[0].valid, 0)
  })

  it("without the walk it violates P3", () => {
    const s = playI16(changed(rangeRetry, "start.gpc_lock", {
      run: (_s, t, emit) => {
        emit.Locked(t.id, LOCK.gpc_lock, -1)
        return L["start.gpc_unlock"]
      }
    }))
    assert.deepStrictEqual(s.violated(), [
      "P3 at StartReturned",
      "P1 at KhvaAccessed",
      "P2 at KhvaAccessed",
      "P5 at EndReturned"
    ])
  })
})

const playI17 = (policy: Policy) => {
  const s = stage(world([refresher, forever("mm/0", madvise(HIGH))]), policy)
  return { s, rounds: starvation(s, "mm/0 to change", "mm/0 to idle") }
}

describe("I-17: a short invalidation of other guest memory in every window", () => {
  it.each([mainline612, rangeRetry, rangeRetryFixed, rangeSpin])(
    "$name violates P6: the sequence knows no ranges",
    (policy) => {
      const { rounds, s } = playI17(policy)
      assert.strictEqual(rounds, ROUNDS)
      const laps = s.seen("RetryDecided")
      assert.strictEqual(laps.length, ROUNDS)
      assert.isTrue(laps.every((lap) => lap.reason === "seq" && lap.inFlight === 0 && lap.covering === 0))
    }
  )

  it.each([flagWait, exactRanges])("$name finishes in the first round", (policy) => {
    assert.strictEqual(playI17(policy).rounds, 0)
  })
})
