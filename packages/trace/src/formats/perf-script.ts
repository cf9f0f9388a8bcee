/**
 * The text of `perf script`, with or without --ns, --show-lost-events, and call chains.
 *
 *     [VM:PID [VCPU:N]] COMM TID|PID/TID [[CPU] [MISC]] TIME: [PERIOD] [SYSTEM:]EVENT: BODY
 *     [VM:PID [VCPU:N]] COMM TID|PID/TID [CPU] TIME: PERF_RECORD_LOST lost COUNT
 *     <tab> ADDRESS SYMBOL+OFFSET (OBJECT)          a frame of the record before, the innermost first
 *     # a comment
 *
 * A name may hold spaces, digits and brackets, but not all that stands behind it: it is at most 15 bytes, and what follows
 * is longer. The leftmost match is the true one. Without a name and a thread (-F -comm,-tid) the CPU stands for the task.
 *
 * Times that are relative (--reltime, --deltatime) begin at nought, which no clock of a running machine shows: such a text
 * is refused, because its records cannot be placed.
 *
 * Hot: plain functions over bytes.
 *
 * @since 0.1.0
 */
import { BRACKET, BRACKET_END, COLON, COMMA, EQUALS, HASH, MINUS, SLASH, SPACE, TAB } from "../reading/ascii.ts"
import { bytesOf, startsWith } from "../reading/text.ts"
import { isDigit, isWord, LONGEST_COMM, numberIn, readTime, skipDigits, skipSpaces } from "./columns.ts"
import { COMMENT, FRAME, marker, RECORD, rejected } from "./format.ts"
import type { Format, LineReader, Reading, TraceLine } from "./format.ts"
import { readPerfLoss } from "./loss.ts"

const NO_CONTEXT = rejected("no task, cpu and time")
const NO_EVENT = rejected("no event name")
const RELATIVE = rejected("a time relative to another record (--reltime, --deltatime)")

const VM = bytesOf("VM:")
const VCPU = bytesOf("VCPU:")
const PERF_RECORD = bytesOf("PERF_RECORD_")

/** `VM:1234 VCPU:00 `: gives where it goes on, with the machine in `line`. */
const readVm = (bytes: Uint8Array, at: number, to: number, line: TraceLine): number => {
  line.host = 0
  if (!startsWith(bytes, at, to, VM)) return at
  const pid = skipSpaces(bytes, at + VM.length, to)
  const end = skipDigits(bytes, pid, to)
  if (end === pid || end - pid > 10 || bytes[end] !== SPACE) return at
  line.host = numberIn(bytes, pid, end)
  const vcpu = skipSpaces(bytes, end, to)
  if (!startsWith(bytes, vcpu, to, VCPU)) return vcpu
  return skipSpaces(bytes, skipDigits(bytes, skipSpaces(bytes, vcpu + VCPU.length, to), to), to)
}

/** `TID` or `PID/TID`, then a space; gives where it goes on, or -1. */
const readThread = (bytes: Uint8Array, at: number, to: number, line: TraceLine): number => {
  const end = skipDigits(bytes, at, to)
  if (end === at || end - at > 10) return -1
  line.pid = numberIn(bytes, at, end)
  line.tgid = -1
  if (bytes[end] !== SLASH) return bytes[end] === SPACE ? skipSpaces(bytes, end, to) : -1
  const tidEnd = skipDigits(bytes, end + 1, to)
  if (tidEnd === end + 1 || tidEnd - end > 11 || bytes[tidEnd] !== SPACE) return -1
  line.tgid = line.pid
  line.pid = numberIn(bytes, end + 1, tidEnd)
  return skipSpaces(bytes, tidEnd, to)
}

/** `[CPU] MISC TIME: `; gives where the event begins, or -1. */
const readCpuAndTime = (bytes: Uint8Array, at: number, to: number, line: TraceLine): number => {
  if (bytes[at] !== BRACKET) return -1
  const end = skipDigits(bytes, at + 1, to)
  if (end - at < 4 || end - at > 7 || bytes[end] !== BRACKET_END || bytes[end + 1] !== SPACE) return -1
  line.cpu = numberIn(bytes, at + 1, end)
  const i = skipSpaces(bytes, end + 1, to)
  line.flagsFrom = line.flagsTo = i
  if (isDigit(bytes[i])) return readTime(bytes, i, to, line)
  let misc = i
  while (misc < to && MISC.has(bytes[misc]!)) misc++
  if (misc === i || misc - i > MOST_MISC || bytes[misc] !== SPACE) return -1
  line.flagsTo = misc
  return readTime(bytes, skipSpaces(bytes, misc, to), to, line)
}

const MISC = new Set(bytesOf("KUHGgMESpTtD"))
const MOST_MISC = 6

/** Reads what stands before the event; gives where it begins, or -1. */
const readColumns = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number => {
  const name = readVm(bytes, skipSpaces(bytes, from, to), to, line)
  // The kernel's name is right-aligned, but where call chains are shown: a thread's number follows the first space that
  // can end the name.
  const last = Math.min(to, name + LONGEST_COMM + 1)
  for (let at = name; at < last; at++) {
    if (bytes[at] !== SPACE && at > name) continue
    const thread = at === name ? at : skipSpaces(bytes, at, to)
    if (!isDigit(bytes[thread]) || (at === name && !isEmptyName(from, name))) continue
    const cpu = readThread(bytes, thread, to, line)
    const next = cpu < 0 ? -1 : readCpuAndTime(bytes, cpu, to, line)
    if (next < 0) continue
    line.commFrom = name
    line.commTo = at
    return next
  }
  const next = readPadded(bytes, from, to, line)
  return next < 0 ? readLane(bytes, name, to, line) : next
}

/** `COMM TID TIME: `, without a CPU: a name can look like that, so that it is read in its columns only. */
const readPadded = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number => {
  const end = from + LONGEST_COMM + 1
  if (bytes[from] !== SPACE || bytes[end] !== SPACE) return -1
  const time = readThread(bytes, skipSpaces(bytes, end, to), to, line)
  const next = time < 0 ? -1 : readTime(bytes, time, to, line)
  if (next < 0) return -1
  line.commFrom = skipSpaces(bytes, from, end)
  line.commTo = end
  line.flagsFrom = line.flagsTo = time
  line.cpu = -1
  return next
}

/** Whether the column of the name is blank: only then may a line begin with a thread's number. */
const isEmptyName = (from: number, name: number): boolean => name - from > LONGEST_COMM

/** `[CPU] TIME: ` with no task before it. */
const readLane = (bytes: Uint8Array, at: number, to: number, line: TraceLine): number => {
  const next = readCpuAndTime(bytes, at, to, line)
  if (next < 0) return -1
  line.pid = line.tgid = -1
  line.commFrom = line.commTo = at
  return next
}

/** `PERIOD SYSTEM:EVENT: BODY`: the system is left out of the name. */
const readEvent = (bytes: Uint8Array, at: number, to: number, line: TraceLine): boolean => {
  let i = at
  const period = skipDigits(bytes, i, to)
  if (period > i && bytes[period] === SPACE) i = skipSpaces(bytes, period, to)
  let name = i
  while (i < to && isNamed(bytes[i]!)) {
    while (i < to && isNamed(bytes[i]!)) i++
    if (bytes[i] !== COLON) return false
    if (i + 1 === to || bytes[i + 1] === SPACE) break
    name = ++i
  }
  if (i === name || bytes[i] !== COLON) return false
  line.form = "event"
  line.nameFrom = name
  line.nameTo = i
  line.bodyFrom = skipSpaces(bytes, i + 1, to)
  line.bodyTo = to
  return true
}

/** Events of hardware and software have more in their names: `cpu-clock`, `cpu/event=0x3c/`. */
const isNamed = (c: number): boolean => isWord(c) || c === MINUS || c === SLASH || c === COMMA || c === EQUALS

/** A frame: `	ffffffff8127ec17 symbol+0x337 ([kernel.kallsyms])`. Its name becomes the body. */
const readFrame = (bytes: Uint8Array, from: number, to: number, line: TraceLine): boolean => {
  let i = from
  while (i < to && (bytes[i] === SPACE || bytes[i] === TAB)) i++
  if (i === from) return false
  const address = i
  while (i < to && isHex(bytes[i]!)) i++
  const fewest = bytes[from] === TAB ? 1 : FEWEST_DIGITS
  if (i - address < fewest || i - address > 16 || bytes[i] !== SPACE) return false
  const name = skipSpaces(bytes, i, to)
  i = name
  while (i < to && isWord(bytes[i]!)) i++
  line.bytes = bytes
  line.bodyFrom = name
  line.bodyTo = i
  // `[unknown]` is no name.
  return i > name || bytes[name] === BRACKET
}

/** Of an address where the TAB before it was lost, as in a mail. */
const FEWEST_DIGITS = 8

const isHex = (c: number): boolean => isDigit(c) || (c >= 97 && c <= 102)

const readPerfRecord = (bytes: Uint8Array, at: number, to: number, line: TraceLine): Reading => {
  const loss = readPerfLoss(bytes, at, to, line.cpu)
  return loss === undefined ? COMMENT : marker(loss)
}

const open = (): LineReader => {
  let isFirst = true
  let isRelative = false

  return {
    read: (bytes, from, to, line) => {
      if (bytes[from] === HASH) return COMMENT
      line.bytes = bytes
      // What stands in a frame is the name of a function and of a file: anything at all.
      if (bytes[from] === TAB) return readFrame(bytes, from, to, line) ? FRAME : NO_CONTEXT
      const { host } = line
      const columns = readColumns(bytes, from, to, line)
      // A line that is no record is of the machine of the record before.
      if (columns < 0) line.host = host
      if (columns < 0) return readFrame(bytes, from, to, line) ? FRAME : NO_CONTEXT
      const event = skipSpaces(bytes, columns, to)
      if (startsWith(bytes, event, to, PERF_RECORD)) return readPerfRecord(bytes, event, to, line)
      if (!readEvent(bytes, event, to, line)) return NO_EVENT
      if (isFirst) isRelative = line.seconds === 0 && line.nanos === 0
      isFirst = false
      return isRelative ? RELATIVE : RECORD
    }
  }
}

/** The text of perf script. */
export const perfScript: Format = {
  name: "perf script",
  owns: (line) => /^# captured on|^# cmdline : .*perf/.test(line),
  open
}
