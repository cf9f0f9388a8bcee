/**
 * A line as somebody pasted it: quoted with `> `, coloured by a terminal, stamped by dmesg, with no-break spaces and tabs.
 *
 * @since 0.1.0
 */
import { isDigit, skipBlanks, skipDigits, skipHexDigits } from "../formats/columns.ts"
import type { TextBuffer } from "../formats/text-buffer.ts"
import { BRACKET, BRACKET_END, DOT, GREATER, LESS, SEMICOLON, SPACE, TAB } from "../reading/ascii.ts"

const ESCAPE = 27

/** The ends of what terminals are told: a colour, or to clear the line. */
const COLOUR = 109
const ERASE = 75

/** Digits of an address; a word has fewer that are hexadecimal. */
const SHORTEST_ADDRESS = 8

/** Where the text begins behind its marks of quotation, `> > `. */
export const skipQuotes = (bytes: Uint8Array, from: number, to: number): number => {
  let i = from
  for (;;) {
    const mark = i < to && bytes[i] === SPACE ? i + 1 : i
    if (mark >= to || bytes[mark] !== GREATER) break
    i = mark + 1
  }
  return i > from && i < to && bytes[i] === SPACE ? i + 1 : i
}

/** How many marks of quotation stand in front. */
export const depthOf = (bytes: Uint8Array, from: number, to: number): number => {
  let depth = 0
  for (let i = from, end = skipQuotes(bytes, from, to); i < end; i++) if (bytes[i] === GREATER) depth++
  return depth
}

/** Where the text begins behind a stamp of printk, `<4>[   12.345678][  T123] `, or `from` where there is none. */
export const skipStamp = (bytes: Uint8Array, from: number, to: number): number => {
  let i = from
  if (bytes[i] === LESS && isDigit(bytes[i + 1])) {
    i = skipDigits(bytes, i + 1, to)
    if (bytes[i++] !== GREATER) return from
  }
  if (bytes[i] !== BRACKET) return from
  const seconds = skipBlanks(bytes, i + 1, to)
  const dot = skipDigits(bytes, seconds, to)
  const end = skipDigits(bytes, dot + 1, to)
  if (dot === seconds || bytes[dot] !== DOT || end - dot !== 7 || bytes[end] !== BRACKET_END) return from
  i = end + 1
  if (bytes[i] === BRACKET) {
    const id = skipBlanks(bytes, i + 1, to)
    const idTo = bytes[id] === 84 || bytes[id] === 67 ? skipDigits(bytes, id + 1, to) : id
    if (idTo === id || bytes[idTo] !== BRACKET_END) return from
    i = idTo + 1
  }
  return bytes[i] === SPACE ? i + 1 : i === to ? i : from
}

/** Adds a line without colours, its tabs and no-break spaces as spaces. The tab in front of an address of perf stays. */
export const addPlain = (bytes: Uint8Array, from: number, to: number, buffer: TextBuffer): void => {
  let i = from
  if (bytes[i] === TAB && isAddress(bytes, i, to)) buffer.addByte(bytes[i++]!)
  while (i < to) {
    const c = bytes[i]!
    const behind = c === ESCAPE ? skipEscape(bytes, i, to) : i
    if (behind > i) i = behind
    else if (c === 0xc2 && bytes[i + 1] === 0xa0 && i + 1 < to) {
      buffer.addByte(SPACE)
      i += 2
    } else {
      buffer.addByte(c === TAB ? SPACE : c)
      i++
    }
  }
}

const isAddress = (bytes: Uint8Array, at: number, to: number): boolean => {
  const from = skipBlanks(bytes, at, to)
  return skipHexDigits(bytes, from, to) - from >= SHORTEST_ADDRESS
}

/** Behind a sequence such as `ESC [ 1 ; 31 m`, or `at` where it is none: what stands behind is not the terminal's. */
const skipEscape = (bytes: Uint8Array, at: number, to: number): number => {
  if (bytes[at + 1] !== BRACKET) return at
  let i = at + 2
  while (i < to && (isDigit(bytes[i]) || bytes[i] === SEMICOLON)) i++
  return i < to && (bytes[i] === COLOUR || bytes[i] === ERASE) ? i + 1 : at
}
