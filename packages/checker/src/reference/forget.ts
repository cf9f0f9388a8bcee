/**
 * The cells of the reference model that no step and no property will read before they are written again.
 *
 * @since 0.1.0
 */
import type { ReferenceConfig } from "./config.ts"
import { PFN } from "./machine.ts"
import type { Gpc, Machine, Vcpu } from "./machine.ts"
import type { Variant } from "./variant.ts"

/**
 * Sets dead cells to one value:
 *
 * - the page table: nothing reads it;
 * - the frame of a cache that is not valid or that no vCPU will use again, but for whether a flag walk finds any;
 * - the frame looked up by a refresh that is to be done over;
 * - how far the hull goes beyond the pages that caches lie on.
 */
export const forgetIn = (machine: Machine, config: ReferenceConfig, { ranged, snapshot }: Variant) => {
  const { bytes, gpcs, notifier, pages, ptes, vcpus } = machine
  const isWanted = snapshot === "flag" && config.errg === 1
  const narrow = hullOf(config)
  const isUsed = (gpc: Gpc): boolean => {
    for (let v = 0; v < vcpus.length; v++) if (vcpus[v].gpc === gpc && vcpus[v].uses < config.NV) return true
    return false
  }
  // Its flag is cleared, or its snapshot out of date, and stays so until it begins again.
  const isDoomed = (v: Vcpu): boolean => v.pfn !== PFN.none && (snapshot === "seq" ? v.fresh === 0 : v.gpc.flag === 0)
  return (): void => {
    for (let page = 0; page < pages; page++) bytes[ptes + page] = 0
    for (let g = 0; g < gpcs.length; g++) {
      const gpc = gpcs[g]
      if (gpc.pfn !== PFN.none && (gpc.valid === 0 || !isUsed(gpc))) gpc.pfn = isWanted ? PFN.freed : PFN.none
    }
    for (let v = 0; v < vcpus.length; v++) if (isDoomed(vcpus[v])) vcpus[v].pfn = PFN.none
    if (ranged) {
      notifier.low = narrow.low[notifier.low]
      notifier.high = narrow.high[notifier.high]
    }
  }
}

/**
 * For each bound of a hull, the one that covers the same caches. Neither changes the order of bounds, so that hulls are
 * joined as before. (A hull of nothing is 0, 0, and bounds that cover nothing are what they were.)
 */
const hullOf = ({ P, gpage }: ReferenceConfig) => {
  const bounds = Array.from({ length: P + 1 }, (_, bound) => bound)
  const low = bounds.map((bound) => Math.min(...gpage.filter((page) => page >= bound), P))
  const high = bounds.map((bound) => Math.max(...gpage.filter((page) => page < bound).map((page) => page + 1), 0))
  return { low, high }
}
