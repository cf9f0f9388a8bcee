/**
 * The sketch of 6 August 2024 with its hull mended: kept with the count, and reset with it.
 *
 * The hull changes in the same mn_invalidate_lock section as the count; anything later erases a range that has just
 * begun (I-15).
 *
 * Source: mail of 6 August 2024, 00:45 UTC; the reset is that of the pfncache-2 patch of the same day.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { rangeRetry } from "./range-retry.ts"

/** As range-retry, with the hull reset when the count reaches 0. @category policies @since 0.1.0 */
export const rangeRetryFixed: Policy = {
  ...rangeRetry,
  name: "range-retry-fixed",
  source: "LKML 2024-08-06, Sean Christopherson (mended)",
  summary: "as range-retry, with the hull reset when the count reaches 0",
  hull: { under: "mn", reset: "on-zero", ranges: 1 }
}
