/**
 * Records of guest page faults: is_page_fault_stale, and what the lookup before it gave.
 *
 * @since 0.1.0
 */
import { NO_PFN } from "@pfnscope/protocol"
import type { Task } from "./cast.ts"
import { F } from "./fields.ts"
import { lookedUp } from "./map-gpc.ts"
import { boolField, boundField, hvaField, pfnField, pointerField, vmOf, write } from "./writer.ts"
import type { Writer } from "./writer.ts"

/** Return of hva_to_pfn: outside a refresh it is a vCPU's fault that looks a frame up. */
export const hvaToPfnRet = (w: Writer, task: Task): boolean => {
  if (!w.fields.has(F.pfn)) return true
  if (task.refreshing !== undefined) lookedUp(w, task, task.refreshing)
  else task.resolved = pfnField(w.fields, F.pfn)
  return true
}

/** Entry, under mmu_lock: what the kernel compares. The hull is in host addresses up to 6.1, in guest frames later. */
export const pfStale = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (!f.has(F.gfn) || !f.has(F.snap) || !f.has(F.seq)) return false
  const gfn = f.signed(F.gfn)
  const place = f.signed(F.hull_end) > HIGHEST_GFN ? hvaField(f, F.hva) : gfn
  task.fault = {
    gfn,
    snap: f.signed(F.snap),
    seq: f.signed(F.seq),
    inProgress: f.signed(F.in_prog),
    inHull: f.signed(F.hull_start) <= place && place < f.signed(F.hull_end)
  }
  return true
}

/** Guest physical addresses have at most 52 bits: a higher frame number is a host address. */
const HIGHEST_GFN = 2 ** 40

/** Return: 1 makes the vCPU fault again. */
export const pfStaleRet = (w: Writer, task: Task): boolean => {
  const fault = task.fault
  if (fault === undefined || !w.fields.has(F.ret)) return false
  task.fault = undefined
  const vm = vmOf(w, task)
  const thread = task.thread
  const corr = write(w, vm.stream, "inferred", { _tag: "Snapshotted", thread, seq: fault.snap }, w.seq + 1)
  const inProgress = fault.inProgress > 0 && fault.inHull
  const reason = inProgress ? "in-progress" : fault.seq !== fault.snap ? "seq" : "none"
  const stale = boolField(w.fields, F.ret)
  const covering = new Set(vm.zaps.filter((z) => z.start <= fault.gfn && fault.gfn < z.end).map((z) => z.thread)).size
  const test = { reason, met: stale, inFlight: fault.inProgress, covering } as const
  const tested = write(w, vm.stream, "observed", { _tag: "RetryTested", thread, ...test }, corr, corr)
  const data = stale
    ? { _tag: "GuestFaultRetried", thread, gfn: fault.gfn, reason } as const
    : { _tag: "GuestFaulted", thread, gfn: fault.gfn, pfn: task.resolved } as const
  write(w, vm.stream, "observed", data, corr, tested)
  task.resolved = NO_PFN
  return true
}

/** What a probe somewhere in the fault path saw. Which VM it is of is not told: only the vCPU is. */
export const faultState = (w: Writer, task: Task): boolean => {
  const f = w.fields
  const seq = f.signed(F.seq)
  const inProgress = f.signed(F.in_prog)
  const told = f.has(F.seq) && f.has(F.in_prog) && f.has(F.start) && f.has(F.end)
  if (!told || !Number.isSafeInteger(seq) || !Number.isSafeInteger(inProgress)) return false
  const vcpu = f.has(F.vcpu) ? pointerField(f, F.vcpu) : ""
  const hull = { start: boundField(f, F.start), end: boundField(f, F.end) }
  const seen = { vcpu, seq, inProgress, ...hull, repeat: w.line.repeat }
  write(w, vmOf(w, task).stream, "observed", { _tag: "FaultStateSeen", thread: task.thread, ...seen })
  return true
}
