/**
 * The labels of the steps: where a thread stands in its program.
 *
 * A log stores a label by its place in {@link LABELS}, so new ones go to the end.
 *
 * @since 0.1.0
 */

/**
 * Every label, in the order a log numbers them.
 *
 * @category labels
 * @since 0.1.0
 */
export const LABELS = [
  // a thread between operations
  "idle",
  "pause",
  "return",
  // kvm_mmu_notifier_invalidate_range_start
  "start.count",
  "start.gpc_lock",
  "start.visit",
  "start.invalidate",
  "start.gpc_unlock",
  "start.mmu",
  // kvm_mmu_notifier_invalidate_range_end
  "end.mmu",
  "end.gpc_lock",
  "end.visit",
  "end.invalidate",
  "end.gpc_unlock",
  "end.count",
  "end.wake",
  // the primary MMU
  "mmap.read",
  "mmap.write",
  "mmap.map",
  "change",
  "flush",
  "finish",
  "fault",
  "gup",
  // users of a gfn_to_pfn_cache
  "srcu.enter",
  "srcu.leave",
  "use.enter",
  "use.slots",
  "use.check",
  "use.access",
  "use.leave",
  // kvm_gpc_activate, kvm_gpc_deactivate
  "activate.lock",
  "activate.gpc_lock",
  "activate.list",
  "activate.gpc_unlock",
  "activate.active",
  "deactivate.lock",
  "deactivate.clear",
  "deactivate.gpc_lock",
  "deactivate.unlist",
  "deactivate.gpc_unlock",
  "deactivate.unlock",
  // kvm_gpc_refresh and __kvm_gpc_refresh
  "refresh.lock",
  "refresh.write",
  "refresh.slots",
  "refresh.decide",
  "refresh.put",
  "refresh.write_unlock",
  "refresh.unlock",
  "refresh.error",
  // hva_to_pfn_retry
  "retry.snapshot",
  "retry.unlock",
  "retry.put",
  "retry.wait",
  "retry.sleep",
  "retry.relock_inner",
  "retry.deadlock",
  "retry.map",
  "retry.relock",
  "retry.count",
  "retry.seq",
  "retry.decide",
  // kvm_set_memslot, kvm_swap_active_memslots
  "slots.lock",
  "swap.wait",
  "swap.sleep",
  "swap.srcu",
  "swap.drain",
  "slots.unlock",
  // kvm_faultin_pfn, is_page_fault_stale
  "guest.snapshot",
  "guest.stale",
  "guest.put"
] as const

/** Labels without a step any more: logs that have them keep the places of the others. @category labels @since 0.1.0 */
export const RETIRED: ReadonlyArray<(typeof LABELS)[number]> = ["retry.deadlock"]

/** The name of a label. @category labels @since 0.1.0 */
export type Label = (typeof LABELS)[number]

/** A label as a number: its place in {@link LABELS}. @category labels @since 0.1.0 */
export type LabelId = number

/** The number of each label, by name. @category labels @since 0.1.0 */
export const L = Object.fromEntries(LABELS.map((name, id) => [name, id])) as { readonly [K in Label]: LabelId }
