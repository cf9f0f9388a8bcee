import { assert, describe, it } from "@effect/vitest"
import { chainOf, tellingFrames } from "./call-chain.ts"

describe("the telling frames of a call chain", () => {
  it.each([
    [
      "NUMA balancing, recorded at the tracepoint",
      "trace_event_raw_event_kvm_unmap_hva_range kvm_mmu_notifier_invalidate_range_start __mmu_notifier_invalidate_range_start change_protection change_prot_numa task_numa_work task_work_run exit_to_user_mode_loop do_syscall_64 entry_SYSCALL_64_after_hwframe",
      ["change_protection", "change_prot_numa", "task_numa_work", "task_work_run"]
    ],
    [
      "munmap, at the tracepoint, as 6.18 compiled it",
      "trace_event_raw_event_kvm_unmap_hva_range kvm_mmu_notifier_invalidate_range_start __mmu_notifier_invalidate_range_start unmap_vmas vms_clear_ptes.part.0 vms_complete_munmap_vmas do_vmi_align_munmap __vm_munmap __x64_sys_munmap do_syscall_64 entry_SYSCALL_64_after_hwframe",
      [
        "unmap_vmas",
        "vms_clear_ptes",
        "vms_complete_munmap_vmas",
        "do_vmi_align_munmap",
        "__vm_munmap",
        "__x64_sys_munmap"
      ]
    ],
    [
      "perf, with offsets and the program's own frames",
      "kvm_mmu_notifier_invalidate_range_start+0x337 __mmu_notifier_invalidate_range_start+0x85 zap_page_range_single+0x1/0x2 madvise_vma_behavior do_madvise __x64_sys_madvise do_syscall_64 entry_SYSCALL_64_after_hwframe __madvise _int_free std::vector<int>::~vector()",
      [
        "zap_page_range_single",
        "madvise_vma_behavior",
        "do_madvise",
        "__x64_sys_madvise",
        "__madvise",
        "_int_free",
        "std::vector<int>::~vector()"
      ]
    ],
    [
      "a kernel thread",
      "kvm_mmu_notifier_invalidate_range_start __mmu_notifier_invalidate_range_start try_to_migrate_one rmap_walk_anon try_to_migrate migrate_pages_batch kcompactd kthread ret_from_fork ret_from_fork_asm",
      [
        "try_to_migrate_one",
        "rmap_walk_anon",
        "try_to_migrate",
        "migrate_pages_batch",
        "kcompactd",
        "kthread"
      ]
    ],
    ["nothing but machinery", "kvm_mmu_notifier_invalidate_range_start", []]
  ])("are those of core mm: %s", (_name, frames, telling) => {
    assert.deepStrictEqual(tellingFrames(chainOf(frames)!), telling)
  })

  it("are none of an empty chain", () => {
    assert.isNull(chainOf(" "))
    assert.deepStrictEqual(chainOf("a  b"), ["a", "b"])
  })
})
