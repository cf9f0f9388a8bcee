// The sketch of 6 August 2024 (range-retry) mended, as near to the posted code as it goes. Against the sketch:
//
// - range_start sets or widens the hull in the mn_invalidate_lock section that raises mn_active_invalidate_count, and
//   range_end forgets it in the section that brings the count to 0. As posted the hull is never reset and starts as
//   [0, 0), so that it holds everything below the highest end ever seen (I-14).
// - the retry test compares gpc_invalidate_seq, which every range_end bumps before it lowers the count, as 7.3.2 does.
//   mmu_invalidate_seq moves only where a memslot overlaps, so that an invalidation of memory in no memslot can begin and
//   end while the page is looked up, and leave no trace (I-06).
//
// s1 to s7 ask for the sequence alone: a hull that is too large costs laps, it lets nothing through. What the hull's reset
// is for shows in a run of madvise-storm. And the sequence is everybody's: a range that has begun and ended anywhere
// still costs a lap.
import { rangeRetry } from "@pfnscope/protocol"
import type { Policy } from "@pfnscope/protocol"

const policy: Policy = {
  ...rangeRetry,
  name: "fix-range-retry",
  source: "an example: the sketch of 2024-08-06, mended",
  summary: "as range-retry, with the hull reset with the count, and the sequence that every range_end bumps",
  hull: { under: "mn", reset: "on-zero", ranges: 1 },
  snapshot: { of: "gpc_invalidate_seq", when: "locked" }
}

export default policy
