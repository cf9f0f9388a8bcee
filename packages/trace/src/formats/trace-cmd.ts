/**
 * The text of `trace-cmd report`, 3.1 to 3.4, with any of -t, -l, -R, --ts-diff and --raw-ts.
 *
 *     cpus=N
 *     [PREFIX: ]TASK-PID [CPU] [FLAGS] TIME: [(+DIFFERENCE)] EVENT:   BODY
 *     [PREFIX: ]CPU:N [COUNT EVENTS DROPPED]
 *
 * The name is right-aligned to 16 columns. It is at most 15 bytes, so that a line begins with a space unless a prefix
 * stands there: the name of a buffer instance, or of the file where several are read. Lines of the top buffer then have
 * spaces for it. Behind a mark of dropped events, the line lacks its prefix.
 *
 * A file of its own (`guest.dat: `) is another machine's: its tasks are not those of the first file.
 *
 * @since 0.1.0
 */
import { BRACKET, COLON, MINUS, PARENTHESIS, PARENTHESIS_END, PLUS, SPACE } from "../reading/ascii.ts"
import { bytesOf, decodeBytewise, isText } from "../reading/text.ts"
import { isDigit, LONGEST_COMM, readPayload, skipDigits, skipSpaces } from "./columns.ts"
import { CHAIN, COMMENT, CONTINUATION, FRAME, marker, RECORD, rejected } from "./format.ts"
import type { Format, LineReader, Reading, TraceLine } from "./format.ts"
import { readLatencyContext } from "./latency-format.ts"
import { readLoss } from "./loss.ts"
import { readStackFrame, stackHeadAt } from "./stack-frame.ts"
import { readContext } from "./task-context.ts"

/** The width of the name's column. */
const COMM_COLUMNS = LONGEST_COMM + 1

/** The longest prefix that is looked for. */
const LONGEST_PREFIX = 64

/** Lines for people: `cpus=2`, `version = 6`, `CPU 1 is empty`, and what starts a sub-buffer, in which nothing was lost. */
const COMMENTS = /^(?:cpus=\d+|version ?= ?\S+|CPU ?:?\d+ is empty|\s*(?:[^:]+: )?CPU:\d+ \[SUBBUFFER START\])\s*$/

const KERNEL_STACK = bytesOf("kernel_stack")
const USER_STACK = bytesOf("user_stack")

const NO_CONTEXT = rejected("no task, cpu and time")
const NO_EVENT = rejected("no event name")

/** The prefix that ends before `at`, without its colon; empty where spaces stand for it, undefined where it is none. */
const prefixBefore = (bytes: Uint8Array, from: number, at: number): string | undefined => {
  const start = skipSpaces(bytes, from, at)
  if (start === at) return ""
  if (at - start < 3 || bytes[at - 1] !== SPACE || bytes[at - 2] !== COLON) return undefined
  for (let i = start; i < at; i++) if (bytes[i] === BRACKET) return undefined
  return decodeBytewise(bytes, start, at - 2)
}

/** `(+77)    ` of --ts-diff. */
const skipDifference = (bytes: Uint8Array, at: number, to: number): number => {
  const start = skipSpaces(bytes, at, to)
  if (bytes[start] !== PARENTHESIS || bytes[start + 1] !== PLUS) return start
  const end = skipDigits(bytes, start + 2, to)
  return bytes[end] === PARENTHESIS_END ? skipSpaces(bytes, end + 1, to) : start
}

const open = (): LineReader => {
  /** Files that were named, each a machine. */
  const files: Array<string> = []
  /** Whether times are raw: the first record's kind is every record's. */
  let wholeTimes = true
  /** The prefix that a mark of dropped events took from the line behind it. */
  let pending: string | undefined
  let inUserStack = false

  const hostOf = (prefix: string): number => {
    if (!prefix.endsWith(".dat")) return 0
    const known = files.indexOf(prefix)
    return known >= 0 ? known : files.push(prefix) - 1
  }

  /** Where the event begins behind the columns, or -1. The `-` is looked for from the left; the prefix may be spaces. */
  const readColumns = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number => {
    const name = skipSpaces(bytes, from, to)
    const last = Math.min(to, from + LONGEST_PREFIX + COMM_COLUMNS)
    for (let at = name; at < last; at++) {
      if (bytes[at] !== MINUS || !isDigit(bytes[at + 1])) continue
      const column = at - COMM_COLUMNS
      const prefix = column < from ? undefined : prefixBefore(bytes, from, column)
      const isAligned = prefix !== undefined && bytes[column] === SPACE
      if (!isAligned && at - name > COMM_COLUMNS) continue
      // A name can look like a line whose time has no fraction: such a line is read in its columns only.
      const isPlain = isAligned && (column === from || prefix !== "")
      const next = readContext(bytes, at, to, wholeTimes && isPlain, line)
      if (next < 0) continue
      line.commFrom = skipSpaces(bytes, isAligned ? column : name, at)
      line.commTo = at
      setHost(isAligned ? prefix : "", line)
      return next
    }
    return readLatencyColumns(bytes, from, to, line)
  }

  const readLatencyColumns = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number => {
    const direct = readLatencyContext(bytes, from, to, line)
    if (direct >= 0) {
      setHost("", line)
      return direct
    }
    const start = skipSpaces(bytes, from, to)
    for (let at = start; at < Math.min(to, start + LONGEST_PREFIX); at++) {
      if (bytes[at] !== COLON || bytes[at + 1] !== SPACE) continue
      const next = readLatencyContext(bytes, at + 2, to, line)
      if (next < 0) return -1
      setHost(decodeBytewise(bytes, start, at), line)
      return next
    }
    return -1
  }

  const setHost = (prefix: string, line: TraceLine): void => {
    line.host = hostOf(prefix === "" ? pending ?? "" : prefix)
    pending = undefined
  }

  const readEvent = (bytes: Uint8Array, at: number, to: number, line: TraceLine): Reading => {
    if (line.digits !== 0) wholeTimes = false
    const event = skipDifference(bytes, at, to)
    if (!readPayload(bytes, event, to, line)) {
      const head = stackHeadAt(bytes, event, to)
      return head === undefined ? NO_EVENT : readHead(head)
    }
    // A body may look like a head: only these events are one.
    if (isText(bytes, line.nameFrom, line.nameTo, KERNEL_STACK)) return readHead("kernel")
    if (isText(bytes, line.nameFrom, line.nameTo, USER_STACK)) return readHead("user")
    inUserStack = false
    return RECORD
  }

  const readHead = (head: "kernel" | "user"): Reading => {
    inUserStack = head === "user"
    return inUserStack ? CONTINUATION : CHAIN
  }

  /** A line without columns. */
  const readOther = (bytes: Uint8Array, from: number, to: number, line: TraceLine): Reading => {
    if (readStackFrame(bytes, from, to, line)) return inUserStack ? CONTINUATION : FRAME
    const start = skipSpaces(bytes, from, to)
    for (let at = start; at < Math.min(to, start + LONGEST_PREFIX); at++) {
      if (at > start && (bytes[at - 1] !== SPACE || bytes[at - 2] !== COLON)) continue
      const loss = readLoss(bytes, at, to)
      if (loss === undefined) continue
      if (at > start) pending = decodeBytewise(bytes, start, at - 2)
      return marker(loss)
    }
    if (COMMENTS.test(decodeBytewise(bytes, from, Math.min(to, from + LONGEST_COMMENT)))) return COMMENT
    return NO_CONTEXT
  }

  return {
    read: (bytes, from, to, line) => {
      line.bytes = bytes
      const event = readColumns(bytes, from, to, line)
      return event < 0 ? readOther(bytes, from, to, line) : readEvent(bytes, event, to, line)
    }
  }
}

const LONGEST_COMMENT = 200

/** What stands before the event, and the event as only trace-cmd prints it: its name is padded. */
const COLUMNS = /-\d+ +\[\d{3,}\](?: +[A-Za-z0-9.]{3,8})? *\d+(?:\.\d{6}(?:\d{3})?)?: +(?:\(\+\d+\) +)?/
const PADDED = /^[\w.]+: {2,}\S/

const isPadded = (line: string): boolean => {
  const columns = COLUMNS.exec(line)
  return columns !== null && PADDED.test(line.slice(columns.index + columns[0].length))
}

/** The text of trace-cmd report. */
export const traceCmd: Format = {
  name: "trace-cmd report",
  owns: (line) => /^cpus=\d+$/.test(line) || isPadded(line),
  open
}
