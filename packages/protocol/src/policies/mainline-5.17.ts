/**
 * Linux 5.17, as first merged: `valid` is set before the lookup, and the retry gates on mmu_notifier_count.
 *
 * That count is raised under mmu_lock, after the caches were walked, so that a refresh can slip in between (I-38); and
 * a reader can pass the check while nothing is mapped yet.
 *
 * Source: commit 982ed0de4753 (virt/kvm/pfncache.c of 5.17); Sean Christopherson's series of April 2022 mends it.
 *
 * @since 0.1.0
 */
import { NO_HULL, NO_WAIT } from "../policy.ts"
import type { Policy } from "../policy.ts"

/** Valid before the lookup, retry on mmu_notifier_count (the later in_progress) or seq. @category policies @since 0.1.0 */
export const mainline517: Policy = {
  name: "mainline-5.17",
  source: "Linux 5.17, commit 982ed0de4753",
  summary: "valid before the lookup, retry on mmu_notifier_count (the later in_progress) or seq",
  startWalk: { when: "before-mmu-lock", look: "write" },
  endWalk: "none",
  hit: { on: "valid", pfn: "required" },
  hull: NO_HULL,
  snapshot: { of: "mmu_invalidate_seq", when: "before-lookup" },
  flag: false,
  retry: ["in-progress", "seq"],
  publish: "before-lookup",
  wait: NO_WAIT
}
