/**
 * The world a machine runs in: memory, memslots, caches and the threads with what they are asked to do.
 *
 * Plain data, checked by a Schema; it goes into the header of every log, so that a log can be read alone.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Gpa, Hva, KVM_HVA_ERR_BAD } from "./address.ts"
import { OPERATIONS, PROTECTIONS, SLOT_STATES } from "./event.ts"
import type { Operation } from "./event.ts"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** When an mmu_gather frees what it holds: before `range_end`, after it, or either (a choice of the run). @category models @since 0.1.0 */
export const FREES = ["before-end", "after-end", "either"] as const

const op = <const T extends Operation, const F extends Schema.Struct.Fields>(_tag: T, fields: F) =>
  Schema.TaggedStruct(_tag, fields)

const span = { start: Hva, end: Hva }

/**
 * What a thread can be asked to do. Ranges are bytes, half open; `ns` nanoseconds; `gpc` and `slot` are places in the
 * world's lists.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Op = Schema.Union([
  op("pause", { ns: Natural }),
  op("touch", { hva: Hva }),
  op("madvise", { ...span, free: Schema.Literals(FREES) }),
  op("munmap", { ...span, free: Schema.Literals(FREES) }),
  op("mmap", span),
  op("mremap", { ...span, to: Hva }),
  op("mprotect", { ...span, protection: Schema.Literals(["none", "read-only", "write"]) }),
  op("fork", span),
  op("migrate", { hva: Hva }),
  op("ksm_merge", { hva: Hva, with: Hva }),
  op("thp_collapse", span),
  op("thp_split", span),
  op("clear_soft_dirty", {}),
  op("set_memslot", { slot: Natural, hva: Hva }),
  op("delete_memslot", { slot: Natural }),
  op("gpc_activate", { gpc: Natural, gpa: Gpa }),
  op("gpc_activate_hva", { gpc: Natural, uhva: Hva }),
  op("gpc_deactivate", { gpc: Natural }),
  op("gpc_refresh", { gpc: Natural }),
  op("gpc_read", { gpc: Natural }),
  op("gpc_use", { gpc: Natural }),
  op("gpc_write_own", { gpc: Natural, gpa: Gpa }),
  op("guest_fault", { gpa: Gpa })
]).annotate({ expected: "an operation that a thread can be asked for, by its _tag" })

/** What a thread can be asked to do. @category models @since 0.1.0 */
export type Op = typeof Op.Type

/** An operation as numbers: its place in `OPERATIONS` and three arguments. @category models @since 0.1.0 */
export interface OpCode {
  readonly op: number
  readonly a: number
  readonly b: number
  readonly c: number
}

/**
 * Writes an operation as the numbers that a `Called` event carries.
 *
 * @category conversions
 * @since 0.1.0
 */
export const encodeOp = (op: Op): OpCode => {
  const [a = 0, b = 0, c = 0] = argumentsOf(op)
  return { op: OPERATIONS.indexOf(op._tag), a, b, c }
}

const argumentsOf = (op: Op): ReadonlyArray<number> => {
  switch (op._tag) {
    case "pause":
      return [op.ns]
    case "touch":
    case "migrate":
      return [op.hva]
    case "madvise":
    case "munmap":
      return [op.start, op.end, FREES.indexOf(op.free)]
    case "mremap":
      return [op.start, op.end, op.to]
    case "mprotect":
      return [op.start, op.end, PROTECTIONS.indexOf(op.protection)]
    case "mmap":
    case "fork":
    case "thp_collapse":
    case "thp_split":
      return [op.start, op.end]
    case "ksm_merge":
      return [op.hva, op.with]
    case "clear_soft_dirty":
      return []
    case "set_memslot":
      return [op.slot, op.hva]
    case "delete_memslot":
      return [op.slot]
    case "gpc_activate":
    case "gpc_write_own":
      return [op.gpc, op.gpa]
    case "gpc_activate_hva":
      return [op.gpc, op.uhva]
    case "guest_fault":
      return [op.gpa]
    default:
      return [op.gpc]
  }
}

/** A stretch of user memory that is modelled page by page. @category schemas @since 0.1.0 */
export const Area = Schema.Struct({
  hva: Hva,
  pages: Natural,
  /** Frames are mapped at the start; otherwise the first touch faults them in. */
  populated: Schema.Boolean
})

/**
 * A memslot: guest pages from `gpa`, backed by user memory from `hva`. `sptes` false: which of its pages the guest has
 * mapped is not kept, because a recorded guest's memory is large and no decision of the protocol reads it.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Memslot = Schema.Struct({
  gpa: Gpa,
  hva: Hva,
  pages: Natural,
  state: Schema.Literals(SLOT_STATES),
  sptes: Schema.optionalKey(Schema.Boolean)
})

/**
 * A cache as it is at the start: `inactive` (kvm_gpc_init), `active` (never mapped: its pfn is the error value),
 * `remap` (invalid, an earlier mapping's pfn still cached) or `valid`. Exactly one of `gpa` and `uhva` is given.
 *
 * @category schemas
 * @since 0.1.0
 */
export const GpcConfig = Schema.Struct({
  gpa: Schema.optionalKey(Gpa),
  uhva: Schema.optionalKey(Hva),
  state: Schema.Literals(["inactive", "active", "remap", "valid"])
}).check(
  Schema.makeFilter(({ gpa, uhva }) => (gpa === undefined) !== (uhva === undefined) || "exactly one of gpa and uhva")
)

/** A thread: its stream (`vcpu/0`, `mm/1`), what it does, and how often it does it all (0: for ever). @category schemas @since 0.1.0 */
export const ThreadConfig = Schema.Struct({
  name: Schema.String,
  ops: Schema.Array(Op),
  repeat: Natural
})

const Parts = Schema.Struct({
  pageSize: Schema.Int.check(Schema.isGreaterThan(0)),
  areas: Schema.Array(Area),
  memslots: Schema.Array(Memslot),
  gpcs: Schema.Array(GpcConfig),
  threads: Schema.Array(ThreadConfig),
  /** Frames of the host beside those mapped at the start. */
  spareFrames: Natural
})

/** Where the parts of a world do not fit together. */
const misfits = ({ areas, gpcs, memslots, pageSize, threads }: typeof Parts.Type) => {
  const issues: Array<Schema.FilterIssue> = []
  const expect = (fits: boolean, path: ReadonlyArray<PropertyKey>, issue: string) => {
    if (!fits) issues.push({ path, issue })
  }
  const regions = areas.map(({ hva, pages }) => ({ start: hva, end: hva + pages * pageSize }))
  regions.forEach((area, i) => {
    expect(area.start % pageSize === 0, ["areas", i, "hva"], "expected the start of a page")
    const isClear = regions.every((other, j) => j >= i || other.end <= area.start || area.end <= other.start)
    expect(isClear, ["areas", i], "expected an area that overlaps no other")
  })
  threads.forEach(({ name, ops }, t) => {
    const isFirst = threads.findIndex((other) => other.name === name) === t
    expect(isFirst, ["threads", t, "name"], "expected a name that no other thread has")
    ops.forEach((op, i) => {
      const at = ["threads", t, "ops", i]
      if ("gpc" in op) expect(op.gpc < gpcs.length, [...at, "gpc"], `expected one of the ${gpcs.length} caches`)
      if ("slot" in op) {
        expect(op.slot < memslots.length, [...at, "slot"], `expected one of the ${memslots.length} memslots`)
      }
    })
  })
  return issues
}

/**
 * The world. Areas begin at a page and do not overlap, threads have names of their own, and an operation names a cache
 * or a memslot that is there.
 *
 * @category schemas
 * @since 0.1.0
 */
export const World = Parts.check(Schema.makeFilter(misfits))

/** The world. @category models @since 0.1.0 */
export type World = typeof World.Type

/**
 * Where things lie: the world with what follows from it, made once. Pages and guest pages have dense numbers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Geography {
  readonly world: World
  readonly pageSize: number
  /** Number of modelled pages. */
  readonly pages: number
  /** Number of guest pages whose mappings are kept. */
  readonly guestPages: number
  readonly frames: number
  /** The address of a modelled page. */
  readonly hvaOf: (page: number) => number
  /** The number of the modelled page that holds an address, or -1. */
  readonly pageOf: (hva: number) => number
  /** The first modelled page at or above `page` whose address is in `[start, end)`, or -1. */
  readonly nextPage: (page: number, start: number, end: number) => number
  /** First guest page number of each memslot, or -1 where its mappings are not kept. */
  readonly slotBase: ReadonlyArray<number>
  /** The slot whose guest addresses hold `gpa`, or -1. Slots do not move in guest space. */
  readonly slotOf: (gpa: number) => number
  /** Every thread's operations as numbers. */
  readonly scripts: ReadonlyArray<ReadonlyArray<OpCode>>
}

/** The worlds that are in use: a script may have thousands of operations, and each state of it asks. */
const surveyed = new WeakMap<World, Geography>()

/**
 * Surveys a world; once, since a world never changes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const survey = (world: World): Geography => {
  const known = surveyed.get(world)
  if (known !== undefined) return known
  const geography = surveyAnew(world)
  surveyed.set(world, geography)
  return geography
}

const surveyAnew = (world: World): Geography => {
  const { addresses, pageOf } = surveyPages(world)
  const slotBase: Array<number> = []
  let guestPages = 0
  for (const slot of world.memslots) {
    slotBase.push(slot.sptes === false ? -1 : guestPages)
    if (slot.sptes !== false) guestPages += slot.pages
  }
  const mapped = world.areas.reduce((n, area) => n + (area.populated ? area.pages : 0), 0)
  return {
    world,
    pageSize: world.pageSize,
    pages: addresses.length,
    guestPages,
    frames: mapped + world.spareFrames,
    hvaOf: (page) => page < 0 || page >= addresses.length ? KVM_HVA_ERR_BAD : addresses[page],
    pageOf,
    nextPage: (page, start, end) => {
      const from = lowerBound(addresses, start)
      const next = page > from ? page : from
      return next < addresses.length && addresses[next] < end ? next : -1
    },
    slotBase,
    slotOf: (gpa) =>
      world.memslots.findIndex((slot) => slot.gpa <= gpa && gpa < slot.gpa + slot.pages * world.pageSize),
    scripts: world.threads.map((thread) => thread.ops.map(encodeOp))
  }
}

const surveyPages = (world: World) => {
  const areas = [...world.areas].sort((a, b) => a.hva - b.hva)
  const addresses: Array<number> = []
  for (const area of areas) {
    for (let page = 0; page < area.pages; page++) addresses.push(area.hva + page * world.pageSize)
  }
  const pageOf = (hva: number): number => {
    const page = lowerBound(addresses, hva - world.pageSize + 1)
    return page < addresses.length && addresses[page] <= hva ? page : -1
  }
  return { addresses, pageOf }
}

/** The first place whose address is at or above `hva`. */
const lowerBound = (addresses: ReadonlyArray<number>, hva: number): number => {
  let low = 0
  let high = addresses.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (addresses[middle] < hva) low = middle + 1
    else high = middle
  }
  return low
}
