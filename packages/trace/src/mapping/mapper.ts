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
import { noneInFlight } from "@pfnscope/projections"
import type { TraceLine } from "../formats/format.ts"
import { COLON, EQUALS } from "../reading/ascii.ts"
import type { Counter } from "../reading/census.ts"
import { bytesOf, decode, makeNumbering } from "../reading/text.ts"
import { addTask, commOf, isRenamed, makeCasts } from "./cast.ts"
import type { Cast, Task } from "./cast.ts"
import { F, makeFields, newForm } from "./fields.ts"
import type { Spelling } from "./fields.ts"
import * as fault from "./map-fault.ts"
import * as gpc from "./map-gpc.ts"
import * as graph from "./map-graph.ts"
import * as memslot from "./map-memslot.ts"
import * as notifier from "./map-notifier.ts"
import { entered, left, SYSCALLS } from "./map-syscall.ts"
import { NO_MAPS } from "./maps.ts"
import type { Maps } from "./maps.ts"
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
  kvm_gpc_refresh: gpc.wholeRefresh,
  kvm_gpc_refresh_ret: gpc.wholeRefreshRet,
  fault_state: fault.faultState
}

const pairs = (handler: Handler): Handler => {
  const form = newForm()
  return (w, task) => {
    w.fields.readPairs(w.line.bytes, w.line.bodyFrom, w.line.bodyTo, form)
    return handler(w, task)
  }
}

const args = (handler: Handler): Handler => (w, task) => {
  w.fields.readArguments(w.line.bytes, w.line.bodyFrom, w.line.bodyTo)
  return handler(w, task)
}

/** `sys_enter_NAME: start: 0x…, len_in: 0x…`, or the same as pairs (the option fields, trace-cmd's -R). */
const argsOrPairs = (handler: Handler): Handler => (w, task) => {
  const { bodyFrom, bodyTo, bytes } = w.line
  let i = bodyFrom
  while (i < bodyTo && bytes[i] !== EQUALS && bytes[i] !== COLON) i++
  if (bytes[i] === EQUALS && i < bodyTo) w.fields.readPairs(bytes, bodyFrom, bodyTo, newForm())
  else w.fields.readArguments(bytes, bodyFrom, bodyTo)
  return handler(w, task)
}

/** What a syscall returned: `0x0`, `-12`, or `ret=0x0 (0)` as a pair. */
const returned: Handler = (w, task) => {
  const { bodyFrom, bodyTo, bytes } = w.line
  const text = decode(bytes, bodyFrom, bodyTo)
  if (text.includes("=")) {
    w.fields.readPairs(bytes, bodyFrom, bodyTo, newForm())
    return left(w, task, w.fields.signed(F.ret))
  }
  if (/^-\d{1,15}$/.test(text)) return left(w, task, Number(text))
  const ret = /^(0x)?[0-9a-f]{1,16}$/.test(text)
    ? BigInt.asIntN(64, BigInt(text.startsWith("0x") ? text : `0x${text}`))
    : 0n
  return left(w, task, Number(ret))
}

/** `mmu notifier unmap range: 0x… -- 0x…`, or the same as fields. */
const unmapRange: Handler = (w, task) => {
  if (w.cast.probed) return true
  const { bytes, bodyFrom, bodyTo } = w.line
  w.fields.readPairs(bytes, bodyFrom, bodyTo, newForm())
  if (!w.fields.has(F.start)) {
    const range = /(0x[0-9a-f]{1,16}) -- (0x[0-9a-f]{1,16})/.exec(decode(bytes, bodyFrom, bodyTo))
    if (range === null) return false
    const text = new TextEncoder().encode(`start=${range[1]} end=${range[2]}`)
    w.fields.readPairs(text, 0, text.length, newForm())
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
    event.set(`sys_enter_${syscall.name}`, argsOrPairs(entered(syscall)))
    event.set(`sys_exit_${syscall.name}`, returned)
  }
  for (const [name, { entered, left }] of Object.entries(graph.FUNCTIONS)) {
    enter.set(name, pairs(entered))
    exit.set(name, pairs(left))
  }
  return { event, enter, exit }
}

/** More names than this are counted together: a text with so many is no trace. */
const MOST_NAMES = 4096
const OTHER = "(other)"

/** The names that an event can be mapped to. */
export const PROBE_NAMES: ReadonlyArray<string> = [...Object.keys(PROBES), ...Object.keys(BARE)]

const RECORDED = makeNumbering([
  ...PROBE_NAMES,
  ...SYSCALLS.flatMap(({ name }) => [`sys_enter_${name}`, `sys_exit_${name}`])
])

/** Whether a word is the name of an event that the mapping knows. */
export const isRecorded = (bytes: Uint8Array, from: number, to: number): boolean => RECORDED.find(bytes, from, to) >= 0

/** Whether a function is one whose calls the mapping knows. */
export const isGraphed = (name: string): boolean => Object.hasOwn(graph.FUNCTIONS, name)

/** Turns records into events. */
export interface Mapper {
  readonly writer: Writer
  /** Maps the record that `writer.line` holds, and gives the task that made it. */
  readonly record: (count: Counter) => Task
  /** Who is on a machine, by its name. */
  readonly casts: (machine: string) => Cast
  /** The names of the records so far, by their number. */
  readonly names: ReadonlyArray<string>
}

/** Maps the records in `line`. */
export const makeMapper = (line: TraceLine, maps: Maps = NO_MAPS): Mapper => {
  const numbering = makeNumbering([OTHER])
  const handlers = {
    event: [] as Array<Handler | undefined>,
    enter: [] as Array<Handler | undefined>,
    exit: [] as Array<Handler | undefined>
  }
  const byName = tables()
  const casts = makeCasts()
  const writer: Writer = {
    file: "",
    cast: casts(""),
    ranges: noneInFlight(),
    fields: makeFields(),
    line,
    out: [],
    seq: 0,
    t: 0,
    src: undefined
  }

  const numberOf = (): number => {
    const known = numbering.find(line.bytes, line.nameFrom, line.nameTo)
    if (known >= 0) return known
    if (numbering.texts.length >= MOST_NAMES) return 0
    const number = numbering.of(line.bytes, line.nameFrom, line.nameTo)
    const name = numbering.texts[number]!
    const renamed = maps.fields(name)
    for (const form of ["event", "enter", "exit"] as const) {
      const handler = byName[form].get(name) ?? byName[form].get(maps.probe(name))
      handlers[form][number] = renamed === undefined || handler === undefined ? handler : renaming(renamed, handler)
    }
    return number
  }

  const record = (count: Counter): Task => {
    const number = numberOf()
    count.records[number] = (count.records[number] ?? 0) + 1
    const task = runnerOf(writer)
    const before = writer.seq
    const handler = handlers[line.form][number]
    if (handler === undefined || !handler(writer, task)) count.leave(numbering.texts[number]!, line.number)
    task.said = writer.seq > before ? writer.seq : 0
    return task
  }

  return { writer, record, casts, names: numbering.texts }
}

/** A handler of an event whose fields have other names. */
const renaming = (renamed: ReadonlyArray<Spelling>, handler: Handler): Handler => (w, task) => {
  w.fields.renamed = renamed
  const said = handler(w, task)
  w.fields.renamed = undefined
  return said
}

/** The task of the record; one that is new, or has another name, is announced. */
const runnerOf = (w: Writer): Task => {
  const { bytes, commFrom, commTo, cpu, pid } = w.line
  if (pid < 0) return cpu < 0 ? w.cast.nobody : laneOf(w)
  const known = w.cast.tasks.get(pid)
  if (known !== undefined) {
    if (!isRenamed(known, bytes, commFrom, commTo)) return known
    known.comm = bytes.slice(commFrom, commTo)
    announce(w, known)
    return known
  }
  const task = addTask(w.cast, pid, bytes.slice(commFrom, commTo))
  announce(w, task)
  return task
}

/** The CPU of the record, in place of the task that the text does not show. */
const laneOf = (w: Writer): Task => {
  const { cpu } = w.line
  const known = w.cast.tasks.get(NO_TASK - cpu)
  if (known !== undefined) return known
  const lane = addTask(w.cast, NO_TASK - cpu, bytesOf(`cpu ${cpu}`))
  announce(w, lane)
  return lane
}

/** Below every pid, and no CPU's number below. */
const NO_TASK = -2

const announce = (w: Writer, task: Task): void => {
  write(w, task.stream, "observed", {
    _tag: "TaskSeen",
    thread: task.thread,
    comm: commOf(task),
    pid: Math.max(-1, task.pid)
  })
}
