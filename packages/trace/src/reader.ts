/**
 * Reads the bytes of an ftrace text: pieces in, events out, every line counted.
 *
 * Hot: no Effect below this. Measured from a plain file of 170 bytes a line to events, on one core: a million lines a
 * second.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { Counter } from "./census.ts"
import type { Census } from "./census.ts"
import { emptyLine, isStackFrame, readFtraceLine, readMarker, readOverwritten } from "./ftrace.ts"
import type { Loss } from "./ftrace.ts"
import { makeLineCutter } from "./lines.ts"
import { drain, makeMapper } from "./mapper.ts"
import { bytesOf, startsWith } from "./text.ts"
import { write } from "./writer.ts"

const HASH = 35
const TRACER = bytesOf("# tracer: ")

/** The highest number of seconds (or 10^9 ticks) whose nanoseconds are exact: 104 days. */
const EXACT_SECONDS = 9_007_198

/** How far before the first time an exact time can still be told, in seconds. */
const SLACK_SECONDS = 3600

const NO_THREAD = -1
const ANY_CPU = -1

export interface Reader {
  /** Reads a piece of the text; gives the events that became complete. */
  readonly push: (bytes: Uint8Array) => ReadonlyArray<NewEvent<Event>>
  /** The text ends. */
  readonly end: () => ReadonlyArray<NewEvent<Event>>
  readonly counter: Counter
  readonly census: () => Census
}

export const makeReader = (file: string): Reader => {
  const counter = new Counter()
  const line = emptyLine()
  const mapper = makeMapper(file, line)
  const w = mapper.writer
  let hasHeader = false
  let hasFractions = false
  let hasNul = false

  const lose = (loss: Loss): void => {
    counter.lose(loss.cpu, loss.count)
    write(w, "audit/0", "observed", { _tag: "EventsLost", thread: NO_THREAD, cpu: loss.cpu, count: loss.count })
  }

  /** Sets the time of the record; false where it cannot be told exactly. */
  const setTime = (): boolean => {
    if (counter.parsed === 0) {
      counter.clock = line.digits === 0 ? "ticks" : "time"
      if (line.seconds > EXACT_SECONDS - SLACK_SECONDS) startLate(line.seconds - SLACK_SECONDS)
    }
    if (line.digits !== 0) hasFractions = true
    const seconds = line.seconds - counter.origin
    if (seconds < 0 || seconds > EXACT_SECONDS) return false
    const t = seconds * 1_000_000_000 + line.nanos
    const back = w.t - t
    w.t = t
    if (back > 0) write(w, "audit/0", "observed", { _tag: "ClockStepped", thread: NO_THREAD, back })
    return true
  }

  const startLate = (origin: number): void => {
    counter.origin = origin
    const text = `${origin} s were taken off every time`
    write(w, "audit/0", "inferred", { _tag: "Noted", thread: NO_THREAD, text })
  }

  const onComment = (bytes: Uint8Array, from: number, to: number): void => {
    const loss = readMarker(bytes, from, to)
    if (loss !== undefined) {
      counter.markers++
      return lose(loss)
    }
    counter.comments++
    if (startsWith(bytes, from, to, TRACER)) hasHeader = true
    const overwritten = readOverwritten(bytes, from, to)
    if (overwritten > 0) lose({ cpu: ANY_CPU, count: overwritten })
  }

  const onLine = (bytes: Uint8Array, from: number, to: number): void => {
    w.lineNumber = ++counter.lines
    w.src = undefined
    if (from === to || bytes[from] === HASH) return onComment(bytes, from, to)
    if (hasNul && bytes.subarray(from, to).includes(0)) return counter.reject("a NUL byte")
    const rejection = readFtraceLine(bytes, from, to, hasHeader && !hasFractions, line)
    if (rejection === undefined) {
      if (!setTime()) return counter.reject("a time far from the first one")
      counter.parsed++
      return mapper.record(counter)
    }
    const loss = readMarker(bytes, from, to)
    if (loss !== undefined) {
      counter.markers++
      return lose(loss)
    }
    if (rejection === "stack trace" || isStackFrame(bytes, from, to) || isBlank(bytes, from, to)) counter.comments++
    else counter.reject(rejection)
  }

  const cutter = makeLineCutter(onLine, (kind) => {
    counter.lines++
    counter.reject(kind === "too long" ? "longer than 64 KiB" : "cut off: the text ends in it")
  })

  const take = (): ReadonlyArray<NewEvent<Event>> => {
    counter.produced = w.seq
    return drain(w)
  }

  return {
    counter,
    push: (bytes) => {
      // A NUL may stand in the part of a line that an earlier piece began: once seen, every line is looked at.
      hasNul = hasNul || bytes.includes(0)
      cutter.push(bytes)
      return take()
    },
    end: () => {
      cutter.end()
      return take()
    },
    census: () => counter.take(file, mapper.names, mapper.counts)
  }
}

const isBlank = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) if (bytes[i] !== 32 && bytes[i] !== 9) return false
  return true
}
