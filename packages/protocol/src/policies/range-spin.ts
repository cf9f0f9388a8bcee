/**
 * Sean Christopherson's five patches of 15 October 2024, without the wait queue of the fifth.
 *
 * The hull and the walk are under mn_invalidate_lock, `valid` is set before the retry test, and the walk looks without
 * gpc->lock first; two full barriers pair with each other (I-29), which a sequentially consistent model takes for
 * granted. The unlocked look reads valid and uhva only: on a first map the pfn is not stored yet. Memory that no memslot covers is missed as in 6.12 (I-30).
 *
 * Source: patches attached to the mail of 15 October 2024 in the v3 thread, 1/5 to 4/5.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { rangeRetryFixed } from "./range-retry-fixed.ts"

/** Spin until nothing in flight covers the uhva, then as range-retry with valid set before the test. @category policies @since 0.1.0 */
export const rangeSpin: Policy = {
  ...rangeRetryFixed,
  name: "range-spin",
  source: "LKML 2024-10-15, Sean Christopherson (4 of 5 patches)",
  summary: "spin until nothing in flight covers the uhva, then as range-retry with valid set before the test",
  startWalk: { when: "under-mn", look: "lockless" },
  hit: { on: "valid", pfn: "ignored" },
  hull: { under: "mn", reset: "by-overwrite", ranges: 1 },
  snapshot: { of: "mmu_invalidate_seq", when: "before-lookup" },
  publish: "before-tests",
  wait: { how: "spin", when: "before-lookup", for: "hull", interruptible: true, queued: true, afterwards: "lookup" }
}
