/**
 * v3, patch 2 of 5: wait for the ranges in flight before the lookup, by spinning; the sequence is gone.
 *
 * The inner `continue` takes gpc->lock and tests again inside the same loop: still pending, it takes the lock it holds
 * (I-26). If the invalidation has ended in the meantime it leaves the loop with the lock held, looks up, and takes it then.
 * The loop stands right after the unlock, before the last lap's page is put.
 *
 * Source: patch series of 21 August 2024, 2/5; Sean Christopherson's review of 15 October 2024.
 *
 * @since 0.1.0
 */
import { NO_SNAPSHOT } from "../policy.ts"
import type { Policy } from "../policy.ts"
import { needsInvalidationV31 } from "./needs-invalidation-v3-1.ts"

/** Flag only, after a spin before the lookup that takes gpc->lock twice. @category policies @since 0.1.0 */
export const needsInvalidationV32: Policy = {
  ...needsInvalidationV31,
  name: "needs-invalidation-v3-2",
  source: "LKML 2024-08-21, David Woodhouse (v3 2/5)",
  summary: "flag only, after a spin before the lookup that takes gpc->lock twice",
  hull: { under: "mn", reset: "by-overwrite", ranges: 1 },
  snapshot: NO_SNAPSHOT,
  retry: ["flag"],
  wait: { how: "spin", when: "before-put", for: "hull", interruptible: false, queued: true, afterwards: "relock" }
}
