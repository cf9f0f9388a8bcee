/**
 * Records of a cache: check, refresh with its laps, activation and deactivation.
 *
 * @since 0.1.0
 */
import { countCovering, covers, rangesOf } from "@pfnscope/projections"
import { EFAULT, INVALID_GPA, KVM_HVA_ERR_BAD } from "@pfnscope/protocol"
import { anyVm, vmOfKvm } from "./cast.ts"
import type { Cache, Refresh, Task, Vm } from "./cast.ts"
import { F } from "./fields.ts"
import { blamed } from "./map-notifier.ts"
import {
  boolField,
  cacheOf,
  generationField,
  gpaField,
  hvaField,
  intField,
  pfnField,
  seeCache,
  vmOf,
  write
} from "./writer.ts"
import type { Writer } from "./writer.ts"

const vmOfCache = (w: Writer, task: Task, cache: Cache): Vm => {
  if (w.fields.has(F.kvm)) cache.vm = vmOfKvm(w.cast, w.fields.signed(F.kvm))
  return cache.vm ??= task.vm ?? anyVm(w.cast)
}

/** kvm_gpc_init: a cache begins, perhaps where one of an earlier VM lay. */
export const gpcInit = (w: Writer, task: Task): boolean => {
  const before = w.seq
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  // Where one of an earlier VM lay: it is another, and said to be.
  if (w.seq === before) seeCache(w, task, cache)
  cache.uhva = cache.untold = cache.refresh = undefined
  cache.vm = w.fields.has(F.kvm) ? vmOf(w, task) : undefined
  return true
}

/** Entry of the refresh, under refresh_lock. The address that it will have is known at its first lap. */
export const refresh = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  const f = w.fields
  vmOfCache(w, task, cache)
  const gpa = f.has(F.gpa) ? gpaField(f, F.gpa) : cache.gpa
  const generation = generationField(f, F.slots_gen)
  const given = hvaField(f, F.uhva_arg)
  cache.moved = (f.has(F.old_gpa) && gpa !== gpaField(f, F.old_gpa)) ||
    (gpa !== INVALID_GPA && generation !== generationField(f, F.gen)) ||
    (given > 0 && given !== hvaField(f, F.old_uhva))
  cache.gpa = gpa
  cache.generation = generation
  if (!cache.moved && cache.uhva === undefined) cache.untold = hvaField(f, F.old_uhva)
  const isTold = !w.cast.innerRefresh && task.refreshing === cache
  w.cast.innerRefresh = true
  if (isTold) return true
  const uhva = gpa === INVALID_GPA ? given : KVM_HVA_ERR_BAD
  const data = { _tag: "RefreshEntered", thread: task.thread, gpc: cache.id, gpa, uhva } as const
  beginRefresh(task, cache, write(w, cache.stream, "observed", data, w.seq + 1, task.call?.seq))
  return true
}

const beginRefresh = (task: Task, cache: Cache, seq: number): void => {
  task.refreshing = cache
  cache.refresh = {
    seq,
    snapshots: 0,
    lookups: 0,
    resolvedAt: undefined,
    testedAt: undefined,
    inFlight: 0,
    covering: 0,
    sequenceChanged: false,
    done: false
  }
}

/**
 * Entry of kvm_gpc_refresh, where nothing is recorded of what it calls: the refresh begins with the wait for
 * refresh_lock. The probe may show the address that the cache has so far, which most refreshes keep.
 */
export const wholeRefresh = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  if (w.cast.innerRefresh) return true
  const f = w.fields
  vmOfCache(w, task, cache)
  const uhva = cache.gpa === INVALID_GPA && cache.uhva !== undefined ? cache.uhva : KVM_HVA_ERR_BAD
  const data = { _tag: "RefreshEntered", thread: task.thread, gpc: cache.id, gpa: cache.gpa, uhva } as const
  beginRefresh(task, cache, write(w, cache.stream, "observed", data, w.seq + 1, task.call?.seq))
  cache.moved = false
  if (!f.has(F.uhva) || hvaField(f, F.uhva) === KVM_HVA_ERR_BAD || hvaField(f, F.uhva) === cache.uhva) return true
  cache.uhva = hvaField(f, F.uhva)
  const address = { gpa: cache.gpa, uhva: cache.uhva, generation: cache.generation }
  const translated = { _tag: "Translated", thread: task.thread, gpc: cache.id, ...address } as const
  write(w, cache.stream, "inferred", translated, cache.refresh?.seq)
  return true
}

/** Return of kvm_gpc_refresh: what it calls has returned before, where that is recorded. */
export const wholeRefreshRet = (w: Writer, task: Task): boolean =>
  w.cast.innerRefresh || (task.refreshing === undefined && !w.fields.has(F.gpc)) || refreshRet(w, task)

/** Tells the cache's address where it is new. */
const translate = (w: Writer, task: Task, cache: Cache): void => {
  moveTo(w, task, cache, hvaField(w.fields, F.uhva))
}

const moveTo = (w: Writer, task: Task, cache: Cache, uhva: number): void => {
  if (!cache.moved && uhva === cache.uhva) return
  cache.moved = false
  cache.uhva = uhva
  const address = { gpa: cache.gpa, uhva, generation: cache.generation }
  const data = { _tag: "Translated", thread: task.thread, gpc: cache.id, ...address } as const
  write(w, cache.stream, "observed", data, cache.refresh?.seq)
}

/** A lap begins: just after the sequence count was read. Each but the first says that the lap before was thrown away. */
export const gpcSnap = (w: Writer, task: Task): boolean => {
  const f = w.fields
  const cache = cacheOf(w, task)
  if (cache === undefined || !f.has(F.snap)) return false
  const vm = vmOfCache(w, task, cache)
  const run = cache.refresh
  translate(w, task, cache)
  if (run !== undefined) {
    if (run.snapshots === 0) {
      const data = { _tag: "ValidCleared", thread: task.thread, gpc: cache.id } as const
      write(w, cache.stream, "inferred", data, run.seq)
    } else {
      decideRetry(w, task, cache, run, vm)
    }
    run.snapshots++
    run.sequenceChanged = false
  }
  const data = { _tag: "Snapshotted", thread: task.thread, seq: f.signed(F.snap) } as const
  write(w, vm.stream, "observed", data, run?.seq)
  return true
}

const decideRetry = (w: Writer, task: Task, cache: Cache, run: Refresh, vm: Vm): void => {
  const f = w.fields
  const reason = run.sequenceChanged || (f.has(F.via) && f.signed(F.via) === 0) ? "seq" : "count"
  const cause = reason === "seq" ? vm.bumpedAt : blamed(w, vm, cache.uhva ?? KVM_HVA_ERR_BAD)
  // The probe reads the count without the lock: where it saw nothing in flight and the kernel did, look again.
  if (reason === "count" && run.inFlight === 0) lookInFlight(w, cache, run, vm)
  const seen = { inFlight: run.inFlight, covering: run.covering }
  const data = { _tag: "RetryDecided", thread: task.thread, gpc: cache.id, reason, ...seen } as const
  write(w, cache.stream, "observed", data, run.seq, cause ?? run.testedAt)
}

const lookInFlight = (w: Writer, cache: Cache, run: Refresh, vm: Vm): void => {
  const ranges = rangesOf(w.ranges, vm.stream)
  run.inFlight = ranges.counted
  run.covering = countCovering(ranges, cache.uhva ?? KVM_HVA_ERR_BAD)
}

/**
 * Return of hva_to_pfn within a refresh. With the probe at the snapshot it repeats what `gpc_pfn` says. Without, it is a
 * lap: each but the first says that the lap before was thrown away, but not why. Nothing then tells when the cache was
 * published or marked.
 */
export const lookedUp = (w: Writer, task: Task, cache: Cache): void => {
  const run = cache.refresh
  if (run === undefined || run.snapshots > 0) return
  const vm = vmOfCache(w, task, cache)
  const uhva = w.fields.has(F.hva) ? hvaField(w.fields, F.hva) : cache.uhva ?? cache.untold
  if (uhva !== undefined && uhva > 0) moveTo(w, task, cache, uhva)
  if (run.lookups++ > 0) {
    const { covering, inFlight } = openNow(w, vm, cache)
    const data = {
      _tag: "RetryDecided",
      thread: task.thread,
      gpc: cache.id,
      reason: "none",
      inFlight,
      covering
    } as const
    write(w, cache.stream, "inferred", data, run.seq, run.resolvedAt)
  }
  const resolved = { hva: cache.uhva ?? KVM_HVA_ERR_BAD, pfn: pfnField(w.fields, F.pfn) }
  run.resolvedAt = write(w, "mmu/0", "observed", { _tag: "PfnResolved", thread: task.thread, ...resolved }, run.seq)
}

/** The ranges that are open, counted or not: whether they are is not told. */
const openNow = (w: Writer, vm: Vm, { uhva }: Cache): { readonly inFlight: number; readonly covering: number } => {
  const { open } = rangesOf(w.ranges, vm.stream)
  return { inFlight: open.length, covering: open.filter((range) => uhva !== undefined && covers(range, uhva)).length }
}

/** What the lookup gave. */
export const gpcPfn = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  const run = cache.refresh
  const hva = cache.uhva ?? KVM_HVA_ERR_BAD
  const data = { _tag: "PfnResolved", thread: task.thread, hva, pfn: pfnField(w.fields, F.pfn) } as const
  const seq = write(w, "mmu/0", "observed", data, run?.seq)
  if (run !== undefined) run.resolvedAt = seq
  return true
}

/** Just before the retry test: the count and the sequence count as the probe read them. */
export const gpcRecheck = (w: Writer, task: Task): boolean => {
  const f = w.fields
  const cache = cacheOf(w, task)
  if (cache === undefined || !f.has(F.active)) return false
  const vm = vmOfCache(w, task, cache)
  const changed = f.signed(F.seq) !== f.signed(F.snap)
  const reason = f.signed(F.active) > 0 ? "count" : changed ? "seq" : "none"
  const ranges = rangesOf(w.ranges, vm.stream)
  const inFlight = ranges.counted
  const covering = countCovering(ranges, cache.uhva ?? KVM_HVA_ERR_BAD)
  const met = reason !== "none"
  const data = { _tag: "RetryTested", thread: task.thread, reason, met, inFlight, covering } as const
  const seq = write(w, vm.stream, "observed", data, cache.refresh?.seq, cache.refresh?.resolvedAt)
  if (cache.refresh !== undefined) {
    cache.refresh.testedAt = seq
    cache.refresh.inFlight = inFlight
    cache.refresh.covering = covering
  }
  return true
}

/** The path "the sequence count changed": the test of the count has found none, and this is why a retry follows. */
export const gpcRetrySeq = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  const run = cache?.refresh
  if (cache === undefined || run === undefined) return false
  run.sequenceChanged = true
  const vm = vmOfCache(w, task, cache)
  const { covering, inFlight } = run
  const data = { _tag: "RetryTested", thread: task.thread, reason: "seq", met: true, inFlight, covering } as const
  run.testedAt = write(w, vm.stream, "observed", data, run.seq, run.testedAt)
  return true
}

/** The mapping is about to become valid, under gpc->lock. */
export const gpcCommit = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  const run = cache.refresh
  const uhva = hvaField(w.fields, F.uhva)
  const mapping = { uhva, pfn: pfnField(w.fields, F.pfn) }
  const data = { _tag: "Published", thread: task.thread, gpc: cache.id, ...mapping } as const
  write(w, cache.stream, "observed", data, run?.seq, run?.resolvedAt)
  if (run !== undefined) run.done = true
  return true
}

/** The lookup failed. */
export const gpcErr = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  fail(w, task, cache, "observed", -EFAULT)
  return true
}

const fail = (w: Writer, task: Task, cache: Cache, how: "observed" | "inferred", ret: number): void => {
  const data = { _tag: "RefreshFailed", thread: task.thread, gpc: cache.id, ret } as const
  write(w, cache.stream, how, data, cache.refresh?.seq, cache.refresh?.resolvedAt)
  if (cache.refresh !== undefined) cache.refresh.done = true
}

/** The mapping was still good: nothing was looked up. */
export const gpcKeep = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  translate(w, task, cache)
  keep(w, task, cache, "observed")
  return true
}

const keep = (w: Writer, task: Task, cache: Cache, how: "observed" | "inferred"): void => {
  write(w, cache.stream, how, { _tag: "MappingKept", thread: task.thread, gpc: cache.id }, cache.refresh?.seq)
  if (cache.refresh !== undefined) cache.refresh.done = true
}

/** Return of the refresh. How it ended is inferred where no probe on the way told it. */
export const refreshRet = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task) ?? task.refreshing
  if (cache === undefined) return false
  const ret = intField(w.fields, F.ret)
  const run = cache.refresh
  if (run !== undefined && !run.done) {
    if (ret < 0) fail(w, task, cache, "inferred", ret)
    else if (run.snapshots + run.lookups === 0) keep(w, task, cache, "inferred")
  }
  const data = { _tag: "RefreshReturned", thread: task.thread, gpc: cache.id, ret } as const
  write(w, cache.stream, "observed", data, run?.seq)
  cache.refresh = undefined
  task.refreshing = undefined
  return true
}

/** Entry of kvm_gfn_to_pfn_cache_check (6.1): its return does not name the cache. */
export const checkIn = (w: Writer, task: Task): boolean => {
  task.checking = cacheOf(w, task)
  return task.checking !== undefined
}

/** Return of kvm_gpc_check. */
export const check = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task) ?? task.checking
  task.checking = undefined
  if (cache === undefined || !w.fields.has(F.ret)) return false
  const ok = boolField(w.fields, F.ret)
  write(w, cache.stream, "observed", { _tag: "Checked", thread: task.thread, gpc: cache.id, ok })
  return true
}

/** Entry of the activation: the cache is marked active before its first refresh. */
export const activate = (w: Writer, task: Task): boolean => {
  const f = w.fields
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  vmOfCache(w, task, cache)
  const gpa = gpaField(f, F.gpa)
  const op = gpa === INVALID_GPA ? "gpc_activate_hva" : "gpc_activate"
  const b = gpa === INVALID_GPA ? hvaField(f, F.uhva) : gpa
  const data = { _tag: "Called", thread: task.thread, op, a: cache.id, b, c: f.signed(F.len) } as const
  const called = write(w, task.stream, "observed", data, w.seq + 1)
  const wasActive = f.has(F.active) && f.signed(F.active) !== 0
  if (!wasActive) {
    const activated = { _tag: "Activated", thread: task.thread, gpc: cache.id } as const
    write(w, cache.stream, "inferred", activated, called, called)
  }
  task.changing = cache
  return true
}

/** Return of the activation. */
export const activateRet = (w: Writer, task: Task): boolean => {
  task.changing = undefined
  write(w, task.stream, "observed", { _tag: "Returned", thread: task.thread, ret: intField(w.fields, F.ret) })
  return true
}

/** Entry of the deactivation. */
export const deactivate = (w: Writer, task: Task): boolean => {
  const f = w.fields
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  task.changing = cache
  task.wasActive = !f.has(F.active) || f.signed(F.active) !== 0
  const data = { _tag: "Called", thread: task.thread, op: "gpc_deactivate", a: cache.id, b: 0, c: 0 } as const
  write(w, task.stream, "observed", data, w.seq + 1)
  return true
}

/** Return of the deactivation: an inactive cache was left as it was. */
export const deactivateRet = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task) ?? task.changing
  task.changing = undefined
  if (cache === undefined) return false
  if (task.wasActive) write(w, cache.stream, "inferred", { _tag: "Deactivated", thread: task.thread, gpc: cache.id })
  cache.uhva = cache.untold = undefined
  write(w, task.stream, "observed", { _tag: "Returned", thread: task.thread, ret: 0 })
  return true
}
