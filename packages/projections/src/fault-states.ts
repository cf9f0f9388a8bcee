/**
 * What probes in the page fault path saw of the notifier's state, vCPU by vCPU.
 *
 * Such lines do not say whether a fault was served, nor for which address it was: only that the vCPU faulted, and what
 * the sequence count, the count in progress and the hull were. What they show is how these move, and how they do not.
 * Nothing here looks at a time: `uniq -c` leaves none.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, EventOf } from "@pfnscope/protocol"
import { find, notFound, sightingOf } from "./evidence.ts"
import type { Finding, Sighting } from "./evidence.ts"

/** Faults of a vCPU that saw one state, one after the other. @category models @since 0.1.0 */
export interface StateRun {
  readonly seq: number
  readonly inProgress: number
  readonly start: number
  readonly end: number
  readonly first: Sighting
  faults: number
}

/** What the faults of a vCPU saw. @category models @since 0.1.0 */
export interface VcpuFaults {
  readonly vcpu: string
  readonly first: Sighting
  last: Sighting
  readonly from: number
  to: number
  faults: number
  readonly seqFrom: number
  /** How often the sequence count was another than at the fault before. */
  changes: number
  run: StateRun
  /** The longest run, and the longest with nothing in progress. */
  longest: StateRun
  atRest: StateRun | undefined
  /** Since when the count in progress has not been 0, as far as the hull, which only shrinks at 0, can tell. */
  busy: StateRun | undefined
}

/** @category models @since 0.1.0 */
export type FaultStates = Map<string, VcpuFaults>

/**
 * So many faults of a vCPU that saw nothing change, and nothing in progress: as many first faults of a guest, with no
 * invalidation of any page of the host's process in between, are 40 MiB of its memory, touched page by page. The vCPUs
 * of the thread of 2023 had 10^5 and more.
 *
 * @category constants
 * @since 0.1.0
 */
export const STUCK_FAULTS = 10_000

/** Fewer faults than {@link STUCK_FAULTS}, but more than these, are no finding, and no proof of the contrary. */
export const SUSPECT_FAULTS = 10

/**
 * So many faults of a vCPU with an invalidation in progress all along, to the end: the longest invalidation in the
 * captures kept a vCPU faulting 128 times.
 *
 * @category constants
 * @since 0.1.0
 */
export const UNPAIRED_FAULTS = 1_000

/**
 * The sequence count changed so often, and at every second fault or more: a fault that takes as long as the one before
 * meets another invalidation.
 *
 * @category constants
 * @since 0.1.0
 */
export const OUTRUN_CHANGES = 100

const OUTRUN_PART = 0.5

/** Takes one event into account. @category folding @since 0.1.0 */
export const evolveFaultStates = (states: FaultStates, event: Envelope<Event>): void => {
  const e = event.data
  if (e._tag !== "FaultStateSeen") return
  const vcpu = e.vcpu === "" ? `thread ${e.thread}` : e.vcpu
  const known = states.get(vcpu)
  if (known === undefined) states.set(vcpu, firstOf(vcpu, e, event))
  else see(known, e, event)
}

type Seen = EventOf<"FaultStateSeen">

const runFrom = ({ end, inProgress, repeat, seq, start }: Seen, first: Sighting): StateRun => ({
  seq,
  inProgress,
  start,
  end,
  first,
  faults: Math.max(1, repeat)
})

const firstOf = (vcpu: string, e: Seen, event: Envelope<Event>): VcpuFaults => {
  const first = sightingOf(event)
  const run = runFrom(e, first)
  return {
    vcpu,
    first,
    last: first,
    from: event.t,
    to: event.t,
    faults: run.faults,
    seqFrom: e.seq,
    changes: 0,
    run,
    longest: run,
    atRest: e.inProgress === 0 ? run : undefined,
    busy: e.inProgress === 0 ? undefined : { ...run }
  }
}

const see = (of: VcpuFaults, e: Seen, event: Envelope<Event>): void => {
  const before = of.run
  of.last = sightingOf(event)
  of.to = event.t
  const faults = Math.max(1, e.repeat)
  of.faults += faults
  if (e.seq !== before.seq) of.changes++
  const same = e.seq === before.seq && e.inProgress === before.inProgress && e.start === before.start &&
    e.end === before.end
  if (same) before.faults += faults
  else of.run = runFrom(e, of.last)
  if (of.run.faults > of.longest.faults) of.longest = of.run
  if (e.inProgress === 0 && of.run.faults > (of.atRest?.faults ?? 0)) of.atRest = of.run
  if (e.inProgress === 0) of.busy = undefined
  else if (of.busy === undefined || e.start > before.start || e.end < before.end) of.busy = runFrom(e, of.last)
  else of.busy.faults += faults
}

/** Bit 31 is set: a copy in an `int` is another number. @category reading @since 0.1.0 */
export const isSignExtended = (seq: number): boolean => ((seq % 2 ** 32) + 2 ** 32) % 2 ** 32 >= 2 ** 31

const among = (states: FaultStates, seen: (of: VcpuFaults) => ReadonlyArray<Sighting> | undefined): Finding => {
  const finding = notFound()
  for (const of of states.values()) {
    const sightings = seen(of)
    if (sightings !== undefined) find(finding, ...sightings)
  }
  return finding
}

/** vCPUs that fault `most` times and more though nothing changes and nothing is in progress. @category findings @since 0.1.0 */
export const stuckAtRest = (states: FaultStates, isSigned: boolean, most = STUCK_FAULTS): Finding =>
  among(states, ({ atRest }) => {
    const stuck = atRest !== undefined && atRest.faults >= most
    return stuck && isSignExtended(atRest.seq) === isSigned ? [atRest.first] : undefined
  })

/** vCPUs that fault `most` times and more with an invalidation in progress to the end. @category findings @since 0.1.0 */
export const inProgressForGood = (states: FaultStates, most = UNPAIRED_FAULTS): Finding =>
  among(states, ({ busy, last }) => {
    if (busy === undefined || busy.faults < most) return undefined
    return busy.first.seq === last.seq ? [last] : [busy.first, last]
  })

/** vCPUs whose faults the sequence count outruns. @category findings @since 0.1.0 */
export const outrun = (states: FaultStates): Finding =>
  among(
    states,
    ({ changes, faults, first, last }) =>
      changes >= OUTRUN_CHANGES && changes >= OUTRUN_PART * faults ? [first, last] : undefined
  )
