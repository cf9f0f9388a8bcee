/**
 * A text that is read ahead: its lines wait, with what each is, until it is their turn. Constant memory: no more than the
 * lines of one piece of the file wait.
 *
 * @since 0.1.0
 */
import type { Census } from "../reading/census.ts"
import { makeTextReader } from "../reading/reader.ts"
import type { Source } from "../reading/recorder.ts"
import { emptyLine, FRAME } from "./format.ts"
import type { Format, Reading, TraceLine } from "./format.ts"

/** A line that waits. */
interface Waiting {
  readonly reading: Reading
  readonly line: TraceLine
}

export interface Ahead {
  readonly source: Source
  /** Reads a piece of the file, or its end. */
  readonly push: (bytes: Uint8Array | undefined) => void
  /** What its first record has for a time; undefined before there is one. */
  readonly clock: () => Census["clock"] | undefined
  /** Whether the file has ended. */
  readonly ended: () => boolean
  /** The line whose turn it is. */
  readonly first: () => Waiting | undefined
  readonly shift: () => void
}

/** Reads a text in `format` ahead; `offset` ns are added to its times. */
export const makeAhead = (source: Source, format: Format, offset: number): Ahead => {
  const line = emptyLine()
  let waiting: Array<Waiting> = []
  let next = 0
  let ended = false
  let clock: Census["clock"] | undefined
  const text = makeTextReader(format, line, source.counter, offset, (reading) => {
    if (clock === undefined && isTimed(reading)) clock = line.digits === 0 ? "ticks" : "time"
    waiting.push({ reading, line: copyOf(line, reading) })
  })
  return {
    source,
    clock: () => clock,
    ended: () => ended,
    push: (bytes) => {
      if (bytes !== undefined) return text.push(bytes)
      ended = true
      text.end()
    },
    first: () => waiting[next],
    shift: () => {
      if (++next < waiting.length) return
      waiting = []
      next = 0
    }
  }
}

/** Whether a reading has a time of its own. */
export const isTimed = ({ kind }: Reading): boolean => kind === "record" || kind === "again"

/** A copy of a line with its own bytes. Of what is no record, little needs to be kept. */
const copyOf = (line: TraceLine, reading: Reading): TraceLine => {
  if (reading === FRAME) return withBytes(line, line.bodyFrom, line.bodyTo)
  if (!isTimed(reading)) return { ...line, bytes: NOTHING }
  const from = Math.min(line.commFrom, line.flagsFrom, line.nameFrom, line.bodyFrom)
  return withBytes(line, from, Math.max(line.commTo, line.flagsTo, line.nameTo, line.bodyTo))
}

const NOTHING = new Uint8Array(0)

const withBytes = (line: TraceLine, from: number, to: number): TraceLine => ({
  ...line,
  bytes: line.bytes.slice(from, to),
  commFrom: line.commFrom - from,
  commTo: line.commTo - from,
  flagsFrom: line.flagsFrom - from,
  flagsTo: line.flagsTo - from,
  nameFrom: line.nameFrom - from,
  nameTo: line.nameTo - from,
  bodyFrom: line.bodyFrom - from,
  bodyTo: line.bodyTo - from
})
