/**
 * The KVM notifier: counts the invalidations in flight, walks the caches, marks the guest's pages and wakes sleepers.
 *
 * Each lock section is a step of its own. Source: virt/kvm/kvm_main.c, kvm_mmu_notifier_invalidate_range_start and
 * _end; virt/kvm/pfncache.c, gfn_to_pfn_cache_invalidate_start (6.12).
 *
 * @since 0.1.0
 */
import type { Emit } from "./event.ts"
import { LOCK } from "./evolve.ts"
import { L } from "./label.ts"
import type { Label, LabelId } from "./label.ts"
import { afterEnd, afterStart, announce, leadsAfterEnd, leadsAfterStart } from "./mmu.ts"
import type { Policy } from "./policy.ts"
import { OPEN, overlapsMemslot, SLOT, TRACKED_RANGES } from "./state.ts"
import type { Gpc, State, Thread } from "./state.ts"
import { atCursor, atKvm, to } from "./step.ts"
import type { Step, Steps } from "./step.ts"

/**
 * Whether an invalidation is in flight whose tracked range holds `hva`, as far as the policy can know.
 *
 * @category queries
 * @since 0.1.0
 */
export const isPending = (s: State, policy: Policy, hva: number): boolean => {
  const { kvm } = s
  if (policy.hull.ranges <= 1) return kvm.count > 0 && kvm.hullStart(0) <= hva && hva < kvm.hullEnd(0)
  for (let i = 0; i < policy.hull.ranges; i++) {
    if (kvm.hullUsers(i) > 0 && kvm.hullStart(i) <= hva && hva < kvm.hullEnd(i)) return true
  }
  return false
}

/**
 * How many invalidations in flight really hold `hva`: what a policy cannot know, and an audit must.
 *
 * @category queries
 * @since 0.1.0
 */
export const covering = (s: State, hva: number): number => {
  const { kvm } = s
  let n = 0
  for (let t = 0; t < s.threads.length && kvm.count > 0; t++) {
    for (let depth = 0; depth < 2; depth++) {
      if (kvm.openPhase(t, depth) !== OPEN.none && kvm.openStart(t, depth) <= hva && hva < kvm.openEnd(t, depth)) n++
    }
  }
  return n
}

/** Tracks the range that a thread has just announced. */
const track = (s: State, t: Thread, emit: Emit, policy: Policy): void => {
  const { kvm } = s
  if (policy.hull.ranges > 1) return trackExactly(s, t, emit, policy.hull.ranges)
  const first = policy.hull.reset === "never" ? false : kvm.count === 1
  const start = first ? t.start : Math.min(kvm.hullStart(0), t.start)
  const end = first ? t.end : Math.max(kvm.hullEnd(0), t.end)
  emit.HullChanged(t.id, 0, start, end, 1)
}

/** Puts the range in a free entry; when there is none, widens the one that grows least. */
const trackExactly = (s: State, t: Thread, emit: Emit, ranges: number): void => {
  const { kvm } = s
  let best = 0
  let growth = Infinity
  for (let i = 0; i < Math.min(ranges, TRACKED_RANGES); i++) {
    if (kvm.hullUsers(i) === 0) return emit.HullChanged(t.id, i, t.start, t.end, 1)
    const width = Math.max(kvm.hullEnd(i), t.end) - Math.min(kvm.hullStart(i), t.start)
    if (width - (kvm.hullEnd(i) - kvm.hullStart(i)) >= growth) continue
    growth = width - (kvm.hullEnd(i) - kvm.hullStart(i))
    best = i
  }
  emit.HullChanged(
    t.id,
    best,
    Math.min(kvm.hullStart(best), t.start),
    Math.max(kvm.hullEnd(best), t.end),
    kvm.hullUsers(best) + 1
  )
}

/** Forgets the range of an invalidation that has ended, as far as the policy can. */
const untrack = (s: State, t: Thread, emit: Emit, policy: Policy): void => {
  const { kvm } = s
  if (policy.hull.ranges > 1) {
    const { entry } = t
    const users = kvm.hullUsers(entry) - 1
    emit.HullChanged(t.id, entry, users === 0 ? 0 : kvm.hullStart(entry), users === 0 ? 0 : kvm.hullEnd(entry), users)
  } else if (policy.hull.under !== "none" && policy.hull.reset === "on-zero" && kvm.count === 0) {
    emit.HullChanged(t.id, 0, 0, 0, 0)
  }
}

const isHit = (policy: Policy, gpc: Gpc, t: Thread): boolean =>
  gpc.listed === 1 &&
  (policy.hit.on === "valid" ? gpc.valid !== 0 : gpc.flag === 1) &&
  (policy.hit.pfn === "ignored" || gpc.pfn > 0) &&
  t.start <= gpc.uhva && gpc.uhva < t.end

const isFree = (gpc: Gpc): boolean => gpc.readers === 0 && gpc.writer === 0

/** The steps of one walk over the caches: at range_start, or at range_end. */
const walk = (policy: Policy, at: "start" | "end"): Steps => {
  const label = (name: string): LabelId => L[`${at}.${name}` as Label]
  const onwards = to(`${at}.visit`, `${at}.gpc_unlock`)
  const next = (s: State, t: Thread): LabelId => t.cursor < s.gpcs.length ? label("visit") : label("gpc_unlock")
  const invalidate = (s: State, t: Thread, emit: Emit): LabelId => {
    const gpc = s.gpcs[t.cursor]
    if (isHit(policy, gpc, t)) emit.GpcInvalidated(t.id, gpc.id, policy.flag ? 1 : 0)
    else emit.GpcVisited(t.id, gpc.id, 0)
    return next(s, t)
  }
  const { look } = policy.startWalk
  const visit: Omit<Step, "label"> = look === "write"
    ? { actor: atCursor, guard: (s, t) => isFree(s.gpcs[t.cursor]), to: onwards, run: invalidate }
    : {
      actor: atCursor,
      guard: (s, t) => look === "lockless" || s.gpcs[t.cursor].writer === 0,
      to: to(`${at}.visit`, `${at}.invalidate`, `${at}.gpc_unlock`),
      run: (s, t, emit) => {
        const gpc = s.gpcs[t.cursor]
        const hit = isHit(policy, gpc, t)
        emit.GpcVisited(t.id, gpc.id, hit ? 1 : 0)
        return hit ? label("invalidate") : next(s, t)
      }
    }
  const lock: Omit<Step, "label"> = {
    actor: atKvm,
    guard: (s) => s.kvm.gpcLock === 0,
    to: onwards,
    run: (s, t, emit) => {
      emit.Locked(t.id, LOCK.gpc_lock, -1)
      if (at === "start" && policy.hull.under === "gpc_lock") track(s, t, emit, policy)
      return next(s, t)
    }
  }
  // The re-check under the write lock: the cache may have been re-pointed since the look (I-11).
  const recheck: Omit<Step, "label"> = {
    actor: atCursor,
    guard: (s, t) => isFree(s.gpcs[t.cursor]),
    to: onwards,
    run: invalidate
  }
  const leave = at === "start"
    ? to("start.mmu")
    : policy.endWalk === "before-decrement"
    ? to("end.count")
    : leadsFromEnd
  const unlock: Omit<Step, "label"> = {
    actor: atKvm,
    to: leave,
    run: (s, t, emit) => {
      emit.Unlocked(t.id, LOCK.gpc_lock, -1)
      if (s.kvm.mnLock === t.id + 1) emit.Unlocked(t.id, LOCK.mn_invalidate_lock, -1)
      if (at === "start") return L["start.mmu"]
      return policy.endWalk === "before-decrement" ? L["end.count"] : leaveEnd(s, t, emit)
    }
  }
  return {
    [`${at}.gpc_lock`]: lock,
    [`${at}.visit`]: visit,
    [`${at}.invalidate`]: recheck,
    [`${at}.gpc_unlock`]: unlock
  }
}

/** `kvm_mmu_invalidate_begin` and `range_add`: the hull of what is in progress, in guest frames. */
const beginInvalidation = (s: State, t: Thread, emit: Emit): void => {
  const { geo, kvm } = s
  let start = kvm.inProgress === 0 ? Infinity : kvm.rangeStart
  let end = kvm.inProgress === 0 ? 0 : kvm.rangeEnd
  const slots = geo.world.memslots
  for (let i = 0; i < slots.length; i++) {
    const hva = kvm.slotHva(i)
    const from = Math.max(t.start, hva)
    const to = Math.min(t.end, hva + slots[i].pages * geo.pageSize)
    if (kvm.slotState(i) === SLOT.absent || from >= to) continue
    start = Math.min(start, Math.floor((slots[i].gpa + from - hva) / geo.pageSize))
    end = Math.max(end, Math.ceil((slots[i].gpa + to - hva) / geo.pageSize))
  }
  emit.MmuLockHeld(t.id, kvm.inProgress + 1, start, end)
}

/** Leaves range_end, by way of the sleepers if there are any. */
const leaveEnd = (s: State, t: Thread, emit: Emit): LabelId => {
  return s.kvm.sleepers > 0 ? L["end.wake"] : returnFromEnd(s, t, emit)
}

const leadsFromEnd = (op: number): ReadonlyArray<LabelId> => [L["end.wake"], ...leadsAfterEnd(op)]

const returnFromEnd = (s: State, t: Thread, emit: Emit): LabelId => {
  const to = afterEnd(s, t)
  emit.EndReturned(t.id, t.start, t.end)
  return to
}

/**
 * The steps of range_start and range_end.
 *
 * @category steps
 * @since 0.1.0
 */
export const notifierSteps = (policy: Policy): Steps => ({
  "start.count": {
    actor: atKvm,
    guard: (s) => s.kvm.mnLock === 0,
    to: policy.startWalk.when === "none" ? to("start.mmu") : to("start.gpc_lock"),
    run: (s, t, emit) => {
      const { change, end, event, start } = announce(s, t)
      emit.RangeStartCalled(t.id, start, end, event, change)
      emit.CountIncremented(t.id, s.kvm.count + 1)
      if (policy.hull.under === "mn") track(s, t, emit, policy)
      if (policy.startWalk.when === "none") return L["start.mmu"]
      if (policy.startWalk.when === "under-mn") emit.Locked(t.id, LOCK.mn_invalidate_lock, -1)
      return L["start.gpc_lock"]
    }
  },
  ...walk(policy, "start"),
  // __kvm_handle_hva_range: mmu_lock is taken, and anything done, on memslot overlap only.
  "start.mmu": {
    actor: atKvm,
    to: leadsAfterStart,
    run: (s, t, emit) => {
      if (overlapsMemslot(s.geo, s.kvm, t.start, t.end)) beginInvalidation(s, t, emit)
      emit.StartReturned(t.id, t.start, t.end)
      return afterStart(s, t)
    }
  },
  "end.mmu": {
    actor: atKvm,
    to: policy.endWalk === "before-decrement" ? to("end.gpc_lock") : to("end.count"),
    run: (s, t, emit) => {
      const { kvm } = s
      emit.EndCalled(t.id, t.start, t.end)
      if (overlapsMemslot(s.geo, kvm, t.start, t.end)) emit.SeqBumped(t.id, kvm.seq + 1, kvm.inProgress - 1)
      return policy.endWalk === "before-decrement" ? L["end.gpc_lock"] : L["end.count"]
    }
  },
  "end.count": {
    actor: atKvm,
    guard: (s) => s.kvm.mnLock === 0,
    to: policy.endWalk === "after-decrement" ? to("end.gpc_lock") : leadsFromEnd,
    run: (s, t, emit) => {
      const { kvm } = s
      if (policy.snapshot.of === "gpc_invalidate_seq") emit.GpcSeqBumped(t.id, kvm.gpcSeq + 1)
      emit.CountDecremented(t.id, kvm.count - 1)
      untrack(s, t, emit, policy)
      if (policy.endWalk === "after-decrement") return L["end.gpc_lock"]
      // Only the last invalidation in flight wakes; with exact ranges each can be the one that is waited for.
      if (kvm.count > 0 && policy.hull.ranges <= 1) return returnFromEnd(s, t, emit)
      return leaveEnd(s, t, emit)
    }
  },
  ...(policy.endWalk === "none" ? {} : walk(policy, "end")),
  "end.wake": {
    actor: atKvm,
    to: leadsAfterEnd,
    run: (s, t, emit) => {
      for (let i = 0; i < s.threads.length; i++) if (s.kvm.sleeping(i) === 1) emit.Woken(t.id, i)
      return returnFromEnd(s, t, emit)
    }
  }
})
