/**
 * Validity: when each cache could be used, and when it was asked.
 *
 * A cache counts from the first event that tells whether it is valid, until it is deactivated or the log ends.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { find, notFound, sightingOf } from "./evidence.ts"
import type { Finding, Sighting } from "./evidence.ts"
import { advance, covers, noneInFlight, rangesOf } from "./in-flight.ts"
import type { InFlight, Moment, OpenRange } from "./in-flight.ts"
import { surelyBefore } from "./order.ts"
import type { Projection } from "./projection.ts"

/** What is known of a cache. `uhva` is undefined until it has an address; `since` is the time of its last change. @category models @since 0.1.0 */
export interface GpcValidity {
  readonly id: number
  pointer: string | undefined
  uhva: number | undefined
  vm: string
  state: "unknown" | "valid" | "invalid"
  since: number
  validNs: number
  invalidNs: number
  validFrom: Moment | undefined
  readonly checks: { hit: number; miss: number }
  /** Times that the notifier marked it invalid. */
  invalidated: number
  active: boolean | undefined
}

/** @category models @since 0.1.0 */
export interface Validity {
  readonly gpcs: Map<number, GpcValidity>
  /** The VM that each thread's notifier events were of, for caches whose VM is not told otherwise. */
  readonly vmOfThread: Map<number, string>
  readonly refreshing: Map<number, number>
  /** Published between the return of range_start and the call of range_end, of a range that holds the address. */
  readonly publishedInRange: Finding
  /** Valid when range_start of a range that holds the address returned. */
  readonly validAtReturn: Finding
  /** Published while not active. */
  readonly publishedInactive: Finding
  /** Returns of range_start that were judged. */
  returns: number
}

/** @category constructors @since 0.1.0 */
export const noValidity = (): Validity => ({
  gpcs: new Map(),
  vmOfThread: new Map(),
  refreshing: new Map(),
  publishedInRange: notFound(),
  validAtReturn: notFound(),
  publishedInactive: notFound(),
  returns: 0
})

/**
 * Takes one event into account; `ranges` has taken it already.
 *
 * @category folding
 * @since 0.1.0
 */
export const evolveValidity = (state: Validity, ranges: InFlight, event: Envelope<Event>): Validity => {
  const e = event.data
  switch (e._tag) {
    case "GpcSeen":
      gpcOf(state, e.gpc).pointer = e.pointer
      break
    case "RefreshEntered":
      state.refreshing.set(e.thread, e.gpc)
      break
    case "Snapshotted": {
      const gpc = state.refreshing.get(e.thread)
      if (gpc !== undefined) gpcOf(state, gpc).vm = event.stream
      break
    }
    case "RefreshReturned":
      state.refreshing.delete(e.thread)
      break
    case "Translated":
      gpcOf(state, e.gpc).uhva = e.uhva < 0 ? undefined : e.uhva
      break
    case "Published":
      publish(state, ranges, event, e.gpc, e.uhva)
      break
    case "ValidSet":
      // A tentative one is made with gpc->lock held: nobody can see it before the retry test.
      if (!e.tentative) turn(gpcOf(state, e.gpc), "valid", event)
      break
    case "MappingKept":
      turn(gpcOf(state, e.gpc), "valid", event)
      break
    case "ValidCleared":
    case "RefreshFailed":
      turn(gpcOf(state, e.gpc), "invalid", event)
      break
    case "GpcInvalidated": {
      const gpc = gpcOf(state, e.gpc)
      gpc.invalidated++
      turn(gpc, "invalid", event)
      break
    }
    case "Activated": {
      const gpc = gpcOf(state, e.gpc)
      gpc.active = true
      turn(gpc, "invalid", event)
      break
    }
    case "Deactivated":
      deactivate(gpcOf(state, e.gpc), event)
      break
    case "Checked": {
      const gpc = gpcOf(state, e.gpc)
      if (e.ok) gpc.checks.hit++
      else gpc.checks.miss++
      if (e.ok && gpc.state === "unknown") turn(gpc, "valid", event)
      break
    }
    case "StartReturned":
      judgeReturn(state, event, ranges.touched)
  }
  return state
}

const gpcOf = (state: Validity, id: number): GpcValidity => {
  const known = state.gpcs.get(id)
  if (known !== undefined) return known
  const gpc: GpcValidity = {
    id,
    pointer: undefined,
    uhva: undefined,
    vm: "mn/0",
    state: "unknown",
    since: 0,
    validNs: 0,
    invalidNs: 0,
    validFrom: undefined,
    checks: { hit: 0, miss: 0 },
    invalidated: 0,
    active: undefined
  }
  state.gpcs.set(id, gpc)
  return gpc
}

/** Adds up the time since the last change. @category reading @since 0.1.0 */
export const settleValidity = (gpc: GpcValidity, t: number): void => {
  const ns = Math.max(0, t - gpc.since)
  if (gpc.state === "valid") gpc.validNs += ns
  else if (gpc.state === "invalid") gpc.invalidNs += ns
  gpc.since = t
}

const turn = (gpc: GpcValidity, to: "valid" | "invalid", event: Envelope<Event>): void => {
  settleValidity(gpc, event.t)
  gpc.state = to
  gpc.validFrom = to === "valid" ? { seq: event.seq, t: event.t } : undefined
}

const deactivate = (gpc: GpcValidity, event: Envelope<Event>): void => {
  settleValidity(gpc, event.t)
  gpc.state = "unknown"
  gpc.active = false
  gpc.validFrom = undefined
}

const publish = (state: Validity, ranges: InFlight, event: Envelope<Event>, id: number, uhva: number): void => {
  const gpc = gpcOf(state, id)
  gpc.uhva = uhva
  turn(gpc, "valid", event)
  if (gpc.active === false) find(state.publishedInactive, sightingOf(event))
  for (const range of rangesOf(ranges, gpc.vm).open) {
    if (!covers(range, uhva) || range.returned === undefined || range.ended !== undefined) continue
    if (!surelyBefore(range.returned, { seq: event.seq, t: event.t }, event.how)) continue
    find(state.publishedInRange, startOf(range), sightingOf(event))
  }
}

const startOf = (range: OpenRange): Sighting => ({ seq: range.started.seq, src: range.src })

/** No cache in the range may be valid when range_start returns, that was valid before the call. */
const judgeReturn = (state: Validity, event: Envelope<Event>, range: OpenRange | undefined): void => {
  if (range === undefined) return
  state.returns++
  for (const gpc of state.gpcs.values()) {
    if (gpc.state !== "valid" || gpc.vm !== range.vm || gpc.uhva === undefined || !covers(range, gpc.uhva)) continue
    if (gpc.validFrom === undefined || !surelyBefore(gpc.validFrom, range.started, event.how)) continue
    find(state.validAtReturn, startOf(range), sightingOf(event))
  }
}

/** Validity, as a projection. @category projections @since 0.1.0 */
export const validity: Projection<{ readonly ranges: InFlight; readonly validity: Validity }> = {
  name: "validity",
  version: 1,
  init: () => ({ ranges: noneInFlight(), validity: noValidity() }),
  evolve: (state, event) => {
    advance(state.ranges, event.seq, event)
    evolveValidity(state.validity, state.ranges, event)
    return state
  }
}
