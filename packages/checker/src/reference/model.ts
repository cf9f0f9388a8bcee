/**
 * The reference model: a yardstick for the checker, by exact counts and by states a second. It is not the protocol.
 *
 * Source: the kernel-list thread of August 2024 and virt/kvm/pfncache.c of 6.12, bounded so that six independent
 * implementations reach the same counts. `fresh` stands for "the snapshot still equals the sequence", and a frame is
 * only NONE, LIVE (what its page maps) or FREED.
 *
 * Hot: the views are over bytes, which pack to words as they are.
 *
 * @since 0.1.0
 */
import type { Model } from "../model.ts"
import type { ReferenceConfig, Variant } from "./config.ts"

const NONE = 0
const LIVE = 1
const FREED = 2
const WRITER = 255

const VCPU_LABELS = ["idle", "deref", "begin", "lookup", "map", "wait", "chk1", "chk2", "chk"] as const
const [V_IDLE, DEREF, BEGIN, LOOKUP, MAP, WAIT, CHK1, CHK2, CHK] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const
const INVALIDATOR_LABELS = ["idle", "ginv", "zap", "end1", "end2"] as const
const [I_IDLE, GINV, ZAP, END1, END2] = [0, 1, 2, 3, 4] as const

/** A cache: valid, needs_invalidation, its frame, its lock, its refresh lock. */
class Cache {
  readonly b: Uint8Array
  readonly o: number
  readonly page: number
  constructor(b: Uint8Array, o: number, page: number) {
    this.b = b
    this.o = o
    this.page = page
  }
  get valid() {
    return this.b[this.o]
  }
  set valid(x) {
    this.b[this.o] = x
  }
  get flag() {
    return this.b[this.o + 1]
  }
  set flag(x) {
    this.b[this.o + 1] = x
  }
  get pfn() {
    return this.b[this.o + 2]
  }
  set pfn(x) {
    this.b[this.o + 2] = x
  }
  get lock() {
    return this.b[this.o + 3]
  }
  set lock(x) {
    this.b[this.o + 3] = x
  }
  get refreshLock() {
    return this.b[this.o + 4]
  }
  set refreshLock(x) {
    this.b[this.o + 4] = x
  }
}

/** A vCPU: where it stands, the frame it looked up, whether its snapshot is fresh, its uses. */
class Vcpu {
  readonly b: Uint8Array
  readonly o: number
  readonly id: number
  readonly cache: Cache
  constructor(b: Uint8Array, o: number, id: number, cache: Cache) {
    this.b = b
    this.o = o
    this.id = id
    this.cache = cache
  }
  get pc() {
    return this.b[this.o]
  }
  set pc(x) {
    this.b[this.o] = x
  }
  get frame() {
    return this.b[this.o + 1]
  }
  set frame(x) {
    this.b[this.o + 1] = x
  }
  get fresh() {
    return this.b[this.o + 2]
  }
  set fresh(x) {
    this.b[this.o + 2] = x
  }
  get uses() {
    return this.b[this.o + 3]
  }
  set uses(x) {
    this.b[this.o + 3] = x
  }
}

/** An invalidator: where it stands, the cache or page it has come to, its invalidations. */
class Invalidator {
  readonly b: Uint8Array
  readonly o: number
  readonly lo: number
  readonly hi: number
  readonly limit: number
  /** The caches in its range, ascending. */
  readonly hits: ReadonlyArray<number>
  readonly slotted: boolean
  constructor(b: Uint8Array, o: number, id: number, config: ReferenceConfig) {
    this.b = b
    this.o = o
    this.lo = config.lo[id]
    this.hi = config.hi[id]
    this.limit = config.ni[id]
    this.hits = config.gpage.flatMap((page, g) => this.lo <= page && page < this.hi ? [g] : [])
    this.slotted = config.slot.some((covered, page) => covered === 1 && this.lo <= page && page < this.hi)
  }
  get pc() {
    return this.b[this.o]
  }
  set pc(x) {
    this.b[this.o] = x
  }
  get at() {
    return this.b[this.o + 1]
  }
  set at(x) {
    this.b[this.o + 1] = x
  }
  get rounds() {
    return this.b[this.o + 2]
  }
  set rounds(x) {
    this.b[this.o + 2] = x
  }
}

const COUNT = 0
const RANGE_LO = 1
const RANGE_HI = 2
const PTES = 3

const publish = (v: Vcpu): void => {
  v.cache.valid = 1
  v.cache.pfn = v.frame
  v.frame = NONE
  v.fresh = 0
  v.cache.refreshLock = 0
  v.pc = V_IDLE
}

const finish = (i: Invalidator): void => {
  i.pc = I_IDLE
  i.at = 0
  if (i.limit > 0) i.rounds++
}

const walk = (i: Invalidator): void => {
  i.pc = GINV
  i.at = i.hits[0]
}

const goTo = (i: Invalidator, pc: number, at: number): void => {
  i.pc = pc
  i.at = at
}

/**
 * The reference model of a configuration under a variant.
 *
 * @category constructors
 * @since 0.1.0
 */
export const referenceModel = (config: ReferenceConfig, variant: Variant): Model => {
  const { G, I, NV, P, V, errg } = config
  const size = PTES + P + 5 * G + 4 * V + 3 * I
  const words = (size + 3) >> 2
  const packedNow = new Int32Array(words)
  const b = new Uint8Array(packedNow.buffer)
  const caches = config.gpage.map((page, g) => new Cache(b, PTES + P + 5 * g, page))
  const vcpus = config.gpcOf.map((g, v) => new Vcpu(b, PTES + P + 5 * G + 4 * v, v, caches[g]))
  const invalidators = config.lo.map((_, i) => new Invalidator(b, PTES + P + 5 * G + 4 * V + 3 * i, i, config))

  const usesSeq = variant === "A" || variant === "B"
  const atEnd = variant === "C" || variant === "D"
  const ranged = variant === "B" || variant === "D" || variant === "E"
  const lookupOrWait = variant === "E" ? WAIT : LOOKUP

  const isPending = (page: number): boolean => b[COUNT] > 0 && b[RANGE_LO] <= page && page < b[RANGE_HI]

  const mark = (v: Vcpu): void => {
    if (usesSeq) v.fresh = 1
    else v.cache.flag = 1
  }
  const retry = (v: Vcpu): void => {
    mark(v)
    v.frame = NONE
    v.pc = lookupOrWait
  }

  const vcpuCan = (v: Vcpu): boolean => {
    switch (v.pc) {
      case V_IDLE:
        return v.uses < NV && v.cache.lock !== WRITER
      case BEGIN:
        return v.cache.refreshLock === 0 && v.cache.lock === 0
      case WAIT:
        return !isPending(v.cache.page)
      case CHK1:
      case CHK:
        return v.cache.lock === 0
      default:
        return true
    }
  }
  const vcpuGo = (v: Vcpu): void => {
    const { cache } = v
    switch (v.pc) {
      case V_IDLE:
        if (cache.valid === 1) {
          cache.lock++
          v.pc = DEREF
        } else v.pc = BEGIN
        return
      case DEREF:
        cache.lock--
        v.uses++
        v.pc = V_IDLE
        return
      case BEGIN:
        if (cache.valid === 1) {
          v.pc = V_IDLE
          return
        }
        cache.refreshLock = v.id + 1
        mark(v)
        v.pc = lookupOrWait
        return
      case LOOKUP:
        b[PTES + cache.page] = 1
        v.frame = LIVE
        v.pc = MAP
        return
      case MAP:
        v.pc = usesSeq ? CHK1 : variant === "D" ? WAIT : CHK
        return
      case WAIT:
        v.pc = variant === "D" ? CHK : LOOKUP
        return
      case CHK1:
        if (variant === "B" ? isPending(cache.page) : b[COUNT] > 0) retry(v)
        else {
          cache.lock = WRITER
          v.pc = CHK2
        }
        return
      case CHK2:
        cache.lock = 0
        if (v.fresh === 0) retry(v)
        else publish(v)
        return
      default:
        if (cache.flag === 0) retry(v)
        else publish(v)
    }
  }

  const track = (i: Invalidator): void => {
    const first = b[COUNT] === 1
    b[RANGE_LO] = first ? i.lo : Math.min(b[RANGE_LO], i.lo)
    b[RANGE_HI] = first ? i.hi : Math.max(b[RANGE_HI], i.hi)
  }
  const invalidate = (cache: Cache): void => {
    if (usesSeq) cache.valid = 0
    else if (cache.flag === 1 && (errg === 0 || cache.pfn !== NONE)) cache.flag = cache.valid = 0
  }
  const afterHit = (i: Invalidator): void => {
    const next = i.hits.find((hit) => hit > i.at)
    if (next !== undefined) i.at = next
    else if (variant === "C") finish(i)
    else if (variant === "D") goTo(i, END2, 0)
    else goTo(i, ZAP, i.lo)
  }
  const zap = (page: number): void => {
    b[PTES + page] = 0
    for (const cache of caches) if (cache.page === page && cache.pfn === LIVE) cache.pfn = FREED
    for (const v of vcpus) if (v.cache.page === page && v.frame === LIVE) v.frame = FREED
  }
  const invalidatorCan = (i: Invalidator): boolean => {
    if (i.pc === I_IDLE) return i.limit === 0 || i.rounds < i.limit
    return i.pc !== GINV || caches[i.at].lock === 0
  }
  const invalidatorGo = (i: Invalidator): void => {
    const hits = i.hits.length > 0
    switch (i.pc) {
      case I_IDLE:
        b[COUNT]++
        if (ranged) track(i)
        if (!atEnd && hits) walk(i)
        else goTo(i, ZAP, i.lo)
        return
      case GINV:
        invalidate(caches[i.at])
        afterHit(i)
        return
      case ZAP:
        zap(i.at)
        if (i.at + 1 < i.hi) i.at++
        else goTo(i, END1, 0)
        return
      case END1:
        if (i.slotted) { for (const v of vcpus) v.fresh = 0 }
        if (variant === "D" && hits) walk(i)
        else goTo(i, END2, 0)
        return
      default:
        b[COUNT]--
        if (ranged && b[COUNT] === 0) b[RANGE_LO] = b[RANGE_HI] = 0
        if (variant === "C" && hits) walk(i)
        else finish(i)
    }
  }

  const usesFreed = (): boolean => vcpus.some((v) => v.pc === DEREF && v.cache.pfn === FREED)
  const mapsInside = (): boolean =>
    invalidators.some((i) => (i.pc === ZAP || i.pc === END1) && i.hits.some((hit) => caches[hit].valid === 1))
  const isCounted = (i: Invalidator): boolean => i.pc !== I_IDLE && !(variant === "C" && i.pc === GINV)
  const miscounts = (): boolean => invalidators.filter(isCounted).length !== b[COUNT]
  const warns = (): boolean =>
    vcpus.some((v) => v.pc >= LOOKUP && v.cache.valid === 1) ||
    (!usesSeq && caches.some((cache) => cache.valid === 1 && cache.flag === 0))

  return {
    name: `${config.name} ${variant}`,
    words,
    threads: [...vcpus.map((_, v) => `vcpu/${v}`), ...invalidators.map((_, i) => `mm/${i}`)],
    properties: ["NoUseAfterFree", "NoMapInInvalidation", "CountsSane", "NoWarn"],
    labels: [...VCPU_LABELS.map((label) => `vcpu ${label}`), ...INVALIDATOR_LABELS.map((label) => `mm ${label}`)],
    start: () => {
      b.fill(0)
      b.fill(1, PTES, PTES + P)
    },
    load: (packed, at) => {
      for (let i = 0; i < words; i++) packedNow[i] = packed[at + i]
    },
    store: (packed, at) => {
      for (let i = 0; i < words; i++) packed[at + i] = packedNow[i]
    },
    label: (t) => t < V ? vcpus[t].pc : VCPU_LABELS.length + invalidators[t - V].pc,
    ways: (t) => (t < V ? vcpuCan(vcpus[t]) : invalidatorCan(invalidators[t - V])) ? 1 : 0,
    apply: (t) => {
      if (t < V) vcpuGo(vcpus[t])
      else invalidatorGo(invalidators[t - V])
      return 0
    },
    judge: () => (usesFreed() ? 1 : 0) | (mapsInside() ? 2 : 0) | (miscounts() ? 4 : 0) | (warns() ? 8 : 0),
    isDone: (t) => t < V ? vcpus[t].pc === V_IDLE && vcpus[t].uses === NV : invalidators[t - V].pc === I_IDLE
  }
}
