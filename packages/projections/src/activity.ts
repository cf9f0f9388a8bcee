/**
 * Activity: everything that a report needs, folded in one pass over the log.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, PropertyId } from "@pfnscope/protocol"
import { evolveBlame, noBlame } from "./blame.ts"
import type { Blame } from "./blame.ts"
import { find, notFound, sightingOf } from "./evidence.ts"
import type { Finding } from "./evidence.ts"
import { evolveFaultStates } from "./fault-states.ts"
import type { FaultStates } from "./fault-states.ts"
import { advance, noneInFlight } from "./in-flight.ts"
import type { InFlight } from "./in-flight.ts"
import { evolveInvalidations, noInvalidations } from "./invalidations.ts"
import type { Invalidations } from "./invalidations.ts"
import { evolveGuestMemory, noGuestMemory } from "./memory.ts"
import type { GuestMemory } from "./memory.ts"
import type { Projection } from "./projection.ts"
import { evolveRefreshes, noRefreshes } from "./refreshes.ts"
import type { Refreshes } from "./refreshes.ts"
import { evolveValidity, noValidity } from "./validity.ts"
import type { Validity } from "./validity.ts"

/** @category models @since 0.1.0 */
export interface Activity {
  /** Time of the first and of the last event, in ns; both 0 in an empty log. */
  from: number
  to: number
  events: number
  simulated: boolean
  readonly ranges: InFlight
  readonly invalidations: Invalidations
  readonly refreshes: Refreshes
  readonly validity: Validity
  readonly memory: GuestMemory
  readonly blame: Blame
  readonly faultStates: FaultStates
  /** Threads seen. */
  readonly threads: Set<number>
  /** Losses that a tracer, or a salvage, told of: how many, and the first ones. */
  readonly lost: { count: number; readonly first: Array<Loss> }
  readonly clockSteps: Finding
  /** What an auditor found violated while the log was written. */
  readonly violated: Map<PropertyId, Finding>
}

/** Losses that are kept. */
const KEPT_LOSSES = 100

/** Events that are not there: of which CPU (-1: any), how many (-1: not told), and where that is told; line 0: in no text. @category models @since 0.1.0 */
export interface Loss {
  readonly cpu: number
  readonly count: number
  readonly line: number
  readonly seq: number
}

/** Activity, as a projection. @category projections @since 0.1.0 */
export const activity: Projection<Activity> = {
  name: "activity",
  version: 3,
  init: () => ({
    from: 0,
    to: 0,
    events: 0,
    simulated: false,
    ranges: noneInFlight(),
    invalidations: noInvalidations(),
    refreshes: noRefreshes(),
    validity: noValidity(),
    memory: noGuestMemory(),
    blame: noBlame(),
    faultStates: new Map(),
    threads: new Set(),
    lost: { count: 0, first: [] },
    clockSteps: notFound(),
    violated: new Map()
  }),
  evolve: (state, event) => {
    span(state, event)
    advance(state.ranges, event.seq, event)
    evolveInvalidations(state.invalidations, state.ranges, event)
    evolveRefreshes(state.refreshes, state.ranges, event)
    evolveValidity(state.validity, state.ranges, event)
    evolveGuestMemory(state.memory, state.ranges, event)
    evolveBlame(state.blame, state.ranges, state.invalidations.who, event)
    evolveFaultStates(state.faultStates, event)
    notice(state, event)
    return state
  }
}

const span = (state: Activity, event: Envelope<Event>): void => {
  // A loss is told of before the first record: it has no time of its own.
  if (event.data._tag === "EventsLost") return
  if (state.events++ === 0) {
    state.from = state.to = event.t
    state.simulated = event.how === "simulated"
  }
  if (event.t > state.to) state.to = event.t
  else if (event.t < state.from) state.from = event.t
}

const notice = (state: Activity, event: Envelope<Event>): void => {
  const e = event.data
  if (e.thread >= 0) state.threads.add(e.thread)
  if (e._tag === "EventsLost") lose(state, { cpu: e.cpu, count: e.count, line: event.src?.line ?? 0, seq: event.seq })
  else if (e._tag === "ClockStepped") find(state.clockSteps, sightingOf(event))
  else if (e._tag === "PropertyViolated") {
    const finding = state.violated.get(e.property) ?? notFound()
    find(finding, { seq: event.cause ?? event.seq, src: event.src })
    state.violated.set(e.property, finding)
  }
}

const lose = ({ lost }: Activity, loss: Loss): void => {
  lost.count++
  if (lost.first.length < KEPT_LOSSES) lost.first.push(loss)
}
