/**
 * The gfn_to_pfn_cache: activate, check, refresh, deactivate, and the retry loop of `hva_to_pfn_retry` with each of
 * its unlocked windows.
 *
 * Source: virt/kvm/pfncache.c (6.12; 5.17 for `publish: "before-lookup"`), and the patches of the policies.
 *
 * @since 0.1.0
 */
import { INVALID_GPA, KVM_HVA_ERR_BAD, KVM_PFN_ERR_FAULT, NO_PFN } from "./address.ts"
import { RETRY_REASONS, SLEEPS } from "./event.ts"
import type { Emit, RetryReason } from "./event.ts"
import { LOCK } from "./evolve.ts"
import { L } from "./label.ts"
import type { LabelId } from "./label.ts"
import { EFAULT, EINVAL } from "./mmu.ts"
import { covering, isPending } from "./notifier.ts"
import {
  afterEarlyWait,
  afterMap,
  afterPut,
  afterRangeTest,
  afterSnapshot,
  afterTests,
  firstTest,
  waitsBeforePut
} from "./path.ts"
import type { Policy } from "./policy.ts"
import { OP, translate } from "./state.ts"
import type { Gpc, State, Thread } from "./state.ts"
import { atGpc, atKvm, to } from "./step.ts"
import type { Step, Steps } from "./step.ts"

const REASON = Object.fromEntries(RETRY_REASONS.map((name, code) => [name, code])) as {
  readonly [K in RetryReason]: number
}

const SLEEP = Object.fromEntries(SLEEPS.map((name, code) => [name, code])) as {
  readonly [K in (typeof SLEEPS)[number]]: number
}

const gpcOf = (s: State, t: Thread): Gpc => s.gpcs[t.a]

/** Whether gpc->lock can be taken for writing. */
const isFree = (s: State, t: Thread): boolean => {
  const gpc = gpcOf(s, t)
  return gpc.readers === 0 && gpc.writer === 0
}

const isUnowned = (s: State, t: Thread): boolean => gpcOf(s, t).refreshLock === 0

/** `kvm_gpc_check`, with the generation that was read beforehand. */
const check = (gpc: Gpc, t: Thread): boolean =>
  gpc.active === 1 &&
  (gpc.gpa === INVALID_GPA || gpc.generation === t.generation) &&
  gpc.uhva !== KVM_HVA_ERR_BAD &&
  gpc.valid === 1

/** Where a thread goes when its refresh is over: a user looks again, since refresh returns without the lock. */
const afterRefresh = (t: Thread, ret: number): LabelId =>
  ret === 0 && usesAgain(t.op) ? L["use.enter"] : L["srcu.leave"]

const usesAgain = (op: number): boolean => op === OP.gpc_use || op === OP.gpc_write_own

/** Notes what a refresh maps: the operation's new address, or the one the cache has. */
const enterRefresh = (s: State, t: Thread, emit: Emit): void => {
  const gpc = gpcOf(s, t)
  if (t.op === OP.gpc_activate || t.op === OP.gpc_write_own) emit.RefreshEntered(t.id, gpc.id, t.b, KVM_HVA_ERR_BAD)
  else if (t.op === OP.gpc_activate_hva) emit.RefreshEntered(t.id, gpc.id, INVALID_GPA, t.b)
  else emit.RefreshEntered(t.id, gpc.id, gpc.gpa, gpc.gpa === INVALID_GPA ? gpc.uhva : KVM_HVA_ERR_BAD)
}

/** Drops gpc->lock in a lap: the last lap's frame is put, and the lookup is prepared. */
const unlockForLookup = (t: Thread, emit: Emit, policy: Policy): LabelId => {
  emit.Unlocked(t.id, LOCK["gpc->lock"], t.a)
  return waitsBeforePut(policy) ? L["retry.wait"] : putLastLap(t, policy)
}

/** To the put of the last lap's frame, if there is one. */
const putLastLap = (t: Thread, policy: Policy): LabelId => t.newPfn === NO_PFN ? afterPut(policy) : L["retry.put"]

const leadsToPut = (policy: Policy): ReadonlyArray<LabelId> => [afterPut(policy), L["retry.put"]]

const leadsFromUnlock = (policy: Policy): ReadonlyArray<LabelId> =>
  waitsBeforePut(policy) ? [L["retry.wait"]] : leadsToPut(policy)

const leadsFromLap = (policy: Policy): ReadonlyArray<LabelId> =>
  policy.snapshot.of !== "none" && policy.snapshot.when === "locked" ? [L["retry.snapshot"]] : leadsFromUnlock(policy)

/** Starts a lap, with gpc->lock held: marks the cache, then notes the sequence or drops the lock. */
const startLap = (t: Thread, emit: Emit, policy: Policy): LabelId => {
  if (policy.flag) emit.FlagSet(t.id, t.a)
  return policy.snapshot.of !== "none" && policy.snapshot.when === "locked"
    ? L["retry.snapshot"]
    : unlockForLookup(t, emit, policy)
}

/** The part of `__kvm_gpc_refresh` under gpc->lock: take the address, keep the mapping or begin a lookup. */
const decide = (s: State, t: Thread, emit: Emit, policy: Policy): LabelId => {
  const gpc = gpcOf(s, t)
  const oldPage = pageStart(s, gpc.uhva)
  const uhva = t.hva
  if (uhva !== gpc.uhva || gpc.gpa !== t.gpa || (t.gpa !== INVALID_GPA && gpc.generation !== t.generation)) {
    emit.Translated(t.id, gpc.id, t.gpa, uhva, t.generation)
  }
  if (uhva === KVM_HVA_ERR_BAD) return failRefresh(t, emit)
  if (gpc.valid === 1 && pageStart(s, uhva) === oldPage) {
    emit.MappingKept(t.id, gpc.id)
    emit.Unlocked(t.id, LOCK["gpc->lock"], gpc.id)
    return L["refresh.unlock"]
  }
  if (policy.publish === "before-lookup") {
    emit.MappingStored(t.id, gpc.id, KVM_PFN_ERR_FAULT)
    emit.ValidSet(t.id, gpc.id, 0)
  } else {
    emit.ValidCleared(t.id, gpc.id)
  }
  return startLap(t, emit, policy)
}

const pageStart = (s: State, hva: number): number => Math.floor(hva / s.geo.pageSize)

const failRefresh = (t: Thread, emit: Emit): LabelId => {
  emit.RefreshFailed(t.id, t.a, -EFAULT)
  emit.Unlocked(t.id, LOCK["gpc->lock"], t.a)
  return L["refresh.unlock"]
}

/** The loop's condition and what follows: another lap, or the mapping is published. */
const decideRetry = (s: State, t: Thread, emit: Emit, policy: Policy): LabelId => {
  const gpc = gpcOf(s, t)
  const flagLost = policy.retry.includes("flag") && gpc.flag === 0
  const reason = t.reason !== 0 ? t.reason : flagLost ? REASON.flag : REASON.none
  if (reason !== REASON.none) {
    emit.RetryDecided(t.id, gpc.id, reason, t.inFlight, t.covering)
    if (policy.publish === "before-lookup") return L["retry.put"]
    if (policy.publish === "before-tests") emit.ValidCleared(t.id, gpc.id)
    return startLap(t, emit, policy)
  }
  emit.Published(t.id, gpc.id, gpc.uhva, t.newPfn === NO_PFN ? KVM_PFN_ERR_FAULT : t.newPfn)
  return t.newPfn === NO_PFN ? L["refresh.write_unlock"] : L["refresh.put"]
}

const takeGpcLock = (next: LabelId): Omit<Step, "label"> => ({
  actor: atKvm,
  guard: (s) => s.kvm.gpcLock === 0,
  to: () => [next],
  run: (_s, t, emit) => {
    emit.Locked(t.id, LOCK.gpc_lock, -1)
    return next
  }
})

const dropGpcLock = (next: LabelId): Omit<Step, "label"> => ({
  actor: atKvm,
  to: () => [next],
  run: (_s, t, emit) => {
    emit.Unlocked(t.id, LOCK.gpc_lock, -1)
    return next
  }
})

/** The steps of activate and deactivate. */
const lifeSteps: Steps = {
  "activate.lock": {
    actor: atGpc,
    guard: isUnowned,
    to: to("activate.gpc_lock", "refresh.write"),
    run: (s, t, emit) => {
      emit.Locked(t.id, LOCK["gpc->refresh_lock"], t.a)
      if (gpcOf(s, t).active === 0) return L["activate.gpc_lock"]
      enterRefresh(s, t, emit)
      return L["refresh.write"]
    }
  },
  "activate.gpc_lock": takeGpcLock(L["activate.list"]),
  "activate.list": {
    actor: atGpc,
    to: to("activate.gpc_unlock"),
    run: (_s, t, emit) => {
      emit.Listed(t.id, t.a, 1)
      return L["activate.gpc_unlock"]
    }
  },
  "activate.gpc_unlock": dropGpcLock(L["activate.active"]),
  // The cache is on the list before it is active (I-35).
  "activate.active": {
    actor: atGpc,
    guard: isFree,
    to: to("refresh.write"),
    run: (s, t, emit) => {
      emit.Activated(t.id, t.a)
      enterRefresh(s, t, emit)
      return L["refresh.write"]
    }
  },
  "deactivate.lock": {
    actor: atGpc,
    guard: isUnowned,
    to: to("idle", "deactivate.clear"),
    run: (s, t, emit) => {
      if (gpcOf(s, t).active === 0) {
        emit.Returned(t.id, 0)
        return L.idle
      }
      emit.Locked(t.id, LOCK["gpc->refresh_lock"], t.a)
      return L["deactivate.clear"]
    }
  },
  // Inactive before it leaves the list (I-36).
  "deactivate.clear": {
    actor: atGpc,
    guard: isFree,
    to: to("deactivate.gpc_lock"),
    run: (_s, t, emit) => {
      emit.Deactivated(t.id, t.a)
      return L["deactivate.gpc_lock"]
    }
  },
  "deactivate.gpc_lock": takeGpcLock(L["deactivate.unlist"]),
  "deactivate.unlist": {
    actor: atGpc,
    to: to("deactivate.gpc_unlock"),
    run: (_s, t, emit) => {
      emit.Listed(t.id, t.a, 0)
      return L["deactivate.gpc_unlock"]
    }
  },
  "deactivate.gpc_unlock": dropGpcLock(L["deactivate.unlock"]),
  "deactivate.unlock": {
    actor: atGpc,
    to: to("return"),
    run: (_s, t, emit) => {
      emit.Unlocked(t.id, LOCK["gpc->refresh_lock"], t.a)
      return L.return
    }
  }
}

/** The steps of kvm_gpc_refresh around the retry loop. */
const refreshSteps = (policy: Policy): Steps => ({
  "refresh.lock": {
    actor: atGpc,
    guard: isUnowned,
    to: to("refresh.write"),
    run: (s, t, emit) => {
      enterRefresh(s, t, emit)
      return L["refresh.write"]
    }
  },
  "refresh.write": {
    actor: atGpc,
    guard: isFree,
    to: to("srcu.leave", "refresh.decide", "refresh.slots"),
    run: (s, t, emit) => {
      if (gpcOf(s, t).active === 0) {
        emit.RefreshReturned(t.id, t.a, -EINVAL)
        return afterRefresh(t, -EINVAL)
      }
      emit.Locked(t.id, LOCK["gpc->lock"], t.a)
      return t.gpa === INVALID_GPA ? L["refresh.decide"] : L["refresh.slots"]
    }
  },
  "refresh.slots": {
    actor: atKvm,
    to: to("refresh.decide"),
    run: (s, t, emit) => {
      emit.SlotsRead(t.id, s.kvm.generation, translate(s.geo, s.kvm, t.gpa))
      return L["refresh.decide"]
    }
  },
  "refresh.decide": {
    actor: atGpc,
    to: () => [L["refresh.unlock"], ...leadsFromLap(policy)],
    run: (s, t, emit) => decide(s, t, emit, policy)
  },
  "refresh.write_unlock": {
    actor: atGpc,
    to: to("refresh.unlock"),
    run: (_s, t, emit) => {
      emit.Unlocked(t.id, LOCK["gpc->lock"], t.a)
      return L["refresh.unlock"]
    }
  },
  "refresh.unlock": {
    actor: atGpc,
    to: (op) => usesAgain(op) ? [L["use.enter"], L["srcu.leave"]] : [L["srcu.leave"]],
    run: (_s, t, emit) => {
      const next = afterRefresh(t, t.ret)
      emit.RefreshReturned(t.id, t.a, t.ret)
      return next
    }
  },
  // out_error: the lock is taken again, the mapping forgotten.
  "refresh.error": {
    actor: atGpc,
    guard: isFree,
    to: to("refresh.unlock"),
    run: (_s, t, emit) => {
      emit.RefreshFailed(t.id, t.a, -EFAULT)
      return L["refresh.unlock"]
    }
  }
})

/** From a wait that has nothing to wait for. */
const whenQuiet = (t: Thread, policy: Policy): LabelId => {
  if (waitsBeforePut(policy)) return putLastLap(t, policy)
  return policy.wait.when === "after-map" ? L["retry.relock"] : afterEarlyWait(policy)
}

const leadsFromQuiet = (policy: Policy): ReadonlyArray<LabelId> => {
  if (waitsBeforePut(policy)) return leadsToPut(policy)
  return [policy.wait.when === "after-map" ? L["retry.relock"] : afterEarlyWait(policy)]
}

/** From a wait for invalidations in flight. */
const whenPending = ({ wait }: Policy): LabelId => {
  if (wait.afterwards === "relock") return L["retry.relock_inner"]
  return wait.how === "sleep" ? L["retry.sleep"] : L["retry.wait"]
}

/** Looks for what the policy waits for, and notes how the thread waits, if it has to. */
const isWaiting = (s: State, t: Thread, emit: Emit, policy: Policy): boolean => {
  const { wait } = policy
  const pending = wait.for === "count" ? s.kvm.count > 0 : isPending(s, policy, t.hva)
  const sleep = !pending || wait.how === "spin" ? SLEEP.awake : wait.queued ? SLEEP.queued : SLEEP.unqueued
  emit.Waited(t.id, pending ? 1 : 0, sleep)
  return pending
}

const isAwake = (s: State, t: Thread): boolean => s.kvm.sleeping(t.id) === 0

/** From a sleep. */
const wake = (policy: Policy): Omit<Step, "label"> =>
  policy.wait.afterwards === "condition"
    // It looks before it returns that it slept. The posted `continue` then jumps to the loop's condition (I-27).
    ? {
      actor: atKvm,
      guard: (s, t) => isAwake(s, t) && s.kvm.mnLock === 0,
      to: to("retry.sleep", "retry.relock"),
      run: (s, t, emit) => isWaiting(s, t, emit, policy) ? L["retry.sleep"] : L["retry.relock"]
    }
    : {
      actor: atKvm,
      guard: isAwake,
      to: to("retry.wait"),
      run: (_s, t, emit) => {
        emit.Waited(t.id, 0, SLEEP.awake)
        return L["retry.wait"]
      }
    }

/** The steps of hva_to_pfn_retry; the lookup itself is the primary MMU's. */
const retrySteps = (policy: Policy): Steps => ({
  "retry.snapshot": {
    actor: atKvm,
    to: () => [afterSnapshot(policy)],
    run: (s, t, emit) => {
      emit.Snapshotted(t.id, policy.snapshot.of === "gpc_invalidate_seq" ? s.kvm.gpcSeq : s.kvm.seq)
      return afterSnapshot(policy)
    }
  },
  "retry.unlock": {
    actor: atGpc,
    to: () => leadsFromUnlock(policy),
    run: (_s, t, emit) => unlockForLookup(t, emit, policy)
  },
  "retry.wait": {
    actor: atKvm,
    // gpc_wait_for_invalidations looks under mn_invalidate_lock; a spin reads the count bare.
    guard: (s) => policy.wait.how === "spin" || s.kvm.mnLock === 0,
    to: () => [...leadsFromQuiet(policy), whenPending(policy)],
    run: (s, t, emit) => isWaiting(s, t, emit, policy) ? whenPending(policy) : whenQuiet(t, policy)
  },
  "retry.sleep": wake(policy),
  // The posted inner `continue` looks again with gpc->lock held: still pending, it takes it once more (I-26); quiet, it
  // goes on, and takes it once more after the lookup.
  "retry.relock_inner": {
    actor: atGpc,
    guard: isFree,
    to: to("retry.wait"),
    run: (_s, t, emit) => {
      emit.Locked(t.id, LOCK["gpc->lock"], t.a)
      return L["retry.wait"]
    }
  },
  "retry.map": {
    actor: atGpc,
    to: () => [afterMap(policy)],
    run: (s, t, emit) => {
      const gpc = gpcOf(s, t)
      emit.Mapped(t.id, gpc.id, t.newPfn, t.newPfn === gpc.pfn && gpc.khva !== NO_PFN ? 1 : 0)
      return afterMap(policy)
    }
  },
  "retry.relock": {
    actor: atGpc,
    guard: isFree,
    to: () => [policy.publish === "before-lookup" ? L["refresh.put"] : firstTest(policy)],
    run: (_s, t, emit) => {
      emit.Locked(t.id, LOCK["gpc->lock"], t.a)
      if (policy.publish === "before-lookup") {
        emit.MappingStored(t.id, t.a, t.newPfn)
        return L["refresh.put"]
      }
      if (policy.publish === "before-tests") emit.ValidSet(t.id, t.a, 1)
      return firstTest(policy)
    }
  },
  // The count is read without mn_invalidate_lock: it was raised before the walk took gpc->lock (I-03, I-16).
  "retry.count": {
    actor: atKvm,
    to: () => [L["retry.decide"], afterRangeTest(policy)],
    run: (s, t, emit) => {
      const met = rangeTest(s, t, policy)
      const reason = policy.retry.includes("count")
        ? REASON.count
        : policy.retry.includes("hull")
        ? REASON.hull
        : REASON["in-progress"]
      emit.RetryTested(t.id, reason, met ? 1 : 0, s.kvm.count, covering(s, t.hva))
      return met ? L["retry.decide"] : afterRangeTest(policy)
    }
  },
  "retry.seq": {
    actor: atKvm,
    to: () => [L["retry.decide"], afterTests(policy)],
    run: (s, t, emit) => {
      const now = policy.snapshot.of === "gpc_invalidate_seq" ? s.kvm.gpcSeq : s.kvm.seq
      const met = now !== t.snapshot
      emit.RetryTested(t.id, REASON.seq, met ? 1 : 0, s.kvm.count, covering(s, t.hva))
      return met ? L["retry.decide"] : afterTests(policy)
    }
  },
  "retry.decide": {
    actor: atGpc,
    to: () => [
      ...(policy.publish === "before-lookup" ? [L["retry.put"]] : leadsFromLap(policy)),
      L["refresh.write_unlock"],
      L["refresh.put"]
    ],
    run: (s, t, emit) => decideRetry(s, t, emit, policy)
  }
})

const rangeTest = (s: State, t: Thread, policy: Policy): boolean => {
  if (policy.retry.includes("count")) return s.kvm.count > 0
  if (policy.retry.includes("hull")) return isPending(s, policy, t.hva)
  const gfn = Math.floor(t.gpa / s.geo.pageSize)
  return s.kvm.inProgress > 0 && s.kvm.rangeStart <= gfn && gfn < s.kvm.rangeEnd
}

/** The steps of those who use a cache: lock for reading, check, access, unlock. */
const useSteps: Steps = {
  "use.enter": {
    actor: atGpc,
    guard: (s, t) => gpcOf(s, t).writer === 0,
    to: to("use.check", "use.slots"),
    run: (s, t, emit) => {
      emit.ReaderEntered(t.id, t.a)
      return gpcOf(s, t).gpa === INVALID_GPA ? L["use.check"] : L["use.slots"]
    }
  },
  "use.slots": {
    actor: atKvm,
    to: to("use.check"),
    run: (s, t, emit) => {
      emit.SlotsRead(t.id, s.kvm.generation, KVM_HVA_ERR_BAD)
      return L["use.check"]
    }
  },
  "use.check": {
    actor: atGpc,
    to: (op) => [L["use.access"], L["srcu.leave"], ...(op === OP.gpc_use ? [L["refresh.lock"]] : [])],
    run: (s, t, emit) => {
      const gpc = gpcOf(s, t)
      const ok = check(gpc, t)
      emit.Checked(t.id, gpc.id, ok ? 1 : 0)
      // The torture writes only while the shared cache is its own: another vCPU may have re-pointed it.
      if (ok && (t.op !== OP.gpc_write_own || gpc.gpa === t.b)) return L["use.access"]
      emit.ReaderLeft(t.id, gpc.id)
      return t.op === OP.gpc_use && !ok ? L["refresh.lock"] : L["srcu.leave"]
    }
  },
  "use.leave": {
    actor: atGpc,
    to: to("srcu.leave"),
    run: (_s, t, emit) => {
      emit.ReaderLeft(t.id, t.a)
      return L["srcu.leave"]
    }
  }
}

/**
 * The steps of a cache and its users.
 *
 * @category steps
 * @since 0.1.0
 */
export const gpcSteps = (policy: Policy): Steps => ({
  ...lifeSteps,
  ...refreshSteps(policy),
  ...retrySteps(policy),
  ...useSteps
})
