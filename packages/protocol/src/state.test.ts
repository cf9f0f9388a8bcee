import { assert, describe, it } from "@effect/vitest"
import { guest, HIGH, LOW, read, refresh, thread, U, world } from "./interleaving.ts"
import { L } from "./label.ts"
import { randomWorld, seeded } from "./random.ts"
import { hashState, initialState, layout, overlapsMemslot, regionOf, translate } from "./state.ts"
import type { State } from "./state.ts"
import { survey } from "./world.ts"

const threads = [thread("vcpu/0", refresh), thread("vcpu/1", read)]

/** Every accessor of a view with a setter, by name. */
const fieldsOf = (view: object): ReadonlyArray<string> =>
  Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(view)))
    .filter(([name, { set }]) => set !== undefined && !["entry", "overlap"].includes(name))
    .map(([name]) => name)

describe("the layout", () => {
  it("gives every cell to one actor, in order and without gaps", () => {
    const state = initialState(randomWorld(seeded(1)))
    const actors = 2 + state.gpcs.length + state.threads.length
    let at = 0
    for (let actor = 0; actor < actors; actor++) {
      const { from, to } = regionOf(state, actor)
      assert.strictEqual(from, at)
      assert.isAbove(to, from)
      at = to
    }
    assert.strictEqual(at, state.cells.length)
  })

  it.each(
    [
      ["the primary MMU", 0, (s: State) => s.mmu],
      ["the notifier", 1, (s: State) => s.kvm],
      ["a cache", 3, (s: State) => s.gpcs[1]],
      ["a thread", 5, (s: State) => s.threads[1]]
    ] as const
  )("%s: each field has a cell of its own, within its region", (_what, actor, viewOf) => {
    const state = layout(survey(randomWorld(seeded(1))))
    const view = viewOf(state) as unknown as Record<string, number>
    const { from, to } = regionOf(state, actor)
    const used = new Set<number>()
    for (const name of fieldsOf(view)) {
      state.cells.fill(0)
      view[name] = 7
      assert.strictEqual(view[name], 7)
      const [cell, ...more] = [...state.cells.keys()].filter((i) => state.cells[i] !== 0)
      assert.deepStrictEqual(more, [], name)
      assert.isTrue(from <= cell && cell < to, name)
      assert.isFalse(used.has(cell), name)
      used.add(cell)
    }
    assert.isAbove(used.size, 2)
  })

  it("keeps a nested invalidation apart from the one around it", () => {
    const { threads: [t] } = initialState(world(threads))
    t.open(1, 9, 3)
    t.cursor = 4
    t.entry = 2
    t.overlap = 1
    t.open(2, 3, 4)
    assert.deepStrictEqual([t.start, t.end, t.cursor, t.change, t.entry, t.overlap], [2, 3, 0, 4, -1, 0])
    t.close()
    assert.deepStrictEqual([t.start, t.end, t.cursor, t.change, t.entry, t.overlap], [1, 9, 4, 3, 2, 1])
    t.overlap = 0
    assert.strictEqual(t.entry, 2)
    t.close()
    assert.strictEqual(t.depth, 0)
  })
})

describe("hashState", () => {
  it("differs when any one cell does, and is the same for the same cells", () => {
    const state = initialState(randomWorld(seeded(3)))
    const hashes = new Set([hashState(state)])
    const start = state.cells.slice()
    for (let i = 0; i < start.length; i++) {
      for (const change of [1, -3, 0x1_0000_0000]) {
        state.cells.set(start)
        state.cells[i] += change
        hashes.add(hashState(state))
      }
    }
    assert.strictEqual(hashes.size, 1 + 3 * start.length)
    state.cells.set(start)
    assert.isTrue(hashes.has(hashState(state)))
  })

  it("differs when two cells are swapped", () => {
    const state = initialState(randomWorld(seeded(3)))
    state.cells.set([1, 2])
    const one = hashState(state)
    state.cells.set([2, 1])
    assert.notStrictEqual(hashState(state), one)
  })
})

const cache = (gpc: "inactive" | "active" | "remap" | "valid", memory: "slots" | "heap" = "slots") => {
  const { active, flag, gpa, khva, listed, pfn, uhva, valid } = initialState(world(threads, { gpc, memory })).gpcs[0]
  return { active, flag, gpa, khva, listed, pfn, uhva, valid }
}

describe("the initial state", () => {
  const gpa = guest(U)

  it.each(
    [
      ["inactive", { active: 0, flag: 0, gpa: -1, khva: 0, listed: 0, pfn: -1, uhva: -1, valid: 0 }],
      ["active", { active: 1, flag: 0, gpa, khva: 0, listed: 1, pfn: -1, uhva: U, valid: 0 }],
      ["remap", { active: 1, flag: 0, gpa, khva: 2, listed: 1, pfn: 2, uhva: U, valid: 0 }],
      ["valid", { active: 1, flag: 1, gpa, khva: 2, listed: 1, pfn: 2, uhva: U, valid: 1 }]
    ] as const
  )("has a cache that is %s", (gpc, expected) => {
    assert.deepStrictEqual(cache(gpc), expected)
    const { active, gpa, uhva } = cache("active", "heap")
    assert.deepStrictEqual({ active, gpa, uhva }, { active: 1, gpa: -1, uhva: U })
  })

  it("maps each populated page to a frame of its own, held by the page table alone", () => {
    const { geo, mmu } = initialState(randomWorld(seeded(1)))
    const pfns = Array.from({ length: geo.pages }, (_, page) => mmu.pfn(page))
    assert.deepStrictEqual(pfns, [1, 2, 3, 4, 0, 0, 0, 0])
    for (const pfn of [1, 2, 3, 4]) {
      const at = mmu.frame(pfn)
      assert.deepStrictEqual([mmu.mapcount(at), mmu.gup(at), mmu.gather(at)], [1, 0, 0])
    }
    assert.deepStrictEqual([mmu.frame(5), mmu.frame(0), mmu.frame(-1)], [-1, -1, -1])
  })

  it("has every thread at the start of its script", () => {
    const { threads: all } = initialState(world(threads))
    for (const t of all) assert.deepStrictEqual([t.pc, t.opIndex, t.round, t.depth], [L.idle, 0, 0, 0])
  })
})

describe("memslots", () => {
  const state = initialState(world(threads))
  const { geo, kvm } = state

  it("translate a guest address while they are present", () => {
    const of = (hva: number) => translate(geo, kvm, guest(hva))
    assert.deepStrictEqual([of(LOW), of(U + 0x18), of(HIGH + 0x1000), of(LOW - 1)], [LOW, U + 0x18, -1, -1])
    kvm.setSlot(1, 2, U)
    assert.strictEqual(of(U), -1)
    kvm.setSlot(1, 1, HIGH)
    assert.strictEqual(of(U + 0x18), HIGH + 0x18)
    kvm.setSlot(1, 1, U)
  })

  it("overlap a range that they share a byte with, invalid ones too", () => {
    const over = (start: number, end: number) => overlapsMemslot(geo, kvm, start, end)
    assert.deepStrictEqual([over(U - 1, U), over(U - 1, U + 1), over(U + 0xfff, U + 0x1000), over(U + 0x1000, HIGH)], [
      false,
      true,
      true,
      false
    ])
    kvm.setSlot(1, 2, U)
    assert.isTrue(over(U, U + 1))
    kvm.setSlot(1, 0, U)
    assert.isFalse(over(U, U + 1))
  })
})
