/**
 * A line that a bpftrace program printed: its own recipe's, or any with a known event and its fields.
 *
 *     TIME CPU PID TID "COMM" EVENT name=value …
 *     … EVENT name=value name=value …
 *
 * A task's name may hold quotation marks, spaces, and what looks like an event: it is at most 15 bytes long, so the last
 * quotation mark that may close it, with a word behind it, does.
 *
 * The second form is whatever somebody's own program prints. It has no fixed place for a name, which could therefore
 * forge things: the line has one known event, behind it nothing but fields, each of them once; the task is known by
 * `tid` or `pid`, its name by a `comm="…"` at the end of the line.
 *
 * Hot: plain functions over bytes.
 *
 * @since 0.1.0
 */
import { COLON, COMMA, DOT, EQUALS, QUOTE } from "../reading/ascii.ts"
import { bytesOf, isText, startsWith } from "../reading/text.ts"
import {
  isBlankAt,
  isDigit,
  isIdentifier,
  LONGEST_COMM,
  numberIn,
  skipBlanks,
  skipDigits,
  skipIdentifier,
  trimEnd
} from "./columns.ts"
import type { TraceLine } from "./format.ts"

/** Why a line is no record. */
export type BpftraceRejection =
  | "no event that is known"
  | "two events in one line"
  | "no task (tid=… or pid=…)"
  | "a field twice, or a name without quotes"

/** Whether a line is in the form of the recipe; then its parts are in `line`. */
export const readCanonical = (bytes: Uint8Array, from: number, to: number, line: TraceLine): boolean => {
  const quote = readNumbers(bytes, from, to, line)
  if (quote < 0) return false
  const last = Math.min(to - 1, quote + 1 + LONGEST_COMM)
  for (let close = last; close > quote; close--) {
    if (bytes[close] !== QUOTE || bytes[close + 1] !== 32) continue
    const name = close + 2
    const nameTo = skipIdentifier(bytes, name, to)
    if (nameTo === name || (nameTo < to && !isBlankAt(bytes[nameTo]))) continue
    line.bytes = bytes
    line.commFrom = quote + 1
    line.commTo = close
    line.nameFrom = name
    line.nameTo = nameTo
    line.bodyFrom = skipBlanks(bytes, nameTo, to)
    line.bodyTo = to
    return true
  }
  return false
}

/** Reads `TIME CPU PID TID "`, with a count of `uniq -c` in front of it or none; gives where the `"` stands, or -1. */
const readNumbers = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number => {
  let i = skipBlanks(bytes, from, to)
  let quote = i
  while (quote < to && bytes[quote] !== QUOTE) quote++
  if (quote - i > 90 || quote === to || bytes[quote - 1] !== 32) return -1
  const starts = [0, 0, 0, 0, 0]
  const ends = [0, 0, 0, 0, 0]
  let n = 0
  while (i < quote) {
    const end = skipDigits(bytes, i, quote)
    if (end === i || n === 5 || bytes[end] !== 32) return -1
    starts[n] = i
    ends[n++] = end
    i = skipBlanks(bytes, end, quote)
  }
  if (n < 4) return -1
  const first = n - 4
  line.repeat = first === 1 ? numberIn(bytes, starts[0]!, ends[0]!) : 1
  const [time, cpu, pid, tid] = [first, first + 1, first + 2, first + 3] as const
  if (ends[time]! - starts[time]! > 20 || ends[cpu]! - starts[cpu]! > 6) return -1
  if (ends[pid]! - starts[pid]! > 10 || ends[tid]! - starts[tid]! > 10 || ends[0]! - starts[0]! > 20) return -1
  setNanos(bytes, starts[time]!, ends[time]!, line)
  line.cpu = numberIn(bytes, starts[cpu]!, ends[cpu]!)
  line.tgid = numberIn(bytes, starts[pid]!, ends[pid]!)
  line.pid = numberIn(bytes, starts[tid]!, ends[tid]!)
  return quote
}

/** Sets the time from a number of ns, of any length. */
const setNanos = (bytes: Uint8Array, from: number, to: number, line: TraceLine): void => {
  const split = Math.max(from, to - 9)
  line.seconds = numberIn(bytes, from, split)
  line.nanos = numberIn(bytes, split, to)
  line.digits = 9
}

const TID = bytesOf("tid")
const PID = bytesOf("pid")
const CPU = bytesOf("cpu")
const COMM = bytesOf("comm")
const TIMES = ["nsecs", "ts", "time"].map(bytesOf)

/** Shortest number that is taken for a time in ns where nothing says what it is: 1 s. */
const SHORTEST_TIME = 10

/** Whether bytes are the name of an event that is known. */
export type IsKnown = (bytes: Uint8Array, from: number, to: number) => boolean

/**
 * Reads a line of any program into `line`; `digits` is 0 where it tells no time, `commFrom` -1 where it tells no name. Gives
 * why it is no record, or undefined.
 */
export const readFree = (
  bytes: Uint8Array,
  from: number,
  to: number,
  isKnown: IsKnown,
  line: TraceLine
): BpftraceRejection | undefined => {
  const start = skipBlanks(bytes, from, to)
  const end = trimEnd(bytes, start, to)
  line.bytes = bytes
  line.nameTo = line.nameFrom = -1
  let known = 0
  let token = start
  while (token < end) {
    const stop = endOfToken(bytes, token, end)
    const nameTo = bytes[stop - 1] === COLON ? stop - 1 : stop
    if (isKnown(bytes, token, nameTo)) {
      known++
      line.nameFrom = token
      line.nameTo = nameTo
      line.bodyFrom = skipBlanks(bytes, stop, end)
    }
    token = skipBlanks(bytes, stop, end)
  }
  if (known === 0) return "no event that is known"
  if (known > 1) return "two events in one line"
  line.bodyTo = end
  line.seconds = line.nanos = line.digits = 0
  setLeadingTime(bytes, start, line.nameFrom, line)
  return readOwnFields(bytes, line)
}

const endOfToken = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && !isBlankAt(bytes[i])) i++
  return i
}

/** The first number of a line is its time, if it is long enough to be one, or has a fraction. */
const setLeadingTime = (bytes: Uint8Array, from: number, to: number, line: TraceLine): void => {
  const end = skipDigits(bytes, from, to)
  if (bytes[end] === DOT) setSeconds(bytes, from, end, to, line)
  else if (isBlankAt(bytes[end]) && end - from >= SHORTEST_TIME && end - from <= 20) setNanos(bytes, from, end, line)
}

const setSeconds = (bytes: Uint8Array, from: number, dot: number, to: number, line: TraceLine): void => {
  const end = skipDigits(bytes, dot + 1, to)
  const digits = end - dot - 1
  if ((digits !== 6 && digits !== 9) || dot === from || dot - from > 12) return
  line.seconds = numberIn(bytes, from, dot)
  line.nanos = numberIn(bytes, dot + 1, end) * (digits === 6 ? 1000 : 1)
  line.digits = digits
}

/** Reads the task, the CPU and the time among the fields, and that there is nothing but fields, each of them once. */
const readOwnFields = (bytes: Uint8Array, line: TraceLine): BpftraceRejection | undefined => {
  line.pid = line.tgid = line.cpu = -1
  line.commFrom = line.commTo = -1
  let fields = 0
  let tid = -1
  let i = line.bodyFrom
  while (i < line.bodyTo) {
    const nameTo = skipIdentifier(bytes, i, line.bodyTo)
    if (nameTo === i || bytes[nameTo] !== EQUALS) return "no event that is known"
    if (isTwice(bytes, line.bodyFrom, i, nameTo)) return "a field twice, or a name without quotes"
    const value = nameTo + 1
    if (isText(bytes, i, nameTo, COMM)) {
      const last = line.bodyTo - 1
      if (bytes[value] !== QUOTE || bytes[last] !== QUOTE || last === value || last - value > LONGEST_COMM + 1) {
        return "a field twice, or a name without quotes"
      }
      line.commFrom = value + 1
      line.commTo = last
      line.bodyTo = trimEnd(bytes, line.bodyFrom, i)
      break
    }
    let valueTo = endOfToken(bytes, value, line.bodyTo)
    if (valueTo === value) return "no event that is known"
    fields++
    const next = skipBlanks(bytes, valueTo, line.bodyTo)
    if (bytes[valueTo - 1] === COMMA) valueTo--
    const digits = skipDigits(bytes, value, valueTo)
    if (digits === valueTo && digits > value && digits - value <= 20) {
      if (isText(bytes, i, nameTo, TID)) tid = numberIn(bytes, value, valueTo)
      else if (isText(bytes, i, nameTo, PID)) line.tgid = numberIn(bytes, value, valueTo)
      else if (isText(bytes, i, nameTo, CPU)) line.cpu = numberIn(bytes, value, valueTo)
      else if (TIMES.some((name) => isText(bytes, i, nameTo, name))) setNanos(bytes, value, valueTo, line)
    }
    i = next
  }
  if (fields < 2) return "no event that is known"
  line.pid = tid >= 0 ? tid : line.tgid
  return line.pid < 0 ? "no task (tid=… or pid=…)" : undefined
}

/** Whether the name `[from, to)` stands before a `=` earlier in the body. */
const isTwice = (bytes: Uint8Array, body: number, from: number, to: number): boolean => {
  const length = to - from
  for (let i = body; i + length < from; i++) {
    if (bytes[i + length] !== EQUALS || (i > body && isIdentifier(bytes[i - 1]))) continue
    let k = 0
    while (k < length && bytes[i + k] === bytes[from + k]) k++
    if (k === length) return true
  }
  return false
}

const LOST = bytesOf("Lost ")
const WARNING = bytesOf("WARNING: ")
const EVENTS = bytesOf(" events")
const ATTACHING = ["Attaching ", "Attached "].map(bytesOf)
const PROBE = bytesOf(" probe")

/** Reads `Lost N events`: how many, or -1. */
export const readLost = (bytes: Uint8Array, from: number, to: number): number => {
  const at = startsWith(bytes, from, to, WARNING) ? from + WARNING.length : from
  if (!startsWith(bytes, at, to, LOST)) return -1
  const digits = skipDigits(bytes, at + LOST.length, to)
  const whole = digits > at + LOST.length && isText(bytes, digits, trimEnd(bytes, digits, to), EVENTS)
  return whole && digits - at <= 20 ? numberIn(bytes, at + LOST.length, digits) : -1
}

/** Whether a line is `Attaching N probes...`: a run of a program begins. */
export const isAttaching = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (const word of ATTACHING) {
    if (!startsWith(bytes, from, to, word)) continue
    const digits = skipDigits(bytes, from + word.length, to)
    if (digits > from + word.length && startsWith(bytes, digits, to, PROBE)) return true
  }
  return false
}

/** Whether a line is one of a map, `@name[key]: value`, or of a histogram, `[4K, 8K)   14 |@@@@   |`. */
export const isMap = (bytes: Uint8Array, from: number, to: number): boolean => {
  const start = skipBlanks(bytes, from, to)
  if (bytes[start] === 64) return true
  const bar = trimEnd(bytes, start, to) - 1
  if (bytes[bar] !== 124 || (bytes[start] !== 91 && bytes[start] !== 40)) return false
  let close = start
  while (close < bar && bytes[close] !== 93 && bytes[close] !== 41) close++
  return isDigit(bytes[skipBlanks(bytes, close + 1, bar)])
}
