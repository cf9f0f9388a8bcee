/**
 * v3, patch 4 of 5: the invalidation moves to range_end, the wait to after the mapping. Equivalent to v2.
 *
 * Source: patch series of 21 August 2024, 4/5.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { needsInvalidationV2 } from "./needs-invalidation-v2.ts"

/** As needs-invalidation-v2; the hull is overwritten by the next first range, not reset. @category policies @since 0.1.0 */
export const needsInvalidationV34: Policy = {
  ...needsInvalidationV2,
  name: "needs-invalidation-v3-4",
  source: "LKML 2024-08-21, David Woodhouse (v3 4/5)",
  summary: "as needs-invalidation-v2; the hull is overwritten by the next first range, not reset",
  hull: { under: "mn", reset: "by-overwrite", ranges: 1 }
}
