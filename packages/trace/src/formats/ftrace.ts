/**
 * The text of `trace` and `trace_pipe`, the kernel's own.
 *
 *     TASK-PID [(TGID)] [CPU] [FLAGS] TIME: EVENT: BODY
 *     TASK-PID [(TGID)] [CPU] [FLAGS] TIME: sys_NAME(BODY)        a syscall that is entered
 *     TASK-PID [(TGID)] [CPU] [FLAGS] TIME: sys_NAME -> VALUE     and left
 *     TASK-PID [(TGID)] [CPU] [FLAGS] TIME: <stack trace>         then frames, ` => symbol`
 *     CPU:N [LOST COUNT EVENTS]
 *     # a comment
 *
 * The task's name may hold any byte and the body any text, so both may look like a line. A name is at most 15 bytes
 * and the shortest forged start with a fraction in its time is longer; therefore the leftmost match is the true one.
 * Whole times (the counter, uptime and tsc clocks) lose that guard: they are read only where the `-` stands in the
 * kernel's own column, behind which no name reaches.
 *
 * The columns of latency-format: `latency-format.ts`. Without columns (nocontext-info, raw) there is no record to make.
 *
 * Hot: plain functions over bytes; a line is read into one object that is used again for the next.
 *
 * @since 0.1.0
 */
import { HASH, MINUS, SPACE } from "../reading/ascii.ts"
import { bytesOf, decodeBytewise, startsWith } from "../reading/text.ts"
import { LONGEST_COMM, readPayload } from "./columns.ts"
import { CHAIN, COMMENT, CONTINUATION, FRAME, marker, RECORD, rejected } from "./format.ts"
import type { Format, LineReader, Reading, TraceLine } from "./format.ts"
import { readLatencyContext, readVerboseContext } from "./latency-format.ts"
import { readLoss, readOverwritten } from "./loss.ts"
import { readStackFrame, stackHeadAt } from "./stack-frame.ts"
import { readContext } from "./task-context.ts"

/** Where the kernel puts the `-` between name and pid ("%16s-%-7d"). */
const KERNEL_COLUMN = 16

/** Why a line is no record; the head of a stack trace is none, but no fault either. */
export type Rejection = keyof typeof REJECTED | "stack trace" | "user stack trace"

const REJECTED = {
  "no task, cpu and time": rejected("no task, cpu and time"),
  "no event name": rejected("no event name"),
  "a function without values": rejected("a call that the function tracer saw, which shows no values"),
  "no context": rejected("no task, cpu and time: the option context-info is off"),
  "raw": rejected("raw numbers: the option raw is on")
}

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
  if (body < 0) return readOddLine(bytes, from, to, line)
  line.commFrom = Math.min(name, line.commTo)
  return readEvent(bytes, body, to, line)
}

const readEvent = (bytes: Uint8Array, at: number, to: number, line: TraceLine): Rejection | undefined => {
  if (readPayload(bytes, at, to, line)) return undefined
  const head = stackHeadAt(bytes, at, to)
  if (head !== undefined) return head === "kernel" ? "stack trace" : "user stack trace"
  return FUNCTION.test(decodeBytewise(bytes, at, to)) ? "a function without values" : "no event name"
}

const FUNCTION = /^\S+ <-\S+$/

/** A line without the columns of most texts. */
const readOddLine = (bytes: Uint8Array, from: number, to: number, line: TraceLine): Rejection | undefined => {
  const latency = readLatencyContext(bytes, from, to, line)
  const body = latency >= 0 ? latency : readVerboseContext(bytes, from, to, line)
  if (body >= 0) return readEvent(bytes, body, to, line)
  const text = decodeBytewise(bytes, from, Math.min(to, from + LONGEST_START))
  return RAW.test(text) ? "raw" : BARE.test(text) ? "no context" : "no task, cpu and time"
}

const LONGEST_START = 100
const RAW = /^\d+ \d+ \d+ type: \d+/
const BARE = /^(?:\w+: |sys_\w+(?:\(| -> ))/

const TRACER = bytesOf("# tracer: ")

const open = (): LineReader => {
  let hasHeader = false
  let hasFractions = false
  let inUserStack = false

  const readComment = (bytes: Uint8Array, from: number, to: number): Reading => {
    if (startsWith(bytes, from, to, TRACER)) hasHeader = true
    const loss = readLoss(bytes, from, to)
    if (loss !== undefined) return marker(loss)
    const overwritten = readOverwritten(bytes, from, to)
    return overwritten > 0 ? { kind: "comment", lost: { cpu: -1, count: overwritten } } : COMMENT
  }

  const readOther = (bytes: Uint8Array, from: number, to: number, rejection: Rejection, line: TraceLine): Reading => {
    if (rejection === "stack trace") {
      inUserStack = false
      return CHAIN
    }
    if (rejection === "user stack trace") {
      inUserStack = true
      return CONTINUATION
    }
    if (readStackFrame(bytes, from, to, line)) return inUserStack ? CONTINUATION : FRAME
    const loss = readLoss(bytes, from, to)
    return loss === undefined ? REJECTED[rejection] : marker(loss)
  }

  return {
    read: (bytes, from, to, line) => {
      if (bytes[from] === HASH) return readComment(bytes, from, to)
      const rejection = readFtraceLine(bytes, from, to, hasHeader && !hasFractions, line)
      if (rejection !== undefined) return readOther(bytes, from, to, rejection, line)
      if (line.digits !== 0) hasFractions = true
      inUserStack = false
      return RECORD
    }
  }
}

/** The text of `trace` and `trace_pipe` in /sys/kernel/tracing. */
export const ftrace: Format = {
  name: "ftrace",
  owns: (line) => line.startsWith("# tracer: ") && !line.includes("function_graph"),
  open
}
