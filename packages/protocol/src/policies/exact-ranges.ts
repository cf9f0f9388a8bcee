/**
 * Bounded tracking of exact ranges, which the thread calls for and nobody has built: flag-wait with several ranges.
 *
 * Up to four ranges in flight are tracked each for itself, and dropped each with its own end; only when they run out are
 * the two that fit best covered by one. So two ranges on either side of a cache do not cover it, and a range that has
 * ended is not waited for.
 *
 * Source: Sean Christopherson, 6 August 2024, 15:57 UTC: "if KVM supported tracking multiple distinct ranges, then
 * individual invalidation ranges could be dropped"; the bound is the one that mail asks for.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { TRACKED_RANGES } from "../state.ts"
import { flagWait } from "./flag-wait.ts"

/** As flag-wait, with up to four exact ranges instead of one hull. @category policies @since 0.1.0 */
export const exactRanges: Policy = {
  ...flagWait,
  name: "exact-ranges",
  source: "pfnscope: after LKML 2024-08-06, Sean Christopherson",
  summary: "as flag-wait, with up to four exact ranges instead of one hull",
  hull: { under: "mn", reset: "on-zero", ranges: TRACKED_RANGES }
}
