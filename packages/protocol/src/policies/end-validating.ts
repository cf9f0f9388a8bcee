/**
 * David Woodhouse's first patch, 5 August 2024: the seed. Invalidate at range_end, retry on a flag of the cache.
 *
 * No global state makes a refresh retry, so that nothing unrelated can starve it. But a valid cache stays valid between
 * start and end, while its page is freed (I-18), and the walk comes after the count is down (I-21).
 *
 * Source: patch of 5 August 2024, 11:08 UTC, "Move gfn_to_pfn_cache invalidation to invalidate_range_end hook".
 *
 * @since 0.1.0
 */
import { NO_HULL, NO_SNAPSHOT, NO_WAIT } from "../policy.ts"
import type { Policy } from "../policy.ts"

/** Invalidate at range_end, after the decrement; retry when the validating flag was cleared. @category policies @since 0.1.0 */
export const endValidating: Policy = {
  name: "end-validating",
  source: "LKML 2024-08-05, David Woodhouse (v1)",
  summary: "invalidate at range_end, after the decrement; retry when the validating flag was cleared",
  startWalk: { when: "none", look: "read-then-write" },
  endWalk: "after-decrement",
  hit: { on: "flag", pfn: "required" },
  hull: NO_HULL,
  snapshot: NO_SNAPSHOT,
  flag: true,
  retry: ["flag"],
  publish: "after-tests",
  wait: NO_WAIT
}
