/**
 * The formats of trace text that are read, and which one a text is in.
 *
 * A line that only one format has decides. Where there is none, every format tries the first lines, and the one that
 * reads most of them is taken, if that is more than {@link ENOUGH}.
 *
 * @since 0.1.0
 */
import { signsOf } from "../mail/mail-signs.ts"
import { mailed } from "../mail/mail.ts"
import { decode } from "../reading/text.ts"
import { bpftrace, bpftraceJson } from "./bpftrace.ts"
import type { Format, Reading } from "./format.ts"
import { emptyLine } from "./format.ts"
import { ftrace } from "./ftrace.ts"
import { funcgraph } from "./funcgraph.ts"
import { perfScript } from "./perf-script.ts"
import { traceCmd } from "./trace-cmd.ts"

/** The formats. Of two that read a text equally well, the first is taken. */
export const FORMATS: ReadonlyArray<Format> = [
  ftrace,
  traceCmd,
  perfScript,
  bpftrace,
  bpftraceJson,
  funcgraph
]

/** Lines that a text gets to show its format. */
export const SNIFFED_LINES = 400

/** The share of its lines that a format has to read. */
const ENOUGH = 0.6

/** How much of a line {@link Format.owns} sees. */
const LONGEST_SEEN = 400

/** How a format did on the first lines: lines it read, of those that are neither blank nor comments to it. */
export interface Score {
  readonly format: Format
  readonly read: number
  readonly lines: number
}

/** What the first line that lacks something lacks. */
export interface Lack {
  readonly what: string
  readonly line: number
}

/**
 * What was found: the format, or the scores that were not enough, and what the lines lack that one could have read.
 * `lines` were looked at.
 */
export type Recognition =
  | { readonly format: Format; readonly lines: number }
  | { readonly scores: ReadonlyArray<Score>; readonly lack: Lack | undefined; readonly lines: number }

/**
 * Looks at the first lines of `bytes`. `whole`: there are no more bytes, so that a last line without its end is one.
 *
 * A text with signs of a mail is one if that makes more of its lines records, or if most of it is quoted or it has a
 * mail's headers. One that is nothing else is one if it has records.
 */
export const recognise = (
  bytes: Uint8Array,
  whole: boolean,
  formats: ReadonlyArray<Format> = FORMATS
): Recognition => {
  const lines = firstLines(bytes, whole)
  const texts = lines.map(([from, to]) => decode(bytes, from, Math.min(to, from + LONGEST_SEEN)))
  const plain = recognisePlain(bytes, lines, texts, formats)
  const signs = signsOf(texts)
  if ("format" in plain && signs === "none") return plain
  const mail = bestMail(bytes, whole, formats)
  const enough = "format" in plain
    ? scoreOf(plain.format, bytes, lines).read + (signs === "sure" ? 0 : 1)
    : signs === "none"
    ? FEWEST_UNSIGNED
    : 1
  return mail.read >= enough ? { format: mail.format, lines: lines.length } : plain
}

/** Records of a text that has no sign of a mail, and is yet mostly prose. */
const FEWEST_UNSIGNED = 2

/** The format that most lines of a mail are records of; all of `bytes` are looked at. */
export const bestMail = (bytes: Uint8Array, whole: boolean, formats: ReadonlyArray<Format> = FORMATS): Score => {
  const lines = firstLines(bytes, whole, Infinity)
  return formats.map((format) => scoreOf(mailed(format), bytes, lines)).reduce((a, b) => b.read > a.read ? b : a)
}

const recognisePlain = (
  bytes: Uint8Array,
  lines: ReadonlyArray<Bounds>,
  texts: ReadonlyArray<string>,
  formats: ReadonlyArray<Format>
): Recognition => {
  for (const text of texts) {
    const format = formats.find((format) => format.owns(text))
    if (format === undefined) continue
    const lack = lackOf([format], texts)
    return lack === undefined ? { format, lines: lines.length } : { scores: [], lack, lines: lines.length }
  }
  const scores = formats.map((format) => scoreOf(format, bytes, lines))
  const best = scores.reduce((a, b) => shareOf(b) > shareOf(a) ? b : a)
  if (shareOf(best) > ENOUGH) return { format: best.format, lines: lines.length }
  return { scores, lack: lackOf(formats, texts), lines: lines.length }
}

const lackOf = (formats: ReadonlyArray<Format>, texts: ReadonlyArray<string>): Lack | undefined => {
  for (const [i, text] of texts.entries()) {
    for (const { lacks } of formats) {
      const what = lacks?.(text)
      if (what !== undefined) return { what, line: i + 1 }
    }
  }
  return undefined
}

type Bounds = readonly [from: number, to: number]

/** The bounds of the first lines, without their ends. */
export const firstLines = (bytes: Uint8Array, whole: boolean, most = SNIFFED_LINES): ReadonlyArray<Bounds> => {
  const lines: Array<Bounds> = []
  let from = 0
  while (from < bytes.length && lines.length < most) {
    const end = bytes.indexOf(10, from)
    if (end < 0 && !whole) break
    const to = end < 0 ? bytes.length : end
    lines.push([from, to > from && bytes[to - 1] === 13 ? to - 1 : to])
    from = to + 1
  }
  return lines
}

const scoreOf = (format: Format, bytes: Uint8Array, lines: ReadonlyArray<Bounds>): Score => {
  const reader = format.open()
  const line = emptyLine()
  const tally = { read: 0, refused: 0 }
  const add = (reading: Reading): void => {
    if (reading.kind === "record" || reading.kind === "marker") tally.read++
    else if (reading.kind === "rejected") tally.refused++
  }
  const addMore = (): void => {
    for (let next = reader.more?.(line); next !== undefined; next = reader.more?.(line)) add(next)
  }
  for (const [i, [from, to]] of lines.entries()) {
    line.number = i + 1
    if (isBlank(bytes, from, to)) continue
    if (bytes.subarray(from, to).includes(0)) {
      tally.refused++
      continue
    }
    add(reader.read(bytes, from, to, line))
    addMore()
  }
  reader.end?.()
  addMore()
  return { format, read: tally.read, lines: tally.read + tally.refused }
}

/** Nothing read is no share, whatever was taken for a comment. */
const shareOf = ({ lines, read }: Score): number => read === 0 ? 0 : read / lines

/** The scores in one line. */
export const scoresText = (scores: ReadonlyArray<Score>): string =>
  scores.map((score) => `${score.format.name} ${Math.floor(shareOf(score) * 100)} %`).join(", ")

/** Whether a line holds nothing but spaces. */
export const isBlank = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) if (bytes[i] !== 32 && bytes[i] !== 9) return false
  return true
}
