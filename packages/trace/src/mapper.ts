/**
 * The mapping: which record becomes which events.
 *
 * The names are those of the kprobes in the project's recording recipe, and the kernel's own tracepoints. A record
 * may become several events or, where it repeats what another said, none; one that says nothing of the protocol is
 * left, and counted.
 *
 * Hot: one call per record, by the number of its name.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import { noneInFlight } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import { addTask, commOf, emptyCast, isRenamed, taskOf } from "./cast.ts"
import type { Task } from "./cast.ts"
import type { Counter } from "./census.ts"
import { F, makeFields } from "./fields.ts"
import type { TraceLine } from "./format.ts"
import * as fault from "./map-fault.ts"
import * as gpc from "./map-gpc.ts"
import * as graph from "./map-graph.ts"
import * as memslot from "./map-memslot.ts"
import * as notifier from "./map-notifier.ts"
import { entered, left, SYSCALLS } from "./map-syscall.ts"
import { decode, makeNumbering } from "./text.ts"
import { write } from "./writer.ts"
import type { Writer } from "./writer.ts"

/** Writes the events of the record in `writer.line` for the task that ran; false where it says nothing of the protocol. */
type Handler = (w: Writer, task: Task) => boolean

/** A record that repeats what another says. */
const repeats: Handler = () => true

/** Records with fields. */
const PROBES: Readonly<Record<string, Handler>> = {
  inv_start: notifier.invStart,
  inv_inc: notifier.invInc,
  gpc_inval_hit: notifier.gpcInvalHit,
  gpc_inval_ret: notifier.gpcInvalRet,
  unmap_gfn: notifier.unmapGfn,
  mmu_inval_end: notifier.mmuInvalEnd,
  inv_end: notifier.invEnd,
  inv_dec: notifier.invDec,
  refresh: gpc.refresh,
  refresh_ret: gpc.refreshRet,
  gpc_snap: gpc.gpcSnap,
  gpc_pfn: gpc.gpcPfn,
  gpc_recheck: gpc.gpcRecheck,
  gpc_retry_seq: gpc.gpcRetrySeq,
  gpc_commit: gpc.gpcCommit,
  gpc_err: gpc.gpcErr,
  gpc_keep: gpc.gpcKeep,
  check_in: gpc.checkIn,
  check: gpc.check,
  activate: gpc.activate,
  activate_ret: gpc.activateRet,
  deactivate: gpc.deactivate,
  deactivate_ret: gpc.deactivateRet,
  gpc_init: gpc.gpcInit,
  hva2pfn_ret: fault.hvaToPfnRet,
  swap_slots: memslot.swapSlots,
  swap_wait: memslot.swapWait,
  swap_publish: memslot.swapPublish,
  swap_slots_ret: memslot.swapSlotsRet,
  pf_stale: fault.pfStale,
  pf_stale_ret: fault.pfStaleRet,
  fault_state: fault.faultState
}

const pairs = (handler: Handler): Handler => (w, task) => {
  w.fields.readPairs(w.line.bytes, w.line.bodyFrom, w.line.bodyTo)
  return handler(w, task)
}

const args = (handler: Handler): Handler => (w, task) => {
  w.fields.readArguments(w.line.bytes, w.line.bodyFrom, w.line.bodyTo)
  return handler(w, task)
}

/** `-> 0x0`: what a syscall returned, read as if it were a field. */
const returned: Handler = (w, task) => {
  const text = decode(w.line.bytes, w.line.bodyFrom, w.line.bodyTo)
  const ret = /^(0x)?[0-9a-f]{1,16}$/.test(text)
    ? BigInt.asIntN(64, BigInt(text.startsWith("0x") ? text : `0x${text}`))
    : 0n
  return left(w, task, Number(ret))
}

/** `mmu notifier unmap range: 0x… -- 0x…`, or the same as fields. */
const unmapRange: Handler = (w, task) => {
  if (w.probed) return true
  const { bytes, bodyFrom, bodyTo } = w.line
  w.fields.readPairs(bytes, bodyFrom, bodyTo)
  if (!w.fields.has(F.start)) {
    const range = /(0x[0-9a-f]{1,16}) -- (0x[0-9a-f]{1,16})/.exec(decode(bytes, bodyFrom, bodyTo))
    if (range === null) return false
    const text = new TextEncoder().encode(`start=${range[1]} end=${range[2]}`)
    w.fields.readPairs(text, 0, text.length)
  }
  return notifier.kvmUnmapHvaRange(w, task)
}

/** A line that a program wrote to trace_marker. */
const noted: Handler = (w, task) => {
  const text = decode(w.line.bytes, w.line.bodyFrom, w.line.bodyTo)
  write(w, task.stream, "observed", { _tag: "Noted", thread: task.thread, text })
  return true
}

/** Records whose fields are not needed. */
const BARE: Readonly<Record<string, Handler>> = {
  inv_start_ret: notifier.invStartRet,
  inv_end_ret: notifier.invEndRet,
  gpc_inval: repeats,
  hva2pfn: repeats,
  refresh_outer: repeats,
  refresh_outer_ret: repeats,
  kvm_unmap_hva_range: unmapRange,
  tracing_mark_write: noted
}

/** Three tables, by the form of a record: an event, a syscall entered, a syscall left. */
const tables = () => {
  const event = new Map<string, Handler>(Object.entries(BARE))
  for (const [name, handler] of Object.entries(PROBES)) event.set(name, pairs(handler))
  const enter = new Map<string, Handler>()
  const exit = new Map<string, Handler>()
  for (const syscall of SYSCALLS) {
    enter.set(`sys_${syscall.name}`, args(entered(syscall)))
    exit.set(`sys_${syscall.name}`, returned)
  }
  for (const [name, { entered, left }] of Object.entries(graph.FUNCTIONS)) {
    enter.set(name, pairs(entered))
    exit.set(name, pairs(left))
  }
  return { event, enter, exit }
}

/** Whether a function is one whose calls the mapping knows. */
export const isGraphed = (name: string): boolean => Object.hasOwn(graph.FUNCTIONS, name)

const RECORDED = makeNumbering([
  ...Object.keys(BARE),
  ...Object.keys(PROBES),
  ...SYSCALLS.flatMap(({ name }) => [`sys_enter_${name}`, `sys_exit_${name}`])
])

/** Whether a word is the name of a record that the mapping knows. */
export const isRecorded = (bytes: Uint8Array, from: number, to: number): boolean => RECORDED.find(bytes, from, to) >= 0

/** More names than this are counted together: a text with so many is no trace. */
const MOST_NAMES = 4096
const OTHER = "(other)"

/** Turns records into events. */
export interface Mapper {
  readonly writer: Writer
  /** Maps the record that `writer.line` holds, and gives the task that made it. */
  readonly record: (count: Counter) => Task
  /** The names of the records so far, and how many of each. */
  readonly names: ReadonlyArray<string>
  readonly counts: ReadonlyArray<number>
}

export const makeMapper = (file: string, line: TraceLine): Mapper => {
  const numbering = makeNumbering([OTHER])
  const handlers = {
    event: [] as Array<Handler | undefined>,
    enter: [] as Array<Handler | undefined>,
    exit: [] as Array<Handler | undefined>
  }
  const byName = tables()
  const counts: Array<number> = []
  const writer: Writer = {
    file,
    cast: emptyCast(),
    ranges: noneInFlight(),
    fields: makeFields(),
    line,
    out: [],
    seq: 0,
    t: 0,
    src: undefined,
    probed: false,
    endsShown: false
  }

  const numberOf = (): number => {
    const known = numbering.find(line.bytes, line.nameFrom, line.nameTo)
    if (known >= 0) return known
    if (numbering.texts.length >= MOST_NAMES) return 0
    const number = numbering.of(line.bytes, line.nameFrom, line.nameTo)
    const name = numbering.texts[number]!
    for (const form of ["event", "enter", "exit"] as const) handlers[form][number] = byName[form].get(name)
    return number
  }

  const record = (count: Counter): Task => {
    const number = numberOf()
    counts[number] = (counts[number] ?? 0) + 1
    const task = runnerOf(writer)
    const before = writer.seq
    const handler = handlers[line.form][number]
    if (handler === undefined || !handler(writer, task)) count.leave(numbering.texts[number]!, line.number)
    task.said = writer.seq > before ? writer.seq : 0
    return task
  }

  return { writer, record, names: numbering.texts, counts }
}

/** The task of the record; one that is new, or has another name, is announced. */
const runnerOf = (w: Writer): Task => {
  const { bytes, commFrom, commTo, cpu, host, pid } = w.line
  if (pid < 0 && cpu < 0) return w.cast.nobody
  const known = taskOf(w.cast, host, pid)
  if (known !== undefined) {
    if (!isRenamed(known, bytes, commFrom, commTo)) return known
    known.comm = bytes.slice(commFrom, commTo)
    announce(w, known)
    return known
  }
  const task = addTask(w.cast, host, pid, bytes.slice(commFrom, commTo))
  announce(w, task)
  return task
}

const announce = (w: Writer, task: Task): void => {
  write(w, task.stream, "observed", { _tag: "TaskSeen", thread: task.thread, comm: commOf(task), pid: task.pid })
}

/** Events that were written since the last call. */
export const drain = (w: Writer): Array<NewEvent<Event>> => {
  const out = w.out
  w.out = []
  return out
}
