/**
 * Sean Christopherson's sketch of 6 August 2024, as posted: retry only if the hull of what is in flight holds the uhva.
 *
 * The hull is never set to the error value and never reset, so it starts as [0, 0) and only grows (I-14). The sequence
 * test stays and knows no ranges (I-17).
 *
 * Source: mail of 6 August 2024, 00:45 UTC, in the seed's thread.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { mainline612 } from "./mainline-6.12.ts"

/** As mainline-6.12, but the count matters only inside a hull that never shrinks. @category policies @since 0.1.0 */
export const rangeRetry: Policy = {
  ...mainline612,
  name: "range-retry",
  source: "LKML 2024-08-06, Sean Christopherson (sketch)",
  summary: "as mainline-6.12, but the count matters only inside a hull that never shrinks",
  hull: { under: "gpc_lock", reset: "never", ranges: 1 },
  retry: ["hull", "seq"]
}
