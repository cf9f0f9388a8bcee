/** What each operation does to the entries and the frames, and which range it announces. */
import { assert, describe, it } from "@effect/vitest"
import { PROTECTIONS } from "./event.ts"
import { guest, HIGH, LOW, madvise, PAGE, refresh, stage, thread, U, world } from "./interleaving.ts"
import type { Stage } from "./interleaving.ts"
import type { Label } from "./label.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"
import type { Op } from "./world.ts"

/** Frames 1, 2 and 3 are mapped at LOW, U and HIGH; nothing is mapped at the page after HIGH, which is modelled too. */
const AFTER = HIGH + PAGE

const play = (...threads: ReadonlyArray<ReadonlyArray<Op>>) => {
  const place = world(threads.map((ops, i) => thread(`mm/${i}`, ...ops)))
  const areas = [...place.areas, { hva: AFTER, pages: 1, populated: false }]
  return stage({ ...place, areas }, mainline612)
}

const all = (...ops: ReadonlyArray<Op>): Stage => {
  const s = play(ops)
  s.run("mm/0 done")
  return s
}

/** The entries of the four pages: what each maps, and what it allows. */
const entries = ({ state: { mmu } }: Stage): ReadonlyArray<string> =>
  [0, 1, 2, 3].map((page) => `${mmu.pfn(page)} ${PROTECTIONS[mmu.protection(page)]}`)

const announced = (s: Stage) =>
  s.seen("RangeStartCalled").map(({ change, end, event, start }) => [event, change, start, end])

const freed = (s: Stage) => s.seen("PageFreed").map((event) => event.pfn)

const returned = (s: Stage) => s.seen("Returned").map((event) => event.ret)

const one = (hva: number) => ({ start: hva, end: hva + PAGE })
const touch = (hva: number): Op => ({ _tag: "touch", hva })
const munmap = (hva: number): Op => ({ _tag: "munmap", ...one(hva), free: "after-end" })
const mprotect = (hva: number, protection: "none" | "read-only" | "write"): Op => ({
  _tag: "mprotect",
  ...one(hva),
  protection
})
const fork = (hva: number): Op => ({ _tag: "fork", ...one(hva) })
const migrate = (hva: number): Op => ({ _tag: "migrate", hva })
const merge: Op = { _tag: "ksm_merge", hva: LOW, with: U }
const mremap = (from: number, to: number): Op => ({ _tag: "mremap", ...one(from), to })

describe("madvise", () => {
  it("zaps the pages of its range, and the next touch faults a new one in", () => {
    const s = all({ _tag: "madvise", start: LOW, end: U + 1, free: "before-end" }, touch(U))
    assert.deepStrictEqual(announced(s), [["CLEAR", "zap", LOW, U + 1]])
    assert.deepStrictEqual(entries(s), ["0 absent", "4 write", "3 write", "0 absent"])
    assert.deepStrictEqual(freed(s), [1, 2])
  })

  it.each([["before-end", true], ["after-end", false]] as const)("frees %s", (free, before) => {
    const s = all(madvise(U, free))
    assert.strictEqual(s.trail().indexOf("PageFreed") < s.trail().indexOf("EndCalled"), before)
    assert.strictEqual(s.trail().indexOf("PageFreed") < s.trail().indexOf("EndReturned"), before)
  })

  it("leaves the protection of the mapping, and a hole, as they are", () => {
    const s = all(mprotect(U, "read-only"), madvise(U), touch(U), munmap(LOW), madvise(LOW), touch(LOW))
    assert.deepStrictEqual(entries(s).slice(0, 2), ["0 unmapped", "0 read-only"])
    assert.deepStrictEqual(returned(s), [0, 0, -14, 0, 0, -14])
  })

  it("gathers a frame from each entry that shared it", () => {
    const s = all(merge, { _tag: "madvise", start: LOW, end: HIGH, free: "before-end" })
    assert.deepStrictEqual(freed(s), [1, 2])
  })

  it("gathers from what another thread gathers from at the same time", () => {
    const s = play([merge, madvise(LOW)], [madvise(U)])
    s.run("mm/0 to idle", "mm/0 to flush", "mm/1 done", "mm/0 done")
    assert.deepStrictEqual(freed(s), [1, 2])
  })
})

describe("munmap and mmap", () => {
  it("leave a hole that cannot be touched, until it is mapped again", () => {
    const s = all(munmap(U), touch(U), { _tag: "mmap", start: LOW, end: HIGH }, touch(U))
    assert.deepStrictEqual(announced(s), [["UNMAP", "unmap", U, U + PAGE]])
    assert.deepStrictEqual(returned(s), [0, -14, 0, 0])
    assert.deepStrictEqual(entries(s).slice(0, 2), ["1 write", "4 write"])
  })

  it("memory that is not modelled cannot be touched", () => {
    assert.deepStrictEqual(returned(all(touch(AFTER + PAGE))), [-14])
  })
})

describe("mprotect", () => {
  it("refuses writes until they are allowed again, and keeps the frame", () => {
    const s = all(mprotect(U, "none"), touch(U), mprotect(U, "read-only"), touch(U), mprotect(U, "write"), touch(U))
    assert.deepStrictEqual(returned(s), [0, -14, 0, -14, 0, 0])
    assert.strictEqual(entries(s)[1], "2 write")
    assert.deepStrictEqual(announced(s)[0], ["PROTECTION_VMA", "protect", U, U + PAGE])
  })

  it("maps nothing where nothing was mapped", () => {
    const s = all(munmap(U), mprotect(U, "write"), mprotect(AFTER, "read-only"), mprotect(AFTER, "write"))
    assert.deepStrictEqual([entries(s)[1], entries(s)[3]], ["0 unmapped", "0 absent"])
  })

  it("lets no two pages write to one frame", () => {
    const s = all(merge, mprotect(U, "write"), mprotect(LOW, "none"), mprotect(LOW, "write"), touch(LOW))
    assert.deepStrictEqual(entries(s).slice(0, 2), ["4 write", "2 copy-on-write"])
  })
})

describe("mremap", () => {
  it("moves the frame, and frees nothing", () => {
    const s = all(munmap(AFTER), mremap(U, AFTER))
    assert.deepStrictEqual(entries(s), ["1 write", "0 unmapped", "3 write", "2 write"])
    assert.deepStrictEqual(freed(s), [])
    assert.strictEqual(s.state.mmu.mapcount(s.state.mmu.frame(2)), 1)
  })

  it("announces its target first, then what it moves, with the split nested in it", () => {
    const pmd = 512 * PAGE
    const s = all(mremap(U, HIGH))
    assert.deepStrictEqual(announced(s), [
      ["UNMAP", "unmap", HIGH, HIGH + PAGE],
      ["UNMAP", "move", U, U + PAGE],
      ["CLEAR", "split", U, U + pmd]
    ])
    assert.deepStrictEqual(
      s.seen("CountIncremented").map((event) => event.count),
      [1, 1, 2]
    )
    assert.deepStrictEqual(freed(s), [3])
    assert.strictEqual(entries(s)[2], "2 write")
  })

  it("announces no target where nothing is modelled", () => {
    assert.deepStrictEqual(announced(all(mremap(U, HIGH + 8 * PAGE))).map(([, change]) => change), ["move", "split"])
  })

  it.each(
    [
      ["mremap", mremap(U, AFTER), "change"],
      ["mprotect", mprotect(U, "none"), "change"],
      ["fork", fork(U), "change"]
    ] as const
  )("%s waits for a migration of the page", (_name, op, at) => {
    const s = play([migrate(U)], [op])
    s.run("mm/0 to end.mmu")
    assert.strictEqual(entries(s)[1], "0 migration")
    if (op._tag === "mremap") s.run("mm/1 to end.mmu")
    s.run(`mm/1 blocked at ${at satisfies Label}`, "mm/0 done", "mm/1 done")
    assert.isFalse(entries(s).some((entry) => entry.endsWith("migration")))
    assert.include(entries(s).join(), "4 ")
  })
})

describe("fork and copy-on-write", () => {
  it("a write after a fork copies the page, within an invalidation of it", () => {
    const s = all(fork(U), touch(U))
    assert.deepStrictEqual(announced(s), [
      ["PROTECTION_PAGE", "write-protect", U, U + PAGE],
      ["CLEAR", "copy-on-write", U, U + PAGE]
    ])
    assert.strictEqual(entries(s)[1], "4 write")
    assert.isAbove(s.trail().indexOf("PageFreed"), s.trail().lastIndexOf("EndReturned"))
    assert.deepStrictEqual(freed(s), [2])
  })

  it("of two writers one copies, and the other finds it done", () => {
    const s = play([fork(U), touch(U)], [touch(U)])
    s.run("mm/0 to idle", "mm/0 to start.count", "mm/1 to start.count", "mm/0 done", "mm/1 done")
    assert.strictEqual(entries(s)[1], "4 write")
    assert.deepStrictEqual([...freed(s)].sort(), [2, 5])
    assert.deepStrictEqual(returned(s), [0, 0, 0])
  })

  it("a writer whose page is zapped meanwhile faults again", () => {
    const s = play([fork(U), touch(U)], [madvise(U)])
    s.run("mm/0 to idle", "mm/0 to start.count", "mm/1 done", "mm/0 done")
    assert.match(entries(s)[1], /^\d+ write$/)
    assert.notStrictEqual(entries(s)[1], "0 write")
    assert.deepStrictEqual(returned(s), [0, 0, 0])
  })

  it("copies what the page holds", () => {
    const own: Op = { _tag: "gpc_write_own", gpc: 0, gpa: guest(U) }
    const s = all(own, fork(U), touch(U))
    assert.strictEqual(s.state.mmu.word(s.state.mmu.frame(4)), guest(U))
  })
})

describe("migrate", () => {
  it("copies the page to another frame after end, and holds faults off until then", () => {
    const s = play([{ _tag: "gpc_write_own", gpc: 0, gpa: guest(U) }, migrate(U)], [touch(U)])
    s.run("mm/0 to idle", "mm/0 to finish", "mm/1 blocked at fault")
    assert.strictEqual(entries(s)[1], "0 migration")
    s.run("mm/0 done", "mm/1 done")
    assert.strictEqual(entries(s)[1], "4 write")
    assert.strictEqual(s.state.mmu.word(s.state.mmu.frame(4)), guest(U))
    assert.deepStrictEqual(freed(s), [2])
  })

  it.each([migrate(U), { _tag: "thp_collapse", ...one(U) } as Op])(
    "$_tag puts a page back that a lookup holds",
    (op) => {
      const s = play([refresh], [op])
      s.run("mm/0 to retry.map", "mm/1 to end.mmu")
      assert.strictEqual(s.state.mmu.pfn(1), 0)
      s.run("mm/1 done")
      assert.strictEqual(entries(s)[1], "2 write")
      s.run("mm/0 done")
      assert.deepStrictEqual([freed(s), s.violated()], [[], []])
    }
  )

  it("leaves the page to whoever zaps it meanwhile", () => {
    const s = play([migrate(U)], [madvise(U)])
    s.run("mm/0 to finish", "mm/1 done", "mm/0 done")
    assert.strictEqual(entries(s)[1], "0 absent")
    assert.deepStrictEqual(freed(s), [2])
  })
})

describe("ksm_merge", () => {
  it("write-protects both pages, then lets them share a frame", () => {
    const s = all(merge)
    assert.deepStrictEqual(announced(s), [
      ["CLEAR", "write-protect", U, U + PAGE],
      ["CLEAR", "write-protect", LOW, LOW + PAGE],
      ["CLEAR", "merge", LOW, LOW + PAGE]
    ])
    assert.deepStrictEqual(entries(s).slice(0, 2), ["2 copy-on-write", "2 copy-on-write"])
    assert.strictEqual(s.state.mmu.mapcount(s.state.mmu.frame(2)), 2)
    assert.deepStrictEqual(freed(s), [1])
  })

  it("does not merge pages that differ", () => {
    const s = all({ _tag: "gpc_write_own", gpc: 0, gpa: guest(U) }, merge)
    assert.deepStrictEqual(entries(s).slice(0, 2), ["1 copy-on-write", "2 copy-on-write"])
  })

  it("does not merge a page that a lookup holds", () => {
    const s = play([refresh], [merge])
    s.run("mm/0 to retry.map", "mm/1 done")
    assert.deepStrictEqual(entries(s).slice(0, 2), ["1 copy-on-write", "2 write"])
    s.run("mm/0 done")
    assert.deepStrictEqual(s.violated(), [])
  })
})

describe("the rest", () => {
  it("thp_collapse copies the pages after end, under mmap_lock", () => {
    const s = play([{ _tag: "thp_collapse", start: LOW, end: HIGH }], [touch(U)])
    s.run("mm/0 to finish", "mm/1 blocked at fault", "mm/0 done", "mm/1 done")
    assert.deepStrictEqual(entries(s).slice(0, 3), ["4 write", "5 write", "3 write"])
    assert.deepStrictEqual(freed(s), [1, 2])
  })

  it("thp_split changes no page, but announces its range", () => {
    const s = all({ _tag: "thp_split", start: LOW, end: HIGH })
    assert.deepStrictEqual(entries(s), entries(all()))
    assert.deepStrictEqual(announced(s), [["CLEAR", "split", LOW, HIGH]])
  })

  it("clear_soft_dirty announces the whole mm, and the fault that follows announces nothing", () => {
    const s = all({ _tag: "clear_soft_dirty" }, touch(U))
    assert.deepStrictEqual(announced(s), [["SOFT_DIRTY", "soft-dirty", 0, 2 ** 47]])
    assert.deepStrictEqual(entries(s), ["1 write-protected", "2 write", "3 write-protected", "0 absent"])
  })
})

describe("mmap_lock", () => {
  it("lets madvise run beside madvise, not beside munmap", () => {
    const s = play([madvise(U)], [madvise(LOW)], [munmap(HIGH)])
    s.run("mm/0 to change", "mm/1 to change", "mm/2 blocked at mmap.write", "mm/0 done", "mm/2 blocked at mmap.write")
    s.run("mm/1 done", "mm/2 to change")
    const other = play([munmap(HIGH)], [madvise(LOW)], [munmap(U)])
    other.run("mm/0 to change", "mm/1 blocked at mmap.read", "mm/2 blocked at mmap.write", "mm/0 done", "mm/1 done")
    assert.deepStrictEqual([s.state.mmu.mmapReaders, other.state.mmu.mmapReaders], [0, 0])
  })

  it("holds off a fault, not a touch of a page that is there", () => {
    const s = play([madvise(U), munmap(HIGH)], [touch(U)], [touch(LOW)])
    s.run("mm/0 to idle", "mm/0 to change", "mm/1 blocked at fault", "mm/2 done", "mm/0 done", "mm/1 done")
    assert.strictEqual(entries(s)[1], "4 write")
  })
})

describe("a world with too few frames", () => {
  it("says so", () => {
    const place = world([thread("mm/0", madvise(U, "after-end")), thread("mm/1", touch(U))])
    const s = stage({ ...place, spareFrames: 0 }, mainline612)
    s.run("mm/0 to finish")
    assert.throws(() => s.run("mm/1 done"), "out of memory: all 3 frames of the world are in use")
  })
})
