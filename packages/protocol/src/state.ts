/**
 * What the kernel's structures hold, by the kernel's own names.
 *
 * The whole machine is one array of numbers, with named views over it: it copies with one `set`, is hashed in a loop,
 * compared cell by cell and saved as it is. A view reads like a struct; nothing outside this file sees an offset.
 * The cells of one actor lie together: the primary MMU, the KVM notifier (`struct kvm`), each cache, each thread.
 *
 * Hot: a trial of this shape ran level with Spin (one million states a second, one core).
 *
 * @since 0.1.0
 */
import { INVALID_GPA, KVM_HVA_ERR_BAD, KVM_PFN_ERR_FAULT, NO_PFN } from "./address.ts"
import { OPERATIONS, PROTECTIONS, SLOT_STATES } from "./event.ts"
import { L } from "./label.ts"
import { survey } from "./world.ts"
import type { Geography, World } from "./world.ts"

/** The array under a state; the checker packs the same cells into bytes. @category models @since 0.1.0 */
export type Cells = Float64Array | Int32Array | Int16Array | Int8Array

/** Tracked ranges there is room for; a policy with one hull uses the first. @category constants @since 0.1.0 */
export const TRACKED_RANGES = 4

/** Invalidations a thread can have open at once (core mm nests regions in one thread). @category constants @since 0.1.0 */
export const OPEN_RANGES = 2

/** In a register for a count: none was read. @category constants @since 0.1.0 */
export const NOT_READ = -1

/** The protection codes of a page table entry. @category constants @since 0.1.0 */
export const PROT = Object.fromEntries(PROTECTIONS.map((name, code) => [name, code])) as {
  readonly [K in (typeof PROTECTIONS)[number]]: number
}

/** The operation codes. @category constants @since 0.1.0 */
export const OP = Object.fromEntries(OPERATIONS.map((name, code) => [name, code])) as {
  readonly [K in (typeof OPERATIONS)[number]]: number
}

/** The memslot state codes. @category constants @since 0.1.0 */
export const SLOT = Object.fromEntries(SLOT_STATES.map((name, code) => [name, code])) as {
  readonly [K in (typeof SLOT_STATES)[number]]: number
}

/** How far an open invalidation is: counted, returned from start, called end. @category constants @since 0.1.0 */
export const OPEN = { none: 0, counted: 1, started: 2, ending: 3 } as const

const PTE_CELLS = 2
const FRAME_CELLS = 5
const SLOT_CELLS = 2
const HULL_CELLS = 3
const OPEN_CELLS = 3
const GPC_CELLS = 12
const FRAME_STACK_CELLS = 5
const REGISTER_CELLS = 23
const THREAD_CELLS = REGISTER_CELLS + OPEN_RANGES * FRAME_STACK_CELLS

/** A stretch of the array: cells `from` … `to`, half open. @category models @since 0.1.0 */
export interface Region {
  readonly from: number
  readonly to: number
}

/** Some cells from one on. */
const cellsFrom = (from: number, cells: number): Region => ({ from, to: from + cells })

/** The primary MMU: page table, frames with their references, mmap_lock. @category views @since 0.1.0 */
export class PrimaryMmu {
  static readonly cells = (geo: Geography) =>
    3 + geo.pages * PTE_CELLS + geo.frames * FRAME_CELLS + geo.world.threads.length * geo.pages
  readonly c: Cells
  readonly o: number
  readonly ptes: number
  readonly table: number
  readonly gathers: number
  readonly pages: number
  readonly frames: number
  constructor(c: Cells, o: number, geo: Geography) {
    this.c = c
    this.o = o
    this.ptes = o + 3
    this.table = this.ptes + geo.pages * PTE_CELLS
    this.gathers = this.table + geo.frames * FRAME_CELLS
    this.pages = geo.pages
    this.frames = geo.frames
  }
  /** The thread (plus one) that holds mmap_lock for writing. */
  get mmapWriter() {
    return this.c[this.o]
  }
  set mmapWriter(x) {
    this.c[this.o] = x
  }
  get mmapReaders() {
    return this.c[this.o + 1]
  }
  set mmapReaders(x) {
    this.c[this.o + 1] = x
  }
  /** The lowest pfn that has never been used. */
  get nextPfn() {
    return this.c[this.o + 2]
  }
  set nextPfn(x) {
    this.c[this.o + 2] = x
  }
  /** The frame that a modelled page maps, or NO_PFN. */
  pfn(page: number): number {
    return this.c[this.ptes + page * PTE_CELLS]
  }
  protection(page: number): number {
    return this.c[this.ptes + page * PTE_CELLS + 1]
  }
  setPte(page: number, pfn: number, protection: number): void {
    this.c[this.ptes + page * PTE_CELLS] = pfn
    this.c[this.ptes + page * PTE_CELLS + 1] = protection
  }
  /** The slot of the frame table that `pfn` lives in, or -1 when that life of the frame is over. */
  frame(pfn: number): number {
    if (pfn <= 0 || this.frames === 0) return -1
    const at = this.at(this.slotOf(pfn))
    return this.c[at] === pfn && !this.unreferenced(at) ? at : -1
  }
  /** The slot that `pfn` would be allocated in, or -1 when it is taken. */
  vacant(pfn: number): number {
    const at = this.at(this.slotOf(pfn))
    return this.unreferenced(at) ? at : -1
  }
  unreferenced(at: number): boolean {
    return this.c[at + 1] === 0 && this.c[at + 2] === 0 && this.c[at + 3] === 0
  }
  mapcount(at: number): number {
    return this.c[at + 1]
  }
  gup(at: number): number {
    return this.c[at + 2]
  }
  gather(at: number): number {
    return this.c[at + 3]
  }
  /** The frame that thread `t`'s gather holds from a page, or NO_PFN: one frame can be gathered from many. */
  gathered(t: number, page: number): number {
    return this.c[this.gathers + t * this.pages + page]
  }
  /** The last word written to the frame: 0, or the guest address of the writer. */
  word(at: number): number {
    return this.c[at + 4]
  }
  /** The pfn that lives, or last lived, in a slot of the frame table. */
  pfnAt(at: number): number {
    return this.c[at]
  }
  /** Starts a life of a frame. */
  born(at: number, pfn: number, word: number): void {
    this.c[at] = pfn
    this.c[at + 1] = this.c[at + 2] = this.c[at + 3] = 0
    this.c[at + 4] = word
  }
  addMapcount(at: number, n: number): void {
    this.c[at + 1] += n
  }
  addGup(at: number, n: number): void {
    this.c[at + 2] += n
  }
  addGather(at: number, n: number): void {
    this.c[at + 3] += n
  }
  setGathered(t: number, page: number, pfn: number): void {
    this.c[this.gathers + t * this.pages + page] = pfn
  }
  setWord(at: number, word: number): void {
    this.c[at + 4] = word
  }
  /** The frame table's i-th slot. */
  at(i: number): number {
    return this.table + i * FRAME_CELLS
  }
  /** Which slot of the frame table a pfn has, if there are any: it has no other in any life. */
  slotOf(pfn: number): number {
    return pfn % this.frames
  }
  lockCells(): Region {
    return cellsFrom(this.o, 2)
  }
  pteCells(page: number): Region {
    return cellsFrom(this.ptes + page * PTE_CELLS, PTE_CELLS)
  }
  /** The cells of the frame table's i-th slot. */
  frameCells(i: number): Region {
    return cellsFrom(this.at(i), FRAME_CELLS)
  }
}

/**
 * A primary MMU that takes note of the page table entries and frames that are written: whoever wants to know what an event
 * changed need not look at all of them.
 *
 * @category views
 * @since 0.1.0
 */
export class NotingMmu extends PrimaryMmu {
  /** Since whoever reads it emptied it. */
  readonly written: Array<Region> = []
  override setPte(page: number, pfn: number, protection: number): void {
    super.setPte(page, pfn, protection)
    this.written.push(this.pteCells(page))
  }
  override born(at: number, pfn: number, word: number): void {
    super.born(at, pfn, word)
    this.written.push(cellsFrom(at, FRAME_CELLS))
  }
  override addMapcount(at: number, n: number): void {
    super.addMapcount(at, n)
    this.written.push(cellsFrom(at, FRAME_CELLS))
  }
  override addGup(at: number, n: number): void {
    super.addGup(at, n)
    this.written.push(cellsFrom(at, FRAME_CELLS))
  }
  override addGather(at: number, n: number): void {
    super.addGather(at, n)
    this.written.push(cellsFrom(at, FRAME_CELLS))
  }
}

/** `struct kvm` as the notifier, the memslots and the page fault path see it. @category views @since 0.1.0 */
export class KvmNotifier {
  static readonly cells = (geo: Geography) =>
    14 + TRACKED_RANGES * HULL_CELLS + geo.world.memslots.length * SLOT_CELLS + geo.guestPages +
    geo.world.threads.length * (1 + OPEN_RANGES * OPEN_CELLS)
  readonly c: Cells
  readonly o: number
  readonly hulls: number
  readonly slots: number
  readonly sptes: number
  readonly waits: number
  readonly open: number
  constructor(c: Cells, o: number, geo: Geography) {
    this.c = c
    this.o = o
    this.hulls = o + 14
    this.slots = this.hulls + TRACKED_RANGES * HULL_CELLS
    this.sptes = this.slots + geo.world.memslots.length * SLOT_CELLS
    this.waits = this.sptes + geo.guestPages
    this.open = this.waits + geo.world.threads.length
  }
  /** mn_active_invalidate_count: invalidations of the mm in flight. */
  get count() {
    return this.c[this.o]
  }
  set count(x) {
    this.c[this.o] = x
  }
  /** mmu_invalidate_seq: bumped at range_end, on memslot overlap only. */
  get seq() {
    return this.c[this.o + 1]
  }
  set seq(x) {
    this.c[this.o + 1] = x
  }
  /** gpc_invalidate_seq (7.3.2): bumped at every range_end. */
  get gpcSeq() {
    return this.c[this.o + 2]
  }
  set gpcSeq(x) {
    this.c[this.o + 2] = x
  }
  /** mmu_invalidate_in_progress. */
  get inProgress() {
    return this.c[this.o + 3]
  }
  set inProgress(x) {
    this.c[this.o + 3] = x
  }
  /** mmu_invalidate_range_start, a gfn. */
  get rangeStart() {
    return this.c[this.o + 4]
  }
  set rangeStart(x) {
    this.c[this.o + 4] = x
  }
  /** mmu_invalidate_range_end, a gfn, exclusive. */
  get rangeEnd() {
    return this.c[this.o + 5]
  }
  set rangeEnd(x) {
    this.c[this.o + 5] = x
  }
  /** The thread (plus one) that holds mn_invalidate_lock over several steps. */
  get mnLock() {
    return this.c[this.o + 6]
  }
  set mnLock(x) {
    this.c[this.o + 6] = x
  }
  /** The thread (plus one) that holds kvm->gpc_lock. */
  get gpcLock() {
    return this.c[this.o + 7]
  }
  set gpcLock(x) {
    this.c[this.o + 7] = x
  }
  /** The thread (plus one) that holds slots_lock and slots_arch_lock. */
  get slotsLock() {
    return this.c[this.o + 8]
  }
  set slotsLock(x) {
    this.c[this.o + 8] = x
  }
  /** The generation of the active memslots; odd while an update is in flight. */
  get generation() {
    return this.c[this.o + 9]
  }
  set generation(x) {
    this.c[this.o + 9] = x
  }
  /** The index that new kvm->srcu readers take. */
  get srcuIndex() {
    return this.c[this.o + 10]
  }
  set srcuIndex(x) {
    this.c[this.o + 10] = x
  }
  srcuReaders(index: number): number {
    return this.c[this.o + 11 + index]
  }
  addSrcuReaders(index: number, n: number): void {
    this.c[this.o + 11 + index] += n
  }
  /** Sleepers on a wait queue or the rcuwait. */
  get sleepers() {
    return this.c[this.o + 13]
  }
  set sleepers(x) {
    this.c[this.o + 13] = x
  }

  hullStart(entry: number): number {
    return this.c[this.hulls + entry * HULL_CELLS]
  }
  hullEnd(entry: number): number {
    return this.c[this.hulls + entry * HULL_CELLS + 1]
  }
  /** Invalidations in flight that share the tracked range; 0: it is stale or empty. */
  hullUsers(entry: number): number {
    return this.c[this.hulls + entry * HULL_CELLS + 2]
  }
  setHull(entry: number, start: number, end: number, users: number): void {
    const at = this.hulls + entry * HULL_CELLS
    this.c[at] = start
    this.c[at + 1] = end
    this.c[at + 2] = users
  }
  slotState(slot: number): number {
    return this.c[this.slots + slot * SLOT_CELLS]
  }
  slotHva(slot: number): number {
    return this.c[this.slots + slot * SLOT_CELLS + 1]
  }
  setSlot(slot: number, state: number, hva: number): void {
    this.c[this.slots + slot * SLOT_CELLS] = state
    this.c[this.slots + slot * SLOT_CELLS + 1] = hva
  }
  /** The frame that the guest page is mapped to, or NO_PFN. */
  spte(guestPage: number): number {
    return this.c[this.sptes + guestPage]
  }
  setSpte(guestPage: number, pfn: number): void {
    this.c[this.sptes + guestPage] = pfn
  }
  /** How thread `t` sleeps: 0 awake, 1 queued, 2 asleep but on no queue (nobody will wake it). */
  sleeping(t: number): number {
    return this.c[this.waits + t]
  }
  setSleeping(t: number, how: number): void {
    this.c[this.waits + t] = how
  }
  openStart(t: number, depth: number): number {
    return this.c[this.open + (t * OPEN_RANGES + depth) * OPEN_CELLS]
  }
  openEnd(t: number, depth: number): number {
    return this.c[this.open + (t * OPEN_RANGES + depth) * OPEN_CELLS + 1]
  }
  /** How far the invalidation is, one of {@link OPEN}. */
  openPhase(t: number, depth: number): number {
    return this.c[this.open + (t * OPEN_RANGES + depth) * OPEN_CELLS + 2]
  }
  setOpen(t: number, depth: number, start: number, end: number, phase: number): void {
    const at = this.open + (t * OPEN_RANGES + depth) * OPEN_CELLS
    this.c[at] = start
    this.c[at + 1] = end
    this.c[at + 2] = phase
  }

  /** The counts, the hull in guest frames, the locks, the generation and the readers in kvm->srcu. */
  headCells(): Region {
    return { from: this.o, to: this.hulls }
  }
  hullCells(entry: number): Region {
    return cellsFrom(this.hulls + entry * HULL_CELLS, HULL_CELLS)
  }
  slotCells(slot: number): Region {
    return cellsFrom(this.slots + slot * SLOT_CELLS, SLOT_CELLS)
  }
  spteCells(guestPage: number): Region {
    return cellsFrom(this.sptes + guestPage, 1)
  }
  sleepCells(t: number): Region {
    return cellsFrom(this.waits + t, 1)
  }
  openCells(t: number, depth: number): Region {
    return cellsFrom(this.open + (t * OPEN_RANGES + depth) * OPEN_CELLS, OPEN_CELLS)
  }
}

/** A `struct gfn_to_pfn_cache`. @category views @since 0.1.0 */
export class Gpc {
  static readonly cells = GPC_CELLS
  readonly id: number
  readonly c: Cells
  readonly o: number
  constructor(c: Cells, o: number, id: number) {
    this.id = id
    this.c = c
    this.o = o
  }
  get active() {
    return this.c[this.o]
  }
  set active(x) {
    this.c[this.o] = x
  }
  /** 1: valid; 2: set under gpc->lock ahead of the retry test, so that only the notifier's unlocked look sees it. */
  get valid() {
    return this.c[this.o + 1]
  }
  set valid(x) {
    this.c[this.o + 1] = x
  }
  /** needs_invalidation (`validating` in the first patch). */
  get flag() {
    return this.c[this.o + 2]
  }
  set flag(x) {
    this.c[this.o + 2] = x
  }
  get gpa() {
    return this.c[this.o + 3]
  }
  set gpa(x) {
    this.c[this.o + 3] = x
  }
  get uhva() {
    return this.c[this.o + 4]
  }
  set uhva(x) {
    this.c[this.o + 4] = x
  }
  get pfn() {
    return this.c[this.o + 5]
  }
  set pfn(x) {
    this.c[this.o + 5] = x
  }
  /** What khva maps: a pfn, or NO_PFN. */
  get khva() {
    return this.c[this.o + 6]
  }
  set khva(x) {
    this.c[this.o + 6] = x
  }
  get generation() {
    return this.c[this.o + 7]
  }
  set generation(x) {
    this.c[this.o + 7] = x
  }
  /** On kvm->gpc_list. */
  get listed() {
    return this.c[this.o + 8]
  }
  set listed(x) {
    this.c[this.o + 8] = x
  }
  /** Readers inside gpc->lock. */
  get readers() {
    return this.c[this.o + 9]
  }
  set readers(x) {
    this.c[this.o + 9] = x
  }
  /** The thread (plus one) that holds gpc->lock for writing. */
  get writer() {
    return this.c[this.o + 10]
  }
  set writer(x) {
    this.c[this.o + 10] = x
  }
  /** The thread (plus one) that holds gpc->refresh_lock. */
  get refreshLock() {
    return this.c[this.o + 11]
  }
  set refreshLock(x) {
    this.c[this.o + 11] = x
  }
}

/** A thread: its program counter and registers. @category views @since 0.1.0 */
export class Thread {
  static readonly cells = THREAD_CELLS
  readonly id: number
  readonly c: Cells
  readonly o: number
  constructor(c: Cells, o: number, id: number) {
    this.id = id
    this.c = c
    this.o = o
  }
  /** The label of the next step. */
  get pc() {
    return this.c[this.o]
  }
  set pc(x) {
    this.c[this.o] = x
  }
  /** 1: the next step's guard was not met; the thread waits in the actor. */
  get blocked() {
    return this.c[this.o + 1]
  }
  set blocked(x) {
    this.c[this.o + 1] = x
  }
  /** Place in the script, and rounds of it done. */
  get opIndex() {
    return this.c[this.o + 2]
  }
  set opIndex(x) {
    this.c[this.o + 2] = x
  }
  get round() {
    return this.c[this.o + 3]
  }
  set round(x) {
    this.c[this.o + 3] = x
  }
  /** The operation and its arguments. */
  get op() {
    return this.c[this.o + 4]
  }
  set op(x) {
    this.c[this.o + 4] = x
  }
  get a() {
    return this.c[this.o + 5]
  }
  set a(x) {
    this.c[this.o + 5] = x
  }
  get b() {
    return this.c[this.o + 6]
  }
  set b(x) {
    this.c[this.o + 6] = x
  }
  get d() {
    return this.c[this.o + 7]
  }
  set d(x) {
    this.c[this.o + 7] = x
  }
  /** Invalidations this operation has finished. */
  get phase() {
    return this.c[this.o + 8]
  }
  set phase(x) {
    this.c[this.o + 8] = x
  }
  /** Invalidations open now. */
  get depth() {
    return this.c[this.o + 9]
  }
  set depth(x) {
    this.c[this.o + 9] = x
  }
  /** The sequence count that the retry test compares with, or NOT_READ. */
  get snapshot() {
    return this.c[this.o + 10]
  }
  set snapshot(x) {
    this.c[this.o + 10] = x
  }
  /** new_pfn, and whether it holds a reference to it. */
  get newPfn() {
    return this.c[this.o + 11]
  }
  set newPfn(x) {
    this.c[this.o + 11] = x
  }
  /** The frame that new_khva maps, or NO_PFN. */
  get newKhva() {
    return this.c[this.o + 12]
  }
  set newKhva(x) {
    this.c[this.o + 12] = x
  }
  /** A frame allocated for a copy. */
  get copy() {
    return this.c[this.o + 13]
  }
  set copy(x) {
    this.c[this.o + 13] = x
  }
  /** Why the lap is thrown away, a place in RETRY_REASONS; 0: it is not. */
  get reason() {
    return this.c[this.o + 14]
  }
  set reason(x) {
    this.c[this.o + 14] = x
  }
  get inFlight() {
    return this.c[this.o + 15]
  }
  set inFlight(x) {
    this.c[this.o + 15] = x
  }
  get covering() {
    return this.c[this.o + 16]
  }
  set covering(x) {
    this.c[this.o + 16] = x
  }
  /** The generation last read (or NOT_READ), and the host address last translated. */
  get generation() {
    return this.c[this.o + 17]
  }
  set generation(x) {
    this.c[this.o + 17] = x
  }
  get hva() {
    return this.c[this.o + 18]
  }
  set hva(x) {
    this.c[this.o + 18] = x
  }
  get ret() {
    return this.c[this.o + 19]
  }
  set ret(x) {
    this.c[this.o + 19] = x
  }
  /** Inside kvm->srcu: the reader's index plus one. */
  get srcu() {
    return this.c[this.o + 20]
  }
  set srcu(x) {
    this.c[this.o + 20] = x
  }
  /** The guest address that the refresh maps, or INVALID_GPA. */
  get gpa() {
    return this.c[this.o + 21]
  }
  set gpa(x) {
    this.c[this.o + 21] = x
  }
  /** What the checked cache's khva maps. */
  get khva() {
    return this.c[this.o + 22]
  }
  set khva(x) {
    this.c[this.o + 22] = x
  }

  /** The innermost open invalidation: its start. */
  get start() {
    return this.c[this.top()]
  }
  get end() {
    return this.c[this.top() + 1]
  }
  /** The next cache of a walk, or the next page of a change. */
  get cursor() {
    return this.c[this.top() + 2]
  }
  set cursor(x) {
    this.c[this.top() + 2] = x
  }
  /** What is done to the range, a place in CHANGES. */
  get change() {
    return this.c[this.top() + 3]
  }
  /** Bit 0: start found a memslot; above it: the tracked range it is in, plus one. */
  get overlap() {
    return this.c[this.top() + 4] & 1
  }
  set overlap(x) {
    this.c[this.top() + 4] = (this.c[this.top() + 4] & ~1) | x
  }
  get entry() {
    return (this.c[this.top() + 4] >> 1) - 1
  }
  set entry(x) {
    this.c[this.top() + 4] = (this.c[this.top() + 4] & 1) | (x + 1) << 1
  }
  open(start: number, end: number, change: number): void {
    this.depth += 1
    const at = this.top()
    this.c[at] = start
    this.c[at + 1] = end
    this.c[at + 2] = 0
    this.c[at + 3] = change
    this.c[at + 4] = 0
  }
  close(): void {
    const at = this.top()
    for (let i = 0; i < FRAME_STACK_CELLS; i++) this.c[at + i] = 0
    this.depth -= 1
  }
  private top(): number {
    return this.o + REGISTER_CELLS + (this.depth > 0 ? this.depth - 1 : 0) * FRAME_STACK_CELLS
  }
}

/** The whole machine's state. @category models @since 0.1.0 */
export interface State {
  readonly geo: Geography
  readonly cells: Cells
  readonly mmu: PrimaryMmu
  readonly kvm: KvmNotifier
  readonly gpcs: ReadonlyArray<Gpc>
  readonly threads: ReadonlyArray<Thread>
}

/**
 * Lays views over an array of cells (or a new one); see {@link initialState} for one that holds a world's start.
 *
 * @category constructors
 * @since 0.1.0
 */
export const layout = (geo: Geography, allocate: (length: number) => Cells = (n) => new Float64Array(n)): State => {
  const { gpcs, threads } = geo.world
  const kvmAt = PrimaryMmu.cells(geo)
  const gpcAt = kvmAt + KvmNotifier.cells(geo)
  const threadAt = gpcAt + gpcs.length * Gpc.cells
  const cells = allocate(threadAt + threads.length * Thread.cells)
  return {
    geo,
    cells,
    mmu: new PrimaryMmu(cells, 0, geo),
    kvm: new KvmNotifier(cells, kvmAt, geo),
    gpcs: gpcs.map((_, g) => new Gpc(cells, gpcAt + g * Gpc.cells, g)),
    threads: threads.map((_, t) => new Thread(cells, threadAt + t * Thread.cells, t))
  }
}

/** The cells of one actor: 0 the primary MMU, 1 the notifier, then the caches, then the threads. @category models @since 0.1.0 */
export const regionOf = (state: State, actor: number): Region => {
  if (actor === 0) return { from: 0, to: state.kvm.o }
  const threads = state.cells.length - state.threads.length * Thread.cells
  const gpcs = threads - state.gpcs.length * Gpc.cells
  if (actor === 1) return { from: state.kvm.o, to: gpcs }
  const g = actor - 2
  if (g < state.gpcs.length) return { from: gpcs + g * Gpc.cells, to: gpcs + (g + 1) * Gpc.cells }
  const t = g - state.gpcs.length
  return { from: threads + t * Thread.cells, to: threads + (t + 1) * Thread.cells }
}

/** Cells whose values are only names: which numbers they are does not matter, only which of them are equal. @category models @since 0.1.0 */
export interface Names {
  /** Cells that hold a pfn, but for the frame table's own. */
  readonly frames: ReadonlyArray<number>
  /** Cells that hold a memslot generation, but for the active one. */
  readonly generations: ReadonlyArray<number>
  /** Cells that hold a thread's number plus one. */
  readonly threads: ReadonlyArray<number>
}

/** Where the state names frames, generations and threads: for whoever renames them. @category queries @since 0.1.0 */
export const namesIn = ({ gpcs, kvm, mmu, threads }: State): Names => ({
  frames: [
    ...Array.from({ length: mmu.pages }, (_, page) => mmu.ptes + page * PTE_CELLS),
    ...gpcs.flatMap(({ o }) => [o + 5, o + 6]),
    ...threads.flatMap(({ o }) => [o + 11, o + 12, o + 13, o + 22]),
    ...Array.from({ length: threads.length * mmu.pages }, (_, i) => mmu.gathers + i),
    ...Array.from({ length: kvm.waits - kvm.sptes }, (_, i) => kvm.sptes + i)
  ],
  generations: [...gpcs.map(({ o }) => o + 7), ...threads.map(({ o }) => o + 17)],
  threads: [mmu.o, kvm.o + 6, kvm.o + 7, kvm.o + 8, ...gpcs.flatMap(({ o }) => [o + 10, o + 11])]
})

/** The cells that belong to one thread, wherever they lie. @category queries @since 0.1.0 */
export const cellsOfThread = ({ kvm, mmu, threads }: State, t: number): ReadonlyArray<number> => [
  ...Array.from({ length: Thread.cells }, (_, i) => threads[t].o + i),
  ...Array.from({ length: mmu.pages }, (_, page) => mmu.gathers + t * mmu.pages + page),
  kvm.waits + t,
  ...Array.from({ length: OPEN_RANGES * OPEN_CELLS }, (_, i) => kvm.open + t * OPEN_RANGES * OPEN_CELLS + i)
]

/**
 * The state that a world starts in.
 *
 * @category constructors
 * @since 0.1.0
 */
export const initialState = (world: World, allocate?: (length: number) => Cells): State => {
  const geo = survey(world)
  const state = layout(geo, allocate)
  populate(state)
  world.memslots.forEach((slot, i) => state.kvm.setSlot(i, SLOT[slot.state], slot.hva))
  for (const gpc of state.gpcs) initialGpc(state, gpc)
  for (const thread of state.threads) {
    thread.pc = L.idle
    thread.snapshot = thread.generation = NOT_READ
  }
  return state
}

const populate = ({ geo, mmu }: State): void => {
  mmu.nextPfn = 1
  for (const area of geo.world.areas) {
    for (let i = 0; i < area.pages && area.populated; i++) {
      const pfn = mmu.nextPfn
      const frame = mmu.vacant(pfn)
      mmu.born(frame, pfn, 0)
      mmu.addMapcount(frame, 1)
      mmu.setPte(geo.pageOf(area.hva + i * geo.pageSize), pfn, PROT.write)
      mmu.nextPfn = pfn + 1
    }
  }
}

const initialGpc = (state: State, gpc: Gpc): void => {
  const config = state.geo.world.gpcs[gpc.id]
  gpc.gpa = INVALID_GPA
  gpc.uhva = KVM_HVA_ERR_BAD
  gpc.pfn = KVM_PFN_ERR_FAULT
  if (config.state === "inactive") return
  gpc.active = gpc.listed = 1
  gpc.gpa = config.gpa ?? INVALID_GPA
  gpc.generation = state.kvm.generation
  gpc.uhva = config.uhva ?? translate(state.geo, state.kvm, gpc.gpa)
  if (config.state === "active") return
  const page = state.geo.pageOf(gpc.uhva)
  gpc.pfn = gpc.khva = page < 0 ? NO_PFN : state.mmu.pfn(page)
  if (config.state === "valid") gpc.valid = gpc.flag = 1
}

/**
 * The host address of a guest address in the active memslots (`gfn_to_hva_memslot`), or KVM_HVA_ERR_BAD.
 *
 * @category queries
 * @since 0.1.0
 */
export const translate = (geo: Geography, kvm: KvmNotifier, gpa: number): number => {
  const slot = geo.slotOf(gpa)
  return slot < 0 || kvm.slotState(slot) !== SLOT.present
    ? KVM_HVA_ERR_BAD
    : kvm.slotHva(slot) + gpa - geo.world.memslots[slot].gpa
}

/**
 * Whether a memslot overlaps `[start, end)`: an INVALID one still does, it is kept in the hva tree.
 *
 * @category queries
 * @since 0.1.0
 */
export const overlapsMemslot = (geo: Geography, kvm: KvmNotifier, start: number, end: number): boolean => {
  const slots = geo.world.memslots
  for (let i = 0; i < slots.length; i++) {
    const hva = kvm.slotHva(i)
    if (kvm.slotState(i) !== SLOT.absent && hva < end && start < hva + slots[i].pages * geo.pageSize) return true
  }
  return false
}

/**
 * Whether the thread has something left to do.
 *
 * @category queries
 * @since 0.1.0
 */
export const hasNext = (geo: Geography, thread: Thread): boolean => {
  const { ops, repeat } = geo.world.threads[thread.id]
  return ops.length > 0 && (repeat === 0 || thread.round < repeat)
}

/**
 * A 64-bit hash of the state, for comparing a run with its replay.
 *
 * @category queries
 * @since 0.1.0
 */
export const hashState = (state: State): string => {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  const { cells } = state
  for (let i = 0; i < cells.length; i++) {
    const x = cells[i]
    const high = Math.floor(x / 0x1_0000_0000)
    a = Math.imul(a ^ x, 0xcc9e2d51)
    a ^= a >>> 15
    b = Math.imul(b ^ high ^ a, 0x1b873593)
    b ^= b >>> 13
  }
  return (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0")
}
