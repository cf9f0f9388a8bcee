/**
 * Guest memory: page faults of the guest, and updates of the memslots, and what they had to wait for.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, RetryReason } from "@pfnscope/protocol"
import { addDuration, noDurations } from "./durations.ts"
import type { Durations } from "./durations.ts"
import { find, notFound, sightingOf } from "./evidence.ts"
import type { Finding } from "./evidence.ts"
import { evolveFaultLaps, noFaultLaps } from "./fault-laps.ts"
import type { FaultLaps } from "./fault-laps.ts"
import { advance, countCovering, noneInFlight, rangesOf } from "./in-flight.ts"
import type { InFlight } from "./in-flight.ts"
import type { Projection } from "./projection.ts"

/** A memslot update that has not published its set: since when, and how often it slept for the count to reach 0. */
interface Update {
  readonly since: number
  waits: number
}

/** Stale faults of a thread for one frame: how many have to do with invalidations, and how many with none. */
interface Run {
  readonly gfn: number
  invalidated: number
  unexplained: number
}

/** @category models @since 0.1.0 */
export interface GuestMemory {
  /** Faults that mapped a page; that were stale, by the reason. */
  mapped: number
  stale: number
  readonly staleBy: Map<RetryReason, number>
  /** Stale for an invalidation in progress, as the hull has it, while none that was in flight held the frame. */
  readonly hullOnly: Finding
  /** The fault that each thread is in: its address, and how many ranges in flight held it, as far as it was told. */
  readonly faults: Map<number, { hva: number | undefined; covering: number | undefined }>
  /** Faults in a row that each thread had for one frame, for one reason or the other. */
  readonly runs: Map<number, Run>
  /** Frames that were faulted in vain {@link THRASH_FAULTS} times in a row, for invalidations of it or completed ones. */
  readonly thrashed: Finding
  /** The same, with nothing in progress, and the sequence count as it was. */
  readonly stuck: Finding
  readonly laps: FaultLaps
  swaps: number
  waits: number
  readonly updates: Map<number, Update>
  /** From the beginning of an update to its publishing, in ns. */
  readonly swapDurations: Durations
  /** Updates that were woken and had to sleep again, or took long: see diagnosis. */
  readonly starved: Finding
  waitsMax: number
}

/**
 * So many stale faults in a row for one frame: a vCPU that faults again after an invalidation gets through at the
 * first or second attempt.
 *
 * @category constants
 * @since 0.1.0
 */
export const THRASH_FAULTS = 10

/** An update that slept so often was woken and found the count raised again. */
const STARVED_WAITS = 2

/** An update that took so long kept every vCPU's memslot reader waiting for a time that a guest notices. */
const STARVED_NS = 1_000_000

/** @category constructors @since 0.1.0 */
export const noGuestMemory = (): GuestMemory => ({
  mapped: 0,
  stale: 0,
  staleBy: new Map(),
  hullOnly: notFound(),
  faults: new Map(),
  runs: new Map(),
  thrashed: notFound(),
  stuck: notFound(),
  laps: noFaultLaps(),
  swaps: 0,
  waits: 0,
  updates: new Map(),
  swapDurations: noDurations(),
  starved: notFound(),
  waitsMax: 0
})

/**
 * Takes one event into account; `ranges` has taken it already.
 *
 * @category folding
 * @since 0.1.0
 */
export const evolveGuestMemory = (state: GuestMemory, ranges: InFlight, event: Envelope<Event>): GuestMemory => {
  const e = event.data
  evolveFaultLaps(state.laps, event)
  switch (e._tag) {
    case "SlotsRead":
      state.faults.set(e.thread, { hva: e.hva, covering: undefined })
      break
    case "RetryTested":
      state.faults.set(e.thread, { hva: state.faults.get(e.thread)?.hva, covering: e.covering })
      break
    case "GuestFaulted":
      state.mapped++
      state.runs.delete(e.thread)
      state.faults.delete(e.thread)
      break
    case "GuestFaultRetried":
      faultAgain(state, ranges, event, e.gfn, e.reason)
      break
    case "Called":
      if (e.op === "set_memslot" || e.op === "delete_memslot") state.updates.set(e.thread, { since: event.t, waits: 0 })
      break
    case "SwapWaited":
      state.waits++
      updateOf(state, event).waits++
      break
    case "MemslotsSwapped":
      swap(state, event)
      break
    case "Returned":
      state.updates.delete(e.thread)
  }
  return state
}

const faultAgain = (
  state: GuestMemory,
  ranges: InFlight,
  event: Envelope<Event>,
  gfn: number,
  reason: RetryReason
): void => {
  const thread = event.data.thread
  const fault = state.faults.get(thread)
  state.faults.delete(thread)
  state.stale++
  state.staleBy.set(reason, (state.staleBy.get(reason) ?? 0) + 1)
  const told = fault?.covering
  const covering = told ??
    (fault?.hva === undefined ? undefined : countCovering(rangesOf(ranges, event.stream), fault.hva))
  if (reason === "in-progress" && covering === 0) return find(state.hullOnly, sightingOf(event))
  const before = state.runs.get(thread)
  const run = before !== undefined && before.gfn === gfn ? before : { gfn, invalidated: 0, unexplained: 0 }
  state.runs.set(thread, run)
  if (reason === "none") {
    if (++run.unexplained === THRASH_FAULTS) find(state.stuck, sightingOf(event))
  } else if (++run.invalidated === THRASH_FAULTS) find(state.thrashed, sightingOf(event))
}

const updateOf = (state: GuestMemory, event: Envelope<Event>): Update => {
  const known = state.updates.get(event.data.thread)
  if (known !== undefined) return known
  const update: Update = { since: event.t, waits: 0 }
  state.updates.set(event.data.thread, update)
  return update
}

const swap = (state: GuestMemory, event: Envelope<Event>): void => {
  const update = updateOf(state, event)
  const ns = Math.max(0, event.t - update.since)
  state.swaps++
  addDuration(state.swapDurations, ns)
  state.waitsMax = Math.max(state.waitsMax, update.waits)
  const starved = update.waits >= STARVED_WAITS || (update.waits > 0 && ns >= STARVED_NS)
  if (starved) find(state.starved, sightingOf(event))
  // A deletion publishes two sets: the second begins where the first ended.
  state.updates.set(event.data.thread, { since: event.t, waits: 0 })
}

/** Guest memory, as a projection. @category projections @since 0.1.0 */
export const guestMemory: Projection<{ readonly ranges: InFlight; readonly memory: GuestMemory }> = {
  name: "guest-memory",
  version: 2,
  init: () => ({ ranges: noneInFlight(), memory: noGuestMemory() }),
  evolve: (state, event) => {
    advance(state.ranges, event.seq, event)
    evolveGuestMemory(state.memory, state.ranges, event)
    return state
  }
}
