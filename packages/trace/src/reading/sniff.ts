/**
 * What a file is, by its first bytes: a text in a format that is read, or what else and what to do about it.
 *
 * @since 0.1.0
 */
import type { TraceProblem } from "../error.ts"
import type { Format } from "../formats/format.ts"
import { bestMail, FORMATS, recognise, scoresText, SNIFFED_LINES } from "../formats/formats.ts"
import { TAB } from "./ascii.ts"
import { bytesOf, decode, startsWith } from "./text.ts"

/** How many bytes are looked at. */
export const SNIFFED_BYTES = 65_536

/** How many bytes of a mail are looked at: prose and headers may be longer than a trace's. */
export const SNIFFED_MAIL_BYTES = 4_194_304

/** Why a file cannot be read. */
export interface Refusal {
  readonly problem: TraceProblem
  readonly expected: string
  readonly line?: number
  readonly byte?: number
}

const GZIP = Uint8Array.of(0x1f, 0x8b)
const ZSTD = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)
const TRACE_DAT = Uint8Array.of(0x17, 0x08, 0x44, ...bytesOf("tracing"))
const PERF_DATA = bytesOf("PERFILE2")
const JOURNAL = Uint8Array.of(0x89, ...bytesOf("JRNL"))

/** Whether a file is compressed by gzip. */
export const isGzip = (bytes: Uint8Array): boolean => startsWith(bytes, 0, bytes.length, GZIP)

/** Whether a file is compressed by zstd. */
export const isZstd = (bytes: Uint8Array): boolean => startsWith(bytes, 0, bytes.length, ZSTD)

/** Bytes that tell whether a file is compressed. */
export const MAGIC_BYTES = 4

/** Files that are known by their first bytes, and how each becomes a text. */
const binaries: ReadonlyArray<readonly [magic: Uint8Array, what: string, advice: (file: string) => string]> = [
  [TRACE_DAT, "a trace.dat of trace-cmd", (file) => `expected its text: trace-cmd report -t -R ${file}`],
  [PERF_DATA, "a perf.data", (file) => `expected its text: perf script --ns -i ${file}`],
  [JOURNAL, "a pfnscope log", (file) => `expected the text of a kernel trace; a log: pfnscope report ${file}`]
]

/** A Chrome trace: `{"traceEvents": …` or a list of events with a phase. */
const CHROME = /^\s*(?:\{\s*"(?:traceEvents|displayTimeUnit|metadata|otherData)"|\[\s*\{[^}]{0,400}"ph"\s*:)/

/**
 * Whether a file is a Perfetto trace: packets, each with the tag 0x0a and its length before it. A text may begin with an
 * empty line, which is the same byte; but it has no bytes below TAB.
 */
const isPerfetto = (bytes: Uint8Array): boolean => {
  let at = 0
  for (let packets = 0; packets < FEW_PACKETS && at < bytes.length; packets++) {
    if (bytes[at] !== PACKET) return false
    let length = 0
    let shift = 0
    for (at++; bytes[at]! > 127 && shift < 28; at++, shift += 7) length |= (bytes[at]! & 127) << shift
    length |= (bytes[at] ?? 0) << shift
    at += 1 + length
  }
  return bytes.some((c) => c < TAB)
}

const PACKET = 0x0a
const FEW_PACKETS = 3

const LONGEST_START = 1000

const textAdvice = "expected the text of a kernel trace"

/**
 * Looks at the first bytes of a text (decompressed); gives its format, or why it cannot be read. `whole`: there are no
 * more bytes. `mail`: it is a mail.
 */
export const sniff = (file: string, bytes: Uint8Array, whole: boolean, mail = false): Format | Refusal => {
  const formats = FORMATS.map(({ name }) => name).join(", ")
  if (bytes.length === 0) return { problem: "empty", expected: `${textAdvice} (${formats})`, byte: 0 }
  for (const [magic, what, advice] of binaries) {
    if (startsWith(bytes, 0, bytes.length, magic)) {
      return { problem: "binary", expected: `${what}; ${advice(file)}`, byte: 0 }
    }
  }
  if (isPerfetto(bytes)) {
    return { problem: "binary", expected: `a Perfetto trace; expected its text: traceconv systrace ${file}`, byte: 0 }
  }
  if (CHROME.test(decode(bytes, 0, Math.min(bytes.length, LONGEST_START)))) {
    const expected = `a Chrome trace, which is made for viewers; ${textAdvice} it was made of`
    return { problem: "unsupported", expected, line: 1 }
  }
  if (mail) {
    const best = bestMail(bytes, whole)
    const expected = `a record of ${formats} in the mail`
    return best.read > 0 ? best.format : { problem: "unrecognised", expected, line: 1 }
  }
  const found = recognise(bytes, whole)
  if ("format" in found) return found.format
  if (found.lack !== undefined) return { problem: "unsupported", expected: found.lack.what, line: found.lack.line }
  const nul = bytes.indexOf(0)
  if (nul >= 0) return { problem: "binary", expected: `a NUL byte; ${textAdvice} (${formats})`, byte: nul }
  const seen = found.lines < SNIFFED_LINES && whole ? `its ${found.lines}` : `the first ${found.lines}`
  const expected = `${textAdvice}; of ${seen} lines were read as ${
    scoresText(found.scores)
  }; one in a mail takes --mail`
  return { problem: "unrecognised", expected, line: 1 }
}
