/**
 * The closed list of events: every way in which the state may change, in the past tense and the kernel's words.
 *
 * Each event is declared once, below, as its stream and its fields in order. From that come its Schema, the type of
 * the object that readers of a log get, and the positional form `emit.CountIncremented(thread, count)` in which
 * steps write it: the hot path passes numbers and allocates nothing.
 *
 * Every event names the `thread` that ran. The last event of a step also says where the thread stands afterwards
 * (`to`): with it a log holds every program counter, and a machine can be rebuilt in mid-program.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Gfn, Gpa, Hva, Pfn } from "./address.ts"
import { LABELS } from "./label.ts"
import type { Label } from "./label.ts"

/** How a field is written as a number in a step, and as a value in a log. */
interface Kind<A> {
  readonly schema: Schema.Top
  of(code: number): A
  code(value: A): number
}

const int = (schema: Schema.Top): Kind<number> => ({ schema, of: (n) => n, code: (n) => n })
const hva = int(Hva)
const gpa = int(Gpa)
const gfn = int(Gfn)
const pfn = int(Pfn)
const id = int(Schema.Int)
const count = int(Schema.Int)
const flag: Kind<boolean> = { schema: Schema.Boolean, of: (n) => n !== 0, code: (b) => b ? 1 : 0 }
/** A vocabulary: it may grow at its end, since a log stores the places of its words. */
const oneOf = <const A extends ReadonlyArray<string>>(vocabulary: string, names: A): Kind<A[number]> => ({
  schema: Schema.Literals(names).annotate({ vocabulary }),
  of: (n) => names[n] as A[number],
  code: (name) => names.indexOf(name)
})

/** `enum mmu_notifier_event` (include/linux/mmu_notifier.h), in its order. @category vocabulary @since 0.1.0 */
export const NOTIFIER_EVENTS = [
  "UNMAP",
  "CLEAR",
  "PROTECTION_VMA",
  "PROTECTION_PAGE",
  "SOFT_DIRTY",
  "RELEASE",
  "MIGRATE",
  "EXCLUSIVE"
] as const

/** What the primary MMU does to the entries of a range between start and end. @category vocabulary @since 0.1.0 */
export const CHANGES = [
  "unknown",
  "zap",
  "unmap",
  "move",
  "split",
  "protect",
  "write-protect",
  "soft-dirty",
  "copy-on-write",
  "migrate",
  "merge",
  "collapse"
] as const

/**
 * What a page table entry lets a write do: `absent` faults a zero page in, `write` writes, `copy-on-write` copies
 * first, `write-protected` is made writable by the fault (soft-dirty, dirty tracking), `read-only` and `none` are
 * the VMA's protection (a write fault fails), `migration` waits, `unmapped` has no VMA.
 *
 * @category vocabulary
 * @since 0.1.0
 */
export const PROTECTIONS = [
  "absent",
  "write",
  "copy-on-write",
  "write-protected",
  "read-only",
  "none",
  "migration",
  "unmapped"
] as const

/** The locks a thread can hold from one step to the next. @category vocabulary @since 0.1.0 */
export const LOCKS = [
  "mn_invalidate_lock",
  "gpc_lock",
  "slots_lock",
  "gpc->lock",
  "gpc->refresh_lock",
  "mmap_lock(read)",
  "mmap_lock(write)"
] as const

/** Why a refresh does another lap. @category vocabulary @since 0.1.0 */
export const RETRY_REASONS = ["none", "count", "hull", "seq", "flag", "in-progress"] as const

/** Why a refresh does another lap. @category vocabulary @since 0.1.0 */
export type RetryReason = (typeof RETRY_REASONS)[number]

/** References that keep a frame alive: a user's (`get_user_pages`, an allocation) or an mmu_gather's. @category vocabulary @since 0.1.0 */
export const REFERENCES = ["gup", "gather"] as const

/** How a thread waits: not at all, on a queue, or asleep where nobody will wake it (I-24). @category vocabulary @since 0.1.0 */
export const SLEEPS = ["awake", "queued", "unqueued"] as const

/** States of a memslot in the active set. @category vocabulary @since 0.1.0 */
export const SLOT_STATES = ["absent", "present", "invalid"] as const

/** The operations a thread can be asked for. @category vocabulary @since 0.1.0 */
export const OPERATIONS = [
  "pause",
  "touch",
  "madvise",
  "munmap",
  "mmap",
  "mremap",
  "mprotect",
  "fork",
  "migrate",
  "ksm_merge",
  "thp_collapse",
  "thp_split",
  "clear_soft_dirty",
  "set_memslot",
  "delete_memslot",
  "gpc_activate",
  "gpc_activate_hva",
  "gpc_deactivate",
  "gpc_refresh",
  "gpc_read",
  "gpc_use",
  "gpc_write_own",
  "guest_fault",
  "unknown",
  "brk"
] as const

/** The name of an operation. @category vocabulary @since 0.1.0 */
export type Operation = (typeof OPERATIONS)[number]

/** The properties that can be judged violated. Statements: `property.ts`. @category vocabulary @since 0.1.0 */
export const PROPERTY_IDS = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13"] as const

/** The id of a property. @category vocabulary @since 0.1.0 */
export type PropertyId = (typeof PROPERTY_IDS)[number]

const event = oneOf("event", NOTIFIER_EVENTS)
const change = oneOf("change", CHANGES)
const protection = oneOf("protection", PROTECTIONS)
const lock = oneOf("lock", LOCKS)
const reason = oneOf("reason", RETRY_REASONS)
const reference = oneOf("reference", REFERENCES)
const sleep = oneOf("sleep", SLEEPS)
const slotState = oneOf("slotState", SLOT_STATES)
const operation = oneOf("operation", OPERATIONS)
const property = oneOf("property", PROPERTY_IDS)

/**
 * Whose stream an event belongs to: the notifier (`mn/0`), the primary MMU (`mmu/0`), the cache its `gpc` field names,
 * the thread that ran, or the auditor (`audit/0`).
 */
type Owner = "mn" | "mmu" | "gpc" | "thread" | "audit"

const on = <const F extends ReadonlyArray<readonly [string, Kind<unknown>]>>(owner: Owner, ...fields: F) => ({
  owner,
  fields
})

const f = <const N extends string, K extends Kind<unknown>>(name: N, kind: K): readonly [N, K] => [name, kind]

/**
 * The events that steps emit.
 *
 * A log stores an event by name, so the order here is for the reader only.
 */
const emitted = {
  // ---- operations of a thread ---------------------------------------------------------------------------------
  /** The thread entered an operation: a syscall, an ioctl, or a use of a cache; `a`, `b`, `c` are its arguments. */
  Called: on("thread", f("op", operation), f("a", id), f("b", id), f("c", id)),
  /** The operation returned 0 or a negative errno. */
  Returned: on("thread", f("ret", id)),
  /** The step's guard was not met: the thread waits in the actor until its state changes. */
  Blocked: on("thread", f("on", id)),
  /** A lock that outlives the step was taken; `gpc` is the cache, or -1. */
  Locked: on("thread", f("lock", lock), f("gpc", id)),
  /** A lock was released; `gpc` is the cache, or -1. */
  Unlocked: on("thread", f("lock", lock), f("gpc", id)),

  // ---- kvm_mmu_notifier_invalidate_range_start ------------------------------------------------------------------
  /** The primary MMU called range_start for `[start, end)`; it is about to make `change`. */
  RangeStartCalled: on("mn", f("start", hva), f("end", hva), f("event", event), f("change", change)),
  /** `mn_active_invalidate_count++` under mn_invalidate_lock; the new value. */
  CountIncremented: on("mn", f("count", count)),
  /** Tracked range `entry` became `[start, end)`, shared by `users` invalidations in flight. */
  HullChanged: on("mn", f("entry", id), f("start", hva), f("end", hva), f("users", count)),
  /** The walk looked at a cache. */
  GpcVisited: on("gpc", f("gpc", id), f("hit", flag)),
  /** `gpc->valid = false` by the notifier; `flag`: needs_invalidation was cleared too. */
  GpcInvalidated: on("gpc", f("gpc", id), f("flag", flag)),
  /** `kvm_mmu_invalidate_begin` and the zap, under mmu_lock: a memslot overlaps. The hull is in guest frames. */
  MmuLockHeld: on("mn", f("inProgress", count), f("start", gfn), f("end", gfn)),
  /** range_start returned: by contract every cache in the range is invalid and no reader still uses one. */
  StartReturned: on("mn", f("start", hva), f("end", hva)),

  // ---- the primary MMU ------------------------------------------------------------------------------------------
  /** An entry changed: the frame it maps and what it allows. `gathered`: the old frame is kept by this thread. */
  PteChanged: on("mmu", f("hva", hva), f("pfn", pfn), f("protection", protection), f("gathered", flag)),
  /** A frame was allocated; the allocation is a `gup` reference. It starts as a copy of `copyOf` (0: zeroes). */
  FrameAllocated: on("mmu", f("pfn", pfn), f("copyOf", pfn)),
  /** A fault mapped a new zero frame. */
  PageFaulted: on("mmu", f("hva", hva), f("pfn", pfn)),
  /** A reference was put. */
  RefPut: on("mmu", f("pfn", pfn), f("reference", reference)),
  /** The last reference went: the frame is free. Derived, never commanded. */
  PageFreed: on("mmu", f("pfn", pfn)),

  // ---- kvm_mmu_notifier_invalidate_range_end --------------------------------------------------------------------
  /** The primary MMU called range_end. */
  EndCalled: on("mn", f("start", hva), f("end", hva)),
  /** `kvm_mmu_invalidate_end` under mmu_lock: `mmu_invalidate_seq` and `mmu_invalidate_in_progress` afterwards. */
  SeqBumped: on("mn", f("seq", count), f("inProgress", count)),
  /** `gpc_invalidate_seq++` under mn_invalidate_lock (7.3.2); the new value. */
  GpcSeqBumped: on("mn", f("seq", count)),
  /** `mn_active_invalidate_count--`; the new value. */
  CountDecremented: on("mn", f("count", count)),
  /** A sleeper was woken. */
  Woken: on("mn", f("sleeper", id)),
  /** range_end returned. */
  EndReturned: on("mn", f("start", hva), f("end", hva)),

  // ---- kvm_gpc_refresh ------------------------------------------------------------------------------------------
  /** `kvm_gpc_refresh` took refresh_lock, to map `gpa` (or, where that is INVALID_GPA, `uhva`). */
  RefreshEntered: on("gpc", f("gpc", id), f("gpa", gpa), f("uhva", hva)),
  /** The active memslots were read: their generation (odd: an update is in flight) and the address of the gpa. */
  SlotsRead: on("mn", f("generation", count), f("hva", hva)),
  /** The cache took a new address. */
  Translated: on("gpc", f("gpc", id), f("gpa", gpa), f("uhva", hva), f("generation", count)),
  /** The mapping was still good: nothing was looked up. */
  MappingKept: on("gpc", f("gpc", id)),
  /** A lookup begins: `valid = false` so that check fails while the lock is dropped. */
  ValidCleared: on("gpc", f("gpc", id)),
  /** `valid = true` ahead of the mapping (5.17), or, with gpc->lock held, ahead of the retry test (`tentative`). */
  ValidSet: on("gpc", f("gpc", id), f("tentative", flag)),
  /** `needs_invalidation = true`: from now on the notifier marks the cache. */
  FlagSet: on("gpc", f("gpc", id)),
  /** The sequence count that the retry test will compare with. */
  Snapshotted: on("mn", f("seq", count)),
  /** The refresh looked whether an invalidation of its address is in flight, before going on. */
  Waited: on("mn", f("pending", flag), f("sleep", sleep)),
  /** `hva_to_pfn` gave a frame (and a reference to it), or KVM_PFN_ERR_FAULT. */
  PfnResolved: on("mmu", f("hva", hva), f("pfn", pfn)),
  /** The frame has a kernel mapping; `reused`: the old one. */
  Mapped: on("gpc", f("gpc", id), f("pfn", pfn), f("reused", flag)),
  /** One test of the retry condition was read; `covering`: in-flight ranges that hold the address. */
  RetryTested: on("mn", f("reason", reason), f("met", flag), f("inFlight", count), f("covering", count)),
  /** The lap is thrown away, and why. `inFlight`, `covering` as the last test saw them. */
  RetryDecided: on("gpc", f("gpc", id), f("reason", reason), f("inFlight", count), f("covering", count)),
  /** The mapping was stored and is valid. */
  Published: on("gpc", f("gpc", id), f("uhva", hva), f("pfn", pfn)),
  /** The mapping was stored, and `valid` left as it is (5.17). */
  MappingStored: on("gpc", f("gpc", id), f("pfn", pfn)),
  /** The refresh failed: `valid = false`, no pfn, no mapping. */
  RefreshFailed: on("gpc", f("gpc", id), f("ret", id)),
  /** `kvm_gpc_refresh` released refresh_lock and returned. */
  RefreshReturned: on("gpc", f("gpc", id), f("ret", id)),

  // ---- users of a cache -----------------------------------------------------------------------------------------
  /** `read_lock(&gpc->lock)`. */
  ReaderEntered: on("gpc", f("gpc", id)),
  /** `kvm_gpc_check`. */
  Checked: on("gpc", f("gpc", id), f("ok", flag)),
  /** An access through khva to frame `pfn`; `word` is what it writes (0: it reads). */
  KhvaAccessed: on("gpc", f("gpc", id), f("pfn", pfn), f("word", gpa)),
  /** `read_unlock(&gpc->lock)`. */
  ReaderLeft: on("gpc", f("gpc", id)),
  /** `gpc->active = true`. */
  Activated: on("gpc", f("gpc", id)),
  /** `active = valid = false`, no pfn, no mapping. */
  Deactivated: on("gpc", f("gpc", id)),
  /** The cache was put on, or taken off, `kvm->gpc_list`. */
  Listed: on("gpc", f("gpc", id), f("listed", flag)),

  // ---- memslots -------------------------------------------------------------------------------------------------
  /** `srcu_read_lock(&kvm->srcu)`. */
  SrcuEntered: on("mn", f("index", id)),
  /** `srcu_read_unlock`. */
  SrcuLeft: on("mn", f("index", id)),
  /** The update found invalidations in flight and sleeps (`mn_memslots_update_rcuwait`). */
  SwapWaited: on("mn", f("count", count)),
  /** `kvm_swap_active_memslots` published a set: one slot changed, the generation is marked in flight (odd). */
  MemslotsSwapped: on("mn", f("slot", id), f("state", slotState), f("hva", hva), f("generation", count)),
  /** `synchronize_srcu` began: new readers use the other index. */
  SrcuFlipped: on("mn", f("index", id)),
  /** The update is over: the new generation (even). */
  GenerationChanged: on("mn", f("generation", count)),

  // ---- guest page faults ------------------------------------------------------------------------------------------
  /** The fault mapped the frame into the guest. */
  GuestFaulted: on("mn", f("gfn", gfn), f("pfn", pfn)),
  /** `is_page_fault_stale` (or the early test): the vCPU faults again. */
  GuestFaultRetried: on("mn", f("gfn", gfn), f("reason", reason)),

  // ---- audit ------------------------------------------------------------------------------------------------------
  /** A property does not hold; `gpc` is the cache it concerns, or -1. */
  PropertyViolated: on("audit", f("property", property), f("gpc", id))
} as const

const text: Kind<string> = { schema: Schema.String, of: String, code: () => 0 }

/** The events that only an import writes: what a trace says beside the protocol's own steps. They change no state. */
const observed = {
  /** A task seen in a trace: thread id, command name, pid. */
  TaskSeen: on("thread", f("comm", text), f("pid", id)),
  /** A cache seen in a trace: its kernel pointer. Seen again: it is another one, of another VM in the same memory. */
  GpcSeen: on("gpc", f("gpc", id), f("pointer", text)),
  /** A VM's cache list was walked, without what the walk found. */
  WalkReturned: on("mn"),
  /** A line of `trace_marker`, or a note of the importer. */
  Noted: on("thread", f("text", text)),
  /** The tracer lost events of a CPU; -1: it does not say how many. */
  EventsLost: on("audit", f("cpu", id), f("count", id)),
  /** The clock of the trace went back by so many ns. */
  ClockStepped: on("audit", f("back", count)),
  /** The call chain of the event that is its `cause`: the functions' names, the innermost first, a space between. */
  CallChainSeen: on("thread", f("frames", text)),
  /**
   * What a probe in the page fault path saw of the notifier's state: `mmu_invalidate_seq`, `mmu_invalidate_in_progress`
   * and the hull, `repeat` times in a row without a change (`uniq -c`). `vcpu` is its kernel pointer, or empty.
   */
  FaultStateSeen: on(
    "mn",
    f("vcpu", text),
    f("seq", count),
    f("inProgress", count),
    f("start", hva),
    f("end", hva),
    f("repeat", count)
  )
} as const

const specification = { ...emitted, ...observed } as const

type Specification = typeof specification
type Emitted = typeof emitted
type FieldsOf<K extends EventTag> = Specification[K]["fields"]
type ValueOf<K extends Kind<unknown>> = ReturnType<K["of"]>
type Numbers<F extends ReadonlyArray<unknown>> = { -readonly [I in keyof F]: number }

/** The name of an event. @category models @since 0.1.0 */
export type EventTag = keyof Specification

/** The name of an event that steps emit. @category models @since 0.1.0 */
export type EmittedTag = keyof Emitted

/** One event of the closed list, as a reader of a log sees it. @category models @since 0.1.0 */
export type EventOf<K extends EventTag> =
  & { readonly _tag: K; readonly thread: number; readonly to?: Label }
  & { readonly [F in FieldsOf<K>[number] as F[0]]: ValueOf<F[1]> }

/** Any event. @category models @since 0.1.0 */
export type Event = { [K in EventTag]: EventOf<K> }[EventTag]

/**
 * How a step writes: one method per event, the thread first and then the fields in order, as numbers (booleans 0 or
 * 1, names by their place in their vocabulary).
 *
 * @category models
 * @since 0.1.0
 */
export type Emit = {
  readonly [K in EmittedTag]: (thread: number, ...fields: Numbers<Emitted[K]["fields"]>) => void
}

/** The names of the events that steps emit. @category models @since 0.1.0 */
export const EMITTED = Object.keys(emitted) as ReadonlyArray<EmittedTag>

/** The names of a event's fields, in the order of its positional form. @category models @since 0.1.0 */
export const fieldsOf = (tag: EventTag): ReadonlyArray<string> => specification[tag].fields.map(([name]) => name)

/** Whose stream an event goes to. @category models @since 0.1.0 */
export const ownerOf = (tag: EventTag): Owner => specification[tag].owner

const kindsOf = (tag: EventTag): ReadonlyArray<readonly [name: string, kind: Kind<unknown>]> =>
  specification[tag].fields

/**
 * Makes the object form of an event from its positional form; `to` is a label's number, or -1 for none.
 *
 * @category conversions
 * @since 0.1.0
 */
export const makeEvent = (
  tag: EventTag
): (thread: number, a: number, b: number, c: number, d: number, to: number) => Event => {
  const fields = kindsOf(tag)
  return (thread, a, b, c, d, to) => {
    const event: Record<string, unknown> = { _tag: tag, thread }
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      event[field[0]] = field[1].of(i === 0 ? a : i === 1 ? b : i === 2 ? c : d)
    }
    if (to >= 0) event["to"] = LABELS[to]
    return event as unknown as Event
  }
}

const encoders = new Map<string, ReadonlyArray<readonly [string, Kind<unknown>]>>(
  EMITTED.map((tag) => [tag, kindsOf(tag)])
)

/**
 * Sends an event from a log through `emit`, as the step did that wrote it. Events that no step writes do nothing.
 *
 * @category conversions
 * @since 0.1.0
 */
export const replay = (event: Event, emit: Emit): void => {
  const fields = encoders.get(event._tag)
  if (fields === undefined) return
  const args: Array<number> = []
  for (const [name, kind] of fields) args.push(kind.code((event as unknown as Record<string, unknown>)[name]))
  const writer = emit as unknown as Record<string, (thread: number, ...args: ReadonlyArray<number>) => void>
  writer[event._tag]!(event.thread, ...args)
}

/** The Schema of one event. @category schemas @since 0.1.0 */
export const schemaOf = (tag: EventTag) =>
  Schema.TaggedStruct(tag, {
    thread: Schema.Int,
    ...Object.fromEntries(kindsOf(tag).map(([name, kind]) => [name, kind.schema])),
    to: Schema.optionalKey(Schema.Literals(LABELS).annotate({ vocabulary: "label" }))
  })

/**
 * The Schema of the closed list.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Event = Schema.Union(
  (Object.keys(specification) as ReadonlyArray<EventTag>).map(schemaOf)
) as unknown as Schema.Codec<Event>
