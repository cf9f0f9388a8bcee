/**
 * Calls of functions, as the function_graph tracer shows them: who enters and leaves, and when.
 *
 * What a call is about stands in its arguments, which kernels from 6.15 on can show (funcgraph-args), and what came of it
 * in its return value (funcgraph-retval, 6.5). Without them much stays untold:
 *
 * - A refresh is one of some cache: calls of one task that name none are of one unnamed cache of its own.
 * - Its lookups (hva_to_pfn) are its laps; why a lap was thrown away is not shown.
 * - An invalidation is of the range that the stock tracepoint says within it, or the walk's arguments; without either it
 *   is left out. A range_end is of the range of its task that was begun last.
 * - A fault that is found stale (is_page_fault_stale) names no frame: it is left out, and counted.
 *
 * @since 0.1.0
 */
import { rangesOf } from "@pfnscope/projections"
import { INVALID_GPA, KVM_HVA_ERR_BAD } from "@pfnscope/protocol"
import { addCache } from "./cast.ts"
import type { Cache, Task } from "./cast.ts"
import { F } from "./fields.ts"
import { callEnd, endingRange, gpcInvalRet, invStartRet, kvmUnmapHvaRange, returnEnd } from "./map-notifier.ts"
import { boolField, cacheOf, gpaField, hvaField, intField, pfnField, vmOf, write } from "./writer.ts"
import type { Writer } from "./writer.ts"

type Handler = (w: Writer, task: Task) => boolean

/** What a function's calls say, where they begin and where they end. */
interface Calls {
  readonly entered: Handler
  readonly left: Handler
}

const known: Handler = () => true
const untold: Handler = () => false

/** The cache that a call names, or the one that stands for those its task does not name. */
const someCache = (w: Writer, task: Task): Cache => {
  const named = cacheOf(w, task)
  if (named !== undefined) return named
  if (task.graph.unnamed !== undefined) return task.graph.unnamed
  // No kernel pointer is so close to the end of the address space.
  const cache = addCache(w.cast, -1 - Math.max(0, task.thread))
  task.graph.unnamed = cache
  return cache
}

const enterRefresh = (w: Writer, task: Task, outer: boolean): boolean => {
  const cache = someCache(w, task)
  const f = w.fields
  const gpa = f.has(F.gpa) ? gpaField(f, F.gpa) : INVALID_GPA
  const uhva = f.has(F.uhva) ? hvaField(f, F.uhva) : KVM_HVA_ERR_BAD
  const data = { _tag: "RefreshEntered", thread: task.thread, gpc: cache.id, gpa, uhva } as const
  const seq = write(w, cache.stream, "observed", data, w.seq + 1, task.call?.seq)
  task.graph.refresh = { seq, cache, outer, lookups: 0 }
  return true
}

const leaveRefresh = (w: Writer, task: Task): boolean => {
  const { refresh } = task.graph
  if (refresh === undefined) return false
  task.graph.refresh = undefined
  const told = w.fields.has(F.ret)
  const data = {
    _tag: "RefreshReturned",
    thread: task.thread,
    gpc: refresh.cache.id,
    ret: intField(w.fields, F.ret)
  } as const
  write(w, refresh.cache.stream, told ? "observed" : "inferred", data, refresh.seq)
  return true
}

/** kvm_gpc_refresh: takes the lock and does one refresh. */
const outerRefresh: Calls = {
  entered: (w, task) => enterRefresh(w, task, true),
  left: (w, task) => task.graph.refresh?.outer === true && leaveRefresh(w, task)
}

/** One refresh, under the lock: within the outer function it only repeats what that said. */
const innerRefresh: Calls = {
  entered: (w, task) => task.graph.refresh?.outer === true || enterRefresh(w, task, false),
  left: (w, task) => task.graph.refresh?.outer === true || leaveRefresh(w, task)
}

/** hva_to_pfn: a lap of the refresh that it is in. Each but the first says that the one before was thrown away. */
const lookup: Calls = {
  entered: (w, task) => {
    const { refresh } = task.graph
    if (refresh === undefined) return false
    const { cache, lookups, seq } = refresh
    const of = { thread: task.thread, gpc: cache.id }
    refresh.lookups++
    if (lookups === 0) {
      write(w, cache.stream, "inferred", { _tag: "ValidCleared", ...of }, seq)
    } else {
      // Why is not shown, and not whether what is open covers the page.
      const { open } = rangesOf(w.ranges, vmOf(w, task).stream)
      const untold = { reason: "none", inFlight: open.length, covering: 0 } as const
      write(w, cache.stream, "inferred", { _tag: "RetryDecided", ...of, ...untold }, seq)
    }
    return true
  },
  left: (w, task) => {
    const { refresh } = task.graph
    if (refresh === undefined || !w.fields.has(F.ret)) return refresh !== undefined
    const pfn = pfnField(w.fields, F.ret)
    const data = { _tag: "PfnResolved", thread: task.thread, hva: KVM_HVA_ERR_BAD, pfn } as const
    write(w, "mmu/0", "observed", data, refresh.seq)
    return true
  }
}

const check: Calls = {
  entered: (w, task) => {
    task.graph.checking = cacheOf(w, task)
    return true
  },
  left: (w, task) => {
    const named = task.graph.checking
    task.graph.checking = undefined
    if (!w.fields.has(F.ret)) return false
    const cache = named ?? someCache(w, task)
    const ok = boolField(w.fields, F.ret)
    write(w, cache.stream, "observed", { _tag: "Checked", thread: task.thread, gpc: cache.id, ok })
    return true
  }
}

/** An operation on a cache that is named; others are left out. */
const change = (op: "gpc_activate" | "gpc_activate_hva" | "gpc_deactivate"): Calls => ({
  entered: (w, task) => {
    const f = w.fields
    const cache = cacheOf(w, task)
    task.graph.changing = cache !== undefined
    if (cache === undefined) return false
    const b = op === "gpc_activate" ? gpaField(f, F.gpa) : op === "gpc_activate_hva" ? hvaField(f, F.uhva) : 0
    const data = { _tag: "Called", thread: task.thread, op, a: cache.id, b, c: f.signed(F.len) } as const
    write(w, task.stream, "observed", data, w.seq + 1)
    return true
  },
  left: (w, task) => {
    if (!task.graph.changing) return false
    task.graph.changing = false
    const ret = op === "gpc_deactivate" ? 0 : intField(w.fields, F.ret)
    const how = op === "gpc_deactivate" || w.fields.has(F.ret) ? "observed" : "inferred"
    write(w, task.stream, how, { _tag: "Returned", thread: task.thread, ret })
    return true
  }
})

const rangeStart: Calls = {
  entered: (_w, task) => {
    task.graph.inStart = true
    task.graph.started = undefined
    return true
  },
  left: (w, task) => {
    const { started } = task.graph
    task.graph.inStart = false
    task.graph.started = undefined
    return w.cast.probed || (started !== undefined && invStartRet(w, task))
  }
}

/** gfn_to_pfn_cache_invalidate_start: its arguments are the range, where the tracepoint did not say it before. */
const walk: Calls = {
  entered: (w, task) => kvmUnmapHvaRange(w, task) || task.graph.started !== undefined,
  left: (w, task) => w.cast.probed || (task.graph.started !== undefined && gpcInvalRet(w, task))
}

const rangeEnd: Calls = {
  entered: (w, task) => {
    if (w.cast.probed) return true
    w.cast.endsShown = true
    const range = w.ranges.byThread.get(task.thread)?.findLast(({ ended }) => ended === undefined)
    if (range === undefined) return false
    task.untilReturn = undefined
    callEnd(w, task, range)
    return true
  },
  left: (w, task) => {
    if (w.cast.probed) return true
    const range = endingRange(w, task)
    if (range === undefined) return false
    returnEnd(w, task, range)
    return true
  }
}

/** kvm_swap_active_memslots: waits for the count, and publishes. */
const swap: Calls = {
  entered: (w, task) => {
    const data = { _tag: "Called", thread: task.thread, op: "set_memslot", a: -1, b: KVM_HVA_ERR_BAD, c: 0 } as const
    task.swapping = { seq: write(w, task.stream, "inferred", data, w.seq + 1), name: "set_memslot" }
    return true
  },
  left: (w, task) => {
    const { swapping } = task
    if (swapping === undefined) return false
    task.swapping = undefined
    write(w, task.stream, "inferred", { _tag: "Returned", thread: task.thread, ret: 0 }, swapping.seq)
    return true
  }
}

/** The functions whose calls say something, by their names from 6.1 to 7.3. */
export const FUNCTIONS: Readonly<Record<string, Calls>> = {
  kvm_gpc_refresh: outerRefresh,
  __kvm_gpc_refresh: innerRefresh,
  kvm_gfn_to_pfn_cache_refresh: innerRefresh,
  hva_to_pfn: lookup,
  kvm_gpc_check: check,
  kvm_gfn_to_pfn_cache_check: check,
  kvm_gpc_activate: change("gpc_activate"),
  kvm_gpc_activate_hva: change("gpc_activate_hva"),
  kvm_gpc_deactivate: change("gpc_deactivate"),
  kvm_mmu_notifier_invalidate_range_start: rangeStart,
  gfn_to_pfn_cache_invalidate_start: walk,
  kvm_mmu_notifier_invalidate_range_end: rangeEnd,
  kvm_swap_active_memslots: swap,
  is_page_fault_stale: { entered: known, left: untold }
}
