/**
 * Which kernel a trace is of, by what only that one records.
 *
 * @since 0.1.0
 */
import { mainline61, mainline612, mainline73 } from "@pfnscope/protocol"
import type { EventTag, Policy } from "@pfnscope/protocol"

/** The policy of a trace's kernel, and how it was found. @category models @since 0.1.0 */
export interface KernelPolicy {
  readonly policy: Policy
  readonly found: string
}

/** Records that only Linux 6.1 and before have: their functions take the VM, and the check is seen at its entry. */
const OF_6_1: ReadonlyArray<string> = ["check_in", "kvm_gfn_to_pfn_cache_check", "kvm_gfn_to_pfn_cache_refresh"]

/**
 * The kernel of a trace. `records` are the names of its records, where it is a text.
 *
 * @category queries
 * @since 0.1.0
 */
export const kernelOf = (kinds: ReadonlySet<EventTag>, records: ReadonlyArray<string>): KernelPolicy => {
  if (kinds.has("GpcSeqBumped")) return { policy: mainline73, found: "it has a sequence of the caches' own" }
  const old = OF_6_1.find((name) => records.includes(name))
  if (old !== undefined) return { policy: mainline61, found: `it records ${old}` }
  return { policy: mainline612, found: "it has no sequence of the caches' own, and no function of 6.1" }
}
