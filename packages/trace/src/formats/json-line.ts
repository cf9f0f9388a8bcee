/**
 * A line of JSON as `bpftrace -f json` writes it: `{"type": "printf", "data": "…\n"}`.
 *
 * Only as much is looked at as is needed: where the members of the outermost object are, and what a string says.
 *
 * @since 0.1.0
 */
import { COLON, COMMA, QUOTE } from "../reading/ascii.ts"
import { isText } from "../reading/text.ts"
import { isHexDigit, skipBlanks } from "./columns.ts"
import type { TextBuffer } from "./text-buffer.ts"

const OPEN = 123
const CLOSE = 125
const BACKSLASH = 92
const LOWER_F = 102

/** Where a value stands; of a string, without its quotation marks. */
export interface Bounds {
  from: number
  to: number
  isString: boolean
}

/** Finds the value of the member `name` in the object `[from, to)`; false where there is none, or the line is no object. */
export const findMember = (bytes: Uint8Array, from: number, to: number, name: Uint8Array, found: Bounds): boolean => {
  let i = skipBlanks(bytes, from, to)
  if (bytes[i] !== OPEN) return false
  i = skipBlanks(bytes, i + 1, to)
  while (i < to && bytes[i] === QUOTE) {
    const nameTo = endOfString(bytes, i + 1, to)
    const value = skipBlanks(bytes, nameTo + 1, to)
    if (nameTo >= to || bytes[value] !== COLON) return false
    const valueFrom = skipBlanks(bytes, value + 1, to)
    const valueTo = endOfValue(bytes, valueFrom, to)
    if (valueTo < 0) return false
    if (isText(bytes, i + 1, nameTo, name)) {
      found.isString = bytes[valueFrom] === QUOTE
      found.from = found.isString ? valueFrom + 1 : valueFrom
      found.to = found.isString ? valueTo - 1 : valueTo
      return true
    }
    i = skipBlanks(bytes, valueTo, to)
    if (bytes[i] !== COMMA) return false
    i = skipBlanks(bytes, i + 1, to)
  }
  return false
}

/** Where the quotation mark stands that closes a string, or `to`. */
const endOfString = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1
  return Math.min(i, to)
}

/** Behind a value, or -1 where it does not end. Brackets are counted, not matched: their kinds do not matter here. */
const endOfValue = (bytes: Uint8Array, at: number, to: number): number => {
  let depth = 0
  let i = at
  while (i < to) {
    const c = bytes[i]!
    if (c === QUOTE) {
      i = endOfString(bytes, i + 1, to)
      if (i >= to) return -1
      if (depth === 0) return i + 1
    } else if (c === OPEN || c === 91) depth++
    else if (c === CLOSE || c === 93) {
      if (depth === 0) return i
      if (--depth === 0) return i + 1
    } else if (c === COMMA && depth === 0) return i
    i++
  }
  return -1
}

/** What stands for a character behind a backslash: `\b \f \n \r \t`, and the character itself for the others. */
const ESCAPES: Readonly<Record<number, number>> = { 98: 8, 102: 12, 110: 10, 114: 13, 116: 9 }

/** Adds what the string `[from, to)` says. Bytes that are no UTF-8 stay as they are. */
export const addString = (bytes: Uint8Array, from: number, to: number, buffer: TextBuffer): void => {
  let i = from
  while (i < to) {
    let stop = i
    while (stop < to && bytes[stop] !== BACKSLASH) stop++
    buffer.add(bytes, i, stop)
    if (stop + 1 >= to) return
    const c = bytes[stop + 1]!
    const byte = c === 117 ? extendedByte(bytes, stop + 2, to) : -1
    if (byte >= 0) {
      buffer.addByte(byte)
      i = stop + 10
      continue
    }
    const unit = c === 117 ? codeUnit(bytes, stop + 2, to) : -1
    if (unit >= 0) {
      const low = unit >= 0xd800 && unit < 0xdc00 && bytes[stop + 6] === BACKSLASH && bytes[stop + 7] === 117
        ? codeUnit(bytes, stop + 8, to)
        : -1
      const isPair = low >= 0xdc00 && low < 0xe000
      addCodePoint(isPair ? (unit - 0xd800) * 0x400 + low - 0xdc00 + 0x10000 : unit, buffer)
      i = stop + (isPair ? 12 : 6)
    } else {
      buffer.addByte(ESCAPES[c] ?? c)
      i = stop + 2
    }
  }
}

/** bpftrace 0.17 escapes a byte above 127 as a signed number of 32 bits: `\uffffffc3`. Gives the byte, or -1. */
const extendedByte = (bytes: Uint8Array, at: number, to: number): number => {
  for (let i = at; i < at + 6; i++) if (bytes[i] !== LOWER_F) return -1
  const unit = codeUnit(bytes, at + 4, to)
  return unit >= 0xff80 ? unit & 0xff : -1
}

/** The code unit of four hexadecimal digits, or -1. */
const codeUnit = (bytes: Uint8Array, at: number, to: number): number => {
  if (at + 4 > to) return -1
  let unit = 0
  for (let i = at; i < at + 4; i++) {
    if (!isHexDigit(bytes[i])) return -1
    const c = bytes[i]!
    unit = unit * 16 + (c <= 57 ? c - 48 : (c | 32) - 87)
  }
  return unit
}

/** A program that escapes bytes as if they were characters means the byte, up to U+00FF. */
const addCodePoint = (code: number, buffer: TextBuffer): void => {
  if (code < 256) buffer.addByte(code)
  else for (const byte of new TextEncoder().encode(String.fromCodePoint(code))) buffer.addByte(byte)
}
