/**
 * Where each kernel keeps what a recording needs: the one table of offsets, and the builds that were taken apart.
 *
 * Offsets are bytes on x86-64, from the kernels' own BTF (Debian's configuration). Those of `mmu_notifier_range`,
 * `gfn_to_pfn_cache` and `kvm_gfn_range` belong to the version; those of `struct kvm` move with the configuration, too:
 * `pahole -C kvm` shows them, and a bpftrace program finds them by itself.
 *
 * @since 0.1.0
 */
import { BUILD_6_1, BUILD_6_12, BUILD_7_3 } from "./builds.ts"
import type { Build } from "./builds.ts"

/** The kernels that there is a recipe for. @category models @since 0.1.0 */
export const KERNELS = ["6.1", "6.12", "7.3"] as const

/** @category models @since 0.1.0 */
export type Kernel = (typeof KERNELS)[number]

/** Offsets in bytes; undefined where a kernel has no such member. @category models @since 0.1.0 */
export interface Layout {
  readonly mmu_notifier_range: {
    readonly start: number
    readonly end: number
    readonly flags: number
    readonly event: number
  }
  readonly kvm: {
    readonly memslots: number
    readonly mn_active_invalidate_count: number
    readonly mmu_notifier: number
    readonly mmu_invalidate_seq: number
    readonly mmu_invalidate_in_progress: number
    readonly mmu_invalidate_range_start: number
    readonly mmu_invalidate_range_end: number
    readonly gpc_invalidate_seq: number | undefined
  }
  readonly gfn_to_pfn_cache: {
    readonly generation: number
    readonly gpa: number
    readonly uhva: number
    readonly kvm: number | undefined
    readonly pfn: number
    readonly active: number
    readonly valid: number
  }
  readonly kvm_gfn_range: { readonly slot: number; readonly start: number; readonly end: number }
  readonly kvm_page_fault: { readonly gfn: number; readonly mmu_seq: number; readonly hva: number | undefined }
  readonly kvm_follow_pfn: { readonly hva: number } | undefined
}

/** @category data @since 0.1.0 */
export const LAYOUTS: Readonly<Record<Kernel, Layout>> = {
  "6.1": {
    mmu_notifier_range: { start: 16, end: 24, flags: 32, event: 36 },
    kvm: {
      memslots: 0x1118,
      mn_active_invalidate_count: 0x1140,
      mmu_notifier: 0x9a48,
      mmu_invalidate_seq: 0x9a80,
      mmu_invalidate_in_progress: 0x9a88,
      mmu_invalidate_range_start: 0x9a90,
      mmu_invalidate_range_end: 0x9a98,
      gpc_invalidate_seq: undefined
    },
    gfn_to_pfn_cache: { generation: 0, gpa: 8, uhva: 16, kvm: undefined, pfn: 104, active: 116, valid: 117 },
    kvm_gfn_range: { slot: 0, start: 8, end: 16 },
    kvm_page_fault: { gfn: 0x18, mmu_seq: 0x28, hva: 0x38 },
    kvm_follow_pfn: undefined
  },
  "6.12": {
    mmu_notifier_range: { start: 8, end: 16, flags: 24, event: 28 },
    kvm: {
      memslots: 0x1118,
      mn_active_invalidate_count: 0x1140,
      mmu_notifier: 0x1a90,
      mmu_invalidate_seq: 0x1ac8,
      mmu_invalidate_in_progress: 0x1ad0,
      mmu_invalidate_range_start: 0x1ad8,
      mmu_invalidate_range_end: 0x1ae0,
      gpc_invalidate_seq: undefined
    },
    gfn_to_pfn_cache: { generation: 0, gpa: 8, uhva: 16, kvm: 32, pfn: 104, active: 112, valid: 113 },
    kvm_gfn_range: { slot: 0, start: 8, end: 16 },
    kvm_page_fault: { gfn: 0x20, mmu_seq: 0x30, hva: 0x40 },
    kvm_follow_pfn: undefined
  },
  "7.3": {
    mmu_notifier_range: { start: 8, end: 16, flags: 24, event: 28 },
    kvm: {
      memslots: 0x1108,
      mn_active_invalidate_count: 0x1130,
      mmu_notifier: 0x1a50,
      mmu_invalidate_seq: 0x1a88,
      mmu_invalidate_in_progress: 0x1a90,
      mmu_invalidate_range_start: 0x1a98,
      mmu_invalidate_range_end: 0x1aa0,
      gpc_invalidate_seq: 0x1aa8
    },
    gfn_to_pfn_cache: { generation: 0, gpa: 8, uhva: 16, kvm: 32, pfn: 96, active: 104, valid: 105 },
    kvm_gfn_range: { slot: 0, start: 8, end: 16 },
    // The fault keeps no host address any more: at 0x40 is `refcounted_page`.
    kvm_page_fault: { gfn: 0x20, mmu_seq: 0x30, hva: undefined },
    kvm_follow_pfn: { hva: 16 }
  }
}

/** The build of each kernel whose functions were taken apart. @category data @since 0.1.0 */
export const BUILDS: Readonly<Record<Kernel, Build>> = { "6.1": BUILD_6_1, "6.12": BUILD_6_12, "7.3": BUILD_7_3 }
