/**
 * The columns of a line: digits, names and times, scanned in place.
 *
 * Hot: plain functions over bytes.
 *
 * @since 0.1.0
 */
import { COLON, DOT, GREATER, MINUS, NINE, PARENTHESIS, SPACE, TAB, ZERO } from "../reading/ascii.ts"
import type { TraceLine } from "./format.ts"

/** Longest name of a task: TASK_COMM_LEN less its NUL. */
export const LONGEST_COMM = 15

export const isDigit = (c: number | undefined): boolean => c !== undefined && c >= ZERO && c <= NINE

export const isHexDigit = (c: number | undefined): boolean =>
  isDigit(c) || (c !== undefined && ((c >= 97 && c <= 102) || (c >= 65 && c <= 70)))

/** A character of a C identifier. */
export const isIdentifier = (c: number | undefined): boolean =>
  c !== undefined && ((c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= ZERO && c <= NINE) || c === 95)

/** A space or a tab. */
export const isBlankAt = (c: number | undefined): boolean => c === SPACE || c === TAB

const WORD = Uint8Array.from({ length: 256 }, (_, c) => /[\w.]/.test(String.fromCharCode(c)) ? 1 : 0)

/** Whether a character may stand in the name of an event or a function. */
export const isWord = (c: number): boolean => WORD[c] === 1

export const skipSpaces = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && bytes[i] === SPACE) i++
  return i
}

/** Behind spaces and tabs. */
export const skipBlanks = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && isBlankAt(bytes[i])) i++
  return i
}

/** Where the line ends without the spaces and tabs at its end. */
export const trimEnd = (bytes: Uint8Array, from: number, to: number): number => {
  let end = to
  while (end > from && isBlankAt(bytes[end - 1])) end--
  return end
}

export const skipHexDigits = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && isHexDigit(bytes[i])) i++
  return i
}

export const skipIdentifier = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && isIdentifier(bytes[i])) i++
  return i
}

export const skipDigits = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && isDigit(bytes[i])) i++
  return i
}

/** The number in the digits `[from, to)`: exact below 2^53. */
export const numberIn = (bytes: Uint8Array, from: number, to: number): number => {
  let n = 0
  for (let i = from; i < to; i++) n = n * 10 + bytes[i]! - ZERO
  return n
}

/** Reads `SECONDS.FRACTION: ` (6 or 9 digits) into `line`; gives where it goes on, or -1. */
export const readTime = (bytes: Uint8Array, at: number, to: number, line: TraceLine): number => {
  let i = at
  let whole = 0
  while (i < to && isDigit(bytes[i])) whole = whole * 10 + bytes[i++]! - ZERO
  if (i === at || i - at > 12 || bytes[i] !== DOT) return -1
  const from = ++i
  let fraction = 0
  while (i < to && isDigit(bytes[i])) fraction = fraction * 10 + bytes[i++]! - ZERO
  const digits = i - from
  if ((digits !== 6 && digits !== 9) || bytes[i] !== COLON || bytes[i + 1] !== SPACE) return -1
  line.seconds = whole
  line.nanos = digits === 6 ? fraction * 1000 : fraction
  line.digits = digits
  return i + 2
}

/** Reads `NUMBER: `, a count that is no time, into `line`; gives where it goes on, or -1. */
export const readTicks = (bytes: Uint8Array, at: number, to: number, line: TraceLine): number => {
  const end = skipDigits(bytes, at, to)
  if (end === at || end - at > 20 || bytes[end] !== COLON || bytes[end + 1] !== SPACE) return -1
  // The last nine digits apart: a 64-bit count does not fit a number, its two parts do.
  const split = Math.max(at, end - 9)
  line.seconds = numberIn(bytes, at, split)
  line.nanos = numberIn(bytes, split, end)
  line.digits = 0
  return end + 2
}

/** Reads `NAME: BODY`, `NAME(BODY)` of a syscall entered, `NAME -> BODY` of a syscall left; false where it is none. */
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
