/**
 * Lines: pieces of a file in, whole lines out, in constant memory.
 *
 * Hot: a line inside one piece is handed on in place, as bounds in that piece; only a line that two pieces share is
 * copied.
 *
 * @since 0.1.0
 */

/** A longer line is not kept: the kernel's are below 9 KiB (a page for the text, and what stands before it). */
export const LONGEST_LINE = 65_536

// Named here too: see fields.ts.
const LF = 10
const CR = 13

/** Takes the bytes `[from, to)` of a line, without its end. The bytes are good until it returns. */
export type OnLine = (bytes: Uint8Array, from: number, to: number) => void

/** What can be told of a line that is not handed on: too long, or the file ends in it. */
export type OnOddLine = (kind: "too long" | "cut off") => void

export interface LineCutter {
  readonly push: (bytes: Uint8Array) => void
  /** The file ends here. A line without its end may lack more than that: it is odd. */
  readonly end: () => void
}

export const makeLineCutter = (onLine: OnLine, onOdd: OnOddLine): LineCutter => {
  let rest = new Uint8Array(0)
  let skipping = false

  const keep = (bytes: Uint8Array, from: number): void => {
    if (skipping || rest.length + bytes.length - from > LONGEST_LINE) {
      skipping = true
      rest = new Uint8Array(0)
      return
    }
    const joined = new Uint8Array(rest.length + bytes.length - from)
    joined.set(rest)
    joined.set(bytes.subarray(from), rest.length)
    rest = joined
  }

  const hand = (bytes: Uint8Array, from: number, to: number): void => {
    if (to - from > LONGEST_LINE) onOdd("too long")
    else onLine(bytes, from, to > from && bytes[to - 1] === CR ? to - 1 : to)
  }

  const finishKept = (bytes: Uint8Array, to: number): void => {
    if (!skipping) keep(bytes.subarray(0, to), 0)
    if (skipping) onOdd("too long")
    else hand(rest, 0, rest.length)
    skipping = false
    rest = new Uint8Array(0)
  }

  const push = (bytes: Uint8Array): void => {
    // Measured: a Buffer finds the end of a line in half the time that a Uint8Array does.
    const ends = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    let from = 0
    let to = ends.indexOf(LF)
    if (to >= 0 && (rest.length > 0 || skipping)) {
      finishKept(bytes, to)
      from = to + 1
      to = ends.indexOf(LF, from)
    }
    while (to >= 0) {
      hand(bytes, from, to)
      from = to + 1
      to = ends.indexOf(LF, from)
    }
    if (from < bytes.length) keep(bytes, from)
  }

  const end = (): void => {
    if (skipping) onOdd("too long")
    else if (rest.length > 0) onOdd("cut off")
    rest = new Uint8Array(0)
    skipping = false
  }

  return { push, end }
}
