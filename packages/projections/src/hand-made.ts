/**
 * Test support: a log written by hand, line by line, and the report on it.
 *
 * @since 0.1.0
 */
import type { Envelope, How } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { VerdictId } from "./diagnosis.ts"
import { logFile, reportOf } from "./report.ts"

/** The address of the cache. */
export const UHVA = 0x7000
const REFRESHER = 1

/** An event without its thread, which is the refresher's unless another is named; `at` is its time in ns. */
export type Line = Omit<Event, "thread"> & {
  readonly thread?: number
  readonly at?: number
  readonly vm?: string
  readonly how?: How
  readonly cause?: number
}

const streamOf = (e: Event, vm: string): string =>
  "gpc" in e
    ? `gpc/${e.gpc}`
    : e._tag === "EventsLost" || e._tag === "ClockStepped"
    ? "audit/0"
    : ["Called", "Returned", "TaskSeen", "CallChainSeen"].includes(e._tag)
    ? `mm/${e.thread}`
    : vm

/** A log of the lines: one ns apart, unless they say when. */
export const logOf = (lines: ReadonlyArray<Line>, how: How = "observed"): ReadonlyArray<Envelope<Event>> => {
  let t = 100
  return lines.map(({ at, cause, how: own = how, thread = REFRESHER, vm = "mn/0", ...fields }, i) => {
    t = at ?? t + 1
    const data = { ...fields, thread } as Event
    const stream = streamOf(data, vm)
    const src = { file: "t", line: i + 1 }
    const origin = cause === undefined ? {} : { cause }
    return { seq: i + 1, stream, rev: 1, type: data._tag, version: 1, t, how: own, src, data, ...origin }
  })
}

/** The report on the lines. */
export const report = (lines: ReadonlyArray<Line>, how?: How) =>
  Effect.runSync(reportOf(Stream.fromIterable(logOf(lines, how)), Effect.succeed(logFile("log", "abc"))))

/** One verdict of it. */
export const verdict = (id: VerdictId, lines: ReadonlyArray<Line>, how?: How) =>
  report(lines, how).verdicts.find((one) => one.id === id)!

const bounds = (uhva: number) => ({ start: uhva, end: uhva + 0x1000 })

/** An invalidation of the page at `uhva` is begun, or ended; `count` is what is in flight then. */
export const opened = (thread: number, uhva: number, count: number): ReadonlyArray<Line> => [
  { _tag: "RangeStartCalled", thread, ...bounds(uhva), event: "CLEAR", change: "unknown" } as Line,
  { _tag: "CountIncremented", thread, count } as Line,
  { _tag: "StartReturned", thread, ...bounds(uhva) } as Line
]

export const closed = (thread: number, uhva: number, count: number): ReadonlyArray<Line> => [
  { _tag: "EndCalled", thread, ...bounds(uhva) } as Line,
  { _tag: "CountDecremented", thread, count } as Line,
  { _tag: "EndReturned", thread, ...bounds(uhva) } as Line
]

/** A refresh of the cache: its entry, a lap, the decision for another, its end. */
export const entered: Line = { _tag: "RefreshEntered", gpc: 0, gpa: -1, uhva: UHVA } as Line
export const lap: ReadonlyArray<Line> = [
  { _tag: "Snapshotted", seq: 1 } as Line,
  { _tag: "PfnResolved", hva: UHVA, pfn: 5 } as Line,
  { _tag: "RetryTested", reason: "count", met: true, inFlight: 1, covering: 0 } as Line
]
export const retry = (reason: string, covering = 0): Line =>
  ({ _tag: "RetryDecided", gpc: 0, reason, inFlight: 1, covering }) as Line
export const published: ReadonlyArray<Line> = [
  { _tag: "Published", gpc: 0, uhva: UHVA, pfn: 5 } as Line,
  { _tag: "RefreshReturned", gpc: 0, ret: 0 } as Line
]
/** A refresh that looked nothing up. */
export const kept: ReadonlyArray<Line> = [
  entered,
  { _tag: "MappingKept", gpc: 0 } as Line,
  { _tag: "RefreshReturned", gpc: 0, ret: 0 } as Line
]
/** Events were lost. */
export const lost: Line = { _tag: "EventsLost", thread: -1, cpu: 0, count: -1 } as Line
