/**
 * What does not hold: the violations that the audit wrote into a log, and the refreshes that get nowhere.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { PROPERTY_IDS } from "@pfnscope/protocol"
import type { Event, PropertyId } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { find, notFound, sightingOf } from "./evidence.ts"
import type { Finding, Sighting } from "./evidence.ts"
import { advance, noneInFlight } from "./in-flight.ts"
import type { InFlight } from "./in-flight.ts"
import type { Log } from "./log.ts"
import type { Projection } from "./projection.ts"
import { evolveRefreshes, noRefreshes } from "./refreshes.ts"
import type { Refreshes } from "./refreshes.ts"
import { evolveWaits, noWaits } from "./waits.ts"
import type { Waits } from "./waits.ts"

/**
 * A violation: the property, the position where it was written down and that of the event it was judged at (the access,
 * the return of range_start …), the time (ns) and the cache it concerns, or -1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Violation {
  readonly property: PropertyId
  readonly seq: number
  readonly judged: number
  readonly t: number
  readonly gpc: number
}

/** Violations of one property that are kept one by one; all are counted. */
const KEPT = 100

/** The violations of a log by property: how many, and the first of them. @category models @since 0.1.0 */
export interface Violations {
  readonly counts: Map<PropertyId, number>
  readonly list: Array<Violation>
  /** The last violation of any property. */
  last: { readonly seq: number; readonly judged: number } | undefined
}

/** The event that a violation was judged at: its cause, or that of the violation written down just before it. */
const judgedAt = (seq: number, cause: number | undefined, last: Violations["last"]): number =>
  cause === undefined ? seq : cause === last?.seq ? last.judged : cause

/** The violations that the audit found, as a projection. @category projections @since 0.1.0 */
export const violations: Projection<Violations> = {
  name: "violations",
  version: 1,
  init: () => ({ counts: new Map(), list: [], last: undefined }),
  evolve: (state, { cause, data, seq, t }) => {
    if (data._tag !== "PropertyViolated") return state
    const count = (state.counts.get(data.property) ?? 0) + 1
    state.counts.set(data.property, count)
    const judged = judgedAt(seq, cause, state.last)
    state.last = { seq, judged }
    if (count <= KEPT) state.list.push({ property: data.property, seq, judged, t, gpc: data.gpc })
    return state
  }
}

/** Events after the judged one within which a violation of it is written down. */
const WRITTEN_WITHIN = 32

/**
 * The position at which a violation is written down that was judged at event `seq`: of one property, or of any.
 *
 * @category queries
 * @since 0.1.0
 */
export const violationOf = Effect.fnUntraced(
  function*<E>(log: Log<E>, seq: number, property?: PropertyId): Effect.fn.Return<number | undefined, E> {
    const near = violations.init()
    yield* Stream.runForEach(
      log.read({ from: seq, to: seq + WRITTEN_WITHIN }),
      (event) => Effect.sync(() => violations.evolve(near, event))
    )
    const of = (found: Violation) =>
      found.judged === seq && found.seq !== seq && (property === undefined || found.property === property)
    return near.list.find(of)?.seq
  }
)

/** A refresh is starved when it makes so many turns (laps thrown away, waits entered), none for a range over its page. @category constants @since 0.1.0 */
export const STARVED_TURNS = 100

/** A refresh that the end of the log finds running is starved from so many turns on; here each round of a spin counts. @category constants @since 0.1.0 */
export const STARVED_OPEN_TURNS = 10

/** The turns of a running refresh since the last one that had to do with its page. */
interface Turns {
  readonly refresh: number
  readonly entered: Sighting
  since: number
  rounds: number
  /** A turn of this refresh had to do with its page. */
  related: boolean
  last: Sighting
}

/** @category models @since 0.1.0 */
export interface VerdictState {
  readonly violations: Violations
  readonly ranges: InFlight
  readonly refreshes: Refreshes
  readonly waits: Waits
  readonly turns: Map<number, Turns>
  /** Refreshes that reached {@link STARVED_TURNS}: P6 when no turn had to do with the page, else P7. */
  readonly starved: { readonly P6: Finding; readonly P7: Finding }
  /** Positions at which the tracer lost events. */
  readonly lost: Array<number>
}

/** The fold from which {@link verdictsOf} gives the verdicts. @category projections @since 0.1.0 */
export const verdictState: Projection<VerdictState> = {
  name: "verdicts",
  version: 1,
  init: () => ({
    violations: violations.init(),
    ranges: noneInFlight(),
    refreshes: noRefreshes(),
    waits: noWaits(),
    turns: new Map(),
    starved: { P6: notFound(), P7: notFound() },
    lost: []
  }),
  evolve: (state, event) => {
    violations.evolve(state.violations, event)
    advance(state.ranges, event.seq, event)
    const before = state.refreshes.running.get(event.data.thread)?.unrelated ?? 0
    evolveRefreshes(state.refreshes, state.ranges, event)
    const wait = evolveWaits(state.waits, state.ranges, state.refreshes, event)
    if (event.data._tag === "EventsLost") state.lost.push(event.seq)
    else if (event.data._tag === "RetryDecided") {
      const run = state.refreshes.running.get(event.data.thread)
      if (run !== undefined) turn(state, event, run.unrelated === before, true)
    } else if (wait !== undefined && wait.kind !== "over") turn(state, event, wait.related, wait.kind === "entered")
    return state
  }
}

/** Notes a turn of the thread's refresh; a whole turn, or a round of one. */
const turn = (state: VerdictState, event: Envelope<Event>, related: boolean, whole: boolean): void => {
  const run = state.refreshes.running.get(event.data.thread)
  if (run === undefined) return
  const known = state.turns.get(run.thread)
  const fresh = { entered: run.sighting, since: 0, rounds: 0, related: false, last: run.sighting }
  const turns = known?.refresh === run.entered.seq ? known : { refresh: run.entered.seq, ...fresh }
  if (turns !== known) state.turns.set(run.thread, turns)
  turns.last = sightingOf(event)
  if (related) {
    turns.related = true
    turns.since = turns.rounds = 0
    return
  }
  turns.rounds++
  if (!whole) return
  turns.since++
  if (turns.since === STARVED_TURNS) find(state.starved[turns.related ? "P7" : "P6"], turns.entered, turns.last)
}

/**
 * The verdict on one property in one log. `violated`: at `first`, so often; `holds`: in this log, not in general;
 * `unknown`: the log has holes (positions in `lost`).
 *
 * @category models
 * @since 0.1.0
 */
export interface PropertyVerdict {
  readonly id: PropertyId
  readonly verdict: "violated" | "holds" | "unknown"
  readonly count: number
  readonly first: number | null
  readonly evidence: ReadonlyArray<Sighting>
}

/** The verdicts P1 … P13 on the log that was folded. @category reading @since 0.1.0 */
export const verdictsOf = (state: VerdictState): ReadonlyArray<PropertyVerdict> =>
  PROPERTY_IDS.map((id) => {
    const written = state.violations.list.filter((violation) => violation.property === id)
    const starved = id === "P6" || id === "P7" ? starvedIn(state, id) : notFound()
    const count = (state.violations.counts.get(id) ?? 0) + starved.count
    const evidence = [...written.map(({ judged }) => ({ seq: judged, src: undefined })), ...starved.evidence]
      .sort((a, b) => a.seq - b.seq)
    const first = evidence[0]?.seq ?? null
    const verdict = count > 0 ? "violated" : state.lost.length > 0 ? "unknown" : "holds"
    return { id, verdict, count, first, evidence }
  })

/** The starved refreshes: those that reached the bound, and those that the end finds on their way to it. */
const starvedIn = (state: VerdictState, id: "P6" | "P7"): Finding => {
  const { count, evidence } = state.starved[id]
  const found: Finding = { count, evidence: [...evidence] }
  for (const run of state.refreshes.running.values()) {
    const turns = state.turns.get(run.thread)
    if (turns?.refresh !== run.entered.seq || turns.since >= STARVED_TURNS) continue
    if (turns.related === (id === "P7") && turns.rounds >= STARVED_OPEN_TURNS) find(found, turns.entered, turns.last)
  }
  return found
}
