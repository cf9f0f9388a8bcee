/** Guest page faults, and the torture's own writes through a shared cache. */
import { assert, describe, it } from "@effect/vitest"
import { changed, guest, HIGH, LOW, madvise, refresh, stage, thread, U, world } from "./interleaving.ts"
import { L } from "./label.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"

const fault = thread("vcpu/0", { _tag: "guest_fault", gpa: guest(U) })
const zap = thread("mm/0", madvise(U))

describe("a guest page fault", () => {
  it("maps the page that the host has, and keeps no reference", () => {
    const s = stage(world([fault]), mainline612)
    s.run("vcpu/0 done")
    assert.deepStrictEqual(s.seen("GuestFaulted").map(({ gfn, pfn }) => [gfn, pfn]), [[guest(U) / 0x1000, 2]])
    assert.deepStrictEqual([s.state.kvm.spte(1), s.state.mmu.gup(s.state.mmu.frame(2))], [2, 0])
  })

  it("is not begun while the page is being invalidated", () => {
    const s = stage(world([fault, zap]), mainline612)
    s.run("mm/0 to change", "vcpu/0 to guest.snapshot", "vcpu/0 to guest.snapshot", "vcpu/0 to guest.snapshot")
    assert.deepStrictEqual(s.seen("GuestFaultRetried").map((event) => event.reason), ["in-progress", "in-progress"])
    assert.deepStrictEqual(s.seen("PfnResolved"), [])
    s.run("mm/0 done", "vcpu/0 done")
    assert.strictEqual(s.state.kvm.spte(1), s.state.mmu.pfn(1))
  })

  it("is stale when an invalidation has begun since, and again when one has ended", () => {
    const s = stage(world([fault, zap, thread("mm/1", madvise(U))]), mainline612)
    s.run("vcpu/0 to guest.stale", "mm/0 to change", "vcpu/0 to guest.snapshot", "mm/0 done")
    s.run("vcpu/0 to guest.stale", "mm/1 done", "vcpu/0 done")
    assert.deepStrictEqual(s.seen("GuestFaultRetried").map((event) => event.reason), ["in-progress", "seq"])
    assert.strictEqual(s.seen("RefPut").filter((event) => event.reference === "gup").length, 3)
    assert.strictEqual(s.state.kvm.spte(1), s.state.mmu.pfn(1))
  })

  it("goes on beside an invalidation of other memory in flight, until its end moves the sequence", () => {
    const s = stage(world([fault, thread("mm/0", madvise(HIGH))]), mainline612)
    s.run("mm/0 to change", "vcpu/0 done", "mm/0 done")
    assert.deepStrictEqual(s.seen("GuestFaultRetried"), [])
  })

  it("is undone by an invalidation of its page alone, and by a change of its memslot", () => {
    const slots = thread("slots/0", { _tag: "set_memslot", slot: 1, hva: HIGH })
    const s = stage(world([fault, thread("mm/0", madvise(LOW)), thread("mm/1", madvise(U)), slots]), mainline612)
    s.run("vcpu/0 done", "mm/0 done")
    assert.strictEqual(s.state.kvm.spte(1), 2)
    s.run("mm/1 to change")
    assert.strictEqual(s.state.kvm.spte(1), 0)
    s.run("mm/1 done")
    s.state.kvm.setSpte(1, 2)
    s.run("slots/0 done")
    assert.strictEqual(s.state.kvm.spte(1), 0)
  })

  it("of an address without memory leaves nothing behind for the next lookup", () => {
    const unmap = thread("mm/0", { _tag: "munmap", start: U, end: HIGH, free: "after-end" })
    const both = thread("vcpu/0", { _tag: "guest_fault", gpa: guest(U) }, {
      _tag: "gpc_activate",
      gpc: 0,
      gpa: guest(LOW)
    })
    const s = stage(world([both, unmap]), mainline612)
    s.run("mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual(s.seen("RefPut").map((event) => event.pfn), [2, 1])
    assert.deepStrictEqual(s.violated(), [])
  })

  it("would map a page that is gone if it were not tested for staleness", () => {
    const rash = changed(mainline612, "guest.stale", {
      run: (_s, t, emit) => {
        emit.GuestFaulted(t.id, guest(U) / 0x1000, t.newPfn)
        return L["guest.put"]
      }
    })
    const s = stage(world([fault, zap]), rash)
    s.run("vcpu/0 to guest.stale", "mm/0 done", "vcpu/0 done")
    assert.strictEqual(s.state.mmu.frame(s.state.kvm.spte(1)), -1)
  })
})

const own = (name: string, hva: number) => thread(name, { _tag: "gpc_write_own", gpc: 0, gpa: guest(hva) })

describe("a write of one's own through a shared cache", () => {
  it("points the cache at the page, and writes the page's guest address to it", () => {
    const s = stage(world([own("vcpu/0", HIGH)]), mainline612)
    s.run("vcpu/0 done")
    const { mmu } = s.state
    assert.deepStrictEqual([1, 2, 3].map((pfn) => mmu.word(mmu.frame(pfn))), [0, 0, guest(HIGH)])
  })

  it("is not done when another vCPU has re-pointed the cache in between", () => {
    const s = stage(world([own("vcpu/0", HIGH), own("vcpu/1", LOW), thread("vcpu/2", refresh)]), mainline612)
    s.run("vcpu/0 to use.enter", "vcpu/1 done", "vcpu/0 done")
    assert.deepStrictEqual(s.seen("Checked").map(({ ok, thread }) => [thread, ok]), [[1, true], [0, true]])
    assert.deepStrictEqual(s.seen("KhvaAccessed").map(({ pfn, thread, word }) => [thread, pfn, word]), [
      [1, 1, guest(LOW)]
    ])
  })
})
