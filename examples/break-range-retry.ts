// fix-range-retry with one hunk more, that looks like a plain saving: the walk at range_start tests a cache without
// gpc->lock first, and takes the lock (for writing, with a second look) only where it hits.
//
// The read lock was not there for the fields. A refresh tests count, hull and sequence with gpc->lock held for writing and
// publishes before it drops it. So a walk that has to take the lock comes either before the test, which then sees the
// count, or after `valid = true`, which it then clears. Without the lock it can come in between: the test has passed, the
// walk sees valid == false and goes on, and the mapping is published into a range that range_start gave away.
//
// The patches of 15 October 2024 look without the lock too. They set `valid` before the test, with a full barrier on each
// side, and no longer look at the pfn: it takes all of it.
import type { Policy } from "@pfnscope/protocol"
import fixRangeRetry from "./fix-range-retry.ts"

const policy: Policy = {
  ...fixRangeRetry,
  name: "break-range-retry",
  source: "an example: a slip",
  summary: "as fix-range-retry, but the walk looks at a cache without gpc->lock first",
  startWalk: { ...fixRangeRetry.startWalk, look: "lockless" }
}

export default policy
