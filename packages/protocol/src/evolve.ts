/**
 * What each event does to the state. Nothing else writes it: steps, the checker and a replay all come through here.
 *
 * An event carries its results (the new count, the new sequence), so that a log can be read without its policy, and
 * it touches only the cells of the actor that ran the step and of the thread that asked for it.
 *
 * Hot: plain assignments to typed-array cells, no allocation.
 *
 * @since 0.1.0
 */
import { KVM_PFN_ERR_FAULT, NO_PFN } from "./address.ts"
import { CHANGES, LOCKS, REFERENCES } from "./event.ts"
import type { Emit } from "./event.ts"
import { NOT_READ, OP, OPEN, PROT, SLOT } from "./state.ts"
import type { State } from "./state.ts"

/** The lock codes. @category constants @since 0.1.0 */
export const LOCK = Object.fromEntries(LOCKS.map((name, code) => [name, code])) as {
  readonly [K in (typeof LOCKS)[number]]: number
}

/** The change codes. @category constants @since 0.1.0 */
export const CHANGE = Object.fromEntries(CHANGES.map((name, code) => [name, code])) as {
  readonly [K in (typeof CHANGES)[number]]: number
}

/** The reference codes. @category constants @since 0.1.0 */
export const REF = Object.fromEntries(REFERENCES.map((name, code) => [name, code])) as {
  readonly [K in (typeof REFERENCES)[number]]: number
}

/**
 * Writes events to a state.
 *
 * @category models
 * @since 0.1.0
 */
export class Evolve implements Emit {
  readonly s: State
  constructor(state: State) {
    this.s = state
  }

  /** Where the thread stands after its step: the `to` of the step's last event. */
  moved(t: number, to: number): void {
    const thread = this.s.threads[t]
    thread.pc = to
    thread.blocked = 0
  }

  // ---- operations of a thread
  Called(t: number, op: number, a: number, b: number, c: number): void {
    const thread = this.s.threads[t]
    thread.op = op
    thread.a = a
    thread.b = b
    thread.d = c
    thread.phase = 0
    thread.ret = 0
  }
  Returned(t: number, _ret: number): void {
    const thread = this.s.threads[t]
    thread.op = OP.pause
    thread.a = thread.b = thread.d = 0
    thread.phase =
      thread.ret =
      thread.hva =
      thread.gpa =
      thread.khva =
        0
    thread.snapshot = thread.generation = NOT_READ
    thread.reason = thread.inFlight = thread.covering = 0
    const { ops, repeat } = this.s.geo.world.threads[t]
    thread.opIndex += 1
    if (thread.opIndex < ops.length) return
    thread.opIndex = 0
    if (repeat > 0) thread.round += 1
  }
  Blocked(t: number, _on: number): void {
    this.s.threads[t].blocked = 1
  }
  Locked(t: number, lock: number, gpc: number): void {
    this.setLock(lock, gpc, t + 1)
  }
  Unlocked(_t: number, lock: number, gpc: number): void {
    this.setLock(lock, gpc, 0)
  }
  private setLock(lock: number, gpc: number, holder: number): void {
    const { gpcs, kvm, mmu } = this.s
    if (lock === LOCK["gpc->lock"]) gpcs[gpc].writer = holder
    else if (lock === LOCK["gpc->refresh_lock"]) gpcs[gpc].refreshLock = holder
    else if (lock === LOCK.mn_invalidate_lock) kvm.mnLock = holder
    else if (lock === LOCK.gpc_lock) kvm.gpcLock = holder
    else if (lock === LOCK.slots_lock) kvm.slotsLock = holder
    else if (lock === LOCK["mmap_lock(write)"]) mmu.mmapWriter = holder
    else mmu.mmapReaders += holder === 0 ? -1 : 1
  }

  // ---- kvm_mmu_notifier_invalidate_range_start
  RangeStartCalled(t: number, start: number, end: number, _event: number, change: number): void {
    const thread = this.s.threads[t]
    thread.open(start, end, change)
    this.s.kvm.setOpen(t, thread.depth - 1, start, end, OPEN.counted)
  }
  CountIncremented(_t: number, count: number): void {
    this.s.kvm.count = count
  }
  HullChanged(t: number, entry: number, start: number, end: number, users: number): void {
    const { kvm, threads } = this.s
    if (users > kvm.hullUsers(entry) && threads[t].depth > 0) threads[t].entry = entry
    kvm.setHull(entry, start, end, users)
  }
  GpcVisited(t: number, gpc: number, hit: number): void {
    if (hit === 0) this.s.threads[t].cursor = gpc + 1
  }
  GpcInvalidated(t: number, gpc: number, flag: number): void {
    const cache = this.s.gpcs[gpc]
    cache.valid = 0
    if (flag === 1) cache.flag = 0
    this.s.threads[t].cursor = gpc + 1
  }
  MmuLockHeld(t: number, inProgress: number, start: number, end: number): void {
    const { geo, kvm, threads } = this.s
    const thread = threads[t]
    kvm.inProgress = inProgress
    kvm.rangeStart = start
    kvm.rangeEnd = end
    thread.overlap = 1
    const slots = geo.world.memslots
    for (let i = 0; i < slots.length; i++) {
      if (kvm.slotState(i) === SLOT.absent) continue
      this.zap(i, thread.start - kvm.slotHva(i), thread.end - kvm.slotHva(i))
    }
  }
  private zap(slot: number, from: number, to: number): void {
    const { geo, kvm } = this.s
    if (geo.slotBase[slot] < 0) return
    const last = Math.min(geo.world.memslots[slot].pages, Math.ceil(to / geo.pageSize))
    for (let page = Math.max(0, Math.floor(from / geo.pageSize)); page < last; page++) {
      kvm.setSpte(geo.slotBase[slot] + page, NO_PFN)
    }
  }
  StartReturned(t: number, start: number, end: number): void {
    const { kvm, threads } = this.s
    threads[t].cursor = 0
    kvm.setOpen(t, threads[t].depth - 1, start, end, OPEN.started)
  }

  // ---- the primary MMU
  PteChanged(t: number, hva: number, pfn: number, protection: number, gathered: number): void {
    const { geo, mmu, threads } = this.s
    const page = geo.pageOf(hva)
    if (page < 0) return
    const old = mmu.pfn(page)
    if (old !== pfn) {
      const from = mmu.frame(old)
      if (from >= 0) {
        if (gathered === 1) {
          mmu.addGather(from, 1)
          mmu.setGathered(t, page, old)
        }
        mmu.addMapcount(from, -1)
      }
      const to = mmu.frame(pfn)
      if (to >= 0) mmu.addMapcount(to, 1)
    }
    mmu.setPte(page, pfn, protection)
    if (threads[t].depth > 0) threads[t].cursor = page + 1
  }
  FrameAllocated(t: number, pfn: number, copyOf: number): void {
    const { mmu, threads } = this.s
    const source = mmu.frame(copyOf)
    const at = mmu.vacant(pfn)
    mmu.born(at, pfn, source < 0 ? 0 : mmu.word(source))
    mmu.addGup(at, 1)
    mmu.nextPfn = pfn + 1
    threads[t].copy = pfn
  }
  PageFaulted(_t: number, hva: number, pfn: number): void {
    const { geo, mmu } = this.s
    const at = mmu.vacant(pfn)
    mmu.born(at, pfn, 0)
    mmu.addMapcount(at, 1)
    mmu.nextPfn = pfn + 1
    mmu.setPte(geo.pageOf(hva), pfn, PROT.write)
  }
  RefPut(t: number, pfn: number, reference: number): void {
    const { geo, mmu, threads } = this.s
    const at = mmu.frame(pfn)
    if (reference === REF.gather) {
      let page = 0
      while (page < geo.pages && mmu.gathered(t, page) !== pfn) page++
      if (page === geo.pages) return
      mmu.setGathered(t, page, NO_PFN)
      return mmu.addGather(at, -1)
    }
    if (at >= 0) mmu.addGup(at, -1)
    const thread = threads[t]
    if (thread.newPfn === pfn) thread.newPfn = NO_PFN
    else if (thread.copy === pfn) thread.copy = NO_PFN
    thread.newKhva = NO_PFN
  }
  PageFreed(_t: number, _pfn: number): void {}

  // ---- kvm_mmu_notifier_invalidate_range_end
  EndCalled(t: number, start: number, end: number): void {
    const { kvm, threads } = this.s
    kvm.setOpen(t, threads[t].depth - 1, start, end, OPEN.ending)
    threads[t].cursor = 0
  }
  SeqBumped(_t: number, seq: number, inProgress: number): void {
    this.s.kvm.seq = seq
    this.s.kvm.inProgress = inProgress
  }
  GpcSeqBumped(_t: number, seq: number): void {
    this.s.kvm.gpcSeq = seq
  }
  CountDecremented(t: number, count: number): void {
    const { kvm, threads } = this.s
    kvm.count = count
    kvm.setOpen(t, threads[t].depth - 1, 0, 0, OPEN.none)
  }
  Woken(_t: number, sleeper: number): void {
    this.s.kvm.setSleeping(sleeper, 0)
    this.s.kvm.sleepers -= 1
  }
  EndReturned(t: number, _start: number, _end: number): void {
    const thread = this.s.threads[t]
    thread.close()
    thread.phase += 1
  }

  // ---- kvm_gpc_refresh
  RefreshEntered(t: number, gpc: number, gpa: number, uhva: number): void {
    this.s.gpcs[gpc].refreshLock = t + 1
    this.s.threads[t].gpa = gpa
    this.s.threads[t].hva = uhva
  }
  SlotsRead(t: number, generation: number, hva: number): void {
    this.s.threads[t].generation = generation
    this.s.threads[t].hva = hva
  }
  Translated(_t: number, gpc: number, gpa: number, uhva: number, generation: number): void {
    const cache = this.s.gpcs[gpc]
    cache.gpa = gpa
    cache.uhva = uhva
    cache.generation = generation
  }
  MappingKept(_t: number, _gpc: number): void {}
  ValidCleared(_t: number, gpc: number): void {
    this.s.gpcs[gpc].valid = 0
  }
  ValidSet(_t: number, gpc: number, tentative: number): void {
    this.s.gpcs[gpc].valid = tentative === 1 ? 2 : 1
  }
  FlagSet(_t: number, gpc: number): void {
    this.s.gpcs[gpc].flag = 1
  }
  Snapshotted(t: number, seq: number): void {
    this.s.threads[t].snapshot = seq
    this.s.threads[t].reason = 0
  }
  Waited(t: number, _pending: number, sleep: number): void {
    if (sleep === 0) return
    this.s.kvm.setSleeping(t, sleep)
    this.s.kvm.sleepers += 1
  }
  PfnResolved(t: number, hva: number, pfn: number): void {
    const { mmu, threads } = this.s
    const at = mmu.frame(pfn)
    if (at >= 0) mmu.addGup(at, 1)
    threads[t].newPfn = at >= 0 ? pfn : NO_PFN
    threads[t].hva = hva
  }
  Mapped(t: number, _gpc: number, pfn: number, _reused: number): void {
    this.s.threads[t].newKhva = pfn
  }
  RetryTested(t: number, reason: number, met: number, inFlight: number, covering: number): void {
    const thread = this.s.threads[t]
    if (met === 1) thread.reason = reason
    thread.inFlight = inFlight
    thread.covering = covering
  }
  RetryDecided(t: number, _gpc: number, _reason: number, _inFlight: number, _covering: number): void {
    const thread = this.s.threads[t]
    thread.reason = thread.inFlight = thread.covering = 0
  }
  Published(t: number, gpc: number, uhva: number, pfn: number): void {
    const cache = this.s.gpcs[gpc]
    const thread = this.s.threads[t]
    cache.valid = 1
    cache.uhva = uhva
    cache.pfn = pfn
    cache.khva = thread.newKhva
    thread.reason = thread.inFlight = thread.covering = 0
  }
  MappingStored(t: number, gpc: number, pfn: number): void {
    this.s.gpcs[gpc].pfn = pfn
    this.s.gpcs[gpc].khva = this.s.threads[t].newKhva
  }
  RefreshFailed(t: number, gpc: number, ret: number): void {
    const cache = this.s.gpcs[gpc]
    const thread = this.s.threads[t]
    cache.valid = 0
    cache.flag = 0
    cache.pfn = KVM_PFN_ERR_FAULT
    cache.khva = NO_PFN
    thread.newPfn = thread.newKhva = NO_PFN
    thread.ret = ret
  }
  RefreshReturned(t: number, gpc: number, ret: number): void {
    this.s.gpcs[gpc].refreshLock = 0
    this.s.threads[t].ret = ret
  }

  // ---- users of a cache
  ReaderEntered(_t: number, gpc: number): void {
    this.s.gpcs[gpc].readers += 1
  }
  Checked(t: number, gpc: number, ok: number): void {
    if (ok === 1) this.s.threads[t].khva = this.s.gpcs[gpc].khva
  }
  KhvaAccessed(_t: number, _gpc: number, pfn: number, word: number): void {
    const { mmu } = this.s
    const at = mmu.frame(pfn)
    if (at >= 0 && word !== 0) mmu.setWord(at, word)
  }
  ReaderLeft(_t: number, gpc: number): void {
    this.s.gpcs[gpc].readers -= 1
  }
  Activated(_t: number, gpc: number): void {
    this.s.gpcs[gpc].active = 1
  }
  Deactivated(_t: number, gpc: number): void {
    const cache = this.s.gpcs[gpc]
    cache.active = cache.valid = cache.flag = 0
    cache.pfn = KVM_PFN_ERR_FAULT
    cache.khva = NO_PFN
  }
  Listed(_t: number, gpc: number, listed: number): void {
    this.s.gpcs[gpc].listed = listed
  }

  // ---- memslots
  SrcuEntered(t: number, index: number): void {
    this.s.kvm.addSrcuReaders(index, 1)
    this.s.threads[t].srcu = index + 1
  }
  SrcuLeft(t: number, index: number): void {
    this.s.kvm.addSrcuReaders(index, -1)
    this.s.threads[t].srcu = 0
  }
  SwapWaited(t: number, _count: number): void {
    this.s.kvm.setSleeping(t, 1)
    this.s.kvm.sleepers += 1
  }
  MemslotsSwapped(t: number, slot: number, state: number, hva: number, generation: number): void {
    const { geo, kvm, threads } = this.s
    kvm.generation = generation
    threads[t].phase += 1
    if (slot < 0) return
    kvm.setSlot(slot, state, hva)
    this.zap(slot, 0, geo.world.memslots[slot].pages * geo.pageSize)
  }
  SrcuFlipped(_t: number, index: number): void {
    this.s.kvm.srcuIndex = index
  }
  GenerationChanged(_t: number, generation: number): void {
    this.s.kvm.generation = generation
  }

  // ---- guest page faults
  GuestFaulted(_t: number, gfn: number, pfn: number): void {
    const { geo, kvm } = this.s
    const slot = geo.slotOf(gfn * geo.pageSize)
    if (slot >= 0 && geo.slotBase[slot] >= 0) {
      kvm.setSpte(geo.slotBase[slot] + gfn - geo.world.memslots[slot].gpa / geo.pageSize, pfn)
    }
  }
  GuestFaultRetried(t: number, _gfn: number, reason: number): void {
    this.s.threads[t].reason = reason
  }

  // ---- audit
  PropertyViolated(_t: number, _property: number, _gpc: number): void {}
}
