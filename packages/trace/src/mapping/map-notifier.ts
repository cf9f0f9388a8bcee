/**
 * Records of the MMU notifier: kvm_mmu_notifier_invalidate_range_start and _end, and what they call.
 *
 * @since 0.1.0
 */
import { covers, isCounted, rangesOf } from "@pfnscope/projections"
import type { OpenRange } from "@pfnscope/projections"
import { NOTIFIER_EVENTS } from "@pfnscope/protocol"
import type { Task, Vm } from "./cast.ts"
import { F } from "./fields.ts"
import { boundField, cacheOf, openRange, vmOf, write, writeRange } from "./writer.ts"
import type { Writer } from "./writer.ts"

/** Entry of range_start: the range, and why. */
export const invStart = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (!f.has(F.start) || !f.has(F.end)) return false
  w.cast.probed = true
  callStart(w, task, vmOf(w, task), NOTIFIER_EVENTS[f.signed(F.event)] ?? "UNMAP")
  return true
}

const callStart = (w: Writer, task: Task, vm: Vm, event: (typeof NOTIFIER_EVENTS)[number]): void => {
  const start = boundField(w.fields, F.start)
  const end = boundField(w.fields, F.end)
  const data = { _tag: "RangeStartCalled", thread: task.thread, start, end, event, change: "unknown" } as const
  writeRange(w, vm.stream, "observed", data, w.seq + 1, task.call?.seq)
}

/** Just after `mn_active_invalidate_count++`. */
export const invInc = (w: Writer, task: Task): boolean => {
  if (!w.fields.has(F.active)) return false
  w.cast.probed = true
  const data = { _tag: "CountIncremented", thread: task.thread, count: w.fields.signed(F.active) } as const
  writeRange(w, vmOf(w, task).stream, "observed", data, openRange(w, task)?.started.seq)
  return true
}

/** A cache in the range was valid: the walk marks it invalid, under gpc->lock. */
export const gpcInvalHit = (w: Writer, task: Task): boolean => {
  const cache = cacheOf(w, task)
  if (cache === undefined) return false
  const range = openRange(w, task)
  cache.vm = task.vm ?? cache.vm
  const corr = range?.started.seq
  const visited = { _tag: "GpcVisited", thread: task.thread, gpc: cache.id, hit: true } as const
  write(w, cache.stream, "observed", visited, corr, corr)
  const invalidated = { _tag: "GpcInvalidated", thread: task.thread, gpc: cache.id, flag: false } as const
  write(w, cache.stream, "observed", invalidated, corr, corr)
  return true
}

/** Return of the walk over the VM's caches. */
export const gpcInvalRet = (w: Writer, task: Task): boolean => {
  const data = { _tag: "WalkReturned", thread: task.thread } as const
  write(w, vmOf(w, task).stream, "observed", data, openRange(w, task)?.started.seq)
  return true
}

/**
 * A memslot overlaps: guest frames are zapped under mmu_lock, the hull holds them already. Up to 6.1 the kernel keeps
 * the hull in host addresses; the one in guest frames is then put together as the kernel does its own.
 */
export const unmapGfn = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (!f.has(F.gfn_start) || !f.has(F.gfn_end)) return false
  const vm = vmOf(w, task)
  const start = f.signed(F.gfn_start)
  const end = f.signed(F.gfn_end)
  const inProgress = f.signed(F.in_prog)
  const alone = inProgress <= 1 && vm.zaps.length === 0
  vm.hullStart = alone ? start : Math.min(vm.hullStart, start)
  vm.hullEnd = alone ? end : Math.max(vm.hullEnd, end)
  vm.zaps.push({ thread: task.thread, start, end })
  const inFrames = f.has(F.hull_start) && f.signed(F.hull_start) <= start && f.signed(F.hull_end) >= end
  const hull = inFrames && f.signed(F.hull_end) < HIGHEST_GFN
    ? { start: f.signed(F.hull_start), end: f.signed(F.hull_end), how: "observed" as const }
    : { start: vm.hullStart, end: vm.hullEnd, how: "inferred" as const }
  const data = { _tag: "MmuLockHeld", thread: task.thread, inProgress, start: hull.start, end: hull.end } as const
  write(w, vm.stream, hull.how, data, openRange(w, task)?.started.seq)
  return true
}

/** Guest physical addresses have at most 52 bits: a higher frame number is a host address. */
const HIGHEST_GFN = 2 ** 40

/** Return of range_start. */
export const invStartRet = (w: Writer, task: Task): boolean => {
  const range = openRange(w, task)
  if (range === undefined) return false
  const data = { _tag: "StartReturned", thread: task.thread, start: range.start, end: range.end } as const
  writeRange(w, range.vm, "observed", data, range.started.seq)
  return true
}

/** Entry of range_end. */
export const invEnd = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (!f.has(F.start) || !f.has(F.end)) return false
  w.cast.probed = true
  const start = boundField(f, F.start)
  const end = boundField(f, F.end)
  const vm = vmOf(w, task).stream
  const range = rangeToEnd(w, task, vm, start, end)
  const data = { _tag: "EndCalled", thread: task.thread, start, end } as const
  writeRange(w, vm, "observed", data, range?.started.seq)
  return true
}

const rangeToEnd = (w: Writer, task: Task, vm: string, start: number, end: number): OpenRange | undefined =>
  w.ranges.byThread.get(task.thread)?.findLast((range) =>
    range.ended === undefined && range.vm === vm && range.start === start && range.end === end
  )

/** The invalidation of a task that range_end is at work on. */
export const endingRange = (w: Writer, task: Task): OpenRange | undefined =>
  w.ranges.byThread.get(task.thread)?.findLast((range) => range.ended !== undefined)

/** kvm_mmu_invalidate_end, just before `mmu_invalidate_seq++` and `mmu_invalidate_in_progress--`. */
export const mmuInvalEnd = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (!f.has(F.seq)) return false
  const vm = vmOf(w, task)
  for (let i = vm.zaps.length - 1; i >= 0; i--) if (vm.zaps[i]!.thread === task.thread) vm.zaps.splice(i, 1)
  const seq = f.signed(F.seq) + 1
  const data = { _tag: "SeqBumped", thread: task.thread, seq, inProgress: f.signed(F.in_prog) - 1 } as const
  vm.bumpedAt = write(w, vm.stream, "inferred", data, endingRange(w, task)?.started.seq)
  return true
}

/** Just after `mn_active_invalidate_count--`; 7.3 has bumped its own sequence count for caches before. */
export const invDec = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (!f.has(F.active)) return false
  w.cast.probed = true
  const vm = vmOf(w, task)
  const corr = endingRange(w, task)?.started.seq
  if (f.has(F.gseq)) {
    const bumped = { _tag: "GpcSeqBumped", thread: task.thread, seq: f.signed(F.gseq) } as const
    vm.bumpedAt = write(w, vm.stream, "observed", bumped, corr)
  }
  const data = { _tag: "CountDecremented", thread: task.thread, count: f.signed(F.active) } as const
  writeRange(w, vm.stream, "observed", data, corr)
  return true
}

/** Return of range_end. */
export const invEndRet = (w: Writer, task: Task): boolean => {
  const range = endingRange(w, task)
  if (range === undefined) return false
  const data = { _tag: "EndReturned", thread: task.thread, start: range.start, end: range.end } as const
  writeRange(w, range.vm, "observed", data, range.started.seq)
  return true
}

/**
 * The stock tracepoint in range_start. With probes it repeats what they said. Without, it is all there is: the count
 * goes up behind it, and the invalidation is over when its task comes back from the syscall, or starts another one.
 */
export const kvmUnmapHvaRange = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (w.cast.probed) return true
  if (!f.has(F.start) || !f.has(F.end)) return false
  const { graph } = task
  if (graph.inStart && graph.started !== undefined) return true
  if (!w.cast.endsShown) endInferred(w, task)
  const vm = vmOf(w, task)
  callStart(w, task, vm, "UNMAP")
  const range = openRange(w, task)!
  const count = rangesOf(w.ranges, vm.stream).counted + 1
  const incremented = { _tag: "CountIncremented", thread: task.thread, count } as const
  writeRange(w, vm.stream, "inferred", incremented, range.started.seq, range.started.seq)
  if (!w.cast.endsShown) task.untilReturn = range
  if (graph.inStart) graph.started = range
  return true
}

/** Ends the invalidation of a task that is known from its start only. */
export const endInferred = (w: Writer, task: Task): void => {
  const range = task.untilReturn
  if (range === undefined) return
  task.untilReturn = undefined
  if (range.ended !== undefined || w.cast.probed) return
  callEnd(w, task, range)
  returnEnd(w, task, range)
}

/** range_end is called for a range that the record does not name. */
export const callEnd = (w: Writer, task: Task, range: OpenRange): void => {
  const bounds = { thread: task.thread, start: range.start, end: range.end }
  writeRange(w, range.vm, "inferred", { _tag: "EndCalled", ...bounds }, range.started.seq)
}

/** That range_end is over: the count was lowered within it. */
export const returnEnd = (w: Writer, task: Task, range: OpenRange): void => {
  const bounds = { thread: task.thread, start: range.start, end: range.end }
  const count = Math.max(0, rangesOf(w.ranges, range.vm).counted - 1)
  const lowered = { _tag: "CountDecremented", thread: task.thread, count } as const
  writeRange(w, range.vm, "inferred", lowered, range.started.seq)
  writeRange(w, range.vm, "inferred", { _tag: "EndReturned", ...bounds }, range.started.seq)
}

/** The increment that keeps a refresh of `hva` waiting: of a range that holds it, or else of the oldest in flight. */
export const blamed = (w: Writer, vm: Vm, hva: number): number | undefined => {
  let oldest: number | undefined
  for (const range of rangesOf(w.ranges, vm.stream).open) {
    if (!isCounted(range)) continue
    if (covers(range, hva)) return range.counted!.seq
    oldest ??= range.counted!.seq
  }
  return oldest
}
