/**
 * Laps of guest faults: how often a vCPU faulted on a frame until it was mapped.
 *
 * A vCPU whose fault was stale goes back into the guest and faults again. Its laps are the faults it made for the frame,
 * the one that mapped it included. A vCPU that turns to another frame first was let down, not served: it is counted as
 * unfinished.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { sightingOf } from "./evidence.ts"
import type { Sighting } from "./evidence.ts"

/** The stale faults of a thread for one frame, so far. */
interface Run {
  readonly gfn: number
  readonly t: number
  readonly sighting: Sighting
  stale: number
}

/** A guest fault that is over: where its first stale attempt was read, how many laps, ns from there to the end. @category models @since 0.1.0 */
export interface FinishedFault extends Sighting {
  readonly gfn: number
  readonly thread: number
  readonly t: number
  readonly laps: number
  readonly ns: number
}

/** @category models @since 0.1.0 */
export interface FaultLaps {
  readonly running: Map<number, Run>
  /** Laps → how many faults made so many. */
  readonly laps: Map<number, number>
  lapsMax: number
  /** Frames that a thread turned away from. */
  abandoned: number
  /** The faults with most laps, most first. */
  readonly worst: Array<FinishedFault>
}

/** Faults that are kept one by one. */
const KEPT_WORST = 10

/** @category constructors @since 0.1.0 */
export const noFaultLaps = (): FaultLaps => ({
  running: new Map(),
  laps: new Map(),
  lapsMax: 0,
  abandoned: 0,
  worst: []
})

/** Takes one event into account. @category folding @since 0.1.0 */
export const evolveFaultLaps = (state: FaultLaps, event: Envelope<Event>): void => {
  const e = event.data
  if (e._tag === "GuestFaultRetried") again(state, event, e.gfn)
  else if (e._tag === "GuestFaulted") end(state, event, e.gfn)
}

const again = (state: FaultLaps, event: Envelope<Event>, gfn: number): void => {
  const run = runOn(state, event.data.thread, gfn) ?? { gfn, t: event.t, sighting: sightingOf(event), stale: 0 }
  run.stale++
  state.running.set(event.data.thread, run)
}

/** The run of a thread on a frame; one on another frame is over. */
const runOn = (state: FaultLaps, thread: number, gfn: number): Run | undefined => {
  const run = state.running.get(thread)
  if (run === undefined || run.gfn === gfn) return run
  state.abandoned++
  state.running.delete(thread)
  return undefined
}

const end = (state: FaultLaps, event: Envelope<Event>, gfn: number): void => {
  const thread = event.data.thread
  const run = runOn(state, thread, gfn)
  state.running.delete(thread)
  const laps = (run?.stale ?? 0) + 1
  state.laps.set(laps, (state.laps.get(laps) ?? 0) + 1)
  state.lapsMax = Math.max(state.lapsMax, laps)
  const least = state.worst[KEPT_WORST - 1]
  if (run === undefined || (least !== undefined && least.laps >= laps)) return
  state.worst.push({ ...run.sighting, gfn, thread, t: run.t, laps, ns: Math.max(0, event.t - run.t) })
  state.worst.sort((a, b) => b.laps - a.laps || a.seq - b.seq)
  state.worst.length = Math.min(state.worst.length, KEPT_WORST)
}
