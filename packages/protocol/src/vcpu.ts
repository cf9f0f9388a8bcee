/**
 * A thread between its operations, and the guest's page faults.
 *
 * Source: arch/x86/kvm/mmu/mmu.c, kvm_faultin_pfn and is_page_fault_stale (6.12); include/linux/kvm_host.h,
 * mmu_invalidate_retry_gfn.
 *
 * @since 0.1.0
 */
import { KVM_HVA_ERR_BAD } from "./address.ts"
import { RETRY_REASONS } from "./event.ts"
import { L } from "./label.ts"
import type { LabelId } from "./label.ts"
import { hasNext, OP, translate } from "./state.ts"
import type { State, Thread } from "./state.ts"
import { atKvm, atSelf, to } from "./step.ts"
import type { Steps } from "./step.ts"

/**
 * The first step of an operation.
 *
 * @category queries
 * @since 0.1.0
 */
export const entryOf = (op: number): LabelId => {
  switch (op) {
    case OP.pause:
      return L.pause
    case OP.touch:
      return L.fault
    case OP.madvise:
      return L["mmap.read"]
    case OP.migrate:
    case OP.ksm_merge:
      return L["start.count"]
    case OP.set_memslot:
    case OP.delete_memslot:
      return L["slots.lock"]
    case OP.gpc_deactivate:
      return L["deactivate.lock"]
    case OP.munmap:
    case OP.mmap:
    case OP.mremap:
    case OP.mprotect:
    case OP.fork:
    case OP.thp_collapse:
    case OP.thp_split:
    case OP.clear_soft_dirty:
      return L["mmap.write"]
    default:
      return L["srcu.enter"]
  }
}

/** Where an operation inside kvm->srcu begins. */
const insideSrcu = (op: number): LabelId => {
  if (op === OP.guest_fault) return L["guest.snapshot"]
  if (op === OP.gpc_refresh) return L["refresh.lock"]
  return op === OP.gpc_read || op === OP.gpc_use ? L["use.enter"] : L["activate.lock"]
}

const SEQ = RETRY_REASONS.indexOf("seq")
const IN_PROGRESS = RETRY_REASONS.indexOf("in-progress")

const gfnOf = (s: State, t: Thread): number => Math.floor(t.a / s.geo.pageSize)

/** `mmu_invalidate_retry_gfn`: why the fault of this guest page is stale, or 0. */
const staleness = (s: State, t: Thread, snapshot: number): number => {
  const { kvm } = s
  const gfn = gfnOf(s, t)
  if (kvm.inProgress > 0 && kvm.rangeStart <= gfn && gfn < kvm.rangeEnd) return IN_PROGRESS
  return kvm.seq === snapshot ? 0 : SEQ
}

/** The steps of a thread between operations and of guest page faults. @category steps @since 0.1.0 */
export const vcpuSteps: Steps = {
  idle: {
    actor: atSelf,
    guard: (s, t) => hasNext(s.geo, t),
    to: (op) => [entryOf(op)],
    run: (s, t, emit) => {
      const next = s.geo.scripts[t.id][t.opIndex]
      emit.Called(t.id, next.op, next.a, next.b, next.c)
      return entryOf(next.op)
    }
  },
  pause: {
    actor: atSelf,
    to: to("idle"),
    run: (_s, t, emit) => {
      emit.Returned(t.id, 0)
      return L.idle
    }
  },
  return: {
    actor: atSelf,
    to: to("idle"),
    run: (_s, t, emit) => {
      emit.Returned(t.id, t.ret)
      return L.idle
    }
  },
  "srcu.enter": {
    actor: atKvm,
    to: (op) => [insideSrcu(op)],
    run: (s, t, emit) => {
      emit.SrcuEntered(t.id, s.kvm.srcuIndex)
      return insideSrcu(t.op)
    }
  },
  "srcu.leave": {
    actor: atKvm,
    to: to("return"),
    run: (_s, t, emit) => {
      emit.SrcuLeft(t.id, t.srcu - 1)
      return L.return
    }
  },
  // mmu_invalidate_retry_gfn_unsafe before the lookup: an invalidation over the page is not worth starting against.
  "guest.snapshot": {
    actor: atKvm,
    to: to("srcu.leave", "gup", "guest.snapshot"),
    run: (s, t, emit) => {
      const hva = translate(s.geo, s.kvm, t.a)
      emit.SlotsRead(t.id, s.kvm.generation, hva)
      if (hva === KVM_HVA_ERR_BAD) return L["srcu.leave"]
      const reason = staleness(s, t, s.kvm.seq)
      emit.Snapshotted(t.id, s.kvm.seq)
      if (reason === 0) return L.gup
      emit.GuestFaultRetried(t.id, gfnOf(s, t), reason)
      return L["guest.snapshot"]
    }
  },
  // is_page_fault_stale under mmu_lock.
  "guest.stale": {
    actor: atKvm,
    to: to("guest.put"),
    run: (s, t, emit) => {
      const reason = staleness(s, t, t.snapshot)
      if (reason === 0) emit.GuestFaulted(t.id, gfnOf(s, t), t.newPfn)
      else emit.GuestFaultRetried(t.id, gfnOf(s, t), reason)
      return L["guest.put"]
    }
  }
}
