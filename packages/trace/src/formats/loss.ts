/**
 * What a text says of events that were lost, in the spellings of the kernel, of trace-cmd and of perf.
 *
 * @since 0.1.0
 */
import { SLASH, SPACE } from "../reading/ascii.ts"
import { bytesOf, startsWith } from "../reading/text.ts"
import { numberIn, skipDigits, skipSpaces } from "./columns.ts"
import type { Loss } from "./format.ts"

const CPU = bytesOf("CPU:")
const LOST = bytesOf("LOST ")
const DROPPED = bytesOf("EVENTS DROPPED]")
const EVENTS = bytesOf("EVENTS]")
const STARTED = bytesOf("##### CPU ")
const ENTRIES = bytesOf("# entries-in-buffer/entries-written: ")

/** Not told. */
const UNKNOWN = -1

/**
 * Reads `CPU:1 [LOST 870 EVENTS]` or `CPU:1 [LOST EVENTS]` (the kernel), `CPU:1 [870 EVENTS DROPPED]` or `CPU:1 [EVENTS
 * DROPPED]` (trace-cmd), `##### CPU 1 buffer started ####` (both).
 */
export const readLoss = (bytes: Uint8Array, from: number, to: number): Loss | undefined => {
  if (startsWith(bytes, from, to, STARTED)) {
    const cpuFrom = from + STARTED.length
    const cpuTo = skipDigits(bytes, cpuFrom, to)
    return cpuTo === cpuFrom ? undefined : { cpu: numberIn(bytes, cpuFrom, cpuTo), count: UNKNOWN }
  }
  if (!startsWith(bytes, from, to, CPU)) return undefined
  const cpuFrom = skipSpaces(bytes, from + CPU.length, to)
  const cpuTo = skipDigits(bytes, cpuFrom, to)
  if (cpuTo === cpuFrom || bytes[cpuTo] !== SPACE || bytes[cpuTo + 1] !== OPEN) return undefined
  const count = countOf(bytes, cpuTo + 2, to)
  return count === undefined ? undefined : { cpu: numberIn(bytes, cpuFrom, cpuTo), count }
}

const OPEN = 91

/** How many, from within the brackets. */
const countOf = (bytes: Uint8Array, from: number, to: number): number | undefined => {
  const kernel = startsWith(bytes, from, to, LOST)
  const at = kernel ? from + LOST.length : from
  const end = skipDigits(bytes, at, to)
  if (!startsWith(bytes, skipSpaces(bytes, end, to), to, kernel ? EVENTS : DROPPED)) return undefined
  return end === at ? UNKNOWN : numberIn(bytes, at, end)
}

/** Reads how many events were overwritten from `# entries-in-buffer/entries-written: 217/9001`; 0 where none were. */
export const readOverwritten = (bytes: Uint8Array, from: number, to: number): number => {
  if (!startsWith(bytes, from, to, ENTRIES)) return 0
  const kept = from + ENTRIES.length
  const keptTo = skipDigits(bytes, kept, to)
  if (keptTo === kept || bytes[keptTo] !== SLASH) return 0
  const written = keptTo + 1
  const writtenTo = skipDigits(bytes, written, to)
  return Math.max(0, numberIn(bytes, written, writtenTo) - numberIn(bytes, kept, keptTo))
}

const PERF = bytesOf("PERF_RECORD_LOST")
const PERF_COUNT = bytesOf("lost ")

/** Reads `PERF_RECORD_LOST lost 698`, or `PERF_RECORD_LOST_SAMPLES lost 5`, which a record of perf has for its event. */
export const readPerfLoss = (bytes: Uint8Array, from: number, to: number, cpu: number): Loss | undefined => {
  if (!startsWith(bytes, from, to, PERF)) return undefined
  let at = from + PERF.length
  while (at < to && !startsWith(bytes, at, to, PERF_COUNT)) at++
  const digits = skipSpaces(bytes, at + PERF_COUNT.length, to)
  const end = skipDigits(bytes, digits, to)
  return { cpu, count: end > digits ? numberIn(bytes, digits, end) : UNKNOWN }
}
