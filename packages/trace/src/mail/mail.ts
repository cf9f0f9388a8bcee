/**
 * A trace pasted into a mail: a text of any format among prose, quoted, wrapped and encoded.
 *
 * Between the lines of the file and the reader of the format each line is decoded (`quoted-printable.ts`), cleaned
 * (`pasted-line.ts`) and, where the mail's program broke it, put together again (`wrapped.ts`). A line is therefore given
 * to the format when the next one is known. Whatever then is no record is prose.
 *
 * What a program wrote into the trace can look like anything, a record too: where a line of it may have been broken, no
 * record is taken from the lines that may be its rest. A line that a program which breaks lines would have broken tells
 * that those of its quotation are as they were.
 *
 * Not hot: a mail is short, and a line is read several times to see what it would be.
 *
 * @since 0.1.0
 */
import { isBlankAt, numberIn, skipBlanks, skipDigits, trimEnd } from "../formats/columns.ts"
import { COMMENT, CONTINUATION, emptyLine, HELD, rejected } from "../formats/format.ts"
import type { Format, LineReader, Reading, TraceLine } from "../formats/format.ts"
import { TextBuffer } from "../formats/text-buffer.ts"
import { SPACE } from "../reading/ascii.ts"
import { decode } from "../reading/text.ts"
import { makeHeaders } from "./mail-headers.ts"
import { addPlain, depthOf, skipQuotes, skipStamp } from "./pasted-line.ts"
import { addDecoded, looksEncoded } from "./quoted-printable.ts"
import { fateOf, isUnbroken, joined, mayBeBroken } from "./wrapped.ts"
import type { Pasted, Trial } from "./wrapped.ts"

const PROSE = rejected("prose of the mail")
const UNTOLD = rejected("perhaps the rest of what a program wrote to the trace")

/** Records of what programs wrote: trace_marker, trace_printk. */
const WRITTEN = /(?:^|[\s:])(?:tracing_mark_write|print|bprint|bputs)[: ]/

/** A text of `format`, in a mail. */
export const mailed = (format: Format): Format => ({
  name: `${format.name}, in a mail`,
  owns: () => false,
  open: () => openMail(format)
})

const openMail = (format: Format): LineReader => {
  const inner = format.open()
  const trial = makeTrial(format)
  const headers = makeHeaders()
  /** What was decoded so far of a line that goes on, and where it began. */
  const decoded = new TextBuffer()
  let begun = 0
  let goesOn = 0
  /** Depths of quotation whose lines are not broken. */
  const unbroken = new Set<number>()
  /** The line before, which may go on in this one; and the last one, whatever it was. */
  let pending: Pasted | undefined
  let last: Pasted | undefined
  /** What `more` gives: what the line that is settled became, then the reading of the line that was read. */
  let settled: Pasted | undefined
  let ended = false
  let own: { readonly reading: Reading; readonly number: number } | undefined

  /** Decodes a line; false where it goes on in the next. */
  const decodeLine = (bytes: Uint8Array, from: number, to: number, number: number): boolean => {
    const isRest = goesOn === number && number > 0
    if (!isRest) {
      decoded.clear()
      begun = number
    }
    headers.read(bytes, from, to)
    const isEncoded = isRest || (headers.encoded ?? looksEncoded(bytes, from, to))
    if (!isEncoded) decoded.add(bytes, from, to)
    else if (addDecoded(bytes, from, to, decoded)) {
      goesOn = number + 1
      return false
    }
    goesOn = 0
    return true
  }

  /** What is left of the line in `decoded` without its marks. */
  const clean = (number: number): Pasted => {
    const { bytes, length } = decoded
    const text = new TextBuffer()
    addPlain(bytes, skipStamp(bytes, skipQuotes(bytes, 0, length), length), length, text)
    const line: Pasted = {
      bytes: text.bytes.subarray(0, text.length),
      number: begun,
      last: number,
      depth: depthOf(bytes, 0, length),
      length,
      spaced: length > 0 && bytes[length - 1] === SPACE,
      written: false
    }
    if (isUnbroken(line)) unbroken.add(line.depth)
    if (unbroken.has(line.depth)) return line
    const goesOnWritten = last !== undefined && last.written && mayBeBroken(last, line)
    return { ...line, written: goesOnWritten || WRITTEN.test(decode(line.bytes, 0, line.bytes.length)) }
  }

  const settle = (next: Pasted | undefined): Reading => {
    settled = pending
    pending = next
    return HELD
  }

  /** A line whose reading is known already, behind what is settled before it. */
  const settleAs = (reading: Reading, number: number): Reading => {
    own = { reading, number }
    return settle(undefined)
  }

  const place = (line: Pasted): Reading => {
    if (trimEnd(line.bytes, 0, line.bytes.length) === 0) return settleAs(COMMENT, line.last)
    const before = pending ?? last
    const fate = before === undefined ? "own" : fateOf(before, line, trial, headers.flowed)
    last = line
    if (fate === "untold") return settleAs(UNTOLD, line.last)
    if (fate === "own" || pending === undefined) return settle(line)
    pending = {
      ...line,
      bytes: joined(pending, line),
      number: pending.number,
      written: pending.written || line.written
    }
    return CONTINUATION
  }

  const read = (bytes: Uint8Array, from: number, to: number, line: TraceLine): Reading =>
    decodeLine(bytes, from, to, line.number) ? place(clean(line.number)) : CONTINUATION

  /** Gives a line to the format. */
  const give = (pasted: Pasted, line: TraceLine): Reading => {
    line.number = pasted.number
    const reading = readPasted(inner, pasted.bytes, line)
    return reading.kind === "rejected" ? PROSE : reading
  }

  const more = (line: TraceLine): Reading | undefined => {
    if (settled !== undefined) {
      const reading = give(settled, line)
      settled = undefined
      if (reading !== HELD) return reading
    }
    if (ended) {
      ended = false
      inner.end?.()
    }
    const next = inner.more?.(line)
    if (next !== undefined || own === undefined) return next
    const { number, reading } = own
    own = undefined
    line.number = number
    return reading
  }

  return {
    ...(inner.bareHex === undefined ? undefined : { bareHex: inner.bareHex }),
    ...(inner.moved === undefined ? undefined : { moved: inner.moved }),
    read,
    more,
    end: () => {
      settle(undefined)
      ended = true
    }
  }
}

/** Reads a line, without the count of `uniq -c` in front if it is none with it. */
const readPasted = (reader: LineReader, bytes: Uint8Array, line: TraceLine): Reading => {
  const reading = reader.read(bytes, 0, bytes.length, line)
  if (reading.kind !== "rejected") return reading
  const count = skipBlanks(bytes, 0, bytes.length)
  const end = skipDigits(bytes, count, bytes.length)
  if (end === count || end - count > 15 || !isBlankAt(bytes[end]) || end + 1 === bytes.length) return reading
  const counted = reader.read(bytes, end + 1, bytes.length, line)
  line.repeat = numberIn(bytes, count, end)
  return counted
}

/** A reader beside the one that reads the text, to see what a line would be. */
const makeTrial = (format: Format): Trial => {
  const reader = format.open()
  const line = emptyLine()
  const kindOf = (bytes: Uint8Array): Reading["kind"] => {
    const { kind } = readPasted(reader, bytes, line)
    while (reader.more?.(line) !== undefined) continue
    return kind
  }
  return {
    isRecord: (bytes) => {
      const kind = kindOf(bytes)
      return kind === "record" || kind === "held"
    },
    isLine: (bytes) => {
      const kind = kindOf(bytes)
      return kind !== "rejected" && kind !== "continuation"
    }
  }
}
