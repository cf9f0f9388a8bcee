import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { OPERATIONS } from "./event.ts"
import { HIGH, LOW, PAGE, read, refresh, thread, U, world } from "./interleaving.ts"
import { randomWorld, seeded } from "./random.ts"
import { encodeOp, FREES, Op, survey, World } from "./world.ts"

const decode = Schema.decodeUnknownSync(World)

const good = world([thread("vcpu/0", refresh), thread("mm/0", { _tag: "set_memslot", slot: 0, hva: LOW })])

/** Worlds of some areas and memslots, in any order, apart or side by side. */
const places = fc.record({
  gaps: fc.array(fc.record({ gap: fc.nat(3), pages: fc.integer({ min: 0, max: 4 }) }), { maxLength: 5 }),
  size: fc.constantFrom(1, 16, PAGE),
  turn: fc.boolean()
}).map(({ gaps, size, turn }): World => {
  let at = size
  const areas = gaps.map(({ gap, pages }) => {
    const hva = at + gap * size
    at = hva + pages * size
    return { hva, pages, populated: pages % 2 === 0 }
  })
  return {
    ...good,
    pageSize: size,
    areas: turn ? areas.toReversed() : areas,
    memslots: areas.map(({ hva, pages }) => ({ gpa: 3 * hva, hva, pages, state: "present" })),
    gpcs: [],
    threads: []
  }
})

describe("survey", () => {
  it("numbers the modelled pages in the order of their addresses", () => {
    fc.assert(fc.property(places, (place) => {
      const geo = survey(place)
      const expected = place.areas
        .flatMap(({ hva, pages }) => Array.from({ length: pages }, (_, i) => hva + i * place.pageSize))
        .sort((a, b) => a - b)
      assert.deepStrictEqual(Array.from({ length: geo.pages }, (_, page) => geo.hvaOf(page)), expected)
      assert.deepStrictEqual([geo.hvaOf(-1), geo.hvaOf(geo.pages)], [-1, -1])
    }))
  })

  it("finds the page of any address, and none where nothing is modelled", () => {
    fc.assert(fc.property(places, fc.integer({ min: -5, max: 40 * PAGE }), (place, address) => {
      const geo = survey(place)
      for (const hva of [address, address % 64]) {
        const pages = Array.from({ length: geo.pages }, (_, page) => page)
        const expected = pages.find((page) => geo.hvaOf(page) <= hva && hva < geo.hvaOf(page) + place.pageSize) ?? -1
        assert.strictEqual(geo.pageOf(hva), expected)
      }
    }))
  })

  it("walks exactly the pages that begin in a range", () => {
    fc.assert(fc.property(places, fc.nat(200), fc.nat(200), fc.nat(15), (place, from, length, odd) => {
      const geo = survey(place)
      const start = from * place.pageSize / 4 + odd
      const end = start + length * place.pageSize / 4
      const walked: Array<number> = []
      for (let page = geo.nextPage(0, start, end); page >= 0; page = geo.nextPage(page + 1, start, end)) {
        walked.push(page)
      }
      const pages = Array.from({ length: geo.pages }, (_, page) => page)
      assert.deepStrictEqual(walked, pages.filter((page) => start <= geo.hvaOf(page) && geo.hvaOf(page) < end))
    }))
  })

  it("finds the memslot of any guest address, and numbers its guest pages", () => {
    fc.assert(fc.property(places, fc.nat(120 * PAGE), (place, address) => {
      const geo = survey(place)
      for (const gpa of [address, address % 192]) {
        const slot = geo.slotOf(gpa)
        const holds = place.memslots.map((s) => s.gpa <= gpa && gpa < s.gpa + s.pages * place.pageSize)
        assert.strictEqual(slot, holds.indexOf(true))
      }
      const sizes = place.memslots.map(({ pages }) => pages)
      assert.deepStrictEqual(geo.slotBase, sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0)))
      assert.strictEqual(geo.guestPages, sizes.reduce((a, b) => a + b, 0))
    }))
  })

  it("counts the frames: those mapped at the start, and the spare ones", () => {
    const mixed = [{ hva: LOW, pages: 3, populated: true }, { hva: U, pages: 5, populated: false }]
    assert.strictEqual(survey({ ...good, areas: mixed, spareFrames: 7 }).frames, 10)
  })
})

describe("an operation as numbers", () => {
  const samples: { readonly [K in Op["_tag"]]: readonly [Omit<Extract<Op, { _tag: K }>, "_tag">, ...Array<number>] } = {
    pause: [{ ns: 5 }, 5, 0, 0],
    touch: [{ hva: 5 }, 5, 0, 0],
    madvise: [{ start: 1, end: 2, free: "after-end" }, 1, 2, FREES.indexOf("after-end")],
    munmap: [{ start: 1, end: 2, free: "either" }, 1, 2, FREES.indexOf("either")],
    mmap: [{ start: 1, end: 2 }, 1, 2, 0],
    mremap: [{ start: 1, end: 2, to: 3 }, 1, 2, 3],
    mprotect: [{ start: 1, end: 2, protection: "read-only" }, 1, 2, 4],
    fork: [{ start: 1, end: 2 }, 1, 2, 0],
    migrate: [{ hva: 5 }, 5, 0, 0],
    ksm_merge: [{ hva: 1, with: 2 }, 1, 2, 0],
    thp_collapse: [{ start: 1, end: 2 }, 1, 2, 0],
    thp_split: [{ start: 1, end: 2 }, 1, 2, 0],
    clear_soft_dirty: [{}, 0, 0, 0],
    set_memslot: [{ slot: 1, hva: 2 }, 1, 2, 0],
    delete_memslot: [{ slot: 1 }, 1, 0, 0],
    gpc_activate: [{ gpc: 1, gpa: 2 }, 1, 2, 0],
    gpc_activate_hva: [{ gpc: 1, uhva: 2 }, 1, 2, 0],
    gpc_deactivate: [{ gpc: 1 }, 1, 0, 0],
    gpc_refresh: [{ gpc: 1 }, 1, 0, 0],
    gpc_read: [{ gpc: 1 }, 1, 0, 0],
    gpc_use: [{ gpc: 1 }, 1, 0, 0],
    gpc_write_own: [{ gpc: 1, gpa: 2 }, 1, 2, 0],
    guest_fault: [{ gpa: 5 }, 5, 0, 0]
  }

  it.each(Object.entries(samples))("%s", (_tag, [fields, a, b, c]) => {
    const op = Schema.decodeUnknownSync(Op)({ _tag, ...fields })
    assert.deepStrictEqual(encodeOp(op), { op: OPERATIONS.indexOf(op._tag), a, b, c })
  })

  it("is there for every operation but those that only a trace shows", () => {
    assert.deepStrictEqual([...Object.keys(samples), "unknown", "brk"].sort(), [...OPERATIONS].sort())
  })
})

describe("the Schema of a world", () => {
  it("takes a good one, and any that the random tests use", () => {
    assert.deepStrictEqual(decode(good), good)
    for (let seed = 0; seed < 50; seed++) {
      const drawn = randomWorld(seeded(seed))
      assert.deepStrictEqual(decode(JSON.parse(JSON.stringify(drawn))), drawn)
    }
  })

  const page = { hva: LOW, pages: 1, populated: true }
  const bad: ReadonlyArray<readonly [string, string, unknown]> = [
    ["no page size", "pageSize", { ...good, pageSize: 0 }],
    ["half a page", "pages", { ...good, areas: [{ ...page, pages: 0.5 }] }],
    ["an area that begins inside a page", "start of a page", { ...good, areas: [{ ...page, hva: LOW + 1 }] }],
    ["areas that overlap", "overlaps", { ...good, areas: [{ ...page, pages: 2 }, { ...page, hva: LOW + PAGE }] }],
    ["a cache without an address", "exactly one", { ...good, gpcs: [{ state: "active" }] }],
    ["a cache with two addresses", "exactly one", { ...good, gpcs: [{ gpa: 0, uhva: HIGH, state: "active" }] }],
    ["a cache in no state", "state", { ...good, gpcs: [{ uhva: HIGH, state: "broken" }] }],
    ["a memslot in no state", "state", { ...good, memslots: [{ gpa: 0, hva: 0, pages: 1, state: "moving" }] }],
    ["an operation that does not exist", "ops", { ...good, threads: [thread("mm/0", { _tag: "mlock" } as never)] }],
    ["an operation without its argument", "hva", { ...good, threads: [thread("mm/0", { _tag: "touch" } as never)] }],
    ["a cache that is not there", "one of the 1 caches", {
      ...good,
      threads: [thread("vcpu/0", { ...read, gpc: 1 } as Op)]
    }],
    ["a memslot that is not there", "one of the 3 memslots", {
      ...good,
      threads: [thread("slots/0", { _tag: "delete_memslot", slot: 3 })]
    }],
    ["two threads of one name", "no other thread", { ...good, threads: [thread("mm/0"), thread("mm/0")] }],
    ["a negative number of rounds", "repeat", { ...good, threads: [{ ...thread("mm/0"), repeat: -1 }] }],
    ["nothing", "object", undefined]
  ]
  it.each(bad)("refuses %s, and says where", (_what, where, input) => {
    assert.throws(() => decode(input), where)
  })
})
