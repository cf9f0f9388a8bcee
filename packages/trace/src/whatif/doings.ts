/**
 * What the world did in a trace: the invalidations with their ranges, times and tasks, the refreshes that were asked
 * for and how long each lookup took, the checks, and what became of caches and memslots.
 *
 * What the kernel decided is left out: that is what another protocol decides anew.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { INVALID_GPA, KVM_HVA_ERR_BAD } from "@pfnscope/protocol"
import type { Event, EventOf, LabelId } from "@pfnscope/protocol"
import type { Taken } from "../conform/hypothesis.ts"

/** A moment of the trace: its time in ns, and its place among the events, which orders those of one time. */
export interface Moment {
  readonly t: number
  readonly order: number
}

/** A step that the kernel's own policy takes, and when, in an order that explains the trace. */
export interface RecordedStep {
  readonly label: LabelId
  readonly at: Moment
}

/** An invalidation of `[start, end)`. Moments that were not recorded are those of the next one that was. */
export interface Invalidation {
  readonly kind: "invalidation"
  readonly task: number
  readonly start: number
  readonly end: number
  readonly event: EventOf<"RangeStartCalled">["event"]
  readonly begun: Moment
  readonly steps: Array<RecordedStep>
  /** It came while its task was in something else: in the lookup of its own refresh. */
  readonly nested: boolean
  /** Whether a memslot overlaps; undefined: it was not recorded. */
  overlap: boolean | undefined
  counted: Moment | undefined
  walked: Moment | undefined
  returned: Moment | undefined
  ended: Moment | undefined
  uncounted: Moment | undefined
  finished: Moment | undefined
}

/** A lap: when it noted the sequence, when its lookup was over, and when it was tested. */
export interface Lap {
  readonly snapshot: Moment
  resolved: Moment | undefined
  tested: Moment | undefined
  /** The lookup failed. */
  failed: boolean
}

/** A refresh that was asked for; an activation begins before it. */
export interface Refresh {
  readonly kind: "refresh"
  readonly task: number
  readonly gpc: number
  readonly gpa: number
  uhva: number
  readonly begun: Moment
  readonly steps: Array<RecordedStep>
  readonly activates: boolean
  entered: Moment
  readonly laps: Array<Lap>
  /** No memslot had the address. */
  unmapped: boolean
  over: Moment | undefined
  finished: Moment | undefined
}

/** A check, a deactivation, or a memslot update. */
export interface Use {
  readonly kind: "check" | "deactivation" | "update"
  readonly task: number
  readonly gpc: number
  readonly begun: Moment
  readonly steps: Array<RecordedStep>
  /** When an update could be published at the latest, and when its grace period was over. */
  published: Moment | undefined
  changed: Moment | undefined
  finished: Moment | undefined
}

/** Anything that a task did. */
export type Doing = Invalidation | Refresh | Use

/** What one VM's world did, in the order in which it began. */
export interface Doings {
  readonly all: Array<Doing>
  last: Moment
  readonly open: Map<number, Array<Invalidation>>
  readonly busy: Map<number, Refresh | Use>
  /** Where each cache is. */
  readonly addresses: Map<number, number>
  /** The doings by the position of the event that they began with. */
  readonly opened: Map<number, Doing>
  /** Steps that were told of. */
  taken: number
}

/** Nothing was done yet. */
export const noDoings = (): Doings => ({
  all: [],
  last: { t: 0, order: 0 },
  open: new Map(),
  busy: new Map(),
  addresses: new Map(),
  opened: new Map(),
  taken: 0
})

const add = (d: Doings, doing: Doing): void => {
  d.all.push(doing)
  d.opened.set(doing.begun.order, doing)
}

/** Takes a step into account that the kernel's own policy took at an event. */
export const tellStep = (d: Doings, { event, label, opened }: Taken): void => {
  d.opened.get(opened)?.steps.push({ label, at: { t: event.t, order: d.taken++ } })
}

/** Takes one event of the VM into account. */
export const gather = (d: Doings, event: Envelope<Event>): Doings => {
  const now: Moment = { t: event.t, order: event.seq }
  d.last = now
  const e = event.data
  switch (e._tag) {
    case "RangeStartCalled":
      start(d, e, now)
      break
    case "CountIncremented":
      newest(d, e.thread, (i) => i.counted === undefined, (i) => (i.counted = now))
      break
    case "GpcInvalidated":
      newest(d, e.thread, (i) => i.walked === undefined, (i) => (i.walked = now))
      break
    case "WalkReturned":
      newest(d, e.thread, (i) => i.walked === undefined, (i) => (i.walked = now))
      break
    case "MmuLockHeld":
      newest(d, e.thread, (i) => i.returned === undefined, (i) => (i.overlap = true))
      break
    case "StartReturned":
      newest(d, e.thread, (i) => i.returned === undefined && i.start === e.start && i.end === e.end, (i) => {
        i.returned = now
      })
      break
    case "EndCalled":
      newest(d, e.thread, (i) => i.ended === undefined && i.start === e.start && i.end === e.end, (i) => {
        i.ended = now
      })
      break
    case "SeqBumped":
      newest(d, e.thread, (i) => i.ended !== undefined && i.uncounted === undefined, (i) => {
        i.ended = now
        i.overlap = true
      })
      break
    case "CountDecremented":
      newest(d, e.thread, (i) => i.ended !== undefined && i.uncounted === undefined, (i) => (i.uncounted = now))
      break
    case "EndReturned":
      finish(d, e, now)
      break
    default:
      gatherUse(d, event, now)
  }
  return d
}

const start = (d: Doings, e: EventOf<"RangeStartCalled">, begun: Moment): void => {
  const stack = d.open.get(e.thread) ?? []
  d.open.set(e.thread, stack)
  const { end, event, start: from, thread: task } = e
  const nested = stack.length > 0 || d.busy.has(task)
  const moments = { counted: undefined, walked: undefined, returned: undefined, ended: undefined }
  const invalidation: Invalidation = {
    kind: "invalidation",
    task,
    start: from,
    end,
    event,
    begun,
    steps: [],
    nested,
    overlap: undefined,
    ...moments,
    uncounted: undefined,
    finished: undefined
  }
  stack.push(invalidation)
  add(d, invalidation)
}

const newest = (
  d: Doings,
  task: number,
  fits: (i: Invalidation) => boolean,
  change: (i: Invalidation) => void
): void => {
  const invalidation = d.open.get(task)?.findLast(fits)
  if (invalidation !== undefined) change(invalidation)
}

const finish = (d: Doings, e: EventOf<"EndReturned">, now: Moment): void => {
  const stack = d.open.get(e.thread)
  const at = stack?.findLastIndex((i) => i.start === e.start && i.end === e.end) ?? -1
  if (stack === undefined || at < 0) return
  stack[at]!.finished = now
  stack.splice(at, 1)
}

const gatherUse = (d: Doings, event: Envelope<Event>, now: Moment): void => {
  const e = event.data
  const busy = d.busy.get(e.thread)
  const refresh = busy?.kind === "refresh" ? busy : undefined
  const use = busy !== undefined && busy.kind !== "refresh" ? busy : undefined
  const lap = refresh?.laps.at(-1)
  switch (e._tag) {
    case "Called":
      call(d, e, now)
      break
    case "Returned":
      if (busy === undefined || (refresh !== undefined && !refresh.activates)) break
      busy.finished = now
      d.busy.delete(e.thread)
      break
    case "RefreshEntered":
      if (refresh?.activates === true && refresh.laps.length === 0) refresh.entered = now
      else request(d, e.thread, { gpc: e.gpc, gpa: e.gpa, uhva: e.uhva }, now, false)
      break
    case "Translated":
      if (refresh !== undefined) refresh.uhva = e.uhva
      d.addresses.set(e.gpc, e.uhva)
      break
    case "Snapshotted":
      refresh?.laps.push({ snapshot: now, resolved: undefined, tested: undefined, failed: false })
      break
    case "PfnResolved":
      if (lap === undefined) break
      lap.resolved = now
      lap.failed = e.pfn < 0
      break
    case "RetryTested":
      if (lap !== undefined) lap.tested = now
      break
    case "Published":
      d.addresses.set(e.gpc, e.uhva)
      if (refresh !== undefined) refresh.over = now
      break
    case "MappingKept":
    case "RefreshFailed":
      if (refresh === undefined) break
      refresh.over = now
      if (e._tag === "RefreshFailed" && lap === undefined) refresh.unmapped = true
      else if (e._tag === "RefreshFailed") lap!.failed = true
      break
    case "RefreshReturned":
      if (refresh === undefined) break
      refresh.finished = now
      if (!refresh.activates) d.busy.delete(e.thread)
      break
    case "Checked":
      add(d, { ...noUse("check", e.thread, e.gpc, now), finished: now })
      break
    case "MemslotsSwapped":
      if (use !== undefined) use.published = now
      break
    case "GenerationChanged":
      if (use !== undefined) use.changed = now
  }
}

const noUse = (kind: Use["kind"], task: number, gpc: number, begun: Moment): Use => ({
  kind,
  task,
  gpc,
  begun,
  steps: [],
  published: undefined,
  changed: undefined,
  finished: undefined
})

const call = (d: Doings, e: EventOf<"Called">, now: Moment): void => {
  if (e.op === "gpc_activate") {
    request(d, e.thread, { gpc: e.a, gpa: e.b, uhva: KVM_HVA_ERR_BAD }, now, true)
  } else if (e.op === "gpc_activate_hva") {
    request(d, e.thread, { gpc: e.a, gpa: INVALID_GPA, uhva: e.b }, now, true)
  } else if (e.op === "gpc_deactivate" || e.op === "set_memslot") {
    const use = noUse(e.op === "set_memslot" ? "update" : "deactivation", e.thread, e.a, now)
    d.busy.set(e.thread, use)
    add(d, use)
  }
}

const request = (
  d: Doings,
  task: number,
  what: { readonly gpc: number; readonly gpa: number; readonly uhva: number },
  begun: Moment,
  activates: boolean
): void => {
  const refresh: Refresh = {
    kind: "refresh",
    task,
    ...what,
    uhva: what.uhva < 0 ? d.addresses.get(what.gpc) ?? what.uhva : what.uhva,
    begun,
    steps: [],
    activates,
    entered: begun,
    laps: [],
    unmapped: false,
    over: undefined,
    finished: undefined
  }
  d.busy.set(task, refresh)
  add(d, refresh)
}
