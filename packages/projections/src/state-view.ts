/**
 * The state as a plain object, in the kernel's names.
 *
 * A leaf is one field with its path, `gpc/0.valid`, and how it is read from a state. A field that means nothing now (a
 * register outside its operation, an empty page table, a free lock) is absent. `why` takes the same paths.
 *
 * @since 0.1.0
 */
import {
  CHANGES,
  gpcActor,
  INVALID_GPA,
  KVM,
  LABELS,
  MMU,
  NO_PFN,
  OPEN,
  OPEN_RANGES,
  OPERATIONS,
  ownerOf,
  PROTECTIONS,
  regionOf,
  RETRY_REASONS,
  SLEEPS,
  SLOT_STATES,
  threadActor,
  TRACKED_RANGES
} from "@pfnscope/protocol"
import type { ActorId, Event, Gpc, Region, State, Thread } from "@pfnscope/protocol"
import { callText, gpaText, hvaText, pfnText, printable } from "./event-text.ts"

/** What a leaf holds: addresses are `"0x…"`, so are frames, or `"KVM_PFN_ERR_FAULT"`. @category models @since 0.1.0 */
export type Value = string | number | boolean

/** One field of the state. `read` gives undefined where it means nothing. @category models @since 0.1.0 */
export interface Leaf {
  /** The actor: `mmu/0`, `mn/0`, `gpc/0`, or a thread's name. */
  readonly subject: string
  readonly field: ReadonlyArray<string>
  /** The cells that it is read from, and no others. */
  readonly cells: ReadonlyArray<Region>
  readonly read: (s: State) => Value | undefined
}

/** A field of the frame with this pfn, which names one life of it. @category models @since 0.1.0 */
export interface FrameLeaf extends Leaf {
  readonly pfn: number
}

/** Objects of values, as deep as the fields' paths. @category models @since 0.1.0 */
export interface View {
  readonly [key: string]: Value | View
}

/** The whole state. @category models @since 0.1.0 */
export interface StateView {
  readonly mmu: View
  readonly notifier: View
  readonly gpcs: ReadonlyArray<View & { readonly id: string }>
  readonly threads: ReadonlyArray<View & { readonly id: string }>
}

/** A leaf's path: `gpc/0.valid`, `mmu/0.pages.0x7e0000008000.pfn`. @category queries @since 0.1.0 */
export const pathOf = (leaf: Leaf): string => [leaf.subject, ...leaf.field].join(".")

/** The name of a thread, fit to print. @category queries @since 0.1.0 */
export const threadName = (s: State, thread: number): string =>
  printable(s.geo.world.threads[thread]?.name ?? `thread/${thread}`)

const pfn = (n: number): Value | undefined => n === NO_PFN ? undefined : pfnText(n)

/** Who holds a lock: cells hold the thread plus one. */
const owner = (s: State, holder: number): Value | undefined => holder === 0 ? undefined : threadName(s, holder - 1)

const unlessZero = (n: number): Value | undefined => n === 0 ? undefined : n

const some = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i)

/** A field; `also` are other cells that it is read from. */
type Field = readonly [name: string | ReadonlyArray<string>, read: (s: State) => Value | undefined, also?: Region]

const leaves = (subject: string, cells: Region, fields: ReadonlyArray<Field>): ReadonlyArray<Leaf> =>
  fields.map(([name, read, also]) => ({
    subject,
    field: typeof name === "string" ? [name] : name,
    cells: also === undefined ? [cells] : [cells, also],
    read
  }))

const gpcLeaves = (s: State, gpc: Gpc): ReadonlyArray<Leaf> =>
  leaves(`gpc/${gpc.id}`, regionOf(s, gpcActor(gpc.id)), gpcFields(s, gpc))

const threadLeaves = (s: State, t: Thread): ReadonlyArray<Leaf> =>
  leaves(threadName(s, t.id), regionOf(s, threadActor(s, t.id)), threadFields(s, t))

const pageLeaves = (s: State): ReadonlyArray<Leaf> => [
  ...leaves("mmu/0", s.mmu.lockCells(), [
    [["mmap_lock", "writer"], (s) => owner(s, s.mmu.mmapWriter)],
    [["mmap_lock", "readers"], (s) => unlessZero(s.mmu.mmapReaders)]
  ]),
  ...some(s.geo.pages).flatMap((page) => {
    const at = hvaText(s.geo.hvaOf(page))
    return leaves("mmu/0", s.mmu.pteCells(page), [
      [["pages", at, "pfn"], (s) => pfn(s.mmu.pfn(page))],
      [["pages", at, "protection"], (s) => protectionOf(s, page)]
    ])
  })
]

/** The page table, and the frames that something other than one mapping keeps. */
const mmuLeaves = (s: State): ReadonlyArray<Leaf> => [
  ...pageLeaves(s),
  ...framesOf(s)
]

const protectionOf = (s: State, page: number): Value | undefined => {
  const protection = s.mmu.protection(page)
  return protection === 0 && s.mmu.pfn(page) === NO_PFN ? undefined : PROTECTIONS[protection]
}

/** What is told of a frame, by the slot that it lives in. @category queries @since 0.1.0 */
export const FRAME_FIELDS: ReadonlyArray<readonly [name: string, read: (s: State, at: number) => number]> = [
  ["mapcount", (s, at) => s.mmu.mapcount(at)],
  ["gup", (s, at) => s.mmu.gup(at)],
  ["gather", (s, at) => s.mmu.gather(at)]
]

/** A field of the frame with a pfn; absent where one mapping keeps it, or nothing does. @category queries @since 0.1.0 */
export const readFrame = (s: State, pfn: number, read: (s: State, at: number) => number): Value | undefined => {
  const at = s.mmu.frame(pfn)
  if (at < 0 || (s.mmu.mapcount(at) === 1 && s.mmu.gup(at) === 0 && s.mmu.gather(at) === 0)) return undefined
  return read(s, at)
}

/** The frame that lives in a slot. */
const frameLeaves = (s: State, slot: number): ReadonlyArray<FrameLeaf> => {
  const pfn = s.mmu.pfnAt(s.mmu.at(slot))
  if (s.mmu.frame(pfn) < 0) return []
  return FRAME_FIELDS.map(([name, read]) => ({
    subject: "mmu/0",
    field: ["frames", pfnText(pfn), name],
    cells: [s.mmu.frameCells(slot)],
    pfn,
    read: (s) => readFrame(s, pfn, read)
  }))
}

/** The fields of the frames that live now. @category queries @since 0.1.0 */
export const framesOf = (s: State): ReadonlyArray<FrameLeaf> =>
  some(s.geo.frames).flatMap((slot) => frameLeaves(s, slot))

/** Whether a leaf is of a frame: such come and go with it. @category queries @since 0.1.0 */
export const isOfFrame = (leaf: Leaf): leaf is FrameLeaf => "pfn" in leaf

const OPEN_PHASES = Object.keys(OPEN).map((phase): Value | undefined =>
  ({ counted: "in range_start", started: "between start and end", ending: "in range_end" })[phase]
)

const notifierLeaves = (s: State): ReadonlyArray<Leaf> => [
  ...leaves("mn/0", s.kvm.headCells(), HEAD_FIELDS),
  ...some(TRACKED_RANGES).flatMap((entry) => leaves("mn/0", s.kvm.hullCells(entry), hullFields(entry))),
  ...s.threads.flatMap((t) =>
    some(OPEN_RANGES).flatMap((depth) => leaves("mn/0", s.kvm.openCells(t.id, depth), openFields(s, t.id, depth)))
  ),
  ...some(s.geo.world.memslots.length).flatMap((i) => [
    ...leaves("mn/0", s.kvm.slotCells(i), slotFields(s, i)),
    ...spteLeaves(s, i)
  ])
]

const HEAD_FIELDS: ReadonlyArray<Field> = [
  ["mn_active_invalidate_count", (s) => s.kvm.count],
  ["mmu_invalidate_seq", (s) => s.kvm.seq],
  ["gpc_invalidate_seq", (s) => unlessZero(s.kvm.gpcSeq)],
  ["mmu_invalidate_in_progress", (s) => s.kvm.inProgress],
  ["mmu_invalidate_range_start", (s) => s.kvm.inProgress === 0 ? undefined : hvaText(s.kvm.rangeStart)],
  ["mmu_invalidate_range_end", (s) => s.kvm.inProgress === 0 ? undefined : hvaText(s.kvm.rangeEnd)],
  ["mn_invalidate_lock", (s) => owner(s, s.kvm.mnLock)],
  ["gpc_lock", (s) => owner(s, s.kvm.gpcLock)],
  ["slots_lock", (s) => owner(s, s.kvm.slotsLock)],
  ["generation", (s) => s.kvm.generation],
  ["srcu_readers", (s) => unlessZero(s.kvm.srcuReaders(0) + s.kvm.srcuReaders(1))]
]

const hullFields = (entry: number): ReadonlyArray<Field> => {
  const of = (read: (s: State) => Value) => (s: State) => s.kvm.hullEnd(entry) === 0 ? undefined : read(s)
  const hull = ["tracked", String(entry)]
  return [
    [[...hull, "start"], of((s) => hvaText(s.kvm.hullStart(entry)))],
    [[...hull, "end"], of((s) => hvaText(s.kvm.hullEnd(entry)))],
    [[...hull, "users"], of((s) => s.kvm.hullUsers(entry))]
  ]
}

/** An invalidation in flight, by the thread that opened it. */
const openFields = (s: State, t: number, depth: number): ReadonlyArray<Field> => {
  const name = depth === 0 ? threadName(s, t) : `${threadName(s, t)} nested`
  const of = (read: (s: State) => Value | undefined) => (s: State) =>
    s.kvm.openPhase(t, depth) === OPEN.none ? undefined : read(s)
  return [
    [["in_flight", name, "start"], of((s) => hvaText(s.kvm.openStart(t, depth)))],
    [["in_flight", name, "end"], of((s) => hvaText(s.kvm.openEnd(t, depth)))],
    [["in_flight", name, "phase"], of((s) => OPEN_PHASES[s.kvm.openPhase(t, depth)])]
  ]
}

const slotFields = (s: State, i: number): ReadonlyArray<Field> => {
  const { gpa } = s.geo.world.memslots[i]!
  return [
    [["memslots", String(i), "state"], (s) => SLOT_STATES[s.kvm.slotState(i)]],
    [["memslots", String(i), "gpa"], (s) => s.kvm.slotState(i) === 0 ? undefined : gpaText(gpa)],
    [["memslots", String(i), "hva"], (s) => s.kvm.slotState(i) === 0 ? undefined : hvaText(s.kvm.slotHva(i))]
  ]
}

/** The guest pages of a memslot, where their mappings are kept. */
const spteLeaves = (s: State, i: number): ReadonlyArray<Leaf> => {
  const slot = s.geo.world.memslots[i]!
  return some(slot.sptes === false ? 0 : slot.pages).flatMap((page) => {
    const at = s.geo.slotBase[i]! + page
    const gpa = gpaText(slot.gpa + page * s.geo.pageSize)
    return leaves("mn/0", s.kvm.spteCells(at), [[["sptes", gpa], (s) => pfn(s.kvm.spte(at))]])
  })
}

const gpcFields = (state: State, { id }: Gpc): ReadonlyArray<Field> => {
  const of = (read: (gpc: Gpc, s: State) => Value | undefined) => (s: State) => read(s.gpcs[id]!, s)
  return [
    ["active", of((gpc) => gpc.active === 1)],
    ["valid", of((gpc) => gpc.valid === 2 ? "tentative" : gpc.valid === 1)],
    ["needs_invalidation", of((gpc) => gpc.flag === 1)],
    ["gpa", of((gpc) => gpaText(gpc.gpa))],
    ["uhva", of((gpc) => hvaText(gpc.uhva))],
    ["pfn", of((gpc) => pfn(gpc.pfn))],
    ["khva", of((gpc) => gpc.khva === NO_PFN ? undefined : `maps pfn ${pfnText(gpc.khva)}`)],
    ["page", of((gpc, s) => pageState(s, gpc)), regionOf(state, MMU)],
    ["generation", of((gpc) => gpc.gpa === INVALID_GPA ? undefined : gpc.generation)],
    ["on_gpc_list", of((gpc) => gpc.listed === 1)],
    [["lock", "readers"], of((gpc) => unlessZero(gpc.readers))],
    [["lock", "writer"], of((gpc, s) => owner(s, gpc.writer))],
    ["refresh_lock", of((gpc, s) => owner(s, gpc.refreshLock))]
  ]
}

/** What became of the page that the cache maps, where memory is modelled. */
const pageState = (s: State, gpc: Gpc): Value | undefined => {
  const page = s.geo.pageOf(gpc.uhva)
  if (page < 0 || gpc.pfn <= NO_PFN) return undefined
  if (s.mmu.pfn(page) === gpc.pfn) return "mapped at uhva"
  return s.mmu.frame(gpc.pfn) < 0 ? "freed" : "not the one mapped at uhva"
}

/** The labels of a kind, by their numbers: they are asked for at every event. */
const labelsLike = (pattern: RegExp): ReadonlyArray<boolean> => LABELS.map((label) => pattern.test(label))

/** Inside a refresh, or a fault that looks a page up as one does. */
const LOOKS_UP = labelsLike(/^(refresh|retry|guest|gup)/)

const HAS_SNAPSHOT = labelsLike(/^(retry|gup|guest)/)

const HAS_KHVA = labelsLike(/^use\.(access|leave)$/)

const threadFields = (state: State, { id }: Thread): ReadonlyArray<Field> => {
  const of = (read: (t: Thread, s: State) => Value | undefined) => (s: State) => read(s.threads[id]!, s)
  const lookup = (read: (t: Thread, s: State) => Value | undefined) =>
    of((t, s) => LOOKS_UP[t.pc] ? read(t, s) : undefined)
  return [
    ["label", of((t) => LABELS[t.pc])],
    ["call", of((t) => t.pc === 0 ? undefined : callText(OPERATIONS[t.op]!, t.a, t.b, t.d))],
    ["blocked", of((t) => t.blocked === 1 ? true : undefined)],
    [
      "sleeps",
      of((t, s) => s.kvm.sleeping(t.id) === 0 ? undefined : SLEEPS[s.kvm.sleeping(t.id)]),
      state.kvm.sleepCells(id)
    ],
    ["changes", of((t) => t.depth > 0 ? CHANGES[t.change] : undefined)],
    ["maps_gpa", lookup((t) => t.gpa === 0 ? undefined : gpaText(t.gpa))],
    ["maps_uhva", lookup((t) => hvaText(t.hva))],
    ["snapshot", of((t) => HAS_SNAPSHOT[t.pc] ? t.snapshot : undefined)],
    ["new_pfn", of((t) => pfn(t.newPfn))],
    ["new_khva", of((t) => t.newKhva === NO_PFN ? undefined : `maps pfn ${pfnText(t.newKhva)}`)],
    ["copy", of((t) => pfn(t.copy))],
    ["retry_reason", lookup((t) => t.reason === 0 ? undefined : RETRY_REASONS[t.reason])],
    ["retry_in_flight", lookup((t) => t.reason === 0 ? undefined : t.inFlight)],
    ["retry_covering", lookup((t) => t.reason === 0 ? undefined : t.covering)],
    ["khva", of((t) => HAS_KHVA[t.pc] ? `maps pfn ${pfnText(t.khva)}` : undefined)],
    ["srcu", of((t) => t.srcu === 0 ? undefined : t.srcu - 1)],
    ["ret", of((t) => unlessZero(t.ret))],
    ["round", state.geo.world.threads[id]!.repeat > 0 ? of((t) => t.round) : () => undefined]
  ]
}

/**
 * The fields that a state has; those of frames are of the frames that live now. Each can be read from any other state
 * of the same world.
 *
 * @category queries
 * @since 0.1.0
 */
export const leavesOf = (s: State): ReadonlyArray<Leaf> => [...mmuLeaves(s), ...actorLeaves(s)]

/** The fields that every state of a world has: all but those of frames. @category queries @since 0.1.0 */
export const lastingLeavesOf = (s: State): ReadonlyArray<Leaf> => [...pageLeaves(s), ...actorLeaves(s)]

const actorLeaves = (s: State): ReadonlyArray<Leaf> => [
  ...notifierLeaves(s),
  ...s.gpcs.flatMap((gpc) => gpcLeaves(s, gpc)),
  ...s.threads.flatMap((t) => threadLeaves(s, t))
]

/**
 * The actors whose cells an event writes: the one that ran the step, and the thread that asked for it.
 *
 * @category queries
 * @since 0.1.0
 */
export const touchedBy = (s: State, event: Event): ReadonlyArray<ActorId> => {
  const thread = threadActor(s, event.thread)
  switch (ownerOf(event._tag)) {
    case "mmu":
      return [thread, MMU]
    case "mn":
      return [thread, KVM]
    case "gpc":
      return "gpc" in event ? [thread, gpcActor(event.gpc)] : [thread]
    default:
      // A lock is in the stream of the thread that took it, and in the cells of whoever has it.
      return event._tag === "Locked" || event._tag === "Unlocked"
        ? [thread, MMU, KVM, ...(event.gpc < 0 ? [] : [gpcActor(event.gpc)])]
        : [thread]
  }
}

/** The state as a plain object. @category conversions @since 0.1.0 */
export const viewOf = (s: State): StateView => ({
  mmu: nest(s, mmuLeaves(s)),
  notifier: nest(s, notifierLeaves(s)),
  gpcs: s.gpcs.map((gpc) => ({ id: `gpc/${gpc.id}`, ...nest(s, gpcLeaves(s, gpc)) })),
  threads: s.threads.map((t) => ({ id: threadName(s, t.id), ...nest(s, threadLeaves(s, t)) }))
})

const nest = (s: State, all: ReadonlyArray<Leaf>): View => {
  const root: Record<string, Value | View> = {}
  for (const { field, read } of all) {
    const value = read(s)
    if (value === undefined) continue
    let at: Record<string, Value | View> = root
    for (const key of field.slice(0, -1)) at = (at[key] ??= {}) as Record<string, Value | View>
    at[field.at(-1)!] = value
  }
  return root
}
