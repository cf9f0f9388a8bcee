/**
 * Pace: when a thread takes its next step. What the world did keeps its times; a refresh that makes more laps than it
 * made in the trace makes them as long as those it made.
 *
 * @since 0.1.0
 */
import { L } from "@pfnscope/protocol"
import type { Label, LabelId } from "@pfnscope/protocol"
import type { Doing, Invalidation, Lap, Moment, RecordedStep, Refresh, Use } from "./doings.ts"

/** Tells when the step at a label is taken, by a thread whose last step was at `now`. */
export interface Pace {
  readonly next: (label: LabelId, now: Moment) => Moment
}

/** A moment that no record shows: after those of its time that one does. */
const unrecorded = (t: number): Moment => ({ t, order: Number.MAX_SAFE_INTEGER })

/** So much later; if that is at once, before anything else comes in between. */
const after = (now: Moment, ns: number): Moment => ns <= 0 ? now : unrecorded(now.t + ns)

/** Between two looks of a thread that spins, ns: a cpu_relax and two loads. No trace shows one. */
const SPIN_NS = 100

/** The parts of a lap, ns: until the lookup is over, from there to the test, and from there to the next lap. */
export interface LapTimes {
  readonly lookup: number
  readonly test: number
  readonly again: number
}

const within = (first: LabelId, last: LabelId) => (label: LabelId): boolean => first <= label && label <= last

const isStartWalk = within(L["start.gpc_lock"], L["start.gpc_unlock"])
const isEndWalk = within(L["end.gpc_lock"], L["end.gpc_unlock"])

/** When the last moment that was recorded of an invalidation's first ones was. */
const lastOf = (...moments: ReadonlyArray<Moment | undefined>): Moment =>
  moments.findLast((moment) => moment !== undefined)!

/** Shifts a moment by as much as its operation began late. */
const late = (moment: Moment, by: number): Moment => by === 0 ? moment : unrecorded(moment.t + by)

const invalidationPace = (i: Invalidation, shift: number): Pace => {
  const counted = lastOf(i.begun, i.counted)
  const walked = lastOf(counted, i.walked)
  const returned = lastOf(walked, i.returned)
  // One that the trace does not see the end of stays open.
  const never = i.ended === undefined ? unrecorded(Infinity) : undefined
  const ended = never ?? lastOf(returned, i.ended)
  const uncounted = never ?? lastOf(ended, i.uncounted)
  const at = (label: LabelId): Moment => {
    if (label === L["mmap.read"]) return i.begun
    if (label === L["start.count"]) return counted
    if (isStartWalk(label)) return walked
    if (label === L["start.mmu"] || label === L.change || label === L.flush) return returned
    if (label === L["end.mmu"] || isEndWalk(label)) return ended
    return label === L["end.count"] ? uncounted : lastOf(uncounted, i.finished)
  }
  return { next: (label) => late(at(label), shift) }
}

/** The times of a lap; a part that was not recorded takes no time. */
export const timesOf = (lap: Lap, next: Lap | undefined, over: Moment | undefined): LapTimes => {
  const resolved = lap.resolved ?? lap.tested ?? lap.snapshot
  const tested = lap.tested ?? resolved
  const after = next?.snapshot ?? over ?? tested
  return { lookup: resolved.t - lap.snapshot.t, test: tested.t - resolved.t, again: Math.max(0, after.t - tested.t) }
}

/** The parts of a refresh, each of which begins at one moment. */
type Part = "entry" | "lap" | "resolved" | "tested" | "finished"

const PARTS: ReadonlyMap<LabelId, Part> = new Map(
  ([
    ["lap", ["refresh.write", "refresh.slots", "refresh.decide", "retry.snapshot", "retry.unlock", "retry.put"]],
    ["lap", ["retry.relock_inner"]],
    ["resolved", ["gup", "retry.map", "refresh.error"]],
    ["tested", ["retry.relock", "retry.count", "retry.seq", "retry.decide", "refresh.put", "refresh.write_unlock"]],
    ["finished", ["refresh.unlock"]]
  ] as ReadonlyArray<readonly [Part, ReadonlyArray<Label>]>)
    .flatMap(([part, labels]) => labels.map((label) => [L[label], part] as const))
)

const isWait = (label: LabelId): boolean => label === L["retry.wait"] || label === L["retry.sleep"]

const refreshPace = (r: Refresh, shift: number, typical: LapTimes): Pace => {
  const times = r.laps.map((lap, i) => timesOf(lap, r.laps[i + 1], r.over))
  // The trace ends in a lookup: how long that one took nobody knows.
  const unknown = r.finished === undefined && r.laps.at(-1)?.resolved === undefined ? r.laps.length - 1 : -1
  let lap = 0
  let part: Part = "entry"
  let waiting = false
  const timesNow = (): LapTimes => times.length === 0 ? typical : times[lap % times.length]!

  const begin = (next: Part, now: Moment): Moment => {
    const was = part
    part = next
    const recorded = r.laps[lap]
    switch (next) {
      case "entry":
        return now
      case "lap": {
        if (was === "entry") return after(now, (recorded?.snapshot.t ?? r.entered.t) + shift - now.t)
        const { again } = timesNow()
        lap++
        return after(now, again)
      }
      case "resolved":
        return lap === unknown ? unrecorded(Infinity) : after(now, timesNow().lookup)
      case "tested":
        return after(now, timesNow().test)
      case "finished":
        return after(now, tailOf(r))
    }
  }

  return {
    next: (label, now) => {
      if (isWait(label)) {
        const again = waiting
        waiting = true
        return after(now, again ? SPIN_NS : 0)
      }
      waiting = false
      const next = PARTS.get(label) ?? "entry"
      return next === part ? now : begin(next, now)
    }
  }
}

/** From the end of a refresh's work to its return, ns. */
const tailOf = (r: Refresh): number => r.over === undefined || r.finished === undefined ? 0 : r.finished.t - r.over.t

const usePace = (use: Use, shift: number): Pace => {
  const finished = use.finished ?? use.begun
  const at = (label: LabelId): Moment | undefined => {
    if (use.kind !== "update") return undefined
    if (label === L["slots.lock"]) return use.begun
    if (label === L["swap.srcu"] || label === L["swap.drain"]) return use.changed ?? finished
    return label === L["slots.unlock"] ? finished : undefined
  }
  return {
    next: (label, now) => {
      const moment = at(label)
      return moment === undefined ? now : late(moment, shift)
    }
  }
}

/**
 * The pace of a doing whose task came to it `shift` ns later than in the trace. As long as its steps are those that the
 * kernel's own policy takes, they come when they came there.
 */
export const paceOf = (doing: Doing, shift: number, typical: LapTimes): Pace => {
  const other = otherPace(doing, shift, typical)
  let next = 0
  let last: LabelId = -1
  return {
    next: (label, now) => {
      const again = label === last
      last = label
      const own = other.next(label, now)
      const step = doing.steps[next]
      if (step?.label === label) {
        next++
        return late(step.at, shift)
      }
      // A page that was dropped takes the lookup more steps; an invalidation also locks and changes the page table.
      if ((again && label === L.gup) || UNSEEN.has(label)) return now
      if (doing.kind === "invalidation") next = findFrom(doing.steps, next, label)
      else next = doing.steps.length
      return own
    }
  }
}

/** Steps of the primary MMU that no record shows. */
const UNSEEN: ReadonlySet<LabelId> = new Set([L["mmap.read"], L.change, L.flush])

/** Behind the next step at a label, if there is one. */
const findFrom = (steps: ReadonlyArray<RecordedStep>, from: number, label: LabelId): number => {
  for (let i = from; i < steps.length; i++) if (steps[i]!.label === label) return i + 1
  return from
}

/** The pace of steps that the kernel's own policy does not take. */
const otherPace = (doing: Doing, shift: number, typical: LapTimes): Pace => {
  switch (doing.kind) {
    case "invalidation":
      return invalidationPace(doing, shift)
    case "refresh":
      return refreshPace(doing, shift, typical)
    default:
      return usePace(doing, shift)
  }
}
