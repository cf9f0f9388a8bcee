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
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Log } from "./log.ts"
import { explanationOf } from "./origins.ts"
import type { Origin, Origins } from "./origins.ts"
import { atSeq, END } from "./position.ts"
import type { NoSuchPosition, Position } from "./position.ts"
import { fold } from "./projection.ts"
import type { LogNotDense } from "./projection.ts"
import { origins } from "./resumable-origins.ts"
import { threadName } from "./state-view.ts"
import { foldTo } from "./time-travel.ts"
import { verdictsOf, verdictState, violationOf, violations } from "./violations.ts"
import type { NotAWorld } from "./world.ts"

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
 * A race. `threads` are the columns, in the order in which they appear; `gpc`, `uhva` and the `page` that holds it are
 * what it is about (-1: nothing in particular). `chosen` counts the events, folded ones too.
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
  readonly page: number
  readonly chosen: number
}

/** What a table is to show. */
interface Scene {
  /** The events that explain what it ends with. */
  readonly explained: ReadonlySet<number>
  /** Where the threads' operations begin that they belong to. */
  readonly roots: ReadonlySet<number>
  readonly from: number
  readonly to: number
  readonly gpc: number
  readonly uhva: number
  /** The page of the cache, or -1, and the frames that were there. */
  readonly page: number
  readonly pfns: ReadonlySet<number>
  readonly ending: RaceEnding
}

/**
 * The race around a position (that of a violation, or of the event it was judged at); without one, around the first
 * violation (in a log that a checker wrote for a property: the last of that property), or else the first refresh that
 * gets nowhere, or else the end.
 *
 * @category queries
 * @since 0.1.0
 */
export const race = Effect.fn("projections.race")(
  function*<E>(log: Log<E>, at?: Position): Effect.fn.Return<Race, E | LogNotDense | NoSuchPosition | NotAWorld> {
    const asked = at ?? (yield* firstFinding(log))
    const written = asked._tag === "Seq" ? yield* writtenAt(log, asked.seq) : undefined
    const position = written === undefined ? asked : atSeq(written)
    const o = yield* foldTo(log, origins, position)
    return yield* tableOf(log, o, sceneOf(o))
  }
)

/**
 * A whole log as a race, no lap left out: for a log that is short, such as that of a run found by a checker.
 *
 * @category queries
 * @since 0.1.0
 */
export const wholeRace = Effect.fn("projections.wholeRace")(
  function*<E>(log: Log<E>): Effect.fn.Return<Race, E | LogNotDense | NoSuchPosition | NotAWorld> {
    const o = yield* foldTo(log, origins, END)
    const events = yield* Stream.runCollect(log.read())
    const laps = events.filter(({ data }) => data._tag === "RetryDecided")
    const roots = events.filter(({ data }) => data._tag === "Called").map(({ seq }) => seq)
    const all = scene(o, laps, gpcAmong(events), { kind: "position", seq: o.at.seq })
    return yield* tableOf(log, o, { ...all, roots: new Set(roots), from: 1 })
  }
)

const tableOf = Effect.fnUntraced(function*<E>(log: Log<E>, o: Origins, scene: Scene) {
  const table = newTable(scene)
  yield* Stream.runForEachArray(
    log.read({ from: scene.from, to: scene.to }),
    (chunk) => Effect.sync(() => chunk.forEach((event) => take(table, event)))
  )
  const race: Race = {
    threads: table.columns.map((thread) => threadName(o.at.state, thread)),
    rows: table.entries.map(rowOf),
    ending: scene.ending,
    gpc: scene.gpc,
    uhva: scene.uhva,
    page: scene.page,
    chosen: table.chosen
  }
  return race
})

const Meta = Schema.Struct({ scenario: Schema.String })

/** The property that a log was written for: a checker says it in the header, as in `check P1`. */
const soughtIn = ({ header }: Log<unknown>): string | undefined => {
  const meta = Schema.decodeUnknownOption(Meta)(header.meta)
  return Option.isNone(meta) ? undefined : /^check (P\d+)\b/.exec(meta.value.scenario)?.[1]
}

/** Where the violation is written down that is meant by an event: one of the property that the log was written for. */
const writtenAt = Effect.fnUntraced(function*<E>(log: Log<E>, seq: number) {
  const sought = soughtIn(log)
  const { list } = sought === undefined ? { list: [] } : yield* fold(violations, log.read())
  const last = list.findLast(({ property }) => property === sought)
  return last !== undefined && seq >= last.judged ? last.seq : yield* violationOf(log, seq)
})

const firstFinding = Effect.fnUntraced(function*<E>(log: Log<E>) {
  const state = yield* fold(verdictState, log.read())
  const sought = soughtIn(log)
  const { list } = state.violations
  // A checker's log ends at what it was written for; what else is violated on the way there is another log's matter.
  const found = sought === undefined ? list[0] : list.findLast(({ property }) => property === sought)
  if (found !== undefined) {
    return atSeq(found.seq)
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
  const judged = last.because[0]?.envelope.seq ?? seq
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
    from: events.reduce((first, { seq }) => Math.min(first, seq), ending.seq),
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

// ---- which events, in which column

interface Entry {
  readonly column: number
  /** The lap of the thread's refresh, from 1; 0 before it. */
  readonly lap: number
  readonly what: Envelope<Event> | Folded
}

/** Laps that were left out: how many, and the times of their first and last event, ns. */
interface Folded {
  laps: number
  events: number
  nanos: number
  until: number
}

interface Table {
  readonly scene: Scene
  readonly columns: Array<number>
  entries: Array<Entry>
  /** By thread: the operation it is in, and the lap of its refresh. */
  readonly root: Map<number, number>
  readonly lap: Map<number, number>
  chosen: number
}

const newTable = (scene: Scene): Table => ({
  scene,
  columns: [],
  entries: [],
  root: new Map(),
  lap: new Map(),
  chosen: 0
})

const isFolded = (what: Entry["what"]): what is Folded => !("seq" in what)

const rowOf = ({ column, what }: Entry): RaceRow =>
  isFolded(what)
    ? { kind: "fold", column, laps: what.laps, events: what.events, nanos: what.nanos }
    : { kind: "event", column, envelope: what }

const take = (table: Table, envelope: Envelope<Event>): void => {
  const { lap, root, scene } = table
  const { data, seq } = envelope
  const { thread } = data
  if (data._tag === "Called" || scene.roots.has(seq)) root.set(thread, seq)
  if (data._tag === "RefreshEntered") lap.set(thread, 1)
  const isInside = scene.roots.has(root.get(thread) ?? 0)
  if (data._tag !== "PropertyViolated" && (scene.explained.has(seq) || (isInside && isRelevant(scene, data)))) {
    add(table, envelope)
  }
  if (data._tag !== "RetryDecided") return
  const done = lap.get(thread) ?? 1
  if (!scene.explained.has(seq)) foldLap(table, thread, done)
  lap.set(thread, done + 1)
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
  "WalkReturned",
  "CallChainSeen",
  "FaultStateSeen"
])

/** Whether an event is about the scene's cache, its page or its frames; an event of neither is taken, a range is. */
const isRelevant = (scene: Scene, data: Event): boolean => {
  if (IRRELEVANT.has(data._tag)) return false
  if ("gpc" in data) return data.gpc === scene.gpc
  if (data._tag === "PteChanged" || data._tag === "PageFaulted") return scene.page < 0 || data.hva === scene.page
  if (data._tag === "PageFreed") return scene.pfns.has(data.pfn)
  return true
}

/** What a refresh does in every lap. */
const LOOP: ReadonlySet<Event["_tag"]> = new Set([
  "Snapshotted",
  "FlagSet",
  "Waited",
  "PfnResolved",
  "ValidSet",
  "RetryTested",
  "RetryDecided"
])

/** Whether an event belongs to the loop. Before the first lap `valid` is cleared for all of them. */
const isOfLoop = (e: Event, lap: number): boolean => LOOP.has(e._tag) || (e._tag === "ValidCleared" && lap > 1)

const add = (table: Table, envelope: Envelope<Event>): void => {
  const { thread } = envelope.data
  const known = table.columns.indexOf(thread)
  const column = known < 0 ? table.columns.push(thread) - 1 : known
  if (isLockOfFailedCheck(table, column, envelope.data)) return
  table.entries.push({ column, lap: table.lap.get(thread) ?? 0, what: envelope })
  table.chosen++
}

/** A check that fails is one row: the lock around it says nothing. Takes back the row of its read_lock. */
const isLockOfFailedCheck = (table: Table, column: number, e: Event): boolean => {
  const at = table.entries.findLastIndex((entry) => entry.column === column)
  const last = table.entries[at]?.what
  if (last === undefined || isFolded(last)) return false
  if (e._tag === "ReaderLeft") return last.data._tag === "Checked"
  const isLock = last.data._tag === "ReaderEntered" && !table.scene.explained.has(last.seq)
  if (e._tag === "Checked" && !e.ok && isLock) {
    table.entries.splice(at, 1)
    table.chosen--
  }
  return false
}

/** Leaves out what a thread did in a lap that was thrown away; the laps in a row are one row. */
const foldLap = (table: Table, thread: number, lap: number): void => {
  const column = table.columns.indexOf(thread)
  const gone = table.entries.flatMap(({ column: of, lap: in_, what }) =>
    of !== column || in_ !== lap || isFolded(what) || !isOfLoop(what.data, lap) || table.scene.explained.has(what.seq)
      ? []
      : [what]
  )
  const [first] = gone
  const last = gone.at(-1)
  if (first === undefined || last === undefined) return
  const at = table.entries.findIndex(({ what }) => what === first)
  const all: ReadonlySet<Entry["what"]> = new Set(gone)
  table.entries = table.entries.filter(({ what }) => !all.has(what))
  const before = table.entries.slice(0, at).findLast((entry) => entry.column === column)?.what
  if (before !== undefined && isFolded(before)) {
    before.laps++
    before.events += gone.length
    before.nanos += last.t - before.until
    before.until = last.t
  } else {
    const what: Folded = { laps: 1, events: gone.length, nanos: last.t - first.t, until: last.t }
    table.entries.splice(at, 0, { column, lap, what })
  }
}
