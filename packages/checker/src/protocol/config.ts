/**
 * A configuration of a check: a world that can be searched, and in which every operation finds what it needs.
 *
 * `World` also describes machines that were traced, of which little is known; here everything is.
 *
 * @since 0.1.0
 */
import { TASK_SIZE, World } from "@pfnscope/protocol"
import type { Op } from "@pfnscope/protocol"
import * as Schema from "effect/Schema"

/**
 * The most of everything: far more than can be searched, and little enough to be laid out.
 *
 * @category constants
 * @since 0.1.0
 */
export const MOST = {
  areas: 64,
  memslots: 64,
  gpcs: 32,
  threads: 30,
  ops: 64,
  repeat: 255,
  /** Of all areas together; and of all memslots together. */
  pages: 1024,
  spareFrames: 1024
} as const

/** One past the highest guest address. */
const GUEST_END = 2 ** 52

type Path = ReadonlyArray<PropertyKey>
type Expect = (fits: boolean, path: Path, expected: string) => void

interface Span {
  readonly start: number
  readonly end: number
}

const holds = ({ end, start }: Span, address: number): boolean => start <= address && address < end

/** Where things lie in a world. */
const spansOf = ({ areas, memslots, pageSize }: World) => ({
  areas: areas.map(({ hva, pages }): Span => ({ start: hva, end: hva + pages * pageSize })),
  memslots: memslots.map(({ gpa, pages }): Span => ({ start: gpa, end: gpa + pages * pageSize }))
})

/** What an address of a world must be. */
const places = (world: World, expect: Expect) => {
  const spans = spansOf(world)
  const aligned = (address: number, path: Path) =>
    expect(address % world.pageSize === 0, path, `the start of a page of ${world.pageSize} bytes`)
  const inArea = (hva: number, path: Path) =>
    expect(spans.areas.some((area) => holds(area, hva)), path, `an address in an area, not ${hva}`)
  const inSlot = (gpa: number, path: Path) => {
    const slot = spans.memslots.findIndex((slot) => holds(slot, gpa))
    if (slot < 0) return expect(false, path, `a guest address in a memslot, not ${gpa}`)
    const hva = world.memslots[slot].hva + gpa - spans.memslots[slot].start
    const backed = spans.areas.some((area) => holds(area, hva))
    expect(backed, path, `a guest address whose host page lies in an area: memslots[${slot}] puts it at ${hva}`)
  }
  const range = ({ end, start }: Span, path: Path) => {
    aligned(start, [...path, "start"])
    aligned(end, [...path, "end"])
    expect(start >= 0, [...path, "start"], "an address, at least 0")
    expect(end > start, [...path, "end"], `a range that is not empty: more than start, ${start}`)
    expect(end <= TASK_SIZE, [...path, "end"], `a user address, at most ${TASK_SIZE}`)
  }
  return { aligned, inArea, inSlot, range }
}

const pagesOf = (parts: ReadonlyArray<{ readonly pages: number }>): number =>
  parts.reduce((n, { pages }) => n + pages, 0)

const expectBounds = ({ areas, gpcs, memslots, spareFrames, threads }: World, expect: Expect): void => {
  const most = (n: number, bound: number, path: Path) => expect(n <= bound, path, `at most ${bound}, not ${n}`)
  expect(threads.length > 0, ["threads"], "at least one thread")
  most(areas.length, MOST.areas, ["areas"])
  most(pagesOf(areas), MOST.pages, ["areas"])
  most(memslots.length, MOST.memslots, ["memslots"])
  most(pagesOf(memslots), MOST.pages, ["memslots"])
  most(gpcs.length, MOST.gpcs, ["gpcs"])
  most(threads.length, MOST.threads, ["threads"])
  most(spareFrames, MOST.spareFrames, ["spareFrames"])
  threads.forEach(({ ops, repeat }, t) => {
    expect(ops.length > 0, ["threads", t, "ops"], "at least one operation")
    most(ops.length, MOST.ops, ["threads", t, "ops"])
    most(repeat, MOST.repeat, ["threads", t, "repeat"])
  })
}

const expectMemory = (world: World, expect: Expect): void => {
  const { aligned } = places(world, expect)
  const spans = spansOf(world)
  world.areas.forEach(({ hva, pages }, i) => {
    expect(pages > 0, ["areas", i, "pages"], "at least one page")
    expect(hva >= 0, ["areas", i, "hva"], "an address, at least 0")
    expect(spans.areas[i].end <= TASK_SIZE, ["areas", i], `user addresses, below ${TASK_SIZE}`)
  })
  world.memslots.forEach(({ gpa, hva, pages }, i) => {
    const { end, start } = spans.memslots[i]
    expect(pages > 0, ["memslots", i, "pages"], "at least one page")
    expect(gpa >= 0, ["memslots", i, "gpa"], "an address, at least 0")
    expect(end <= GUEST_END, ["memslots", i], `guest addresses, below ${GUEST_END}`)
    expect(hva >= 0 && hva + end - start <= TASK_SIZE, ["memslots", i, "hva"], `user addresses, below ${TASK_SIZE}`)
    aligned(gpa, ["memslots", i, "gpa"])
    aligned(hva, ["memslots", i, "hva"])
    const other = spans.memslots.findIndex((other, j) => j < i && start < other.end && other.start < end)
    expect(other < 0, ["memslots", i], `guest addresses that memslots[${other}] does not have`)
  })
}

const expectCaches = (world: World, expect: Expect): void => {
  const { inArea, inSlot } = places(world, expect)
  const spans = spansOf(world)
  world.gpcs.forEach(({ gpa, state, uhva }, g) => {
    if (uhva !== undefined) inArea(uhva, ["gpcs", g, "uhva"])
    if (gpa !== undefined) inSlot(gpa, ["gpcs", g, "gpa"])
    if (state !== "valid" && state !== "remap") return
    const slot = gpa === undefined ? -1 : spans.memslots.findIndex((slot) => holds(slot, gpa))
    const hva = uhva ?? (slot < 0 ? -1 : world.memslots[slot].hva + gpa! - spans.memslots[slot].start)
    const area = spans.areas.findIndex((area) => holds(area, hva))
    if (area < 0) return
    const isMapped = world.areas[area].populated && (slot < 0 || world.memslots[slot].state === "present")
    expect(isMapped, ["gpcs", g, "state"], `inactive or active: the page of a cache that is ${state} must be mapped`)
  })
}

const expectOperation = (op: Op, path: Path, { aligned, inArea, inSlot, range }: ReturnType<typeof places>): void => {
  switch (op._tag) {
    case "touch":
      return inArea(op.hva, [...path, "hva"])
    case "migrate":
    case "set_memslot":
      aligned(op.hva, [...path, "hva"])
      return inArea(op.hva, [...path, "hva"])
    case "ksm_merge":
      aligned(op.hva, [...path, "hva"])
      inArea(op.hva, [...path, "hva"])
      aligned(op.with, [...path, "with"])
      return inArea(op.with, [...path, "with"])
    case "mremap":
      range(op, path)
      return range({ start: op.to, end: op.to + op.end - op.start }, [...path, "to"])
    case "madvise":
    case "munmap":
    case "mmap":
    case "mprotect":
    case "fork":
    case "thp_collapse":
    case "thp_split":
      return range(op, path)
    case "gpc_activate":
    case "gpc_write_own":
    case "guest_fault":
      return inSlot(op.gpa, [...path, "gpa"])
    case "gpc_activate_hva":
      return inArea(op.uhva, [...path, "uhva"])
    default:
      return
  }
}

const misfits = (world: World): ReadonlyArray<Schema.FilterIssue> => {
  const issues: Array<Schema.FilterIssue> = []
  const expect: Expect = (fits, path, expected) => {
    if (!fits) issues.push({ path, issue: `expected ${expected}` })
  }
  expectBounds(world, expect)
  expectMemory(world, expect)
  expectCaches(world, expect)
  const place = places(world, expect)
  world.threads.forEach(({ name, ops }, t) => {
    // These are the streams of the machine's own parts in a log.
    const isFree = /^[\w.-]+\/\d+$/.test(name) && !/^(?:gpc|mn|mmu|audit)\//.test(name)
    expect(isFree, ["threads", t, "name"], "a name such as vcpu/0 or mm/1")
    ops.forEach((op, i) => expectOperation(op, ["threads", t, "ops", i], place))
  })
  return issues
}

/**
 * A configuration of a check. Beside what any world must be: it has a thread, and nothing is without bound; every cache
 * and every single page that an operation names lies in an area (by way of its memslot, for a guest address); ranges
 * are pages, and not empty; memslots do not overlap.
 *
 * To be decoded with `onExcessProperty: "error"`: a field that nobody reads is a mistake.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ProtocolConfig = World.check(Schema.makeFilter(misfits))
