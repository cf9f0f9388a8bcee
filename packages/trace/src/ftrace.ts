/**
 * The line of an ftrace `trace` or `trace_pipe` text: what stands before the event, the event's name, and its body.
 *
 *     TASK-PID [(TGID)] [CPU] [FLAGS] TIME: EVENT: BODY
 *
 * The task's name may hold any byte and the body any text, so both may look like a line. A name is at most 15 bytes
 * and the shortest forged start with a fraction in its time is longer; therefore the leftmost match is the true one.
 * Whole times (the counter, uptime and tsc clocks) lose that guard: they are read only where the `-` stands in the
 * kernel's own column, behind which no name reaches.
 *
 * Hot: plain functions over bytes; a line is read into one object that is used again for the next.
 *
 * @since 0.1.0
 */
import { CHAIN, COMMENT, FRAME, marker, RECORD, rejected } from "./format.ts"
import type { Format, LineReader, Loss, Reading, TraceLine } from "./format.ts"
import { bytesOf, startsWith } from "./text.ts"

const SPACE = 32
const HASH = 35
const PARENTHESIS = 40
const MINUS = 45
const DOT = 46
const ZERO = 48
const NINE = 57
const COLON = 58
const LESS = 60
const GREATER = 62
const BRACKET = 91

/** Longest name of a task: TASK_COMM_LEN less its NUL. */
const LONGEST_COMM = 15

/** Where the kernel puts the `-` between name and pid ("%16s-%-7d"). */
const KERNEL_COLUMN = 16

/** Why a line is no record; the head of a stack trace is none, but no fault either. */
export type Rejection = "no task, cpu and time" | "no event name" | "stack trace"

const isDigit = (c: number | undefined): boolean => c !== undefined && c >= ZERO && c <= NINE

const isWord = (c: number): boolean =>
  (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= ZERO && c <= NINE) || c === 95 || c === DOT

/**
 * Reads the bytes `[from, to)` as a record into `line`. `wholeTimes`: the text has ftrace's own header and no time
 * with a fraction was seen in it, so that whole times can be trusted.
 */
export const readFtraceLine = (
  bytes: Uint8Array,
  from: number,
  to: number,
  wholeTimes: boolean,
  line: TraceLine
): Rejection | undefined => {
  line.bytes = bytes
  let name = from
  while (name < to && bytes[name] === SPACE) name++
  let body = -1
  if (bytes[from + KERNEL_COLUMN] === MINUS && from + KERNEL_COLUMN - name <= LONGEST_COMM + 1) {
    body = readContext(bytes, from + KERNEL_COLUMN, to, wholeTimes, line)
    if (body >= 0) line.commTo = from + KERNEL_COLUMN
  }
  const last = Math.min(to, name + LONGEST_COMM + 1)
  for (let at = name; body < 0 && at < last; at++) {
    if (bytes[at] !== MINUS) continue
    body = readContext(bytes, at, to, false, line)
    if (body >= 0) line.commTo = at
  }
  if (body < 0) return "no task, cpu and time"
  line.commFrom = Math.min(name, line.commTo)
  if (readPayload(bytes, body, to, line)) return undefined
  return bytes[body] === LESS ? "stack trace" : "no event name"
}

/** Reads `-PID (TGID) [CPU] FLAGS TIME: ` from the `-` at `at`; gives where the payload begins, or -1. */
const readContext = (bytes: Uint8Array, at: number, to: number, wholeTimes: boolean, line: TraceLine): number => {
  let i = at + 1
  let pid = 0
  const pidFrom = i
  while (i < to && isDigit(bytes[i])) pid = pid * 10 + bytes[i++]! - ZERO
  if (i === pidFrom || i - pidFrom > 10 || bytes[i] !== SPACE) return -1
  i = skipSpaces(bytes, i, to)
  line.tgid = -1
  if (bytes[i] === PARENTHESIS) {
    i = readTgid(bytes, i, to, line)
    if (i < 0) return -1
  }
  if (bytes[i] !== BRACKET) return -1
  const cpuFrom = ++i
  let cpu = 0
  while (i < to && isDigit(bytes[i])) cpu = cpu * 10 + bytes[i++]! - ZERO
  if (i - cpuFrom < 3 || i - cpuFrom > 6 || bytes[i] !== 93 || bytes[i + 1] !== SPACE) return -1
  i = skipSpaces(bytes, i + 1, to)
  line.pid = pid
  line.cpu = cpu
  line.flagsFrom = line.flagsTo = i
  const direct = readTime(bytes, i, to, wholeTimes, line)
  if (direct >= 0) return direct
  const flags = i
  while (i < to && isWord(bytes[i]!) && bytes[i] !== 95) i++
  if (i - flags < 3 || i - flags > 8 || bytes[i] !== SPACE) return -1
  line.flagsTo = i
  return readTime(bytes, skipSpaces(bytes, i, to), to, wholeTimes, line)
}

/** Reads `(   123) ` or `(-------) `; gives where it goes on, or -1. */
const readTgid = (bytes: Uint8Array, at: number, to: number, line: TraceLine): number => {
  let i = skipSpaces(bytes, at + 1, to)
  if (bytes[i] === MINUS) {
    while (i < to && bytes[i] === MINUS) i++
  } else {
    const from = i
    let tgid = 0
    while (i < to && isDigit(bytes[i])) tgid = tgid * 10 + bytes[i++]! - ZERO
    if (i === from) return -1
    line.tgid = tgid
  }
  return bytes[i] === 41 && bytes[i + 1] === SPACE ? skipSpaces(bytes, i + 1, to) : -1
}

/** Reads `SECONDS.FRACTION: ` (6 or 9 digits) or, if allowed, a whole number; gives where the payload begins, or -1. */
const readTime = (bytes: Uint8Array, at: number, to: number, wholeTimes: boolean, line: TraceLine): number => {
  let i = at
  let whole = 0
  while (i < to && isDigit(bytes[i])) whole = whole * 10 + bytes[i++]! - ZERO
  const wholeDigits = i - at
  if (wholeDigits === 0) return -1
  if (bytes[i] === DOT) {
    const from = ++i
    let fraction = 0
    while (i < to && isDigit(bytes[i])) fraction = fraction * 10 + bytes[i++]! - ZERO
    const digits = i - from
    if ((digits !== 6 && digits !== 9) || wholeDigits > 12) return -1
    if (bytes[i] !== COLON || bytes[i + 1] !== SPACE) return -1
    line.seconds = whole
    line.nanos = digits === 6 ? fraction * 1000 : fraction
    line.digits = digits
    return i + 2
  }
  if (!wholeTimes || bytes[i] !== COLON || bytes[i + 1] !== SPACE || wholeDigits > 20) return -1
  // The last nine digits apart: a 64-bit count does not fit a number, its two parts do.
  let low = 0
  for (let k = Math.max(at, i - 9); k < i; k++) low = low * 10 + bytes[k]! - ZERO
  let high = 0
  for (let k = at; k < i - 9; k++) high = high * 10 + bytes[k]! - ZERO
  line.seconds = high
  line.nanos = low
  line.digits = 0
  return i + 2
}

const skipSpaces = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && bytes[i] === SPACE) i++
  return i
}

/** Reads the event's name: `NAME: BODY`, `NAME(BODY)` of a syscall entered, `NAME -> BODY` of a syscall left. */
export const readPayload = (bytes: Uint8Array, at: number, to: number, line: TraceLine): boolean => {
  let i = at
  while (i < to && isWord(bytes[i]!)) i++
  if (i === at) return false
  line.nameFrom = at
  line.nameTo = i
  line.bodyTo = to
  if (bytes[i] === COLON) {
    line.form = "event"
    line.bodyFrom = skipSpaces(bytes, i + 1, to)
    return true
  }
  if (bytes[i] === PARENTHESIS) {
    line.form = "enter"
    line.bodyFrom = i + 1
    return true
  }
  if (bytes[i] === SPACE && bytes[i + 1] === MINUS && bytes[i + 2] === GREATER) {
    line.form = "exit"
    line.bodyFrom = skipSpaces(bytes, i + 3, to)
    return true
  }
  return false
}

const LOST = bytesOf(" [LOST ")
const CPU = bytesOf("CPU:")
const STARTED = bytesOf("##### CPU ")
const ENTRIES = bytesOf("# entries-in-buffer/entries-written: ")

/** Reads `CPU:1 [LOST 870 EVENTS]`, `CPU:1 [LOST EVENTS]` or `##### CPU 1 buffer started ####`. */
export const readMarker = (bytes: Uint8Array, from: number, to: number): Loss | undefined => {
  if (startsWith(bytes, from, to, STARTED)) {
    const cpu = readNumber(bytes, from + STARTED.length, to)
    return cpu.to < 0 ? undefined : { cpu: cpu.value, count: -1 }
  }
  if (!startsWith(bytes, from, to, CPU)) return undefined
  const cpu = readNumber(bytes, from + CPU.length, to)
  if (cpu.to < 0 || !startsWith(bytes, cpu.to, to, LOST)) return undefined
  const count = readNumber(bytes, cpu.to + LOST.length, to)
  return { cpu: cpu.value, count: count.to < 0 ? -1 : count.value }
}

/** Reads how many events were overwritten from `# entries-in-buffer/entries-written: 217/9001`. */
export const readOverwritten = (bytes: Uint8Array, from: number, to: number): number => {
  if (!startsWith(bytes, from, to, ENTRIES)) return 0
  const kept = readNumber(bytes, from + ENTRIES.length, to)
  if (kept.to < 0 || bytes[kept.to] !== 47) return 0
  const written = readNumber(bytes, kept.to + 1, to)
  return written.to < 0 ? 0 : Math.max(0, written.value - kept.value)
}

const readNumber = (bytes: Uint8Array, from: number, to: number): { value: number; to: number } => {
  let i = from
  let value = 0
  while (i < to && isDigit(bytes[i])) value = value * 10 + bytes[i++]! - ZERO
  return { value, to: i === from ? -1 : i }
}

const ARROW = bytesOf(" => ")

/** Reads ` => symbol+0x1/0x2 <ffffffff81000000>`: a frame of a stack trace, its function's name as the body. */
const readFrame = (bytes: Uint8Array, from: number, to: number, line: TraceLine): boolean => {
  if (!startsWith(bytes, from, to, ARROW)) return false
  const name = skipSpaces(bytes, from + ARROW.length, to)
  let i = name
  while (i < to && isWord(bytes[i]!)) i++
  line.bytes = bytes
  line.bodyFrom = name
  line.bodyTo = i
  return true
}

const REJECTED: Readonly<Record<Exclude<Rejection, "stack trace">, Reading>> = {
  "no task, cpu and time": rejected("no task, cpu and time"),
  "no event name": rejected("no event name")
}

const TRACER = bytesOf("# tracer: ")

const open = (): LineReader => {
  let hasHeader = false
  let hasFractions = false

  const readComment = (bytes: Uint8Array, from: number, to: number): Reading => {
    if (startsWith(bytes, from, to, TRACER)) hasHeader = true
    const loss = readMarker(bytes, from, to)
    if (loss !== undefined) return marker(loss)
    const overwritten = readOverwritten(bytes, from, to)
    return overwritten > 0 ? { kind: "comment", lost: { cpu: -1, count: overwritten } } : COMMENT
  }

  return {
    read: (bytes, from, to, line) => {
      if (bytes[from] === HASH) return readComment(bytes, from, to)
      const rejection = readFtraceLine(bytes, from, to, hasHeader && !hasFractions, line)
      if (rejection === undefined) {
        if (line.digits !== 0) hasFractions = true
        return RECORD
      }
      if (rejection === "stack trace") return CHAIN
      const loss = readMarker(bytes, from, to)
      if (loss !== undefined) return marker(loss)
      return readFrame(bytes, from, to, line) ? FRAME : REJECTED[rejection]
    }
  }
}

/** The text of `trace` and `trace_pipe` in /sys/kernel/tracing. */
export const ftrace: Format = {
  name: "ftrace",
  owns: (line) => line.startsWith("# tracer: ") && !line.includes("function_graph"),
  open
}
