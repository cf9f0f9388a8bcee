/**
 * The text and the JSON of bpftrace programs (`bpftrace -f json`).
 *
 * A program prints what it likes; `bpftrace-line.ts` and `fault-state.ts` say what is understood. Around that bpftrace
 * writes `Attaching N probes...`, `Lost N events`, maps and histograms. Values of `%lx` have no 0x.
 *
 * The records are given in the order of their times, as far as `reorder.ts` can tell it. Where no record has a time,
 * they are counted instead, one tick each.
 *
 * @since 0.1.0
 */
import { isRecorded } from "../mapping/mapper.ts"
import { HASH, LF } from "../reading/ascii.ts"
import { LONGEST_LINE } from "../reading/lines.ts"
import { bytesOf, isText } from "../reading/text.ts"
import { isAttaching, isMap, readCanonical, readFree, readLost } from "./bpftrace-line.ts"
import { isBlankAt, numberIn, skipBlanks, skipDigits } from "./columns.ts"
import { emptyFaultState, END, IN_PROGRESS, readFaultState, SEQ, START, VCPU } from "./fault-state.ts"
import type { FaultState } from "./fault-state.ts"
import { AGAIN, COMMENT, CONTINUATION, emptyLine, HELD, marker, RECORD, rejected } from "./format.ts"
import type { Format, LineReader, Loss, Reading, TraceLine } from "./format.ts"
import { addString, findMember } from "./json-line.ts"
import type { Bounds } from "./json-line.ts"
import { makeReorder } from "./reorder.ts"
import type { Timed } from "./reorder.ts"
import { TextBuffer } from "./text-buffer.ts"

/** A record that waits for its turn, with a copy of its parts: name of the task, of the event, body. */
interface Held extends Timed {
  readonly number: number
  readonly bytes: Uint8Array
  readonly commTo: number
  readonly nameTo: number
  readonly pid: number
  readonly tgid: number
  readonly cpu: number
  readonly digits: TraceLine["digits"]
  readonly repeat: number
  /** Another record of its line was held before. */
  readonly again: boolean
  /** A loss that is told instead of a record. */
  readonly loss: Loss | undefined
}

/** Why a line is none. */
const REASONS = {
  "no event that is known": rejected("no event that is known"),
  "two events in one line": rejected("two events in one line"),
  "no task (tid=… or pid=…)": rejected("no task (tid=… or pid=…)"),
  "a field twice, or a name without quotes": rejected("a field twice, or a name without quotes")
} as const

const TIMED_LATE = rejected("a time, where the first records have none")
const TOO_LONG = rejected("longer than 64 KiB")
const NO_JSON = rejected("no JSON of bpftrace")

/** Whether a text has times. It is settled by its first record. */
type Clock = "unknown" | "timed" | "ordinal"

/** What reads lines that a program printed. */
interface Printed {
  /** Reads a line that stands in line number `number`; `again`: that line has a record already. */
  readonly read: (bytes: Uint8Array, from: number, to: number, number: number, again: boolean) => Reading
  readonly lose: (number: number, count: number) => Reading
  readonly restart: () => void
  readonly more: (line: TraceLine) => Reading | undefined
  readonly end: () => void
  readonly moved: () => number
}

const makePrinted = (): Printed => {
  const window = makeReorder<Held>()
  const line = emptyLine()
  const fault = emptyFaultState()
  const text = new TextBuffer()
  let clock: Clock = "unknown"
  let ordinal = 0
  let seconds = 0
  let nanos = 0

  /** Settles the time of what was read. */
  const settleTime = (): Reading | undefined => {
    if (clock === "unknown") clock = line.digits === 0 ? "ordinal" : "timed"
    if (clock === "ordinal") {
      if (line.digits !== 0) return TIMED_LATE
      ordinal++
      seconds = Math.floor(ordinal / 1_000_000_000)
      nanos = ordinal % 1_000_000_000
      return undefined
    }
    if (line.digits === 0) return undefined
    seconds = line.seconds
    nanos = line.nanos
    return undefined
  }

  /** Holds the record whose parts are in `text` up to `commTo`, `nameTo` and its end. */
  const hold = (number: number, again: boolean, commTo: number, nameTo: number): Reading => {
    const problem = settleTime()
    if (problem !== undefined) return problem
    window.push({
      seconds,
      nanos,
      epoch: 0,
      order: 0,
      number,
      bytes: text.bytes.slice(0, text.length),
      commTo,
      nameTo,
      pid: line.pid,
      tgid: line.tgid,
      cpu: line.cpu,
      digits: clock === "ordinal" ? 0 : 9,
      repeat: line.repeat,
      again,
      loss: undefined
    })
    return HELD
  }

  const holdLine = (number: number, again: boolean): Reading => {
    const { bytes } = line
    text.clear()
    if (line.commFrom < 0) text.addAll(UNNAMED)
    else text.add(bytes, line.commFrom, line.commTo)
    const commTo = text.length
    text.add(bytes, line.nameFrom, line.nameTo)
    const nameTo = text.length
    text.add(bytes, line.bodyFrom, line.bodyTo)
    return hold(number, again, commTo, nameTo)
  }

  const holdFault = (bytes: Uint8Array, number: number, again: boolean): Reading => {
    line.pid = fault.pid
    line.tgid = fault.tgid
    line.cpu = -1
    line.seconds = Math.max(0, fault.seconds)
    line.nanos = fault.micros * 1000
    line.digits = fault.seconds < 0 ? 0 : 6
    text.clear()
    text.addAll(UNNAMED)
    if (fault.told) text.addAll(FAULT_STATE)
    else text.add(bytes, fault.nameFrom, fault.nameTo)
    const nameTo = text.length
    if (fault.told) addValues(bytes, fault, text)
    return hold(number, again, UNNAMED.length, nameTo)
  }

  const lose = (number: number, count: number): Reading => {
    // It is told at the end of what was read: its time is that of the newest record.
    const { nanos, seconds } = window.newest() ?? NOTHING
    window.push({
      ...NOTHING,
      seconds,
      nanos,
      epoch: 0,
      order: 0,
      number,
      loss: { cpu: -1, count }
    })
    return HELD
  }

  const read = (bytes: Uint8Array, from: number, to: number, number: number, again: boolean): Reading => {
    line.repeat = 1
    if (bytes[from] === HASH) return COMMENT
    if (readCanonical(bytes, from, to, line)) return holdLine(number, again)
    const at = readCount(bytes, from, to, line)
    if (readFaultState(bytes, at, to, fault)) return holdFault(bytes, number, again)
    if (isAttaching(bytes, from, to)) {
      window.restart()
      return COMMENT
    }
    const lost = readLost(bytes, from, to)
    if (lost >= 0) return lose(number, lost)
    if (isMap(bytes, from, to)) return COMMENT
    line.repeat = 1
    const reason = readFree(bytes, from, to, isRecorded, line)
    return reason === undefined ? holdLine(number, again) : REASONS[reason]
  }

  const more = (into: TraceLine): Reading | undefined => {
    const held = window.next()
    if (held === undefined) return undefined
    into.number = held.number
    if (held.loss !== undefined) return marker(held.loss)
    into.bytes = held.bytes
    into.commFrom = 0
    into.commTo = into.nameFrom = held.commTo
    into.nameTo = into.bodyFrom = held.nameTo
    into.bodyTo = held.bytes.length
    into.pid = held.pid
    into.tgid = held.tgid
    into.cpu = held.cpu
    into.flagsFrom = into.flagsTo = 0
    into.host = 0
    into.seconds = held.seconds
    into.nanos = held.nanos
    into.digits = held.digits
    into.form = "event"
    into.repeat = held.repeat
    return held.again ? AGAIN : RECORD
  }

  return { read, lose, more, restart: window.restart, end: window.end, moved: window.moved }
}

const NOTHING = {
  seconds: 0,
  nanos: 0,
  bytes: new Uint8Array(0),
  commTo: 0,
  nameTo: 0,
  pid: -1,
  tgid: -1,
  cpu: -1,
  digits: 0,
  repeat: 1,
  again: false
} as const

/** Reads the count of `uniq -c` in front of a line; gives where the line begins. */
const readCount = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number => {
  const digits = skipBlanks(bytes, from, to)
  const end = skipDigits(bytes, digits, to)
  if (end === digits || end - digits > 15 || !isBlankAt(bytes[end])) return digits
  line.repeat = numberIn(bytes, digits, end)
  return skipBlanks(bytes, end, to)
}

/** How ftrace shows a task whose name it does not know. */
const UNNAMED = bytesOf("<...>")

const FAULT_STATE = bytesOf("fault_state")
const VALUES: ReadonlyArray<readonly [value: number, name: Uint8Array]> = [
  [VCPU, bytesOf(" vcpu=0x")],
  [SEQ, bytesOf(" seq=0x")],
  [IN_PROGRESS, bytesOf(" in_prog=0x")],
  [START, bytesOf(" start=0x")],
  [END, bytesOf(" end=0x")]
]

const addValues = (bytes: Uint8Array, fault: FaultState, text: TextBuffer): void => {
  for (const [value, name] of VALUES) {
    if (fault.to[value] === 0) continue
    text.addAll(name)
    text.add(bytes, fault.from[value]!, fault.to[value]!)
  }
}

const open = (): LineReader & { readonly bareHex: true } => {
  const printed = makePrinted()
  return {
    bareHex: true,
    read: (bytes, from, to, line) => printed.read(bytes, from, to, line.number, false),
    more: printed.more,
    end: printed.end,
    moved: printed.moved
  }
}

/** What a bpftrace program printed. */
export const bpftrace: Format = {
  name: "bpftrace",
  owns: (line) => /^(?:Attaching|Attached) \d+ probes?/.test(line),
  open
}

const TYPE = bytesOf("type")
const DATA = bytesOf("data")
const EVENTS = bytesOf("events")
const PRINTF = bytesOf("printf")
const LOST_EVENTS = bytesOf("lost_events")
const ATTACHED = bytesOf("attached_probes")

/** Kinds of output that are no line of a program: what it counted, and what bpftrace says of itself. */
const KINDS = ["map", "hist", "lhist", "stats", "value", "time", "cat", "join", "syscall", "helper_error", "kstack"]
  .map(
    bytesOf
  )

/** Reads lines of JSON: `printf` holds what was printed, in pieces as they came. */
const openJson = (): LineReader & { readonly bareHex: true } => {
  const printed = makePrinted()
  const rest = new TextBuffer()
  const type: Bounds = { from: 0, to: 0, isString: false }
  const data: Bounds = { from: 0, to: 0, isString: false }
  /** The line in which the rest began. */
  let begun = 0

  const readPrinted = (bytes: Uint8Array, number: number): Reading => {
    if (rest.length === 0) begun = number
    const before = rest.length
    addString(bytes, data.from, data.to, rest)
    let worst: Reading | undefined
    let held = false
    let from = 0
    for (let i = before; i < rest.length; i++) {
      if (rest.bytes[i] !== LF) continue
      const reading = from === i ? COMMENT : printed.read(rest.bytes, from, i, begun, held)
      if (reading === HELD) held = true
      else if (worst === undefined || reading.kind === "rejected") worst = reading
      begun = number
      from = i + 1
    }
    keep(from)
    if (rest.length > LONGEST_LINE) {
      rest.clear()
      worst = TOO_LONG
    }
    return held ? HELD : worst ?? CONTINUATION
  }

  const keep = (from: number): void => {
    rest.bytes.copyWithin(0, from, rest.length)
    rest.length -= from
  }

  const read = (bytes: Uint8Array, from: number, to: number, number: number): Reading => {
    if (!findMember(bytes, from, to, TYPE, type) || !type.isString) return NO_JSON
    const is = (name: Uint8Array): boolean => isText(bytes, type.from, type.to, name)
    if (is(ATTACHED)) {
      printed.restart()
      return COMMENT
    }
    const hasData = findMember(bytes, from, to, DATA, data)
    if (is(PRINTF) && hasData && data.isString) return readPrinted(bytes, number)
    if (is(LOST_EVENTS) && hasData) {
      const { from: dataFrom, to: dataTo } = data
      const told = findMember(bytes, dataFrom, dataTo, EVENTS, data)
      const whole = told && data.to - data.from <= 15 && skipDigits(bytes, data.from, data.to) === data.to
      return printed.lose(number, whole ? numberIn(bytes, data.from, data.to) : -1)
    }
    return KINDS.some(is) ? COMMENT : NO_JSON
  }

  return {
    bareHex: true,
    read: (bytes, from, to, line) => read(bytes, from, to, line.number),
    more: printed.more,
    end: printed.end,
    moved: printed.moved
  }
}

/** What a bpftrace program printed under `-f json`. */
export const bpftraceJson: Format = {
  name: "bpftrace -f json",
  owns: (line) => /^\{"type": ?"(?:attached_probes|printf|lost_events)", ?"data": ?/.test(line),
  open: openJson
}
