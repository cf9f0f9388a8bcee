/**
 * Other names of the probes: the kernel's functions, with what tools add to them, and those of a short recipe.
 *
 * A function stands for its probe where no other probe lies on it. Names of kprobe_events (`p_FUNCTION_0`, `r_…`), of perf
 * probe (`FUNCTION`, `FUNCTION__return`) and of fprobes (`FUNCTION__entry`, `FUNCTION__exit`) are understood.
 *
 * @since 0.1.0
 */

/** The probes at the entry and at the return of each function, in every kernel that has caches (5.17 to 7.3). */
const FUNCTIONS: ReadonlyMap<string, readonly [entry: string, ret: string]> = new Map(Object.entries(
  {
    kvm_mmu_notifier_invalidate_range_start: ["inv_start", "inv_start_ret"],
    kvm_mmu_notifier_invalidate_range_end: ["inv_end", "inv_end_ret"],
    gfn_to_pfn_cache_invalidate_start: ["gpc_inval", "gpc_inval_ret"],
    kvm_unmap_gfn_range: ["unmap_gfn", ""],
    kvm_mmu_invalidate_end: ["mmu_inval_end", ""],
    kvm_dec_notifier_count: ["mmu_inval_end", ""],
    kvm_gpc_refresh: ["kvm_gpc_refresh", "kvm_gpc_refresh_ret"],
    __kvm_gpc_refresh: ["refresh", "refresh_ret"],
    kvm_gfn_to_pfn_cache_refresh: ["refresh", "refresh_ret"],
    kvm_gpc_check: ["check_in", "check"],
    kvm_gfn_to_pfn_cache_check: ["check_in", "check"],
    __kvm_gpc_activate: ["activate", "activate_ret"],
    kvm_gpc_deactivate: ["deactivate", "deactivate_ret"],
    kvm_gpc_init: ["gpc_init", ""],
    hva_to_pfn: ["hva2pfn", "hva2pfn_ret"],
    kvm_swap_active_memslots: ["swap_slots", "swap_slots_ret"],
    is_page_fault_stale: ["pf_stale", "pf_stale_ret"]
  } as const
))

/** Shorter names of the same. */
const SHORT: ReadonlyMap<string, string> = new Map([["gpc_refresh", "kvm_gpc_refresh"], ["gpc_check", "kvm_gpc_check"]])

const ENTRY = /^(?:p_)?(\w+?)(?:__entry|(?<=^p_\w+)_\d+)?$/
const RETURN = /^(?:r_(\w+?)_\d+|(\w+?)(?:__return|__exit|_ret|_return))$/

/** The probe that an event's name stands for, or the name itself. */
export const probeOf = (name: string): string => {
  const returned = RETURN.exec(name)
  const atReturn = FUNCTIONS.get(functionOf(returned?.[1] ?? returned?.[2] ?? ""))?.[1]
  if (atReturn !== undefined && atReturn !== "") return atReturn
  const atEntry = FUNCTIONS.get(functionOf(ENTRY.exec(name)?.[1] ?? ""))?.[0]
  return atEntry ?? name
}

const functionOf = (name: string): string => SHORT.get(name) ?? name
