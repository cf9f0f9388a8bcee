/**
 * What a mapping works with: the record it reads, who is in the trace, what is in flight, and the events it writes.
 *
 * @since 0.1.0
 */
import type { NewEvent, Source } from "@pfnscope/journal"
import { advance } from "@pfnscope/projections"
import type { InFlight, OpenRange } from "@pfnscope/projections"
import { INVALID_GPA, KVM_HVA_ERR_BAD, KVM_PFN_ERR_FAULT, TASK_SIZE } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import type { TraceLine } from "../formats/format.ts"
import { addCache, anyVm, vmOfKvm, vmOfNotifier } from "./cast.ts"
import type { Cache, Cast, Task, Vm } from "./cast.ts"
import { F } from "./fields.ts"
import type { Fields } from "./fields.ts"

/** The state of a mapping. `seq` is the position of the event written last; `t` and `src` are the record's. */
export interface Writer {
  /** The file of the record, and who is on its machine. */
  file: string
  cast: Cast
  readonly ranges: InFlight
  readonly fields: Fields
  readonly line: TraceLine
  out: Array<NewEvent<Event>>
  seq: number
  t: number
  src: Source | undefined
}

type How = NewEvent<Event>["how"]

/** Writes an event and gives its position. */
export const write = (w: Writer, stream: string, how: How, data: Event, corr?: number, cause?: number): number => {
  w.src ??= { file: w.file, line: w.line.number }
  w.out.push({ stream, t: w.t, cause, corr, how, src: w.src, data })
  return ++w.seq
}

/** Writes an event of the notifier and gives the range it is about; the event is correlated with that range's start. */
export const writeRange = (w: Writer, stream: string, how: How, data: Event, corr?: number, cause?: number) => {
  const seq = write(w, stream, how, data, corr, cause)
  advance(w.ranges, seq, w.out[w.out.length - 1]!)
  return w.ranges.touched
}

/** The position that opened the invalidation a task is in: the newest, if it has several open. */
export const openRange = (w: Writer, task: Task): OpenRange | undefined => {
  const stack = w.ranges.byThread.get(task.thread)
  return stack === undefined ? undefined : stack[stack.length - 1]
}

/** The VM that a record names by its `kvm` or `mn` field, or else the one its task was last seen with. */
export const vmOf = (w: Writer, task: Task): Vm => {
  const f = w.fields
  if (f.has(F.kvm)) task.vm = vmOfKvm(w.cast, f.signed(F.kvm))
  else if (f.has(F.mn)) task.vm = vmOfNotifier(w.cast, f.signed(F.mn))
  return task.vm ??= anyVm(w.cast)
}

/** The cache that a record names by its `gpc` field; a new one is announced. */
export const cacheOf = (w: Writer, task: Task): Cache | undefined => {
  const f = w.fields
  if (!f.has(F.gpc)) return undefined
  const pointer = f.signed(F.gpc)
  const known = w.cast.caches.get(pointer)
  if (known !== undefined) return known
  const cache = addCache(w.cast, pointer)
  seeCache(w, task, cache)
  return cache
}

/** Tells of the cache that a record names by its `gpc` field. */
export const seeCache = (w: Writer, task: Task, cache: Cache): void => {
  const pointer = pointerField(w.fields, F.gpc)
  write(w, cache.stream, "observed", { _tag: "GpcSeen", thread: task.thread, gpc: cache.id, pointer })
}

/** A kernel pointer, as text. */
export const pointerField = (f: Fields, field: number): string => `0x${hex32(f.high(field))}${hex32(f.low(field))}`

const hex32 = (half: number): string => (half >>> 0).toString(16).padStart(8, "0")

/** A host virtual address; one in the kernel's half is an error value. */
export const hvaField = (f: Fields, field: number): number => {
  const address = f.signed(field)
  return address < 0 ? KVM_HVA_ERR_BAD : Math.min(address, TASK_SIZE)
}

/** A bound of a range: what lies above user memory is its end. */
export const boundField = (f: Fields, field: number): number => {
  const address = f.signed(field)
  return address < 0 || address > TASK_SIZE ? TASK_SIZE : address
}

/** A guest physical address; all ones is none. */
export const gpaField = (f: Fields, field: number): number => {
  const address = f.signed(field)
  return address < 0 ? INVALID_GPA : address
}

/** What a function of the kernel returned as an int; the upper half of the register is anything. */
export const intField = (f: Fields, field: number): number => f.low(field) | 0

/** What a function returned as a bool: only the lowest byte of the register is. */
export const boolField = (f: Fields, field: number): boolean => (f.low(field) & 0xff) !== 0

/** A page frame number; the error bits (62 … 52) and the no-slot bit (63) make it none. */
export const pfnField = (f: Fields, field: number): number =>
  (f.high(field) & 0xfff0_0000) !== 0 ? KVM_PFN_ERR_FAULT : f.signed(field)

/** A memslot generation: the bit 63 of an update in flight makes it odd. */
export const generationField = (f: Fields, field: number): number =>
  (f.high(field) & 0x000f_ffff) * 0x1_0000_0000 + f.low(field) + (f.high(field) < 0 ? 1 : 0)
