/** What range_start and range_end track, lock and wake, beside what the interleavings show. */
import { assert, describe, it } from "@effect/vitest"
import { forever, guest, HIGH, LOW, madvise, PAGE, read, refresh, stage, thread, U, world } from "./interleaving.ts"
import type { Stage } from "./interleaving.ts"
import { exactRanges } from "./policies/exact-ranges.ts"
import { flagWait } from "./policies/flag-wait.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"
import { needsInvalidationV34 } from "./policies/needs-invalidation-v3-4.ts"
import { rangeRetryFixed } from "./policies/range-retry-fixed.ts"
import { rangeSpin } from "./policies/range-spin.ts"

const zap = (name: string, start: number, end: number) =>
  thread(name, { _tag: "madvise", start, end, free: "before-end" })

const hullsOf = ({ state: { kvm } }: Stage) =>
  [0, 1, 2, 3].map((i) => [kvm.hullStart(i), kvm.hullEnd(i), kvm.hullUsers(i)])

describe("the walk", () => {
  it.each([[U - PAGE, U, 1], [U - PAGE, U + 1, 0], [U, U + PAGE, 0], [U + 1, U + PAGE, 1]])(
    "of [%i, %i) leaves valid at %i: the range is half open",
    (start, end, valid) => {
      const s = stage(world([zap("mm/0", start, end)], { gpc: "valid" }), mainline612)
      s.run("mm/0 done")
      assert.strictEqual(s.state.gpcs[0].valid, valid)
    }
  )

  it("excludes other walks, activate and deactivate by gpc_lock", () => {
    const activate = thread("vcpu/0", { _tag: "gpc_activate", gpc: 0, gpa: guest(U) })
    const s = stage(world([activate, zap("mm/0", U, HIGH), zap("mm/1", U, HIGH)], { gpc: "inactive" }), mainline612)
    s.run("vcpu/0 to activate.list", "mm/0 blocked at start.gpc_lock", "vcpu/0 to activate.active")
    s.run("mm/0 to start.visit", "mm/1 blocked at start.gpc_lock", "mm/0 to change", "mm/1 done")
    assert.deepStrictEqual(s.violated(), [])
  })

  it.each([flagWait, rangeSpin, exactRanges])("of $name excludes start, end and the sleepers' look", (policy) => {
    const s = stage(
      world([thread("vcpu/0", refresh), zap("mm/0", LOW, U), zap("mm/1", LOW, U), thread("vcpu/1", read)]),
      policy
    )
    s.run("mm/1 to end.count", "vcpu/0 to retry.wait", "mm/0 to start.visit")
    s.run("mm/1 blocked at end.count")
    if (policy.wait.how === "sleep") s.run("vcpu/0 blocked at retry.wait")
    s.run("mm/0 to start.mmu", "mm/1 done", "vcpu/0 done")
    const again = stage(world([zap("mm/0", LOW, U), zap("mm/1", LOW, U)]), policy)
    again.run("mm/0 to start.visit", "mm/1 blocked at start.count", "mm/0 done", "mm/1 done")
    assert.deepStrictEqual([...s.violated(), ...again.violated()], [])
  })
})

describe("the hull", () => {
  const low = zap("mm/0", LOW, LOW + PAGE)
  const high = zap("mm/1", HIGH, HIGH + PAGE)
  const later = zap("mm/2", U, U + PAGE)

  it("grows over what is in flight, and is forgotten with the last end", () => {
    const s = stage(world([low, high, later]), rangeRetryFixed)
    s.run("mm/0 to change", "mm/1 to change")
    assert.deepStrictEqual(hullsOf(s)[0], [LOW, HIGH + PAGE, 1])
    s.run("mm/0 done")
    assert.deepStrictEqual(hullsOf(s)[0], [LOW, HIGH + PAGE, 1])
    s.run("mm/1 done")
    assert.deepStrictEqual(hullsOf(s)[0], [0, 0, 0])
    s.run("mm/2 to change")
    assert.deepStrictEqual(hullsOf(s)[0], [U, U + PAGE, 1])
  })

  it("stays as it was where the next first range overwrites it", () => {
    const s = stage(world([low, high, later]), needsInvalidationV34)
    s.run("mm/0 to change", "mm/1 done", "mm/0 done")
    assert.deepStrictEqual(hullsOf(s)[0], [LOW, HIGH + PAGE, 1])
    s.run("mm/2 to change")
    assert.deepStrictEqual(hullsOf(s)[0], [U, U + PAGE, 1])
  })
})

const at = (i: number) => HIGH + i * 4 * PAGE
/** mm/0 to mm/3 take an entry each; mm/4 is just below mm/1, mm/5 is the cache's page. */
const crowd = [0, 1, 2, 3].map((i) => zap(`mm/${i}`, at(i), at(i) + PAGE))
const near = zap("mm/4", at(1) - PAGE, at(1))

const crowded = () => {
  const s = stage(world([thread("vcpu/0", refresh), ...crowd, near, zap("mm/5", U, U + PAGE)]), exactRanges)
  s.run("mm/0 to end.mmu", "mm/1 to end.mmu", "mm/2 to end.mmu", "mm/3 to end.mmu")
  return s
}

describe("exact ranges", () => {
  it("have an entry each, that is free again when its invalidation ends", () => {
    const s = crowded()
    assert.deepStrictEqual(hullsOf(s), [0, 1, 2, 3].map((i) => [at(i), at(i) + PAGE, 1]))
    s.run("mm/1 done")
    assert.deepStrictEqual(hullsOf(s)[1], [0, 0, 0])
    s.run("mm/5 to change")
    assert.deepStrictEqual(hullsOf(s)[1], [U, U + PAGE, 1])
  })

  it("share the entry that grows least when they run out, until the last of them ends", () => {
    const s = crowded()
    s.run("mm/4 to end.mmu")
    const shared = [at(1) - PAGE, at(1) + PAGE]
    assert.deepStrictEqual(hullsOf(s)[1], [...shared, 2])
    s.run("mm/1 done")
    assert.deepStrictEqual(hullsOf(s)[1], [...shared, 1])
    s.run("mm/4 done")
    assert.deepStrictEqual(hullsOf(s)[1], [0, 0, 0])
    s.run("mm/0 done", "mm/2 done", "mm/3 done")
    assert.deepStrictEqual(hullsOf(s), [0, 1, 2, 3].map(() => [0, 0, 0]))
  })

  it("hold off the cache in a shared entry until the last of them ends", () => {
    const s = crowded()
    s.run("mm/5 to change", "vcpu/0 blocked at retry.sleep")
    const [shared] = hullsOf(s).filter(([, , users]) => users === 2)
    assert.deepStrictEqual(shared, [U, at(0) + PAGE, 2])
    s.run("mm/5 done", "vcpu/0 to retry.wait", "vcpu/0 blocked at retry.sleep", "mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual(s.violated(), [])
  })

  it("wake with the end that is waited for, though others are in flight", () => {
    const s = stage(world([thread("vcpu/0", refresh), crowd[0], zap("mm/5", U, U + PAGE)]), exactRanges)
    s.run("mm/0 to change", "mm/5 to change", "vcpu/0 blocked at retry.sleep", "mm/5 done", "vcpu/0 done")
    assert.strictEqual(s.state.kvm.count, 1)
  })
})

const gfn = (hva: number) => guest(hva) / PAGE

describe("mmu_invalidate_in_progress", () => {
  it("has a hull in guest frames, that grows until nothing is in progress", () => {
    const both = zap("mm/1", LOW, U + PAGE)
    const s = stage(world([zap("mm/0", HIGH, HIGH + PAGE), both, forever("mm/2", madvise(U))]), mainline612)
    s.run("mm/0 to change", "mm/1 to change", "mm/0 done", "mm/1 done", "mm/2 to change")
    assert.deepStrictEqual(
      s.seen("MmuLockHeld").map(({ end, inProgress, start }) => [inProgress, start, end]),
      [
        [1, gfn(HIGH), gfn(HIGH) + 1],
        [2, gfn(LOW), gfn(HIGH) + 1],
        [1, gfn(U), gfn(U) + 1]
      ]
    )
  })

  it("and the sequence keep still where no memslot overlaps", () => {
    const s = stage(world([zap("mm/0", LOW, LOW + PAGE)], { memory: "heap-around" }), mainline612)
    s.run("mm/0 done")
    assert.deepStrictEqual([s.seen("MmuLockHeld"), s.seen("SeqBumped")], [[], []])
    assert.deepStrictEqual([s.state.kvm.seq, s.state.kvm.inProgress], [0, 0])
  })
})
