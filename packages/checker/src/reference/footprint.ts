/**
 * What the steps of the reference model touch, for partial-order reduction.
 *
 * A footprint is of a step as it would go in this state: a walk that finds its cache not valid only reads it, a wait that
 * is over can only be spoilt by a start. That is sound as long as nobody who is not said to conflict can change it.
 *
 * @since 0.1.0
 */
import type { Footprint } from "../model.ts"
import { classesOf } from "./classes.ts"
import type { Classes } from "./classes.ts"
import type { ReferenceConfig } from "./config.ts"
import { INVALIDATOR_AT, PFN, VCPU_AT } from "./machine.ts"
import type { Gpc, Invalidator, Machine, Vcpu } from "./machine.ts"
import type { Variant } from "./variant.ts"

type Print<Thread> = (thread: Thread, into: Int32Array, at: number) => void

/** The footprints, or undefined when there are more classes than bits. */
export const footprintOf = (machine: Machine, config: ReferenceConfig, variant: Variant): Footprint | undefined => {
  const classes = classesOf(config)
  if (classes === undefined) return undefined
  const vcpuNext = nextOfVcpu(classes, machine, variant)
  const vcpuAll = allOfVcpu(classes, variant, config.NV)
  const left = machine.invalidators.map((i) => leftOf(classes, config, variant, i))
  const invalidatorNext = nextOfInvalidator(classes, left, machine, variant, config.errg === 1)
  const invalidatorAll = allOfInvalidator(classes, left, variant)
  const vcpus = machine.vcpus.length
  return (thread, into, at) => {
    if (thread < vcpus) {
      const v = machine.vcpus[thread]
      if (v.pc === VCPU_AT.idle && v.uses === config.NV) return nothing(into, at)
      vcpuNext(v, into, at)
      vcpuAll(v, into, at)
    } else {
      const i = machine.invalidators[thread - vcpus]
      if (i.pc === INVALIDATOR_AT.idle && !i.hasMore()) return nothing(into, at)
      invalidatorNext(i, into, at)
      invalidatorAll(i, into, at)
    }
  }
}

const nothing = (into: Int32Array, at: number): void => {
  into[at] =
    into[at + 1] =
    into[at + 2] =
    into[at + 3] =
      0
}

const nextOfVcpu = (classes: Classes, { notifier }: Machine, variant: Variant): Print<Vcpu> => {
  const AT = VCPU_AT
  const isSeq = variant.snapshot === "seq"
  const bump = isSeq ? classes.anyBump : 0
  const isBusy = (page: number) => variant.ranged ? notifier.isPending(page) : notifier.count > 0
  // Only a start can make a quiet page busy, and only an end a busy one quiet.
  const turns = (page: number) => isBusy(page) ? classes.anyLower : classes.anyRaise
  return ({ gpc, pc }, into, at) => {
    const cell = classes.gpc(gpc.id)
    const flag = isSeq ? 0 : classes.flag(gpc.id)
    const refresher = classes.refresher(gpc.id)
    let reads = cell
    let writes = 0
    if (pc === AT.deref) reads |= classes.anyZap(gpc.page)
    else if (pc === AT.begin) {
      reads |= refresher | bump
      // While it is valid, readers come and go, and it waits until they are gone.
      writes = gpc.valid === 1 ? cell : refresher | flag
    } else if (pc === AT.lookup) reads = classes.anyZap(gpc.page)
    else if (pc === AT.map) reads = 0
    else if (pc === AT.wait) reads = turns(gpc.page)
    else if (pc === AT.chk1) {
      reads |= gpc.lock !== 0 ? classes.anyRaise | classes.anyLower : turns(gpc.page)
      if (gpc.lock !== 0 || !isBusy(gpc.page)) writes = cell
      else reads |= bump
    } else if (pc === AT.chk2) {
      reads |= bump
      writes = cell | refresher
    } else if (pc === AT.chk) {
      reads |= flag
      writes = gpc.lock === 0 && gpc.flag === 0 ? flag : cell | refresher
    }
    into[at] = reads
    into[at + 1] = writes
  }
}

const allOfVcpu = (classes: Classes, variant: Variant, uses: number): Print<Vcpu> => {
  const isSeq = variant.snapshot === "seq"
  const count = isSeq || variant.wait !== "never" ? classes.anyRaise | classes.anyLower : 0
  const asked = count | (isSeq ? classes.anyBump : 0)
  return (v, into, at) => {
    const { gpc } = v
    if (v.pc === VCPU_AT.deref && v.uses + 1 === uses) {
      into[at + 2] = into[at]
      into[at + 3] = 0
      return
    }
    into[at + 2] = asked | classes.anyZap(gpc.page)
    into[at + 3] = classes.gpc(gpc.id) | classes.refresher(gpc.id) | (isSeq ? 0 : classes.flag(gpc.id))
  }
}

/** What is left to an invalidator of its walk and of its zaps, by where it has come to. */
interface Left {
  /** The caches from one on. */
  readonly cells: Int32Array
  /** What visiting the caches from one on may touch. */
  readonly walks: Int32Array
  /** The pages from one on. */
  readonly zaps: Int32Array
}

const leftOf = (classes: Classes, config: ReferenceConfig, { snapshot }: Variant, i: Invalidator): Left => {
  const cells = new Int32Array(config.G + 1)
  const walks = new Int32Array(config.G + 1)
  const zaps = new Int32Array(config.P + 1)
  for (let g = config.G - 1; g >= 0; g--) {
    const isHit = i.hits.some(({ id }) => id === g)
    cells[g] = cells[g + 1] | (isHit ? classes.gpc(g) : 0)
    walks[g] = walks[g + 1] | cells[g] | (isHit && snapshot === "flag" ? classes.flag(g) : 0)
  }
  for (let page = i.high - 1; page >= 0; page--) zaps[page] = zaps[page + 1] | classes.zap(i.id, page)
  return { cells, walks, zaps }
}

/** What visiting a cache touches. */
const visit = (classes: Classes, gpc: Gpc, variant: Variant, requirePfn: boolean): readonly [number, number] => {
  const cell = classes.gpc(gpc.id)
  if (variant.snapshot === "seq") return gpc.lock === 0 && gpc.valid === 0 ? [cell, 0] : [0, cell]
  const flag = classes.flag(gpc.id)
  if (gpc.lock !== 0 || gpc.valid === 1) return [0, cell | flag]
  return gpc.flag === 0 || (requirePfn && gpc.pfn === PFN.none) ? [cell | flag, 0] : [cell, flag]
}

const nextOfInvalidator = (
  classes: Classes,
  left: ReadonlyArray<Left>,
  { gpcs }: Machine,
  variant: Variant,
  requirePfn: boolean
): Print<Invalidator> => {
  const AT = INVALIDATOR_AT
  const { ranged, snapshot, walk } = variant
  return (i, into, at) => {
    const { cursor, hits, pc } = i
    // No mapping in the range while it is zapped: whoever enters or leaves that window looks at the caches it covers.
    const window = left[i.id].cells[0]
    const walksFirst = walk === "start" && hits.length > 0
    let reads = 0
    let writes = 0
    if (pc === AT.idle) {
      reads = (walksFirst ? 0 : window) | (ranged ? classes.anyLower : 0)
      writes = classes.raise(i.id)
    } else if (pc === AT.ginv) {
      const [visitReads, visitWrites] = visit(classes, gpcs[cursor], variant, requirePfn)
      reads = visitReads | (walksFirst && cursor === hits[hits.length - 1].id ? window : 0)
      writes = visitWrites
    } else if (pc === AT.zap) writes = classes.zap(i.id, cursor)
    else if (pc === AT.end1) {
      reads = window
      writes = i.slotted && snapshot === "seq" ? classes.bump(i.id) : 0
    } else {
      reads = ranged ? classes.anyRaise : 0
      writes = classes.lower(i.id)
    }
    into[at] = reads
    into[at + 1] = writes
  }
}

const allOfInvalidator = (
  classes: Classes,
  left: ReadonlyArray<Left>,
  { ranged, snapshot, walk }: Variant
): Print<Invalidator> => {
  const AT = INVALIDATOR_AT
  return (i, into, at) => {
    const { pc } = i
    const { cells, walks, zaps } = left[i.id]
    const bump = i.slotted && snapshot === "seq" ? classes.bump(i.id) : 0
    if (i.hasMore()) {
      into[at + 2] = cells[0] | (ranged ? classes.anyRaise | classes.anyLower : 0)
      into[at + 3] = walks[0] | zaps[i.low] | bump | classes.raise(i.id) | classes.lower(i.id)
      return
    }
    // What is left of its last invalidation.
    const zapsAll = pc === AT.ginv && walk === "start"
    const endsLeft = zapsAll || pc === AT.zap || pc === AT.end1
    const lowersLeft = endsLeft || pc === AT.end2 || (pc === AT.ginv && walk === "before-count")
    const zapsLeft = zapsAll ? zaps[i.low] : pc === AT.zap ? zaps[i.cursor] : 0
    const walkLeft = pc === AT.ginv
      ? walks[i.cursor]
      : (walk === "before-count" && endsLeft) || (walk === "after-count" && (endsLeft || pc === AT.end2))
      ? walks[0]
      : 0
    into[at + 2] = into[at] | (endsLeft ? cells[0] : 0) | (lowersLeft && ranged ? classes.anyRaise : 0)
    into[at + 3] = into[at + 1] | zapsLeft | walkLeft | (endsLeft ? bump : 0) |
      (lowersLeft ? classes.lower(i.id) : 0)
  }
}
