/**
 * Reads the bytes of a trace text in one format: pieces in, events out, every line counted.
 *
 * Hot: no Effect below this. Measured from a plain file of 170 bytes a line to events, on one core: a million lines a
 * second.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { taskOf } from "./cast.ts"
import { Counter } from "./census.ts"
import type { Census } from "./census.ts"
import { makeChain } from "./chain.ts"
import { COMMENT, emptyLine, RECORD, rejected } from "./format.ts"
import type { Format, Loss, Reading } from "./format.ts"
import { isBlank } from "./formats.ts"
import { makeLineCutter } from "./lines.ts"
import { drain, makeMapper } from "./mapper.ts"
import { write } from "./writer.ts"

/** The highest number of seconds (or 10^9 ticks) whose nanoseconds are exact: 104 days. */
const EXACT_SECONDS = 9_007_198

/** How far before the first time an exact time can still be told, in seconds. */
const SLACK_SECONDS = 3600

const NO_THREAD = -1

const NUL = rejected("a NUL byte")
const FAR = "a time far from the first one"

export interface Reader {
  /** Reads a piece of the text; gives the events that became complete. */
  readonly push: (bytes: Uint8Array) => ReadonlyArray<NewEvent<Event>>
  /** The text ends. */
  readonly end: () => ReadonlyArray<NewEvent<Event>>
  readonly census: () => Census
}

/** Reads a text in `format`. The counter is the caller's, who counts bytes in it. */
export const makeReader = (file: string, format: Format, counter: Counter = new Counter()): Reader => {
  const line = emptyLine()
  const lines = format.open()
  const mapper = makeMapper(file, line)
  const w = mapper.writer
  const chain = makeChain(w)
  let hasNul = false
  counter.format = format.name

  const lose = (loss: Loss): void => {
    counter.lose(loss, line.number)
    const { count, cpu } = loss
    write(w, "audit/0", "observed", { _tag: "EventsLost", thread: NO_THREAD, cpu, count })
  }

  /** Sets the time of the record; false where it cannot be told exactly. */
  const setTime = (): boolean => {
    if (counter.parsed === 0) {
      counter.clock = line.digits === 0 ? "ticks" : "time"
      if (line.seconds > EXACT_SECONDS - SLACK_SECONDS) startLate(line.seconds - SLACK_SECONDS)
    }
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

  const onRecord = (counted: boolean): void => {
    chain.end()
    w.src = undefined
    if (!setTime()) {
      if (!counted) counter.reject(FAR, line.number)
      return
    }
    if (!counted) counter.parsed++
    chain.follows(mapper.record(counter))
  }

  const onContinuation = (): void => {
    counter.comments++
    counter.continuations++
  }

  const on = (reading: Reading): void => {
    switch (reading.kind) {
      case "record":
        return onRecord(false)
      case "again":
        return onRecord(true)
      case "frame":
        chain.frame()
        return onContinuation()
      case "continuation":
        return onContinuation()
      case "chain":
        chain.end()
        chain.follows(taskOf(w.cast, line.host, line.pid))
        return onContinuation()
      case "held":
        return
    }
    chain.end()
    w.src = undefined
    if (reading.kind === "rejected") return counter.reject(reading.reason, line.number)
    if (reading.kind === "marker") counter.markers++
    else counter.comments++
    if (reading.lost !== undefined) lose(reading.lost)
  }

  const onMore = (): void => {
    for (let next = lines.more?.(line); next !== undefined; next = lines.more?.(line)) on(next)
  }

  const onLine = (bytes: Uint8Array, from: number, to: number): void => {
    line.number = ++counter.lines
    if (isBlank(bytes, from, to)) on(COMMENT)
    else if (hasNul && bytes.subarray(from, to).includes(0)) on(NUL)
    else {
      const reading = lines.read(bytes, from, to, line)
      if (reading === RECORD) onRecord(false)
      else on(reading)
      if (lines.more !== undefined) onMore()
    }
  }

  const cutter = makeLineCutter(onLine, (kind) => {
    line.number = ++counter.lines
    on(rejected(kind === "too long" ? "longer than 64 KiB" : "cut off: the text ends in it"))
  })

  const take = (): ReadonlyArray<NewEvent<Event>> => {
    counter.produced = w.seq
    counter.moved = lines.moved?.() ?? 0
    return drain(w)
  }

  return {
    push: (bytes) => {
      // A NUL may stand in the part of a line that an earlier piece began: once seen, every line is looked at.
      hasNul = hasNul || bytes.includes(0)
      cutter.push(bytes)
      return take()
    },
    end: () => {
      cutter.end()
      lines.end?.()
      onMore()
      chain.end()
      return take()
    },
    census: () => counter.take(file, mapper.names, mapper.counts)
  }
}
