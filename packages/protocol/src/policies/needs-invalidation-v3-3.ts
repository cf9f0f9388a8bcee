/**
 * v3, patch 3 of 5: sleep instead of spinning.
 *
 * After a sleep, `continue` in a do-while goes to the condition, which finds the flag set and leaves the loop with
 * nothing mapped (I-27); or, as the wait comes before the put, with what the lap before had mapped.
 *
 * Source: patch series of 21 August 2024, 3/5.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { needsInvalidationV32 } from "./needs-invalidation-v3-2.ts"

/** As v3-2, asleep; after a sleep it publishes without a mapping. @category policies @since 0.1.0 */
export const needsInvalidationV33: Policy = {
  ...needsInvalidationV32,
  name: "needs-invalidation-v3-3",
  source: "LKML 2024-08-21, David Woodhouse (v3 3/5)",
  summary: "as v3-2, asleep; after a sleep it publishes without a mapping",
  wait: {
    how: "sleep",
    when: "before-put",
    for: "hull",
    interruptible: false,
    queued: true,
    afterwards: "condition"
  }
}
