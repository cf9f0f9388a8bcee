/**
 * Memslot updates: the wait for invalidations in flight, the swap, and the grace period.
 *
 * A delete or a move publishes twice: first the slot flagged invalid, then the change itself. Source:
 * virt/kvm/kvm_main.c, kvm_set_memslot and kvm_swap_active_memslots (6.12).
 *
 * @since 0.1.0
 */
import type { Emit } from "./event.ts"
import { LOCK } from "./evolve.ts"
import { L } from "./label.ts"
import type { LabelId } from "./label.ts"
import { EINVAL } from "./mmu.ts"
import { OP, SLOT } from "./state.ts"
import type { State, Thread } from "./state.ts"
import { atKvm, to } from "./step.ts"
import type { Steps } from "./step.ts"

/** The state that the slot's next swap gives it. */
const nextState = (s: State, t: Thread): number => {
  const now = s.kvm.slotState(t.a)
  if (t.op === OP.delete_memslot) return now === SLOT.present ? SLOT.invalid : SLOT.absent
  return now === SLOT.present && s.kvm.slotHva(t.a) !== t.b ? SLOT.invalid : SLOT.present
}

/** Publishes the next set of slots, or sleeps until no invalidation is in flight. */
const swap = (s: State, t: Thread, emit: Emit): LabelId => {
  const { kvm } = s
  if (kvm.count > 0) {
    emit.SwapWaited(t.id, kvm.count)
    return L["swap.sleep"]
  }
  const state = nextState(s, t)
  emit.MemslotsSwapped(t.id, t.a, state, state === SLOT.present ? t.b : kvm.slotHva(t.a), kvm.generation + 1)
  return L["swap.srcu"]
}

/** The steps of a memslot update. @category steps @since 0.1.0 */
export const memslotSteps: Steps = {
  "slots.lock": {
    actor: atKvm,
    guard: (s) => s.kvm.slotsLock === 0,
    to: to("idle", "swap.wait"),
    run: (s, t, emit) => {
      if (t.op === OP.delete_memslot && s.kvm.slotState(t.a) === SLOT.absent) {
        emit.Returned(t.id, -EINVAL)
        return L.idle
      }
      emit.Locked(t.id, LOCK.slots_lock, -1)
      return L["swap.wait"]
    }
  },
  // start and end must see the same slots, or mmu_invalidate_in_progress gets out of step (I-32).
  "swap.wait": {
    actor: atKvm,
    guard: (s) => s.kvm.mnLock === 0,
    to: to("swap.sleep", "swap.srcu"),
    run: swap
  },
  "swap.sleep": {
    actor: atKvm,
    guard: (s, t) => s.kvm.sleeping(t.id) === 0 && s.kvm.mnLock === 0,
    to: to("swap.sleep", "swap.srcu"),
    run: swap
  },
  "swap.srcu": {
    actor: atKvm,
    to: to("swap.drain"),
    run: (s, t, emit) => {
      emit.SrcuFlipped(t.id, 1 - s.kvm.srcuIndex)
      return L["swap.drain"]
    }
  },
  "swap.drain": {
    actor: atKvm,
    guard: (s) => s.kvm.srcuReaders(1 - s.kvm.srcuIndex) === 0,
    to: to("swap.wait", "slots.unlock"),
    run: (s, t, emit) => {
      emit.GenerationChanged(t.id, s.kvm.generation + 1)
      return s.kvm.slotState(t.a) === SLOT.invalid ? L["swap.wait"] : L["slots.unlock"]
    }
  },
  "slots.unlock": {
    actor: atKvm,
    to: to("return"),
    run: (_s, t, emit) => {
      emit.Unlocked(t.id, LOCK.slots_lock, -1)
      return L.return
    }
  }
}
