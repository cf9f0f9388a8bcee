/**
 * Takes the readings of lines: counts them, sets the time, maps records, writes losses and call chains.
 *
 * Hot: no Effect below this.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { RECORD } from "../formats/format.ts"
import type { Loss, Reading, TraceLine } from "../formats/format.ts"
import type { Cast } from "../mapping/cast.ts"
import { makeChain } from "../mapping/chain.ts"
import { makeMapper } from "../mapping/mapper.ts"
import type { Maps } from "../mapping/maps.ts"
import { write } from "../mapping/writer.ts"
import type { Counter } from "./census.ts"

/** The highest number of seconds (or 10^9 ticks) whose nanoseconds are exact: 104 days. */
const EXACT_SECONDS = 9_007_198

/** How far before the first time an exact time can still be told, in seconds. */
const SLACK_SECONDS = 3600

const NO_THREAD = -1

const FAR = "a time far from the first one"

/**
 * The file that lines come from, the machine it is of, whether its addresses are hexadecimal without 0x, and the count of
 * its lines.
 */
export interface Source {
  readonly file: string
  readonly machine: string
  readonly bareHex: boolean
  readonly counter: Counter
}

export interface Recorder {
  /** Takes a reading of the line, which is of `source`. */
  readonly take: (reading: Reading, source: Source) => void
  /** There are no more lines. */
  readonly end: () => void
  /** The events that were written since the last call. */
  readonly drain: () => ReadonlyArray<NewEvent<Event>>
  /** The names of the records so far, by their number. */
  readonly names: ReadonlyArray<string>
}

const onContinuation = (counter: Counter): void => {
  counter.comments++
  counter.continuations++
}

/** Takes readings of `line`; `maps` says what its recorder called things. */
export const makeRecorder = (line: TraceLine, maps?: Maps): Recorder => {
  const mapper = makeMapper(line, maps)
  const w = mapper.writer
  const chain = makeChain(w)
  let source: Source | undefined
  let host = -1
  let origin: number | undefined
  let settled = 0

  /** The file and the machine of the line. */
  const turnTo = (next: Source): void => {
    chain.end()
    settle()
    source = next
    host = line.host
    w.file = next.file
    w.cast = castOf(next, host)
    w.fields.bareHex = next.bareHex
  }

  /** Credits the file with the events that were written since the last time. */
  const settle = (): void => {
    if (source !== undefined) source.counter.produced += w.seq - settled
    settled = w.seq
  }

  /** A guest that the line names is on a machine of its own, another in each file's host. */
  const castOf = ({ machine }: Source, host: number): Cast => mapper.casts(host === 0 ? machine : `${machine}/${host}`)

  const lose = (loss: Loss, { counter }: Source): void => {
    counter.lose(loss, line.number)
    const { count, cpu } = loss
    write(w, "audit/0", "observed", { _tag: "EventsLost", thread: NO_THREAD, cpu, count })
  }

  /** Sets the time of the record; false where it cannot be told exactly. */
  const setTime = (counter: Counter): boolean => {
    if (origin === undefined) origin = begin()
    if (counter.parsed === 0) {
      counter.clock = line.digits === 0 ? "ticks" : "time"
      counter.origin = origin
    }
    const seconds = line.seconds - origin
    if (seconds < 0 || seconds > EXACT_SECONDS) return false
    const t = seconds * 1_000_000_000 + line.nanos
    const back = w.t - t
    w.t = t
    if (back > 0) write(w, "audit/0", "observed", { _tag: "ClockStepped", thread: NO_THREAD, back })
    return true
  }

  /** What is taken off every time: nothing, unless the first one is late. */
  const begin = (): number => {
    if (line.seconds <= EXACT_SECONDS - SLACK_SECONDS) return 0
    const late = line.seconds - SLACK_SECONDS
    const text = `${late} s were taken off every time`
    write(w, "audit/0", "inferred", { _tag: "Noted", thread: NO_THREAD, text })
    return late
  }

  const onRecord = (counter: Counter, counted: boolean): void => {
    if (chain.open) chain.end()
    w.src = undefined
    if (!setTime(counter)) {
      chain.task = undefined
      if (!counted) counter.reject(FAR, line.number)
      return
    }
    if (!counted) counter.parsed++
    chain.task = mapper.record(counter)
  }

  const onOther = (reading: Reading, from: Source): void => {
    const { counter } = from
    switch (reading.kind) {
      case "record":
        return onRecord(counter, false)
      case "again":
        return onRecord(counter, true)
      case "frame":
        chain.frame()
        return onContinuation(counter)
      case "continuation":
        return onContinuation(counter)
      case "chain":
        chain.end()
        chain.task = w.cast.tasks.get(line.pid)
        return onContinuation(counter)
      case "held":
        return
    }
    chain.end()
    w.src = undefined
    if (reading.kind === "rejected") return counter.reject(reading.reason, line.number)
    if (reading.kind === "marker") counter.markers++
    else counter.comments++
    if (reading.lost !== undefined) lose(reading.lost, from)
  }

  return {
    names: mapper.names,
    take: (reading, from) => {
      if (from !== source || line.host !== host) turnTo(from)
      if (reading === RECORD) onRecord(from.counter, false)
      else onOther(reading, from)
    },
    end: chain.end,
    drain: () => {
      settle()
      const out = w.out
      w.out = []
      return out
    }
  }
}
