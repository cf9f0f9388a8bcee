/**
 * An operation of a task (an invalidation, a refresh, a memslot update) that runs on a thread of the model, and how far
 * it may go: no step is taken that a record would have told of, before that record.
 *
 * @since 0.1.0
 */
import { L } from "@pfnscope/protocol"
import type { EventTag, Label, LabelId } from "@pfnscope/protocol"

/** What kind of operation. An activation is a refresh that begins before it; a check or a guest fault is over at once. */
export type Kind = "invalidation" | "refresh" | "deactivation" | "update" | "use"

/** An operation under way. */
export interface Operation {
  readonly kind: Kind
  /** The model's thread, and the task in the trace. */
  readonly thread: number
  readonly task: number
  /** The cache, or -1. */
  readonly gpc: number
  /** The range, bytes. */
  readonly start: number
  readonly end: number
  /** A refresh that an activation makes. */
  readonly activates: boolean
  /** The last of its events. */
  seen: EventTag
  /** Whether a memslot overlaps the range; undefined while it is not known. */
  overlap: boolean | undefined
  /** Whether a record between the test and what it led to could also have been another. */
  doubtful: boolean
  /** Caches that its walk was seen to mark. */
  readonly hits: Array<number>
}

/** The order in which an operation's events come; what is in one row says the same. */
const INVALIDATION: ReadonlyArray<ReadonlyArray<EventTag>> = [
  ["RangeStartCalled"],
  ["CountIncremented", "GpcInvalidated"],
  ["WalkReturned"],
  ["MmuLockHeld", "StartReturned"],
  ["EndCalled"],
  ["SeqBumped"],
  ["CountDecremented"]
]

/** How many rows of {@link INVALIDATION} must have begun before an invalidation takes a step. */
const INVALIDATION_NEEDS: Readonly<Partial<Record<Label, number>>> = {
  "start.count": 0,
  "start.gpc_lock": 1,
  "start.visit": 1,
  "start.invalidate": 1,
  "start.gpc_unlock": 1,
  "start.mmu": 3,
  change: 4,
  "end.mmu": 4,
  "end.gpc_lock": 4,
  "end.visit": 4,
  "end.invalidate": 4,
  "end.gpc_unlock": 4,
  "end.count": 4,
  "end.wake": 6,
  finish: 6
}

/** Which event must be the last one seen before a refresh takes a step; the first that is recorded at all counts. */
const REFRESH_NEEDS: Readonly<Partial<Record<Label, ReadonlyArray<EventTag>>>> = {
  "retry.unlock": ["Snapshotted"],
  "retry.put": ["Snapshotted"],
  "retry.wait": ["Snapshotted"],
  "retry.sleep": ["Snapshotted"],
  "retry.relock_inner": ["Snapshotted"],
  gup: ["Snapshotted"],
  "retry.map": ["PfnResolved", "Snapshotted"],
  "retry.relock": ["PfnResolved", "Snapshotted"],
  "retry.count": ["RetryTested", "PfnResolved", "Snapshotted"],
  "retry.seq": ["RetryTested", "PfnResolved", "Snapshotted"],
  "retry.decide": ["RetryTested", "PfnResolved", "Snapshotted"],
  "refresh.put": ["Published"],
  "refresh.write_unlock": ["Published"]
}

/** A look at the count, just now; `Blocked` is what an update is after one that found invalidations in flight. */
const UPDATES: ReadonlySet<EventTag> = new Set(["SwapWaited", "MemslotsSwapped"])

const PUBLISHED: ReadonlySet<EventTag> = new Set(["MemslotsSwapped", "GenerationChanged"])

/** Steps of an activation before its refresh. */
const ACTIVATES: ReadonlySet<LabelId> = new Set([
  L["activate.lock"],
  L["activate.gpc_lock"],
  L["activate.list"],
  L["activate.gpc_unlock"],
  L["activate.active"]
])

const ENDED: ReadonlySet<EventTag> = new Set(["Published", "MappingKept", "RefreshFailed", "RefreshReturned"])

/** Tells whether an operation may take the step at a label, of a trace in which `recorded` kinds of events are. */
export const gatesOf = (recorded: ReadonlySet<EventTag>): (op: Operation, label: LabelId) => boolean => {
  const rows = new Map<EventTag, number>()
  INVALIDATION.forEach((tags, row) => tags.forEach((tag) => rows.set(tag, row)))
  const isRecorded = INVALIDATION.map((tags) => tags.some((tag) => recorded.has(tag)))
  const needs = new Map<LabelId, number>()
  for (const [label, row] of Object.entries(INVALIDATION_NEEDS)) {
    let need = row
    while (need > 0 && !isRecorded[need]) need--
    needs.set(L[label as Label], need)
  }
  const lastSeen = new Map<LabelId, EventTag>()
  for (const [label, tags] of Object.entries(REFRESH_NEEDS)) {
    lastSeen.set(L[label as Label], tags.find((tag) => recorded.has(tag)) ?? tags.at(-1)!)
  }
  const bumps = recorded.has("SeqBumped") ? rows.get("SeqBumped")! : 0

  return (op, label) => {
    switch (op.kind) {
      case "invalidation": {
        const seen = rows.get(op.seen) ?? 0
        // What shows kvm_mmu_invalidate_end comes just before it, under mmu_lock.
        if (label === L["end.mmu"] && op.overlap === true && seen < bumps) return false
        return seen >= (needs.get(label) ?? 0)
      }
      case "refresh": {
        if (op.seen === "Called") return ACTIVATES.has(label)
        if (label === L["refresh.unlock"]) return ENDED.has(op.seen)
        const need = lastSeen.get(label)
        return need === undefined || need === op.seen
      }
      case "update":
        if (label === L["swap.wait"] || label === L["swap.sleep"]) return UPDATES.has(op.seen)
        if (label === L["swap.srcu"] || label === L["swap.drain"]) return PUBLISHED.has(op.seen)
        return label !== L["slots.unlock"] || op.seen === "GenerationChanged"
      default:
        return true
    }
  }
}

/** A lock under which a step's own record is written: records of two such steps come in the order of the steps. */
export type Pin = "mn_invalidate_lock" | "mmu_lock" | "gpc->lock" | undefined

/** The lock that a step of an operation is pinned by. */
export const pinsOf = (recorded: ReadonlySet<EventTag>): (op: Operation, label: LabelId) => Pin => {
  const pins = new Map<LabelId, Pin>()
  const pin = (label: Label, lock: Pin, ...tags: ReadonlyArray<EventTag>) => {
    if (tags.some((tag) => recorded.has(tag))) pins.set(L[label], lock)
  }
  pin("start.count", "mn_invalidate_lock", "CountIncremented")
  pin("end.count", "mn_invalidate_lock", "CountDecremented")
  pin("swap.wait", "mn_invalidate_lock", "SwapWaited", "MemslotsSwapped")
  pin("swap.sleep", "mn_invalidate_lock", "SwapWaited", "MemslotsSwapped")
  pin("start.mmu", "mmu_lock", "MmuLockHeld")
  pin("end.mmu", "mmu_lock", "SeqBumped")
  pin("guest.stale", "mmu_lock", "GuestFaulted", "GuestFaultRetried")
  pin("start.invalidate", "gpc->lock", "GpcInvalidated")
  pin("refresh.decide", "gpc->lock", "Snapshotted")
  pin("retry.relock", "gpc->lock", "RetryTested")
  pin("retry.decide", "gpc->lock", "Published")
  pin("use.check", "gpc->lock", "Checked")
  return (op, label) => {
    const lock = pins.get(label)
    return lock === "mmu_lock" && op.kind === "invalidation" && op.overlap === false ? undefined : lock
  }
}
