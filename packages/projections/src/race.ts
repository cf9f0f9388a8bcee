/**
 * The events of a race, in order, by thread: what a two-column table shows.
 *
 * Around a violation they are the operations that explain it; around a refresh that makes no progress, one lap of it
 * with one of the invalidations that were in its way. Only events about the cache, its page and its ranges are taken.
 * Laps that add nothing are folded, and counted.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { PROPERTIES } from "@pfnscope/protocol"
import type { Event, Property } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { worldOf } from "./log.ts"
import type { Log, NotAWorld } from "./log.ts"
import { advanceOrigins, explanationOf, noOrigins } from "./origins.ts"
import type { Origin, Origins } from "./origins.ts"
import { atSeq, END } from "./position.ts"
import type { NoSuchPosition, Position } from "./position.ts"
import { fold } from "./projection.ts"
import type { LogNotDense } from "./projection.ts"
import { threadName } from "./state-view.ts"
import { arrived, travel } from "./time-travel.ts"
import { verdictsOf, verdictState } from "./violations.ts"

/** A row: an event of the thread in `column`, or laps of that thread that were left out. @category models @since 0.1.0 */
export type RaceRow =
  | { readonly kind: "event"; readonly column: number; readonly envelope: Envelope<Event> }
  | {
    readonly kind: "fold"
    readonly column: number
    readonly laps: number
    readonly events: number
    /** From the first to the last event that was left out, ns. */
    readonly nanos: number
  }

/**
 * How the table ends: with what was violated, with a refresh that has thrown away so many laps in so many ns, or where
 * it was asked to.
 *
 * @category models
 * @since 0.1.0
 */
export type RaceEnding =
  | { readonly kind: "violated"; readonly property: Property; readonly seq: number; readonly gpc: number }
  | {
    readonly kind: "laps"
    readonly thread: string
    readonly gpc: number
    readonly laps: number
    readonly unrelated: number
    readonly nanos: number
    readonly seq: number
  }
  | { readonly kind: "position"; readonly seq: number }

/**
 * A race. `threads` are the columns, the one it ends in last-seen order: first come, first column. `gpc` and `uhva` are
 * what it is about (-1: nothing in particular); `pageSize` in bytes. `chosen` counts the events, folded ones too.
 *
 * @category models
 * @since 0.1.0
 */
export interface Race {
  readonly threads: ReadonlyArray<string>
  readonly rows: ReadonlyArray<RaceRow>
  readonly ending: RaceEnding
  readonly gpc: number
  readonly uhva: number
  readonly chosen: number
}

interface Scene {
  readonly explained: ReadonlySet<number>
  readonly roots: ReadonlySet<number>
  readonly from: number
  readonly to: number
  readonly gpc: number
  readonly uhva: number
  readonly page: number
  readonly pfns: ReadonlySet<number>
  readonly ending: RaceEnding
}

interface Table {
  readonly columns: Array<number>
  readonly rows: Array<{ readonly row: RaceRow; readonly lap: number }>
  readonly root: Map<number, number>
  readonly lap: Map<number, number>
  chosen: number
}

/**
 * The race around a position; without one, around the first violation, or else the first refresh that gets nowhere,
 * or else the end.
 *
 * @category queries
 * @since 0.1.0
 */
export const race = Effect.fn("projections.race")(
  function*<E>(log: Log<E>, at?: Position): Effect.fn.Return<Race, E | LogNotDense | NoSuchPosition | NotAWorld> {
    const position = at ?? (yield* firstFinding(log))
    const o = noOrigins(yield* worldOf(log))
    yield* travel(log, position, (event) => advanceOrigins(o, event))
    yield* arrived(position, o.at.seq)
    const scene = sceneOf(o)
    const table = newTable()
    yield* Stream.runForEachArray(
      log.read({ from: scene.from, to: scene.to }),
      (chunk) => Effect.sync(() => chunk.forEach((event) => take(table, scene, event)))
    )
    return {
      threads: table.columns.map((thread) => threadName(o.at.state, thread)),
      rows: table.rows.map(({ row }) => row),
      ending: scene.ending,
      gpc: scene.gpc,
      uhva: scene.uhva,
      chosen: table.chosen
    }
  }
)
const firstFinding = Effect.fnUntraced(function*<E>(log: Log<E>) {
  const state = yield* fold(verdictState, log.read())
  const first = state.violations.list[0]
  if (first !== undefined) {
    return atSeq(first.seq)
  }
  const starved = verdictsOf(state).find(({ id, verdict }) => (id === "P6" || id === "P7") && verdict === "violated")
  const last = starved?.evidence.at(-1)
  return last === undefined ? END : atSeq(last.seq)
})
// ---- what to show
const sceneOf = (o: Origins): Scene => {
  const last = o.last
  if (last?.envelope.data._tag === "PropertyViolated") {
    return violationScene(o, last)
  }
  const lapping = mostLaps(o)
  if (lapping !== undefined) {
    return lapScene(o, lapping)
  }
  const open = o.threads.flatMap((t) => t.open)
  const events = explanationOf(last, ...open)
  return scene(o, events, gpcAmong(events), { kind: "position", seq: o.at.seq })
}
const violationScene = (o: Origins, last: Origin): Scene => {
  const { data, seq } = last.envelope
  if (data._tag !== "PropertyViolated") {
    throw new Error(`event #${seq} is no violation`)
  }
  const events = explanationOf(...last.because)
  const property = PROPERTIES.find(({ id }) => id === data.property)!
  const gpc = data.gpc >= 0 ? data.gpc : gpcAmong(events)
  const judged = last.envelope.cause ?? seq
  return scene(o, events, gpc, { kind: "violated", property, seq: judged, gpc: data.gpc })
}
/** The thread whose running refresh has thrown away most laps. */
const mostLaps = (o: Origins): number | undefined => {
  const all = [...o.progress.refreshes.running.values()].filter(({ thread }) => sampleOf(o, thread) !== undefined)
  return all.sort((a, b) => b.retries - a.retries || a.thread - b.thread)[0]?.thread
}
/** The turn of a refresh to show: its first lap thrown away, or a wait. */
const sampleOf = (o: Origins, thread: number): Origin | undefined => {
  const { firstRetry, waited } = o.threads[thread]!
  return firstRetry ?? waited
}
const lapScene = (o: Origins, thread: number): Scene => {
  const { lastRetry, refresh } = o.threads[thread]!
  const run = o.progress.refreshes.running.get(thread)!
  const sample = sampleOf(o, thread)!
  const { cause, seq } = sample.envelope
  const ranges = sample.because.filter(({ envelope }) =>
    envelope.data.thread !== thread && envelope.data._tag !== "RefreshEntered"
  )
  // The one that the kernel's count was raised by last, as the log's own cause says.
  const inTheWay = ranges.findLast(({ envelope }) => cause !== undefined && envelope.seq <= cause) ?? ranges[0]
  const to = (lastRetry ?? sample).envelope
  const events = explanationOf(refresh, inTheWay)
  return scene(o, [sample.envelope, ...events], run.gpc, {
    kind: "laps",
    thread: threadName(o.at.state, thread),
    gpc: run.gpc,
    laps: run.retries,
    unrelated: run.unrelated,
    nanos: Math.max(0, to.t - run.entered.t),
    seq: Math.max(to.seq, seq)
  })
}
const scene = (o: Origins, events: ReadonlyArray<Envelope<Event>>, gpc: number, ending: RaceEnding): Scene => {
  const { geo, gpcs } = o.at.state
  const uhva = gpcs[gpc]?.uhva ?? -1
  return {
    explained: new Set(events.map(({ seq }) => seq)),
    roots: new Set(rootsOf(events).map(({ seq }) => seq)),
    from: events.at(-1) === undefined ? 1 : Math.min(...events.map(({ seq }) => seq)),
    to: ending.seq,
    gpc,
    uhva,
    page: uhva < 0 ? -1 : Math.floor(uhva / geo.pageSize) * geo.pageSize,
    pfns: new Set(events.flatMap(({ data }) => "pfn" in data && data.pfn > 0 ? [data.pfn] : [])),
    ending
  }
}
/** The first event of each thread's operation: its call, or where the log shows none, what opened it. */
const rootsOf = (events: ReadonlyArray<Envelope<Event>>): ReadonlyArray<Envelope<Event>> => {
  const calls = events.filter(({ data }) => data._tag === "Called")
  const called = new Set(calls.map(({ data }) => data.thread))
  const others = events.filter(({ data }) =>
    !called.has(data.thread) && (data._tag === "RefreshEntered" || data._tag === "RangeStartCalled")
  )
  return [...calls, ...others]
}
const gpcAmong = (events: ReadonlyArray<Envelope<Event>>): number => {
  for (const { data } of events) {
    if ("gpc" in data && data.gpc >= 0) {
      return data.gpc
    }
  }
  return -1
}
const newTable = (): Table => ({ columns: [], rows: [], root: new Map(), lap: new Map(), chosen: 0 })

const take = (table: Table, scene: Scene, envelope: Envelope<Event>): void => {
  const { data, seq } = envelope
  const { thread } = data
  if (data._tag === "Called" || scene.roots.has(seq)) {
    table.root.set(thread, seq)
  }
  if (data._tag === "RefreshEntered") {
    table.lap.set(thread, 1)
  }
  const inside = scene.roots.has(table.root.get(thread) ?? 0)
  if (data._tag !== "PropertyViolated" && (scene.explained.has(seq) || (inside && isRelevant(scene, data)))) {
    add(table, scene, envelope)
  }
  if (data._tag === "RetryDecided") {
    const lap = table.lap.get(thread) ?? 1
    if (!scene.explained.has(seq)) {
      foldLap(table, scene, thread, lap)
    }
    table.lap.set(thread, lap + 1)
  }
}
/** Events that a table can do without: they say nothing about who may use which page when. */
const IRRELEVANT: ReadonlySet<Event["_tag"]> = new Set([
  "Returned",
  "Blocked",
  "Locked",
  "Unlocked",
  "SrcuEntered",
  "SrcuLeft",
  "SlotsRead",
  "Translated",
  "RefPut",
  "FrameAllocated",
  "Mapped",
  "Listed",
  "Noted",
  "WalkReturned"
])

/** Whether an event is about the scene's cache, its page or its frames; an event of neither is taken, a range is. */
const isRelevant = (scene: Scene, data: Event): boolean => {
  if (IRRELEVANT.has(data._tag)) return false
  if ("gpc" in data) return data.gpc === scene.gpc
  if (data._tag === "PteChanged" || data._tag === "PageFaulted") return scene.page < 0 || data.hva === scene.page
  if (data._tag === "PageFreed") return scene.pfns.has(data.pfn)
  return true
}

/** Whether an event belongs to the retry loop, which laps fold. */
const isOfLoop = (data: Event): boolean =>
  data._tag === "Snapshotted" || data._tag === "PfnResolved" || data._tag === "RetryTested" ||
  data._tag === "RetryDecided" || data._tag === "Waited" || data._tag === "FlagSet" || data._tag === "ValidCleared"

const add = (table: Table, scene: Scene, envelope: Envelope<Event>): void => {
  const { data } = envelope
  let column = table.columns.indexOf(data.thread)
  if (column < 0) {
    column = table.columns.push(data.thread) - 1
  }
  if (data._tag === "Checked" && !data.ok) {
    dropReader(table, scene, column)
  }
  if (data._tag === "ReaderLeft" && lastOf(table, column)?._tag === "Checked") {
    return
  }
  table.rows.push({ row: { kind: "event", column, envelope }, lap: table.lap.get(data.thread) ?? 0 })
  table.chosen++
}
const lastOf = (table: Table, column: number): Event | undefined => {
  const row = table.rows.findLast((known) => known.row.column === column)?.row
  return row?.kind === "event" ? row.envelope.data : undefined
}
/** A check that fails is one row: the lock around it says nothing. */
const dropReader = (table: Table, scene: Scene, column: number): void => {
  const at = table.rows.findLastIndex(({ row }) => row.column === column)
  const row = table.rows[at]?.row
  if (row?.kind !== "event" || row.envelope.data._tag !== "ReaderEntered") {
    return
  }
  if (scene.explained.has(row.envelope.seq)) {
    return
  }
  table.rows.splice(at, 1)
  table.chosen--
}
/** Leaves out what a thread did in a lap that was thrown away. */
const foldLap = (table: Table, scene: Scene, thread: number, lap: number): void => {
  const column = table.columns.indexOf(thread)
  const isOfLap = ({ lap: of, row }: Table["rows"][number]): boolean =>
    of === lap && row.column === column && row.kind === "event" && !scene.explained.has(row.envelope.seq)
  const mine = table.rows.filter(isOfLap).flatMap(({ row }) => row.kind === "event" ? [row.envelope] : [])
  // What came before the first lookup is no part of the loop.
  const folded = new Set(mine.filter(({ data }) => isOfLoop(data)).map(({ seq }) => seq))
  if (folded.size === 0) {
    return
  }
  const times = mine.filter(({ seq }) => folded.has(seq)).map(({ t }) => t)
  const at = table.rows.findIndex(({ row }) => row.kind === "event" && folded.has(row.envelope.seq))
  const before = table.rows.slice(0, at)
  const rest = table.rows.slice(at).filter(({ row }) => row.kind !== "event" || !folded.has(row.envelope.seq))
  const earlier = before.findLastIndex(({ row }) => row.column === column)
  const known = before[earlier]?.row
  const started = times[0]!
  const ended = times.at(-1)!
  if (known?.kind === "fold") {
    const gap = foldedUntil.get(known) ?? started
    const more: RaceRow = {
      ...known,
      laps: known.laps + 1,
      events: known.events + folded.size,
      nanos: known.nanos + ended - gap
    }
    foldedUntil.set(more, ended)
    before[earlier] = { row: more, lap }
  } else {
    const row: RaceRow = { kind: "fold", column, laps: 1, events: folded.size, nanos: ended - started }
    foldedUntil.set(row, ended)
    before.push({ row, lap })
  }
  table.rows.splice(0, table.rows.length, ...before, ...rest)
}
/** The time of the last event that a fold row stands for, ns. */
const foldedUntil = new WeakMap<RaceRow, number>()
