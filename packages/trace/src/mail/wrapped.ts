/**
 * Whether a line of a mail goes on in the next: programs break what is longer than some 72 columns.
 *
 * @since 0.1.0
 */
import { isBlankAt, skipBlanks, trimEnd } from "../formats/columns.ts"
import { decode } from "../reading/text.ts"

/** Where programs break lines, at the earliest; and the longest line that one leaves, without marks of quotation. */
const WRAPPED = 64
const LONGEST_WRAPPED = 80

/** A line of a mail: what it says, cleaned, and how it stood there. */
export interface Pasted {
  readonly bytes: Uint8Array
  /** The number of its first line in the file, and of its last. */
  readonly number: number
  readonly last: number
  /** How many marks of quotation stood before it. */
  readonly depth: number
  /** How long its last line was, as it stood there, and whether it ended in a space. */
  readonly length: number
  readonly spaced: boolean
  /** It is, or may go on with, what a program wrote to the trace: that can look like anything. */
  readonly written: boolean
}

/** What a line would be to the format, by itself. */
export interface Trial {
  readonly isRecord: (bytes: Uint8Array) => boolean
  /** Whether it is something at all. */
  readonly isLine: (bytes: Uint8Array) => boolean
}

/**
 * What becomes of a line behind another: it is the rest of that one, a line by itself, or cannot be told from the rest of
 * what a program wrote.
 */
export type Fate = "joined" | "own" | "untold"

export const fateOf = (before: Pasted, line: Pasted, trial: Trial, flowed: boolean): Fate => {
  if (!mayBeBroken(before, line)) return "own"
  const alone = trial.isLine(line.bytes)
  const whole = trial.isRecord(before.bytes)
  if (flowed && before.spaced && before.depth === line.depth) {
    return whole || (!alone && trial.isRecord(joined(before, line))) ? "joined" : "own"
  }
  if (alone) return before.written && trial.isRecord(line.bytes) ? "untold" : "own"
  if (!trial.isRecord(joined(before, line))) return "own"
  if (!whole) return "joined"
  return (before.spaced && before.depth === line.depth) || hasOnlyValues(line.bytes) ? "joined" : "own"
}

/** Whether a line is longer than a program that breaks lines would have left it: there is a space to break it at. */
export const isUnbroken = (line: Pasted): boolean => {
  if (line.length <= LONGEST_WRAPPED + 2 * line.depth) return false
  const space = line.bytes.indexOf(32, skipBlanks(line.bytes, 0, line.bytes.length))
  return space >= 0 && space < LONGEST_WRAPPED
}

/** Whether a program had a reason to break the line before this one: this one's first word did not fit. */
export const mayBeBroken = (before: Pasted, line: Pasted): boolean => {
  if (before.last + 1 !== line.number || before.length > LONGEST_WRAPPED + 2 * before.depth) return false
  const start = skipBlanks(line.bytes, 0, line.bytes.length)
  let end = start
  while (end < line.bytes.length && !isBlankAt(line.bytes[end])) end++
  return before.length + 1 + end - start > WRAPPED
}

/** Both in one line. */
export const joined = (before: Pasted, line: Pasted): Uint8Array => {
  const head = before.bytes.subarray(0, trimEnd(before.bytes, 0, before.bytes.length))
  const tail = line.bytes.subarray(skipBlanks(line.bytes, 0, line.bytes.length))
  const both = new Uint8Array(head.length + 1 + tail.length)
  both.set(head)
  both[head.length] = 32
  both.set(tail, head.length + 1)
  return both
}

const VALUE = /^(?:[\w.-]+=\S+|(?:0x)?[\da-f]+[,;]?|-\d+|--|<-|\[\w+\]|\S*[)\]};,])$/

/** Whether a line is nothing but values: what is left of a record. */
const hasOnlyValues = (bytes: Uint8Array): boolean =>
  decode(bytes, 0, bytes.length).trim().split(/\s+/).every((word) => VALUE.test(word))
