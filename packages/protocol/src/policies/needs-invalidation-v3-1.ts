/**
 * v3, patch 1 of 5 (21 August 2024): the needs_invalidation flag beside the old tests.
 *
 * The walk stays at range_start, and looks at the flag.
 *
 * Source: patch series of 21 August 2024, 1/5.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { mainline612 } from "./mainline-6.12.ts"

/** As mainline-6.12, with a flag of the cache as one more reason to retry. @category policies @since 0.1.0 */
export const needsInvalidationV31: Policy = {
  ...mainline612,
  name: "needs-invalidation-v3-1",
  source: "LKML 2024-08-21, David Woodhouse (v3 1/5)",
  summary: "as mainline-6.12, with a flag of the cache as one more reason to retry",
  hit: { on: "flag", pfn: "required" },
  flag: true,
  retry: ["flag", "count", "seq"]
}
