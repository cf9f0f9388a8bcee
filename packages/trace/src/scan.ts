/**
 * Going over the bytes of a line: spaces, digits, numbers, words.
 *
 * Each function starts at `at` and gives where it ended; nothing is allocated.
 *
 * @since 0.1.0
 */
const SPACE = 32
const TAB = 9

export const isDigit = (c: number | undefined): boolean => c !== undefined && c >= 48 && c <= 57

export const isHexDigit = (c: number | undefined): boolean =>
  c !== undefined && ((c >= 48 && c <= 57) || (c >= 97 && c <= 102) || (c >= 65 && c <= 70))

/** A character of a C identifier. */
export const isIdentifier = (c: number | undefined): boolean =>
  c !== undefined && ((c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 95)

export const isSpace = (c: number | undefined): boolean => c === SPACE || c === TAB

export const skipSpaces = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && isSpace(bytes[i])) i++
  return i
}

/** Where the line ends without the spaces at its end. */
export const trimEnd = (bytes: Uint8Array, from: number, to: number): number => {
  let end = to
  while (end > from && isSpace(bytes[end - 1])) end--
  return end
}

export const skipDigits = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && isDigit(bytes[i])) i++
  return i
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

/** The number of the digits `[from, to)`: exact up to fifteen of them. */
export const numberOf = (bytes: Uint8Array, from: number, to: number): number => {
  let n = 0
  for (let i = from; i < to; i++) n = n * 10 + bytes[i]! - 48
  return n
}
