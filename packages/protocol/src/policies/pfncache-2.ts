/**
 * David Woodhouse's incremental of 6 August 2024: the walk before the decrement, and a wait for what is in flight.
 *
 * As posted, the waiter uses DECLARE_WAITQUEUE with prepare_to_wait, so it is never put on the queue and nobody wakes it
 * (I-24).
 *
 * Source: mail of 6 August 2024, 16:40 UTC, branch pfncache-2.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { endValidating } from "./end-validating.ts"

/** As end-validating, walking before the decrement; waits after the mapping, on a queue it never joins. @category policies @since 0.1.0 */
export const pfncache2: Policy = {
  ...endValidating,
  name: "pfncache-2",
  source: "LKML 2024-08-06, David Woodhouse (branch pfncache-2)",
  summary: "as end-validating, walking before the decrement; waits after the mapping, on a queue it never joins",
  endWalk: "before-decrement",
  hull: { under: "mn", reset: "on-zero", ranges: 1 },
  wait: { how: "sleep", when: "after-map", for: "hull", interruptible: false, queued: false, afterwards: "lookup" }
}
