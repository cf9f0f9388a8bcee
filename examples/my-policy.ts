// A policy of one's own: mainline-6.12 with a sequence of the caches' own, which every range_end bumps. It is what
// 7.3.2 did about the missed invalidation of memory that no memslot covers.
import { mainline612 } from "@pfnscope/protocol"
import type { Policy } from "@pfnscope/protocol"

const policy: Policy = {
  ...mainline612,
  name: "my-policy",
  source: "an example",
  summary: "mainline-6.12 with a dedicated sequence",
  snapshot: { of: "gpc_invalidate_seq", when: "locked" }
}

export default policy
