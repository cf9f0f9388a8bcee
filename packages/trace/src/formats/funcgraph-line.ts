/**
 * A line of the function_graph tracer.
 *
 *     [SECONDS.MICROS |  ] CPU) [COMM-PID |  ] [MARK] [DURATION us] |  CALL
 *
 *     CALL   FUNCTION(ARGUMENTS) {      FUNCTION(ARGUMENTS);      }      each with a comment behind it or none
 *
 * A comment alone holds what a tracepoint or trace_printk said. A function of a module is shown with it:
 * `kvm_gpc_check [kvm]()`. Comments hold `= VALUE` (or `ret=VALUE`, from 6.13 on), where the call returns to
 * (`<-caller`), and behind a `}` the function's name. Two spaces of indent are one call deeper. A name of a task is cut to
 * seven bytes, too few to look like the columns that follow it.
 *
 * Source: kernel/trace/trace_functions_graph.c (6.15).
 *
 * Hot: plain functions over bytes.
 *
 * @since 0.1.0
 */
import {
  BAR,
  BRACE,
  BRACE_END,
  BRACKET,
  DOT,
  EQUALS,
  GREATER,
  LESS,
  MINUS,
  PARENTHESIS,
  PARENTHESIS_END,
  SEMICOLON,
  SLASH,
  SPACE,
  STAR
} from "../reading/ascii.ts"
import { bytesOf, startsWith } from "../reading/text.ts"
import {
  isBlankAt,
  isDigit,
  isIdentifier,
  numberIn,
  skipBlanks,
  skipDigits,
  skipHexDigits,
  trimEnd
} from "./columns.ts"

/** TASK_COMM_LEN is 16; the tracer cuts to this. */
const LONGEST_COMM = 7

/** What is said: a call that others are made in, one that none is, the end of a call, an event; another task runs. */
export type GraphForm = "open" | "leaf" | "close" | "event" | "switch"

/** A line, in bounds into `bytes`: empty where something is not told. */
export interface GraphLine {
  form: GraphForm
  /** Whether the time is told. */
  timed: boolean
  seconds: number
  nanos: number
  cpu: number
  /** The task, or -1. In a switch, the one that runs from here on. */
  pid: number
  commFrom: number
  commTo: number
  /** How long the call took, in ns, or -1. */
  duration: number
  depth: number
  nameFrom: number
  nameTo: number
  /** The arguments; of an event all that it said, its name too. */
  bodyFrom: number
  bodyTo: number
  /** What was returned. */
  valueFrom: number
  valueTo: number
}

export const emptyGraphLine = (): GraphLine => ({
  form: "open",
  timed: false,
  seconds: 0,
  nanos: 0,
  cpu: -1,
  pid: -1,
  commFrom: 0,
  commTo: 0,
  duration: -1,
  depth: 0,
  nameFrom: 0,
  nameTo: 0,
  bodyFrom: 0,
  bodyTo: 0,
  valueFrom: 0,
  valueTo: 0
})

/** Why a line is none; `decoration` is a line for people. */
export type GraphRejection = "decoration" | "no CPU" | "no call"

const RULE = bytesOf("-----")
const IRQ_ENTERED = bytesOf("==========>")
const IRQ_LEFT = bytesOf("<==========")

/** Reads the bytes `[from, to)` into `graph`. */
export const readGraphLine = (
  bytes: Uint8Array,
  from: number,
  to: number,
  graph: GraphLine
): GraphRejection | undefined => {
  const end = trimEnd(bytes, from, to)
  let i = readTime(bytes, skipBlanks(bytes, from, end), end, graph)
  if (startsWith(bytes, i, end, RULE)) return "decoration"
  const cpu = i
  i = skipDigits(bytes, i, end)
  if (i === cpu || i - cpu > 6 || bytes[i] !== PARENTHESIS_END) return "no CPU"
  graph.cpu = numberIn(bytes, cpu, i)
  graph.pid = graph.duration = -1
  graph.commFrom = graph.commTo = 0
  i = skipBlanks(bytes, i + 1, end)
  if (startsWith(bytes, i, end, IRQ_ENTERED) || startsWith(bytes, i, end, IRQ_LEFT)) return "decoration"
  if (readSwitch(bytes, i, end, graph)) return undefined
  if (readCall(bytes, i, end, graph)) return undefined
  return readTask(bytes, i, end, graph) ? undefined : "no call"
}

/** Reads `SECONDS.MICROS |`, once for the time and once more where the time since the start is shown as well. */
const readTime = (bytes: Uint8Array, from: number, to: number, graph: GraphLine): number => {
  graph.timed = false
  let i = from
  for (;;) {
    const dot = skipDigits(bytes, i, to)
    if (dot === i || dot - i > 12 || bytes[dot] !== DOT) return i
    const end = skipDigits(bytes, dot + 1, to)
    const bar = skipBlanks(bytes, end, to)
    if (end - dot !== 7 || bytes[bar] !== BAR) return i
    if (!graph.timed) {
      graph.seconds = numberIn(bytes, i, dot)
      graph.nanos = numberIn(bytes, dot + 1, end) * 1000
    }
    graph.timed = true
    i = skipBlanks(bytes, bar + 1, to)
  }
}

/** Reads `COMM-PID => COMM-PID` to the end of the line. */
const readSwitch = (bytes: Uint8Array, from: number, to: number, graph: GraphLine): boolean => {
  for (let i = from + 1; i + 3 < to && i < from + 40; i++) {
    if (bytes[i] !== EQUALS || bytes[i + 1] !== GREATER || !isBlankAt(bytes[i - 1]) || !isBlankAt(bytes[i + 2])) {
      continue
    }
    const comm = skipBlanks(bytes, i + 3, to)
    let pid = to
    while (pid > comm && isDigit(bytes[pid - 1])) pid--
    if (pid === to || to - pid > 10 || bytes[pid - 1] !== MINUS || pid - 1 - comm > LONGEST_COMM) continue
    if (pid - 1 < comm) continue
    graph.form = "switch"
    graph.pid = numberIn(bytes, pid, to)
    graph.commFrom = comm
    graph.commTo = pid - 1
    return true
  }
  return false
}

/** Reads `COMM-PID |  …`: the leftmost end of the name behind which the rest is in order. */
const readTask = (bytes: Uint8Array, from: number, to: number, graph: GraphLine): boolean => {
  const last = Math.min(to, from + LONGEST_COMM + 1)
  for (let at = from; at < last; at++) {
    if (bytes[at] !== MINUS) continue
    const end = skipDigits(bytes, at + 1, to)
    const bar = skipBlanks(bytes, end, to)
    if (end === at + 1 || end - at > 11 || bytes[bar] !== BAR) continue
    let call = skipBlanks(bytes, bar + 1, to)
    let read = readCall(bytes, call, to, graph)
    if (!read) {
      // The irq column of the latency format.
      const flags = call
      while (call < to && (isIdentifier(bytes[call]) || bytes[call] === DOT)) call++
      const next = skipBlanks(bytes, call, to)
      read = call - flags >= 3 && call - flags <= 8 && bytes[next] === BAR &&
        readCall(bytes, skipBlanks(bytes, next + 1, to), to, graph)
    }
    if (!read) continue
    graph.pid = numberIn(bytes, at + 1, end)
    graph.commFrom = from
    graph.commTo = at
    return true
  }
  return false
}

const MARKS: ReadonlySet<number | undefined> = new Set(bytesOf("+!#*@$"))
const MICROSECONDS = bytesOf(" us")

/** Reads `[MARK] [DURATION us] |  CALL`. */
const readCall = (bytes: Uint8Array, from: number, to: number, graph: GraphLine): boolean => {
  let i = from
  graph.duration = -1
  if (MARKS.has(bytes[i]) && isBlankAt(bytes[i + 1])) i = skipBlanks(bytes, i + 1, to)
  if (isDigit(bytes[i])) {
    const dot = skipDigits(bytes, i, to)
    const end = skipDigits(bytes, dot + 1, to)
    if (bytes[dot] !== DOT || end === dot + 1 || end - dot > 4 || dot - i > 12) return false
    if (!startsWith(bytes, end, to, MICROSECONDS)) return false
    const fraction = numberIn(bytes, dot + 1, end) * 10 ** (4 - (end - dot))
    graph.duration = numberIn(bytes, i, dot) * 1000 + fraction
    i = skipBlanks(bytes, end + MICROSECONDS.length, to)
  }
  if (bytes[i] !== BAR) return false
  const call = skipBlanks(bytes, i + 1, to)
  graph.depth = Math.max(0, (call - i - 3) >> 1)
  graph.nameFrom =
    graph.nameTo =
    graph.bodyFrom =
    graph.bodyTo =
    graph.valueFrom =
    graph.valueTo =
      call
  if (bytes[call] === BRACE_END) return readClose(bytes, call + 1, to, graph)
  if (bytes[call] === SLASH && bytes[call + 1] === STAR) return readEvent(bytes, call, to, graph)
  return readFunction(bytes, call, to, graph)
}

const readClose = (bytes: Uint8Array, at: number, to: number, graph: GraphLine): boolean => {
  graph.form = "close"
  if (at === to) return true
  const comment = skipBlanks(bytes, at, to)
  if (!isComment(bytes, comment, to)) return false
  readReturned(bytes, comment + 2, to - 2, graph)
  const name = skipBlanks(bytes, comment + 2, to - 2)
  const nameTo = endOfFunction(bytes, name, to - 2)
  if (nameTo > name && bytes[nameTo] !== EQUALS) {
    graph.nameFrom = name
    graph.nameTo = nameTo
  }
  return true
}

/** Reads a comment that stands alone. */
const readEvent = (bytes: Uint8Array, at: number, to: number, graph: GraphLine): boolean => {
  if (!isComment(bytes, at, to)) return false
  graph.form = "event"
  graph.bodyFrom = skipBlanks(bytes, at + 2, to - 2)
  graph.bodyTo = trimEnd(bytes, graph.bodyFrom, to - 2)
  return true
}

/** Reads `FUNCTION(ARGUMENTS) {` or `FUNCTION(ARGUMENTS);`, with a comment behind it or none. */
const readFunction = (bytes: Uint8Array, at: number, to: number, graph: GraphLine): boolean => {
  const nameTo = endOfFunction(bytes, at, to)
  let i = nameTo
  if (bytes[i] === SPACE && bytes[i + 1] === BRACKET) {
    while (i < to && bytes[i] !== 93) i++
    i++
  }
  if (nameTo === at || bytes[i] !== PARENTHESIS) return false
  let close = i + 1
  while (close < to && bytes[close] !== PARENTHESIS_END) close++
  const isLeaf = bytes[close + 1] === SEMICOLON
  if (!isLeaf && (bytes[close + 1] !== SPACE || bytes[close + 2] !== BRACE)) return false
  const rest = skipBlanks(bytes, close + (isLeaf ? 2 : 3), to)
  if (rest < to && !isComment(bytes, rest, to)) return false
  graph.form = isLeaf ? "leaf" : "open"
  graph.nameFrom = at
  graph.nameTo = nameTo
  graph.bodyFrom = i + 1
  graph.bodyTo = close
  if (isLeaf && rest < to) readReturned(bytes, rest + 2, to - 2, graph)
  return true
}

/** Where a function's name ends: the compiler adds suffixes with dots (`.isra.0`). */
const endOfFunction = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && (isIdentifier(bytes[i]) || (bytes[i] === DOT && i > at))) i++
  return i
}

const isComment = (bytes: Uint8Array, at: number, to: number): boolean =>
  at + 4 <= to && bytes[at] === SLASH && bytes[at + 1] === STAR && bytes[to - 1] === SLASH && bytes[to - 2] === STAR

const RET = bytesOf("ret=")

/** Reads the value at the end of a comment, behind `= ` or `ret=`. */
const readReturned = (bytes: Uint8Array, from: number, to: number, graph: GraphLine): void => {
  const end = trimEnd(bytes, from, to)
  let token = end
  while (token > from && !isBlankAt(bytes[token - 1])) token--
  const isRet = startsWith(bytes, token, end, RET)
  const value = isRet ? token + RET.length : token
  const before = trimEnd(bytes, from, token)
  if (!isRet && bytes[before - 1] !== EQUALS) return
  const isNumber = bytes[value] === 48 && bytes[value + 1] === 120
    ? skipHexDigits(bytes, value + 2, end) === end && end > value + 2
    : skipDigits(bytes, bytes[value] === MINUS ? value + 1 : value, end) === end && end > value
  if (!isNumber || bytes[value] === LESS) return
  graph.valueFrom = value
  graph.valueTo = end
}
