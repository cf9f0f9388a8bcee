/**
 * The repaired protocol: the walk at start, in the same mn section as count and hull; a flag instead of a sequence.
 *
 * The walk ignores the pfn (the error value hides a first map from it, I-20, I-28) and clears `valid` and the flag. A
 * refresh sets the flag, waits until nothing in flight covers its address, looks up, and retries only if its flag was
 * cleared. What is left of the false waits comes from the hull.
 *
 * Source: derived from the thread of August 2024, with what I-18 to I-28 show mended (I-31).
 *
 * @since 0.1.0
 */
import { NO_SNAPSHOT } from "../policy.ts"
import type { Policy } from "../policy.ts"

/** Walk at start under mn, ignoring the pfn; sleep before the lookup; retry when the flag was cleared. @category policies @since 0.1.0 */
export const flagWait: Policy = {
  name: "flag-wait",
  source: "pfnscope: the thread of August 2024, repaired",
  summary: "walk at start under mn, ignoring the pfn; sleep before the lookup; retry when the flag was cleared",
  startWalk: { when: "under-mn", look: "read-then-write" },
  endWalk: "none",
  hit: { on: "flag", pfn: "ignored" },
  hull: { under: "mn", reset: "on-zero", ranges: 1 },
  snapshot: NO_SNAPSHOT,
  flag: true,
  retry: ["flag"],
  publish: "after-tests",
  wait: { how: "sleep", when: "before-lookup", for: "hull", interruptible: true, queued: true, afterwards: "lookup" }
}
