/**
 * Linux 6.9 to 7.3.1, and 6.12 LTS: the seed's baseline.
 *
 * The walk comes before mmu_lock, with a read-locked look first. A refresh retries while any invalidation of the mm is
 * in flight, or when mmu_invalidate_seq has moved.
 *
 * Source: virt/kvm/pfncache.c and kvm_main.c of 6.12.117.
 *
 * @since 0.1.0
 */
import { NO_HULL, NO_WAIT } from "../policy.ts"
import type { Policy } from "../policy.ts"

/** Retry while any invalidation is in flight, or mmu_invalidate_seq moved. @category policies @since 0.1.0 */
export const mainline612: Policy = {
  name: "mainline-6.12",
  source: "Linux 6.12.117, virt/kvm/pfncache.c",
  summary: "retry while any invalidation is in flight, or mmu_invalidate_seq moved",
  startWalk: { when: "before-mmu-lock", look: "read-then-write" },
  endWalk: "none",
  hit: { on: "valid", pfn: "required" },
  hull: NO_HULL,
  snapshot: { of: "mmu_invalidate_seq", when: "locked" },
  flag: false,
  retry: ["count", "seq"],
  publish: "after-tests",
  wait: NO_WAIT
}
