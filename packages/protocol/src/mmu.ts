/**
 * The primary MMU: what it announces to the notifier, what it changes between start and end, when it frees, and how
 * a page is looked up for a user (GUP).
 *
 * One page a step, as under the page table lock. Source: mm/memory.c, mm/mremap.c, mm/mprotect.c, mm/rmap.c,
 * mm/migrate.c, mm/ksm.c, mm/khugepaged.c, mm/huge_memory.c, fs/proc/task_mmu.c (6.12).
 *
 * @since 0.1.0
 */
import { KVM_PFN_ERR_FAULT, NO_PFN, TASK_SIZE } from "./address.ts"
import { NOTIFIER_EVENTS } from "./event.ts"
import type { Emit } from "./event.ts"
import { CHANGE, LOCK, REF } from "./evolve.ts"
import { L } from "./label.ts"
import type { LabelId } from "./label.ts"
import { afterLookup, afterPut } from "./path.ts"
import type { Policy } from "./policy.ts"
import { OP, OPEN_RANGES, PROT } from "./state.ts"
import type { State, Thread } from "./state.ts"
import { atMmu, to } from "./step.ts"
import type { Step, Steps } from "./step.ts"
import type { OpCode } from "./world.ts"

/** EFAULT (include/uapi/asm-generic/errno-base.h). @category constants @since 0.1.0 */
export const EFAULT = 14

/** EINVAL (include/uapi/asm-generic/errno-base.h). @category constants @since 0.1.0 */
export const EINVAL = 22

/** Pages that one page-middle-directory entry covers (2 MiB of 4 KiB pages). @category constants @since 0.1.0 */
export const PAGES_PER_PMD = 512

/** Invalidations that one operation makes one after the other, at most: a KSM merge write-protects both pages first. */
const MOST_PHASES = 3

const EVENT = Object.fromEntries(NOTIFIER_EVENTS.map((name, code) => [name, code])) as {
  readonly [K in (typeof NOTIFIER_EVENTS)[number]]: number
}

/**
 * The invalidation that a thread is about to announce: filled in by {@link announce}, so that the hot path allocates
 * nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Announcement {
  start: number
  end: number
  event: number
  change: number
}

const announced: Announcement = { start: 0, end: 0, event: 0, change: 0 }

const say = (start: number, end: number, event: number, change: number): Announcement => {
  announced.start = start
  announced.end = end
  announced.event = event
  announced.change = change
  return announced
}

/**
 * Which range an operation announces next, by what it has done so far (`phase`) and what is open (`depth`).
 *
 * @category queries
 * @since 0.1.0
 */
export const announce = (s: State, t: Thread): Announcement => {
  const size = s.geo.pageSize
  switch (t.op) {
    case OP.madvise:
      return say(t.a, t.b, EVENT.CLEAR, CHANGE.zap)
    case OP.munmap:
      return say(t.a, t.b, EVENT.UNMAP, CHANGE.unmap)
    case OP.mremap: {
      if (t.depth === 0 && t.phase === 0 && hasTarget(s, t)) {
        return say(t.d, targetEnd(t), EVENT.UNMAP, CHANGE.unmap)
      }
      if (t.depth === 0) return say(t.a, t.b, EVENT.UNMAP, CHANGE.move)
      const pmd = size * PAGES_PER_PMD
      const from = Math.floor(t.a / pmd) * pmd
      return say(from, from + pmd, EVENT.CLEAR, CHANGE.split)
    }
    case OP.mprotect:
      return say(t.a, t.b, EVENT.PROTECTION_VMA, CHANGE.protect)
    case OP.fork:
      return say(t.a, t.b, EVENT.PROTECTION_PAGE, CHANGE["write-protect"])
    case OP.migrate:
      return say(t.a, t.a + size, EVENT.CLEAR, CHANGE.migrate)
    case OP.ksm_merge: {
      const page = t.phase === 0 ? t.b : t.a
      return say(page, page + size, EVENT.CLEAR, t.phase < 2 ? CHANGE["write-protect"] : CHANGE.merge)
    }
    case OP.thp_collapse:
      return say(t.a, t.b, EVENT.CLEAR, CHANGE.collapse)
    case OP.thp_split:
      return say(t.a, t.b, EVENT.CLEAR, CHANGE.split)
    case OP.clear_soft_dirty:
      return say(0, TASK_SIZE, EVENT.SOFT_DIRTY, CHANGE["soft-dirty"])
    default: {
      // A write fault on a page that must be copied first, by the thread itself or inside its GUP.
      const hva = t.op === OP.touch ? t.a : t.hva
      const page = Math.floor(hva / size) * size
      return say(page, page + size, EVENT.CLEAR, CHANGE["copy-on-write"])
    }
  }
}

/**
 * Every range `[start, end)` that an operation can announce, asked of {@link announce} in each phase and depth. What a
 * fault announces to copy a page is not among them: it follows from what another operation did to that page.
 *
 * `scratch` is a state of the world that nothing else uses.
 *
 * @category queries
 * @since 0.1.0
 */
export const invalidatedBy = (scratch: State, { a, b, c, op }: OpCode): ReadonlyArray<readonly [number, number]> => {
  const [t] = scratch.threads
  t.op = op
  t.a = a
  t.b = b
  t.d = c
  const ranges: Array<readonly [number, number]> = []
  for (t.depth = 0; t.depth < OPEN_RANGES; t.depth++) {
    for (t.phase = 0; t.phase < MOST_PHASES; t.phase++) {
      const { change, end, start } = announce(scratch, t)
      if (change !== CHANGE["copy-on-write"]) ranges.push([start, end])
    }
  }
  return ranges
}

const targetEnd = (t: Thread): number => t.d + t.b - t.a

/** Whether the target of an mremap is modelled: what it holds is unmapped first (MREMAP_FIXED). */
const hasTarget = (s: State, t: Thread): boolean => s.geo.nextPage(0, t.d, targetEnd(t)) >= 0

/** Where a thread goes when range_start has returned: a nested region first, the page table, or at once to the end. @category queries @since 0.1.0 */
export const afterStart = (s: State, t: Thread): LabelId => {
  if (t.change === CHANGE.move) return L["start.count"]
  return t.change !== CHANGE.split && s.geo.nextPage(0, t.start, t.end) >= 0 ? L.change : L["end.mmu"]
}

/** Where a thread goes when range_end is about to return. @category queries @since 0.1.0 */
export const afterEnd = (s: State, t: Thread): LabelId => {
  if (t.depth > 1) return s.geo.nextPage(0, t.a, t.b) >= 0 ? L.change : L["end.mmu"]
  const more = (t.op === OP.ksm_merge && t.phase < 2) || (t.op === OP.mremap && t.change === CHANGE.unmap)
  return more ? L["start.count"] : L.finish
}

/** Where {@link afterStart} can lead. @category queries @since 0.1.0 */
export const leadsAfterStart = (op: number): ReadonlyArray<LabelId> =>
  op === OP.mremap ? [L["start.count"], L.change, L["end.mmu"]] : [L.change, L["end.mmu"]]

/** Where {@link afterEnd} can lead. @category queries @since 0.1.0 */
export const leadsAfterEnd = (op: number): ReadonlyArray<LabelId> => {
  if (op === OP.mremap) return [L.change, L["end.mmu"], L["start.count"], L.finish]
  return op === OP.ksm_merge ? [L["start.count"], L.finish] : [L.finish]
}

/** Changes an entry; a frame that nothing refers to any more is free. */
const changePte = (s: State, t: Thread, emit: Emit, page: number, pfn: number, prot: number, gathered: number) => {
  const old = s.mmu.pfn(page)
  emit.PteChanged(t.id, s.geo.hvaOf(page), pfn, prot, gathered)
  if (old !== NO_PFN && old !== pfn && s.mmu.frame(old) < 0) emit.PageFreed(t.id, old)
}

/** Puts a reference; a frame that nothing refers to any more is free. */
const put = (s: State, t: Thread, emit: Emit, pfn: number, reference: number) => {
  emit.RefPut(t.id, pfn, reference)
  if (s.mmu.frame(pfn) < 0) emit.PageFreed(t.id, pfn)
}

/**
 * A step needs a frame, and the world has none left: no state of the machine, but a world that is too small.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutOfFrames extends Error {
  constructor(frames: number) {
    super(`out of memory: all ${frames} frames of the world are in use; give it more spareFrames`)
  }
}

/** The next pfn that can be allocated. */
const freePfn = (s: State): number => {
  const { mmu } = s
  for (let pfn = mmu.nextPfn; pfn < mmu.nextPfn + mmu.frames; pfn++) if (mmu.vacant(pfn) >= 0) return pfn
  throw new OutOfFrames(mmu.frames)
}

/** Puts every frame that this thread's gather holds (tlb_finish_mmu). */
const flushGather = (s: State, t: Thread, emit: Emit) => {
  for (let page = 0; page < s.geo.pages; page++) {
    const pfn = s.mmu.gathered(t.id, page)
    if (pfn !== NO_PFN) put(s, t, emit, pfn, REF.gather)
  }
}

const isVmaProtection = (prot: number): boolean =>
  prot === PROT["read-only"] || prot === PROT.none || prot === PROT.unmapped

/** What a zapped entry is left with: the VMA's protection stays. */
const zapped = (prot: number): number => isVmaProtection(prot) ? prot : PROT.absent

/** What mprotect makes of an entry: a hole stays one, and a shared frame is copied before it is written. */
const protect = (s: State, pfn: number, prot: number, wanted: number): number => {
  if (prot === PROT.unmapped || wanted !== PROT.write) return prot === PROT.unmapped ? prot : wanted
  if (pfn === NO_PFN) return PROT.absent
  return prot === PROT["copy-on-write"] || s.mmu.mapcount(s.mmu.frame(pfn)) > 1 ? PROT["copy-on-write"] : PROT.write
}

const isReferenced = (s: State, pfn: number): boolean => {
  const at = s.mmu.frame(pfn)
  return at >= 0 && s.mmu.gup(at) > 0
}

/** Makes the open region's change to one page. */
const changePage = (s: State, t: Thread, emit: Emit, page: number): void => {
  const { mmu } = s
  const pfn = mmu.pfn(page)
  const prot = mmu.protection(page)
  const set = (newPfn: number, newProt: number, gathered: 0 | 1) =>
    changePte(s, t, emit, page, newPfn, newProt, gathered)
  switch (t.change) {
    case CHANGE.zap:
      return set(NO_PFN, zapped(prot), 1)
    case CHANGE.unmap:
      return set(NO_PFN, PROT.unmapped, 1)
    case CHANGE.move: {
      // The new entry first: the frame must not be without a mapping in between.
      const to = s.geo.pageOf(s.geo.hvaOf(page) + t.d - t.a)
      if (to >= 0) changePte(s, t, emit, to, pfn, prot, 1)
      return set(NO_PFN, PROT.unmapped, 0)
    }
    case CHANGE.protect:
      return set(pfn, protect(s, pfn, prot, t.d), 0)
    case CHANGE["write-protect"]:
      // KSM refuses a page with references of its own; fork does not care.
      if (t.op === OP.ksm_merge && isReferenced(s, pfn)) return set(pfn, prot, 0)
      return set(pfn, prot === PROT.write ? PROT["copy-on-write"] : prot, 0)
    case CHANGE["soft-dirty"]:
      return set(pfn, prot === PROT.write ? PROT["write-protected"] : prot, 0)
    case CHANGE["copy-on-write"]:
      // wp_page_copy looks again under the lock: someone else may have changed the entry since the fault.
      return prot === PROT["copy-on-write"] ? set(t.copy, PROT.write, 1) : set(pfn, prot, 0)
    case CHANGE.migrate:
      return prot === PROT.write ? set(NO_PFN, PROT.migration, 1) : set(pfn, prot, 0)
    case CHANGE.merge: {
      const other = s.geo.pageOf(t.b)
      const cow = PROT["copy-on-write"]
      return other >= 0 && prot === cow && mmu.protection(other) === cow && sameContent(s, pfn, mmu.pfn(other))
        ? set(mmu.pfn(other), cow, 1)
        : set(pfn, prot, 0)
    }
    default:
      return prot === PROT.write ? set(NO_PFN, PROT.absent, 1) : set(pfn, prot, 0)
  }
}

const sameContent = (s: State, a: number, b: number): boolean =>
  a !== b && s.mmu.frame(a) >= 0 && s.mmu.frame(b) >= 0 && s.mmu.word(s.mmu.frame(a)) === s.mmu.word(s.mmu.frame(b))

/** Gives a page that was emptied for a copy its new frame (migration, collapse), or its old one, if that has users. */
const refill = (s: State, t: Thread, emit: Emit, page: number): void => {
  const old = s.mmu.gathered(t.id, page)
  const waiting = t.op === OP.migrate ? PROT.migration : PROT.absent
  if (old === NO_PFN || s.mmu.protection(page) !== waiting) return
  if (isReferenced(s, old)) return changePte(s, t, emit, page, old, PROT.write, 0)
  const pfn = freePfn(s)
  emit.FrameAllocated(t.id, pfn, old)
  changePte(s, t, emit, page, pfn, PROT.write, 0)
  put(s, t, emit, pfn, REF.gup)
}

const holdsMmapLock = (t: Thread): number => t.op === OP.madvise ? LOCK["mmap_lock(read)"] : LOCK["mmap_lock(write)"]

const isMmapOperation = (t: Thread): boolean => t.op !== OP.migrate && t.op !== OP.ksm_merge && t.op !== OP.touch

/** What an operation still does after range_end: copies and frees; a fault that copied looks at the entry again. */
const finish = (s: State, t: Thread, emit: Emit): LabelId => {
  if (isCopyOnWrite(t)) {
    put(s, t, emit, t.copy, REF.gup)
    flushGather(s, t, emit)
    return t.op === OP.touch ? L.fault : L.gup
  }
  if (t.op === OP.migrate || t.op === OP.thp_collapse) {
    const end = t.op === OP.migrate ? t.a + s.geo.pageSize : t.b
    for (let p = s.geo.nextPage(0, t.a, end); p >= 0; p = s.geo.nextPage(p + 1, t.a, end)) refill(s, t, emit, p)
  }
  flushGather(s, t, emit)
  if (isMmapOperation(t)) emit.Unlocked(t.id, holdsMmapLock(t), -1)
  emit.Returned(t.id, 0)
  return L.idle
}

/** Where {@link finish} can lead: back to the fault that copied, or out of the operation. */
const leadsFromFinish = (op: number): ReadonlyArray<LabelId> => {
  if (op === OP.touch) return [L.fault]
  return op >= OP.madvise && op <= OP.clear_soft_dirty ? [L.idle] : [L.gup]
}

const isCopyOnWrite = (t: Thread): boolean => t.copy !== NO_PFN

const page = (s: State, t: Thread): number => s.geo.pageOf(t.op === OP.touch ? t.a : t.hva)

/** Whether a fault can be served now: a present writable entry at once; else mmap_lock, and no migration under way. */
const canFault = (s: State, t: Thread): boolean => {
  const p = page(s, t)
  if (p < 0) return true
  const prot = s.mmu.protection(p)
  return prot === PROT.write || (s.mmu.mmapWriter === 0 && prot !== PROT.migration)
}

/**
 * Serves a write fault by one critical section. Returns where the thread goes, or -1 when the page is there to write.
 */
const fault = (s: State, t: Thread, emit: Emit, again: LabelId, failed: LabelId): LabelId => {
  const p = page(s, t)
  if (p < 0) return failed
  const { mmu } = s
  const prot = mmu.protection(p)
  if (prot === PROT.write) return -1
  if (prot === PROT.absent) {
    emit.PageFaulted(t.id, s.geo.hvaOf(p), freePfn(s))
    return again
  }
  if (prot === PROT["write-protected"]) {
    changePte(s, t, emit, p, mmu.pfn(p), PROT.write, 0)
    return again
  }
  if (prot === PROT["copy-on-write"]) {
    emit.FrameAllocated(t.id, freePfn(s), mmu.pfn(p))
    return L["start.count"]
  }
  return failed
}

const hasGathered = (s: State, t: Thread): boolean => {
  for (let page = 0; page < s.geo.pages; page++) if (s.mmu.gathered(t.id, page) !== NO_PFN) return true
  return false
}

/** Puts the reference that a lookup took. */
const putNewPfn = (leads: ReadonlyArray<LabelId>, next: (t: Thread) => LabelId): Omit<Step, "label"> => ({
  actor: atMmu,
  to: () => leads,
  run: (s, t, emit) => {
    const label = next(t)
    put(s, t, emit, t.newPfn, REF.gup)
    return label
  }
})

/**
 * The steps of the primary MMU.
 *
 * @category steps
 * @since 0.1.0
 */
export const mmuSteps = (policy: Policy): Steps => ({
  "mmap.read": {
    actor: atMmu,
    guard: (s) => s.mmu.mmapWriter === 0,
    to: to("start.count"),
    run: (_s, t, emit) => {
      emit.Locked(t.id, LOCK["mmap_lock(read)"], -1)
      return L["start.count"]
    }
  },
  "mmap.write": {
    actor: atMmu,
    guard: (s) => s.mmu.mmapWriter === 0 && s.mmu.mmapReaders === 0,
    to: (op) => [op === OP.mmap ? L["mmap.map"] : L["start.count"]],
    run: (_s, t, emit) => {
      emit.Locked(t.id, LOCK["mmap_lock(write)"], -1)
      return t.op === OP.mmap ? L["mmap.map"] : L["start.count"]
    }
  },
  // mmap(2) of a hole: the pages get a VMA again, and the first touch faults them in.
  "mmap.map": {
    actor: atMmu,
    to: to("idle"),
    run: (s, t, emit) => {
      for (let p = s.geo.nextPage(0, t.a, t.b); p >= 0; p = s.geo.nextPage(p + 1, t.a, t.b)) {
        if (s.mmu.protection(p) === PROT.unmapped) changePte(s, t, emit, p, NO_PFN, PROT.absent, 0)
      }
      emit.Unlocked(t.id, LOCK["mmap_lock(write)"], -1)
      emit.Returned(t.id, 0)
      return L.idle
    }
  },
  change: {
    actor: atMmu,
    guard: (s, t) => !keepsEntry(t.change) || !isMigrating(s, t),
    // A zap that ends with a full gather frees before range_end; one that does not frees in tlb_finish_mmu.
    choices: (s, t) => isLastPage(s, t) && frees(t.op) && t.d === 2 ? 2 : 1,
    to: (op) => frees(op) ? [L.change, L["end.mmu"], L.flush] : [L.change, L["end.mmu"]],
    run: (s, t, emit, choice) => {
      const p = s.geo.nextPage(t.cursor, t.start, t.end)
      const last = isLastPage(s, t)
      changePage(s, t, emit, p)
      if (!last) return L.change
      return frees(t.op) && hasGathered(s, t) && (t.d === 0 || choice === 1) ? L.flush : L["end.mmu"]
    }
  },
  flush: {
    actor: atMmu,
    to: to("end.mmu"),
    run: (s, t, emit) => {
      flushGather(s, t, emit)
      return L["end.mmu"]
    }
  },
  finish: { actor: atMmu, to: leadsFromFinish, run: finish },
  fault: {
    actor: atMmu,
    guard: canFault,
    to: to("fault", "start.count", "idle"),
    run: (s, t, emit) => {
      const next = fault(s, t, emit, L.fault, L.idle)
      if (next !== -1 && next !== L.idle) return next
      emit.Returned(t.id, next === -1 ? 0 : -EFAULT)
      return L.idle
    }
  },
  // hva_to_pfn: get_user_pages with FOLL_WRITE.
  gup: {
    actor: atMmu,
    guard: canFault,
    to: (op) =>
      op === OP.guest_fault
        ? [L.gup, L["start.count"], L["srcu.leave"], L["guest.stale"]]
        : [L.gup, L["start.count"], L["refresh.error"], afterLookup(policy)],
    run: (s, t, emit) => {
      const failed = t.op === OP.guest_fault ? L["srcu.leave"] : L["refresh.error"]
      const next = fault(s, t, emit, L.gup, failed)
      if (next === failed) emit.PfnResolved(t.id, t.hva, KVM_PFN_ERR_FAULT)
      if (next !== -1) return next
      emit.PfnResolved(t.id, t.hva, s.mmu.pfn(page(s, t)))
      return t.op === OP.guest_fault ? L["guest.stale"] : afterLookup(policy)
    }
  },
  "retry.put": putNewPfn([afterPut(policy)], () => afterPut(policy)),
  "refresh.put": putNewPfn([L["refresh.write_unlock"]], () => L["refresh.write_unlock"]),
  "guest.put": putNewPfn(
    [L["srcu.leave"], L["guest.snapshot"]],
    (t) => t.reason === 0 ? L["srcu.leave"] : L["guest.snapshot"]
  ),
  // The access through khva: to the frame, whatever it is by now.
  "use.access": {
    actor: atMmu,
    to: to("use.leave"),
    run: (_s, t, emit) => {
      emit.KhvaAccessed(t.id, t.a, t.khva, t.op === OP.gpc_write_own ? t.b : 0)
      return L["use.leave"]
    }
  }
})

const isLastPage = (s: State, t: Thread): boolean => {
  const p = s.geo.nextPage(t.cursor, t.start, t.end)
  return s.geo.nextPage(p + 1, t.start, t.end) < 0
}

/** Whether the change keeps what the entry maps; it waits for a migration then, which a zap need not. */
const keepsEntry = (change: number): boolean =>
  change === CHANGE.move || change === CHANGE.protect || change === CHANGE["write-protect"]

const isMigrating = (s: State, t: Thread): boolean =>
  s.mmu.protection(s.geo.nextPage(t.cursor, t.start, t.end)) === PROT.migration

const frees = (op: number): boolean => op === OP.madvise || op === OP.munmap
