/**
 * Quoted-printable (RFC 2045): `=3D` for `=`, `=C2=A0` for a no-break space, and `=` at the end of a line that goes on in
 * the next.
 *
 * A mail's header says whether its body is in it. Where the header was left out, a line can tell: an encoder leaves no
 * `=` as it is, and makes no line longer than 76.
 *
 * @since 0.1.0
 */
import { isBlankAt, trimEnd } from "../formats/columns.ts"
import type { TextBuffer } from "../formats/text-buffer.ts"
import { EQUALS } from "../reading/ascii.ts"

const THREE = 51
const UPPER_D = 68

/** Longest line of an encoder, and the shortest that it breaks softly. */
const LONGEST = 76
const SHORTEST_BROKEN = 60

/** The value of an upper-case digit, as encoders write them, or of a lower-case one; -1 if it is none. */
const digitOf = (c: number | undefined): number =>
  c === undefined
    ? -1
    : c >= 48 && c <= 57
    ? c - 48
    : c >= 65 && c <= 70
    ? c - 55
    : c >= 97 && c <= 102
    ? c - 87
    : -1

/** Adds what a line says; whether it goes on in the next. An `=` that is no code stays as it is. */
export const addDecoded = (bytes: Uint8Array, from: number, to: number, buffer: TextBuffer): boolean => {
  // Spaces at the end were added on the way: those that are meant are encoded.
  const end = trimEnd(bytes, from, to)
  for (let i = from; i < end; i++) {
    if (bytes[i] !== EQUALS) {
      buffer.addByte(bytes[i]!)
      continue
    }
    if (i + 1 === end) return true
    const high = i + 2 < end ? digitOf(bytes[i + 1]) : -1
    const low = digitOf(bytes[i + 2])
    if (high < 0 || low < 0) {
      buffer.addByte(EQUALS)
      continue
    }
    buffer.addByte(high * 16 + low)
    i += 2
  }
  return false
}

/** Whether a line of a body without a header is encoded. */
export const looksEncoded = (bytes: Uint8Array, from: number, to: number): boolean => {
  if (to - from > LONGEST) return false
  let codes = 0
  for (let i = from; i < to; i++) {
    if (bytes[i] !== EQUALS) continue
    if (i + 1 === to) return codes > 0 || (to - from >= SHORTEST_BROKEN && !isBlankAt(bytes[i - 1]))
    if (digitOf(bytes[i + 1]) < 0 || digitOf(bytes[i + 2]) < 0 || i + 2 >= to) return false
    if (bytes[i + 1] === THREE && bytes[i + 2] === UPPER_D) codes++
    i += 2
  }
  return codes > 0
}
