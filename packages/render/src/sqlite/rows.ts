/**
 * The rows that a log comes to: its events, and what the projections make of them, as soon as that is settled.
 *
 * One fold of the report's activity is watched. What is over goes out and is forgotten, so that a long log takes no more
 * memory than a report on it does.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { activity, compose, logFile, validIntervals, violations } from "@pfnscope/projections"
import type { Activity, OpenRange, RunningRefresh, ValidInterval, ValidIntervals } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import type { Row, TableName } from "./schema.ts"

/** Takes a row of a table. @internal */
export type Put = (table: TableName, row: Row) => void

/** Where the rows of a log come from: one event after the other, and then the end. @internal */
export interface Rows {
  readonly event: (event: Envelope<Event>) => void
  readonly end: () => void
}

/** Gives each row to `put`; `threads` are the names of the threads as far as they are known. @internal */
export const rowsOf = (put: Put, path: string, hash: string, threads: ReadonlyArray<string>): Rows => {
  const state = activity.init()
  const intervals = validIntervals.init()
  const judged = violations.init()
  const open = new Set<OpenRange>()
  return {
    event: (event) => {
      const { thread } = event.data
      const running = state.refreshes.running.get(thread)
      const unrelated = running?.unrelated ?? 0
      put("events", eventRow(event))
      activity.evolve(state, event)
      validIntervals.evolve(intervals, event)
      violations.evolve(judged, event)
      rangeRows(put, state, open, event)
      refreshRow(put, state, running, event)
      retryRow(put, event, running, unrelated)
      if (event.data._tag === "PropertyViolated") {
        const { gpc, property } = event.data
        put("violations", [event.seq, event.t, property, judged.last!.judged, gpc < 0 ? null : gpc])
      }
      if ("gpc" in event.data) validityRows(put, intervals, event.data.gpc)
    },
    end: () => {
      for (const range of open) put("invalidations", rangeRow(state, range))
      for (const running of state.refreshes.running.values()) put("refreshes", unfinishedRow(running))
      for (const [gpc, all] of intervals) for (const one of all) put("validity", validityRow(gpc, one))
      for (const thread of state.threads) put("threads", threadRow(state, thread, threads))
      reportRows(put, state, path, hash)
    }
  }
}

const eventRow = ({ cause, corr, data, how, rev, seq, src, stream, t, type, version }: Envelope<Event>): Row => {
  const { _tag, thread, ...fields } = data
  return [
    seq,
    stream,
    rev,
    type,
    version,
    t,
    thread,
    cause ?? null,
    corr ?? null,
    how,
    src?.file ?? null,
    src?.line ?? null,
    JSON.stringify(fields)
  ]
}

/** An invalidation is told once it is over, when all is known of it. */
const rangeRows = (put: Put, state: Activity, open: Set<OpenRange>, { data: { _tag } }: Envelope<Event>): void => {
  const range = state.ranges.touched
  if (range === undefined) return
  if (_tag === "RangeStartCalled") open.add(range)
  else if (_tag === "EndReturned" && open.delete(range)) put("invalidations", rangeRow(state, range))
}

const rangeRow = ({ invalidations: { who } }: Activity, range: OpenRange): Row => {
  const { counted, end, finished, start, started, thread, uncounted, vm } = range
  const gpcs = who.gpcsOf.get(range) ?? []
  const { call = "none", chain = null, comm = "", pid = -1 } = who.ofRange.get(range) ?? {}
  return [
    started.seq,
    started.t,
    finished?.seq ?? null,
    finished?.t ?? null,
    finished === undefined ? null : finished.t - started.t,
    counted?.seq ?? null,
    uncounted?.seq ?? null,
    vm,
    thread,
    start,
    end,
    gpcs.length > 0 ? 1 : 0,
    JSON.stringify(gpcs),
    comm,
    pid,
    call,
    chain === null ? null : chain.join(" ")
  ]
}

/** A refresh that ran before the event is over, or was left for another without a return. */
const refreshRow = (
  put: Put,
  { refreshes: { finished, running } }: Activity,
  before: RunningRefresh | undefined,
  event: Envelope<Event>
): void => {
  if (finished !== undefined) {
    const { failed, gpc, laps, ns, retries, seq, t, thread, unrelated } = finished
    put("refreshes", [seq, t, event.seq, event.t, ns, gpc, thread, laps, retries, unrelated, failed ? 1 : 0])
  } else if (before !== undefined && running.get(before.thread) !== before) put("refreshes", unfinishedRow(before))
}

const unfinishedRow = ({ entered, gpc, retries, thread, unrelated }: RunningRefresh): Row => [
  entered.seq,
  entered.t,
  null,
  null,
  null,
  gpc,
  thread,
  null,
  retries,
  unrelated,
  null
]

/** `unrelated` is how many unrelated laps the refresh had before the event. */
const retryRow = (
  put: Put,
  { data, seq, t }: Envelope<Event>,
  running: RunningRefresh | undefined,
  unrelated: number
): void => {
  if (data._tag !== "RetryDecided") return
  const { covering, gpc, inFlight, reason, thread } = data
  const isUnrelated = (running?.unrelated ?? 0) > unrelated ? 1 : 0
  put("retries", [seq, t, running?.entered.seq ?? null, gpc, thread, reason, inFlight, covering, isUnrelated])
}

/** Intervals that another has followed are over. */
const validityRows = (put: Put, intervals: ValidIntervals, gpc: number): void => {
  const all = intervals.get(gpc)
  if (all === undefined || all.length < 2) return
  for (const one of all.splice(0, all.length - 1)) put("validity", validityRow(gpc, one))
}

const validityRow = (gpc: number, { from, pfn, to }: ValidInterval): Row => [
  gpc,
  pfn,
  from.seq,
  from.t,
  to?.seq ?? null,
  to?.t ?? null,
  to === undefined ? null : to.t - from.t
]

const threadRow = ({ invalidations: { who } }: Activity, thread: number, names: ReadonlyArray<string>): Row => {
  const actor = who.actors.get(thread)
  return [
    thread,
    names[thread] ?? actor?.comm ?? `thread/${thread}`,
    names[thread] === undefined ? actor?.pid ?? null : null
  ]
}

/** What only the report on the whole log tells. */
const reportRows = (put: Put, state: Activity, path: string, hash: string): void => {
  const { gpcs, invalidators, verdicts } = compose(state, logFile(path, hash))
  for (
    const { call, chain, comm, count, faultRetries, hits, overlapping, pid, retries, retriesOverPage } of invalidators
  ) {
    const names = chain === null ? null : chain.join(" ")
    put("invalidators", [comm, pid, call, names, count, overlapping, hits, retries, faultRetries, retriesOverPage])
  }
  for (const { checks, id, invalidNs, invalidated, pointer, uhva, validNs } of gpcs) {
    put("gpcs", [
      id,
      pointer,
      uhva === null ? null : Number(uhva),
      validNs,
      invalidNs,
      checks.hit,
      checks.miss,
      invalidated
    ])
  }
  for (const { count, evidence, id, inferred, verdict } of verdicts) {
    put("verdicts", [id, verdict, count, inferred ? 1 : 0, JSON.stringify(evidence.map(({ seq }) => seq))])
  }
}
