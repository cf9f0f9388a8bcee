/**
 * The reference model's state: bytes with named views over them.
 *
 * Hot: views are laid once, and every access is one indexed load.
 *
 * @since 0.1.0
 */
import type { ReferenceConfig } from "./config.ts"

/** A frame as a cache or a lookup remembers it: none, the one its page maps, one that was freed since. */
export const PFN = { none: 0, live: 1, freed: 2 } as const

/** The lock of a cache, held for writing; otherwise it is the number of readers. */
export const WRITER = 255

/** Where a vCPU stands. */
export const VCPU_AT = { idle: 0, deref: 1, begin: 2, lookup: 3, map: 4, wait: 5, chk1: 6, chk2: 7, chk: 8 } as const

/** Where an invalidator stands. */
export const INVALIDATOR_AT = { idle: 0, ginv: 1, zap: 2, end1: 3, end2: 4 } as const

class View {
  readonly bytes: Uint8Array
  readonly at: number
  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }
}

/** The counter of invalidations in flight and their hull. */
export class Notifier extends View {
  static readonly size = 3
  get count() {
    return this.bytes[this.at]
  }
  set count(x) {
    this.bytes[this.at] = x
  }
  get low() {
    return this.bytes[this.at + 1]
  }
  set low(x) {
    this.bytes[this.at + 1] = x
  }
  get high() {
    return this.bytes[this.at + 2]
  }
  set high(x) {
    this.bytes[this.at + 2] = x
  }
  /** Whether a range in flight may cover the page. */
  isPending(page: number): boolean {
    return this.count > 0 && this.low <= page && page < this.high
  }
}

/** A cache. */
export class Gpc extends View {
  static readonly size = 5
  readonly id: number
  readonly page: number
  constructor(bytes: Uint8Array, at: number, id: number, page: number) {
    super(bytes, at)
    this.id = id
    this.page = page
  }
  get valid() {
    return this.bytes[this.at]
  }
  set valid(x) {
    this.bytes[this.at] = x
  }
  /** `validating`, `needs_invalidation`. */
  get flag() {
    return this.bytes[this.at + 1]
  }
  set flag(x) {
    this.bytes[this.at + 1] = x
  }
  get pfn() {
    return this.bytes[this.at + 2]
  }
  set pfn(x) {
    this.bytes[this.at + 2] = x
  }
  get lock() {
    return this.bytes[this.at + 3]
  }
  set lock(x) {
    this.bytes[this.at + 3] = x
  }
  /** `refresh_lock`: its holder plus one, or 0. */
  get refresher() {
    return this.bytes[this.at + 4]
  }
  set refresher(x) {
    this.bytes[this.at + 4] = x
  }
}

/** A vCPU. */
export class Vcpu extends View {
  static readonly size = 4
  readonly id: number
  readonly gpc: Gpc
  constructor(bytes: Uint8Array, at: number, id: number, gpc: Gpc) {
    super(bytes, at)
    this.id = id
    this.gpc = gpc
  }
  get pc() {
    return this.bytes[this.at]
  }
  set pc(x) {
    this.bytes[this.at] = x
  }
  /** The local `new_pfn`. */
  get pfn() {
    return this.bytes[this.at + 1]
  }
  set pfn(x) {
    this.bytes[this.at + 1] = x
  }
  /** Whether its snapshot still equals `mmu_invalidate_seq`. */
  get fresh() {
    return this.bytes[this.at + 2]
  }
  set fresh(x) {
    this.bytes[this.at + 2] = x
  }
  get uses() {
    return this.bytes[this.at + 3]
  }
  set uses(x) {
    this.bytes[this.at + 3] = x
  }
}

/** A thread that invalidates its range again and again. */
export class Invalidator extends View {
  static readonly size = 3
  readonly id: number
  readonly low: number
  readonly high: number
  readonly limit: number
  /** The caches in its range, ascending. */
  readonly hits: ReadonlyArray<Gpc>
  /** Whether a memslot covers a page of its range. */
  readonly slotted: boolean
  constructor(bytes: Uint8Array, at: number, id: number, config: ReferenceConfig, gpcs: ReadonlyArray<Gpc>) {
    super(bytes, at)
    this.id = id
    this.low = config.lo[id]
    this.high = config.hi[id]
    this.limit = config.ni[id]
    this.hits = gpcs.filter((gpc) => this.low <= gpc.page && gpc.page < this.high)
    this.slotted = config.slot.some((covered, page) => covered === 1 && this.low <= page && page < this.high)
  }
  get pc() {
    return this.bytes[this.at]
  }
  set pc(x) {
    this.bytes[this.at] = x
  }
  /** The cache of the walk or the page of the zap it has come to; 0 otherwise. */
  get cursor() {
    return this.bytes[this.at + 1]
  }
  set cursor(x) {
    this.bytes[this.at + 1] = x
  }
  get done() {
    return this.bytes[this.at + 2]
  }
  set done(x) {
    this.bytes[this.at + 2] = x
  }
  /** Whether another invalidation is to come after the one under way. */
  hasMore(): boolean {
    return this.limit === 0 || this.done + (this.pc === INVALIDATOR_AT.idle ? 0 : 1) < this.limit
  }
}

/** The whole machine. */
export class Machine {
  /** The state as words, for copying. */
  readonly words: Int32Array
  readonly bytes: Uint8Array
  readonly notifier: Notifier
  /** The first page's byte: whether the primary MMU maps it. */
  readonly ptes: number
  readonly pages: number
  readonly gpcs: ReadonlyArray<Gpc>
  readonly vcpus: ReadonlyArray<Vcpu>
  readonly invalidators: ReadonlyArray<Invalidator>

  constructor(config: ReferenceConfig) {
    const { G, I, P, V } = config
    const size = Notifier.size + P + G * Gpc.size + V * Vcpu.size + I * Invalidator.size
    this.words = new Int32Array((size + 3) >> 2)
    const bytes = this.bytes = new Uint8Array(this.words.buffer)
    const gpcAt = Notifier.size + P
    const vcpuAt = gpcAt + G * Gpc.size
    const invalidatorAt = vcpuAt + V * Vcpu.size
    this.notifier = new Notifier(bytes, 0)
    this.ptes = Notifier.size
    this.pages = P
    const gpcs = config.gpage.map((page, g) => new Gpc(bytes, gpcAt + g * Gpc.size, g, page))
    this.gpcs = gpcs
    this.vcpus = config.gpcOf.map((g, v) => new Vcpu(bytes, vcpuAt + v * Vcpu.size, v, gpcs[g]))
    this.invalidators = config.lo.map((_, i) =>
      new Invalidator(bytes, invalidatorAt + i * Invalidator.size, i, config, gpcs)
    )
  }

  /** Every page mapped, every cache invalid, every thread idle. */
  reset(): void {
    this.bytes.fill(0)
    for (let page = 0; page < this.pages; page++) this.mapPage(page)
  }

  mapPage(page: number): void {
    this.bytes[this.ptes + page] = 1
  }

  /** Unmaps a page and frees its frame: whoever remembers the frame now remembers a freed one. */
  freePage(page: number): void {
    this.bytes[this.ptes + page] = 0
    for (let g = 0; g < this.gpcs.length; g++) {
      const gpc = this.gpcs[g]
      if (gpc.page === page && gpc.pfn === PFN.live) gpc.pfn = PFN.freed
    }
    for (let v = 0; v < this.vcpus.length; v++) {
      const vcpu = this.vcpus[v]
      if (vcpu.gpc.page === page && vcpu.pfn === PFN.live) vcpu.pfn = PFN.freed
    }
  }

  /** `mmu_invalidate_seq++`: no snapshot equals it any more. */
  bumpSeq(): void {
    for (let v = 0; v < this.vcpus.length; v++) this.vcpus[v].fresh = 0
  }
}
