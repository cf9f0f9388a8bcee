/**
 * David Woodhouse's v2, 20 August 2024: the first patch and the incremental in one, with a wait queue that works.
 *
 * Source: patch of 20 August 2024, "KVM: Move gfn_to_pfn_cache invalidation to invalidate_range_end hook" v2.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { pfncache2 } from "./pfncache-2.ts"

/** As pfncache-2, with a waiter that is queued and woken. @category policies @since 0.1.0 */
export const needsInvalidationV2: Policy = {
  ...pfncache2,
  name: "needs-invalidation-v2",
  source: "LKML 2024-08-20, David Woodhouse (v2)",
  summary: "as pfncache-2, with a waiter that is queued and woken",
  wait: { how: "sleep", when: "after-map", for: "hull", interruptible: false, queued: true, afterwards: "lookup" }
}
