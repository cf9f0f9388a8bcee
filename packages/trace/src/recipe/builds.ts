/**
 * Probes in the middle of functions, of the builds that were taken apart.
 *
 * An instruction's place, and the register that holds a value there, are those of one compilation: such a probe is valid
 * for exactly that kvm.ko. In another build it may be refused, or worse, be placed between two instructions of something else.
 *
 * @since 0.1.0
 */

/** A build of a kernel, and its probes as they are written to `kprobe_events`. @category models @since 0.1.0 */
export interface Build {
  /** The release, as `uname -r` prints it. */
  readonly name: string
  /** How the sha256 of its kvm.ko begins. */
  readonly sha256: string
  readonly probes: ReadonlyArray<string>
}

/** @category data @since 0.1.0 */
export const BUILD_6_1: Build = {
  name: "6.1.0-56-amd64",
  sha256: "22bbd3c5a628",
  probes: [
    "p:gpc/inv_inc kvm:kvm_mmu_notifier_invalidate_range_start+0x78 kvm=%r15:x64 active=-0x8908(%r13):s64 start=+16(%r12):x64 end=+24(%r12):x64",
    "p:gpc/gpc_inval_hit kvm:gfn_to_pfn_cache_invalidate_start+0x122 gpc=%r15:x64 uhva=+0x10(%r15):x64 pfn=+0x68(%r15):x64 start=$stack0:x64 end=%r13:x64",
    "p:gpc/mmu_inval_end kvm:kvm_mmu_notifier_invalidate_range_end+0xdf mn=%bx:x64 seq=+0x38(%bx):u64 in_prog=+0x40(%bx):s64 hull_start=+0x48(%bx):x64 hull_end=+0x50(%bx):x64",
    "p:gpc/inv_dec kvm:kvm_mmu_notifier_invalidate_range_end+0x126 mn=%bx:x64 active=%bp:s64 seq=+0x38(%bx):u64",
    "p:gpc/gpc_snap kvm:kvm_gfn_to_pfn_cache_refresh+0x179 gpc=%r14:x64 uhva=+16(%r14):x64 snap=%dx:u64 active=+0x1140(%bp):s64 via=\\0:u8",
    "p:gpc/gpc_snap kvm:kvm_gfn_to_pfn_cache_refresh+0x2ed gpc=%r14:x64 uhva=+16(%r14):x64 snap=%r13:u64 active=+0x1140(%bp):s64 via=\\1:u8",
    "p:gpc/gpc_pfn kvm:kvm_gfn_to_pfn_cache_refresh+0x1b3 gpc=%r14:x64 pfn=%ax:x64",
    "p:gpc/gpc_recheck kvm:kvm_gfn_to_pfn_cache_refresh+0x284 gpc=%r14:x64 snap=%r13:u64 active=+0x1140(%bp):s64 seq=+0x9a80(%bp):u64 pfn=%bx:x64",
    "p:gpc/gpc_commit kvm:kvm_gfn_to_pfn_cache_refresh+0x29e gpc=%r14:x64 uhva=+16(%r14):x64 pfn=%bx:x64 snap=%r13:u64",
    "p:gpc/gpc_err kvm:kvm_gfn_to_pfn_cache_refresh+0x41a gpc=%r14:x64 pfn=%bx:x64",
    "p:gpc/swap_wait kvm:kvm_swap_active_memslots+0xb4 kvm=%bx:x64 active=+0x1140(%bx):s64",
    "p:gpc/swap_publish kvm:kvm_swap_active_memslots+0x10f kvm=%bx:x64 active=+0x1140(%bx):s64 newgen=+0(%r14):x64"
  ]
}

/** @category data @since 0.1.0 */
export const BUILD_6_12: Build = {
  name: "6.12.117+deb12-amd64",
  sha256: "2d2f1fa60e4c",
  probes: [
    "p:gpc/inv_inc kvm:kvm_mmu_notifier_invalidate_range_start+0x7c kvm=$stack0:x64 active=-0x950(%r14):s64 start=+8(%bx):x64 end=+16(%bx):x64",
    "p:gpc/gpc_inval_hit kvm:gfn_to_pfn_cache_invalidate_start+0xcd gpc=%bx:x64 uhva=+0x10(%bx):x64 pfn=+0x68(%bx):x64 start=%r14:x64 end=%r13:x64",
    "p:gpc/inv_dec kvm:kvm_mmu_notifier_invalidate_range_end+0xfe kvm=%r13:x64 active=%bp:s64 seq=+0x38(%bx):u64",
    "p:gpc/gpc_snap kvm:__kvm_gpc_refresh+0x17b gpc=%bp:x64 uhva=+16(%bp):x64 snap=%r15:u64 active=+0x1140(+32(%bp)):s64",
    "p:gpc/gpc_pfn kvm:__kvm_gpc_refresh+0x1d5 gpc=%bp:x64 pfn=%ax:x64",
    "p:gpc/gpc_recheck kvm:__kvm_gpc_refresh+0x23c gpc=%bp:x64 snap=%r15:u64 active=+0x1140(%ax):s64 seq=+0x1ac8(%ax):u64 pfn=%bx:x64",
    "p:gpc/gpc_retry_seq kvm:__kvm_gpc_refresh+0x257 gpc=%bp:x64 snap=%r15:u64",
    "p:gpc/gpc_commit kvm:__kvm_gpc_refresh+0x3e1 gpc=%bp:x64 uhva=+16(%bp):x64 pfn=%bx:x64 snap=%r15:u64",
    "p:gpc/gpc_err kvm:__kvm_gpc_refresh+0x2bd gpc=%bp:x64 pfn=%bx:x64",
    "p:gpc/gpc_keep kvm:__kvm_gpc_refresh+0x362 gpc=%bp:x64 uhva=+16(%bp):x64 pfn=+104(%bp):x64",
    "p:gpc/swap_wait kvm:kvm_swap_active_memslots+0xc0 kvm=%bx:x64 active=+0x1140(%bx):s64",
    "p:gpc/swap_publish kvm:kvm_swap_active_memslots+0x118 kvm=%bx:x64 active=+0x1140(%bx):s64 newgen=+0(%cx):x64"
  ]
}

/** @category data @since 0.1.0 */
export const BUILD_7_3: Build = {
  name: "7.3.4+deb13-amd64",
  sha256: "12bb47b70862",
  probes: [
    "p:gpc/inv_inc kvm:kvm_mmu_notifier_invalidate_range_start+0x79 kvm=$stack0:x64 active=-0x920(%r14):s64 start=+8(%bx):x64 end=+16(%bx):x64",
    "p:gpc/gpc_inval_hit kvm:gfn_to_pfn_cache_invalidate_start+0xcd gpc=%bx:x64 uhva=+0x10(%bx):x64 pfn=+0x60(%bx):x64 start=%r14:x64 end=%r13:x64",
    "p:gpc/inv_dec kvm:kvm_mmu_notifier_invalidate_range_end+0xe0 kvm=%r13:x64 active=%bp:s64 seq=+0x38(%bx):u64 gseq=+0x58(%bx):u64",
    "p:gpc/gpc_snap kvm:__kvm_gpc_refresh+0x1c1 gpc=%bx:x64 uhva=+16(%bx):x64 snap=%r15:u64 active=+0x1130(+32(%bx)):s64",
    "p:gpc/gpc_snap kvm:__kvm_gpc_refresh+0x2d7 gpc=%bx:x64 uhva=+16(%bx):x64 snap=%r15:u64 active=+0x1130(+32(%bx)):s64",
    "p:gpc/gpc_pfn kvm:__kvm_gpc_refresh+0x1d3 gpc=%bx:x64 pfn=%ax:x64",
    "p:gpc/gpc_recheck kvm:__kvm_gpc_refresh+0x2b5 gpc=%bx:x64 snap=%r15:u64 active=+0x1130(%ax):s64 seq=+0x1aa8(%ax):u64 pfn=%bp:x64",
    "p:gpc/gpc_retry_seq kvm:__kvm_gpc_refresh+0x2cc gpc=%bx:x64 snap=%r15:u64",
    "p:gpc/gpc_commit kvm:__kvm_gpc_refresh+0x5af gpc=%bx:x64 uhva=+16(%bx):x64 pfn=%bp:x64 snap=%r15:u64",
    "p:gpc/gpc_err kvm:__kvm_gpc_refresh+0x3da gpc=%bx:x64 pfn=%bp:x64",
    "p:gpc/gpc_keep kvm:__kvm_gpc_refresh+0x47a gpc=%bx:x64 uhva=+16(%bx):x64 pfn=+96(%bx):x64",
    "p:gpc/swap_wait kvm:kvm_swap_active_memslots+0xee kvm=%bp:x64 active=+0x1130(%bp):s64",
    "p:gpc/swap_publish kvm:kvm_swap_active_memslots+0x140 kvm=%bp:x64 active=+0x1130(%bp):s64 newgen=+0(%r15):x64",
    // As in the captures of this build, whose `hva` is no address: see the layout.
    "p:gpc/pf_stale kvm:is_page_fault_stale vcpu=%di:x64 gfn=+0x20(%si):x64 hva=+0x40(%si):x64 snap=+0x30(%si):u64 seq=+0x1a88(+0(%di)):u64 in_prog=+0x1a90(+0(%di)):s64 hull_start=+0x1a98(+0(%di)):x64 hull_end=+0x1aa0(+0(%di)):x64"
  ]
}
