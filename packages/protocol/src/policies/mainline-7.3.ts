/**
 * Linux 7.3.2 and later: a sequence of the caches' own, bumped at every range_end.
 *
 * It closes the missed invalidation of memory that no memslot covers (I-06, I-07), and makes every unrelated
 * invalidation cost a lap (I-08).
 *
 * Source: commit da260bcb56fe "KVM: pfncache: use a dedicated invalidation sequence for cache refresh", 7.3.4.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { mainline612 } from "./mainline-6.12.ts"

/** As mainline-6.12, with a sequence that every range_end bumps. @category policies @since 0.1.0 */
export const mainline73: Policy = {
  ...mainline612,
  name: "mainline-7.3",
  source: "Linux 7.3.4, commit da260bcb56fe",
  summary: "as mainline-6.12, with a sequence that every range_end bumps",
  snapshot: { of: "gpc_invalidate_seq", when: "locked" }
}
