/**
 * What the kernel and trace-cmd put before an event: `-PID (TGID) [CPU] FLAGS TIME: `.
 *
 * Hot: plain functions over bytes.
 *
 * @since 0.1.0
 */
import { BRACKET, BRACKET_END, MINUS, PARENTHESIS, PARENTHESIS_END, SPACE, UNDERSCORE, ZERO } from "../reading/ascii.ts"
import { isDigit, isWord, readTicks, readTime, skipSpaces } from "./columns.ts"
import type { TraceLine } from "./format.ts"

/** Reads what stands before the event from the `-` at `at` on; gives where the event begins, or -1. */
export const readContext = (
  bytes: Uint8Array,
  at: number,
  to: number,
  wholeTimes: boolean,
  line: TraceLine
): number => {
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
  if (i - cpuFrom < 3 || i - cpuFrom > 6 || bytes[i] !== BRACKET_END) return -1
  // Raw times of trace-cmd follow at once.
  if (bytes[i + 1] !== SPACE && !wholeTimes) return -1
  i = skipSpaces(bytes, i + 1, to)
  line.pid = pid
  line.cpu = cpu
  line.flagsFrom = line.flagsTo = i
  const direct = readAnyTime(bytes, i, to, wholeTimes, line)
  if (direct >= 0) return direct
  const flags = i
  while (i < to && isWord(bytes[i]!) && bytes[i] !== UNDERSCORE) i++
  if (i - flags < FEWEST_FLAGS || i - flags > MOST_FLAGS || bytes[i] !== SPACE) return -1
  line.flagsTo = i
  return readAnyTime(bytes, skipSpaces(bytes, i, to), to, wholeTimes, line)
}

/** The irq column: 4 characters before 5.13, 5 since, up to 8 with lazy preemption or real-time patches. */
const FEWEST_FLAGS = 3
const MOST_FLAGS = 8

const readAnyTime = (bytes: Uint8Array, at: number, to: number, wholeTimes: boolean, line: TraceLine): number => {
  const next = readTime(bytes, at, to, line)
  return next < 0 && wholeTimes ? readTicks(bytes, at, to, line) : next
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
  return bytes[i] === PARENTHESIS_END && bytes[i + 1] === SPACE ? skipSpaces(bytes, i + 1, to) : -1
}
