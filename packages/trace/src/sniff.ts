/**
 * What a file is, by its first bytes: an ftrace text, or what else and what to do about it.
 *
 * @since 0.1.0
 */
import type { TraceProblem } from "./error.ts"
import { emptyLine, readFtraceLine } from "./ftrace.ts"
import { bytesOf, decode, startsWith } from "./text.ts"

/** How many bytes are looked at. */
export const SNIFFED_BYTES = 65_536

/** Lines that a text gets to show one that is known. */
const SNIFFED_LINES = 400

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

/** Files that are known by their first bytes, and how each becomes a text. */
const binaries: ReadonlyArray<readonly [magic: Uint8Array, what: string, advice: (file: string) => string]> = [
  [TRACE_DAT, "a trace.dat of trace-cmd", (file) => `expected its text: trace-cmd report -t -R ${file}`],
  [PERF_DATA, "a perf.data", (file) => `expected its text: perf script --ns -i ${file}`],
  [ZSTD, "compressed by zstd", (file) => `expected gzip or plain text: zstd -dc ${file}`],
  [JOURNAL, "a pfnscope log", () => "expected the text of a kernel trace"]
]

/** Texts of other tools, by a line that only they have. */
const others: ReadonlyArray<readonly [line: RegExp, what: string]> = [
  [/^cpus=\d+$/, "a text of trace-cmd report"],
  [/^\s*\S.{0,14}\s+\d+(?:\/\d+)?\s+\[\d{3,}\]\s+(?:\S+\s+)?\d+\.\d{6,9}:\s/, "a text of perf script"],
  [/^# captured on|^# cmdline : .*perf/, "a text of perf script"],
  [/^(?:\s*\d+\.\d+\s+\|)?\s*\d+\)\s.*[{};]/, "a text of the function_graph tracer"],
  [/^\{"type": ?"/, "the JSON of bpftrace"]
]

const ftraceAdvice = "expected the text of /sys/kernel/tracing/trace: lines of TASK-PID [CPU] TIME: EVENT: …"

/**
 * Looks at the first bytes of a text (decompressed); undefined where it can be read as ftrace. `whole`: there are no
 * more bytes.
 */
export const refuse = (file: string, bytes: Uint8Array, whole: boolean): Refusal | undefined => {
  if (bytes.length === 0) return { problem: "empty", expected: ftraceAdvice, byte: 0 }
  for (const [magic, what, advice] of binaries) {
    if (startsWith(bytes, 0, bytes.length, magic)) {
      return { problem: "binary", expected: `${what}; ${advice(file)}`, byte: 0 }
    }
  }
  return refuseText(bytes, whole)
}

const refuseText = (bytes: Uint8Array, whole: boolean): Refusal | undefined => {
  const found = lookAtLines(bytes)
  if (found.kind === "ftrace") return undefined
  if (found.kind === "other") {
    const expected = `${found.what} is not read yet; ${ftraceAdvice}`
    return { problem: "unsupported", expected, line: found.line }
  }
  const nul = bytes.indexOf(0)
  if (nul >= 0) return { problem: "binary", expected: `a NUL byte; ${ftraceAdvice}`, byte: nul }
  if (!whole && found.lines < SNIFFED_LINES) return undefined
  return { problem: "unrecognised", expected: ftraceAdvice, line: 1 }
}

type Found =
  | { readonly kind: "ftrace" }
  | { readonly kind: "other"; readonly what: string; readonly line: number }
  | { readonly kind: "nothing"; readonly lines: number }

/** The first line that tells what the text is. ftrace's own header decides, whatever else a line looks like. */
const lookAtLines = (bytes: Uint8Array): Found => {
  const scratch = emptyLine()
  let header = false
  let from = 0
  let lines = 0
  while (from < bytes.length && lines < SNIFFED_LINES) {
    const end = bytes.indexOf(10, from)
    const to = end < 0 ? bytes.length : end
    lines++
    const text = decode(bytes, from, Math.min(to, from + 400)).replace(/\r$/, "")
    if (text.startsWith("# tracer: ")) {
      if (text.includes("function_graph")) {
        return { kind: "other", what: "a text of the function_graph tracer", line: lines }
      }
      header = true
    }
    const other = header ? undefined : others.find(([line]) => line.test(text))
    if (other !== undefined) return { kind: "other", what: other[1], line: lines }
    if (text[0] !== "#" && readFtraceLine(bytes, from, to, header, scratch) === undefined) return { kind: "ftrace" }
    from = to + 1
  }
  return header ? { kind: "ftrace" } : { kind: "nothing", lines }
}
