/** Section F: memslots, activation, references, nesting, and the first version. */
import { assert, describe, it } from "@effect/vitest"
import { LOCK, REF } from "./evolve.ts"
import { changed, forever, guest, HIGH, LOW, madvise, PAGE, read, refresh, ROUNDS } from "./interleaving.ts"
import { stage, thread, U, world } from "./interleaving.ts"
import { L } from "./label.ts"
import { flagWait } from "./policies/flag-wait.ts"
import { POLICIES } from "./policies/index.ts"
import { mainline517 } from "./policies/mainline-5.17.ts"
import { mainline61 } from "./policies/mainline-6.1.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"
import { mainline73 } from "./policies/mainline-7.3.ts"
import type { Policy } from "./policy.ts"
import { SLOT } from "./state.ts"
import type { Program } from "./step.ts"

const USE_AFTER_FREE = ["P1 at KhvaAccessed", "P2 at KhvaAccessed"]

const refresher = thread("vcpu/0", refresh)
const reader = thread("vcpu/1", read)
const invalidator = thread("mm/0", madvise(U))

/** Memslot updates that do not wait for invalidations in flight. */
const impatient = (policy: Policy): Program =>
  changed(policy, "swap.wait", {
    run: (s, t, emit) => {
      const state = s.kvm.slotState(t.a) === SLOT.present ? SLOT.invalid : SLOT.absent
      emit.MemslotsSwapped(t.id, t.a, state, s.kvm.slotHva(t.a), s.kvm.generation + 1)
      return L["swap.srcu"]
    }
  })

describe("I-32: a memslot goes while an invalidation of it is in flight", () => {
  const threads = [
    thread("mm/0", madvise(HIGH)),
    thread("slots/0", { _tag: "delete_memslot", slot: 2 }),
    thread("vcpu/0", { _tag: "guest_fault", gpa: guest(HIGH) })
  ]

  it.each([mainline61, mainline612, mainline73])("$name holds P8: the swap waits until the count is 0", (policy) => {
    const s = stage(world(threads), policy)
    s.run("mm/0 to change", "slots/0 blocked at swap.sleep", "mm/0 to end.count", "slots/0 blocked at swap.sleep")
    s.run("mm/0 done", "slots/0 done")
    assert.deepStrictEqual(s.violated(), [])
    assert.isBelow(s.trail().indexOf("Woken"), s.trail().indexOf("MemslotsSwapped"))
    assert.deepStrictEqual([s.state.kvm.inProgress, s.state.kvm.count, s.state.kvm.sleepers], [0, 0, 0])
    assert.deepStrictEqual(s.seen("MemslotsSwapped").map((event) => event.state), ["invalid", "absent"])
  })

  it("another update waits for slots_lock", () => {
    const s = stage(world([...threads, thread("slots/1", { _tag: "set_memslot", slot: 0, hva: LOW })]), mainline612)
    s.run("mm/0 to change", "slots/0 blocked at swap.sleep", "slots/1 blocked at slots.lock", "mm/0 done")
    s.run("slots/0 to slots.unlock", "slots/1 blocked at slots.lock", "slots/0 done", "slots/1 done")
    assert.strictEqual(s.state.kvm.generation, 6)
  })

  it("without the wait it violates P8, and the guest faults there for ever", () => {
    const s = stage(world(threads), impatient(mainline612))
    s.run("mm/0 to change", "slots/0 done", "mm/0 done")
    assert.deepStrictEqual(s.violated(), ["P8 at CountDecremented"])
    assert.strictEqual(s.state.kvm.inProgress, 1)
    s.state.kvm.setSlot(2, SLOT.present, HIGH)
    assert.isFalse(s.reaches("vcpu/0 done"))
    assert.isAbove(s.seen("GuestFaultRetried").length, ROUNDS)
  })
})

const deletion = thread("slots/0", { _tag: "delete_memslot", slot: 1 })

const playI33 = (protocol: Policy | Program, swap: "blocked at swap.drain" | "done") => {
  const s = stage(world([refresher, deletion, invalidator, thread("vcpu/1", refresh)]), protocol)
  s.run("vcpu/0 to retry.map", `slots/0 ${swap}`, "mm/0 done")
  return s
}

describe("I-33: a memslot is deleted around a refresh, and its memory invalidated", () => {
  it("6.12 holds P5: the refresh is in kvm->srcu, the slot is invalid but still overlaps", () => {
    const s = playI33(mainline612, "blocked at swap.drain")
    assert.strictEqual(s.state.kvm.slotState(1), SLOT.invalid)
    assert.strictEqual(s.state.kvm.seq, 1)
    s.run("vcpu/0 done", "slots/0 done")
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["seq"])
    s.run("vcpu/1 done")
    assert.deepStrictEqual(s.seen("RefreshReturned").map((event) => event.ret), [0, -14])
    assert.isTrue(s.seen("PfnResolved").every((event) => event.thread === 0), "an error address is not looked up")
    assert.deepStrictEqual(s.violated(), [])
  })

  it("outside kvm->srcu it violates P5: the slot is gone, the sequence does not move", () => {
    const s = playI33(changed(mainline612, "swap.drain", { guard: () => true }), "done")
    assert.strictEqual(s.state.kvm.seq, 0)
    s.run("vcpu/0 done")
    assert.deepStrictEqual(s.violated(), ["P5 at Published"])
  })
})

const use = { _tag: "gpc_use", gpc: 0 } as const

const playI34 = (memory: "slots" | "heap") => {
  const slots = thread("slots/0", { _tag: "set_memslot", slot: 0, hva: LOW })
  const elsewhere = { gpa: guest(LOW), hva: LOW, pages: 1, state: "present" } as const
  const place = world([thread("vcpu/0", use, use, use), slots], { gpc: "valid", memory })
  const s = stage(memory === "heap" ? { ...place, memslots: [elsewhere] } : place, mainline612)
  s.run("vcpu/0 to idle", "slots/0 to swap.drain", "vcpu/0 to idle", "slots/0 done", "vcpu/0 done")
  assert.deepStrictEqual(s.violated(), [])
  assert.strictEqual(s.seen("KhvaAccessed").length, 3)
  assert.deepStrictEqual(s.seen("PfnResolved"), [])
  return s
}

describe("I-34: the generation of the memslots in flux", () => {
  it("6.12 holds P12 at the cost of two refreshes without a lookup", () => {
    const s = playI34("slots")
    assert.deepStrictEqual(s.seen("Checked").map((event) => event.ok), [true, false, true, false, true])
    assert.strictEqual(s.seen("MappingKept").length, 2)
    assert.deepStrictEqual(s.seen("Translated").map((event) => event.generation), [1, 2])
  })

  it("a cache given by host address skips the test", () => {
    const s = playI34("heap")
    assert.deepStrictEqual(s.seen("Checked").map((event) => event.ok), [true, true, true])
    assert.deepStrictEqual(s.seen("RefreshEntered"), [])
  })

  it("a check that skipped it would violate P12", () => {
    const s = stage(
      world([reader, thread("slots/0", { _tag: "set_memslot", slot: 0, hva: LOW })], { gpc: "valid" }),
      changed(mainline612, "use.check", {
        run: (_s, t, emit) => {
          emit.Checked(t.id, t.a, 1)
          return L["use.access"]
        }
      })
    )
    s.run("slots/0 to swap.drain", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), ["P12 at Checked"])
  })
})

const activate = thread("vcpu/0", { _tag: "gpc_activate", gpc: 0, gpa: guest(U) })

const playI35 = (protocol: Policy | Program) => {
  const s = stage(world([activate, invalidator, reader], { gpc: "inactive" }), protocol)
  s.run("vcpu/0 to refresh.unlock", "mm/0 to change")
  return s
}

describe("I-35: activate puts the cache on the list before it is active", () => {
  it("6.12 holds: listed, active, then valid; the walk finds it at any point", () => {
    const s = playI35(mainline612)
    s.run("mm/0 done", "vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(
      s.trail().filter((tag) => ["Listed", "Activated", "Published", "GpcInvalidated"].includes(tag)),
      ["Listed", "Activated", "Published", "GpcInvalidated"]
    )
    assert.deepStrictEqual(s.violated(), [])
  })

  it("6.12 holds with the walk between list and active: the refresh sees the count", () => {
    const s = stage(world([activate, invalidator], { gpc: "inactive" }), mainline612)
    s.run("vcpu/0 to activate.active", "mm/0 to change", "vcpu/0 to retry.decide", "vcpu/0 to gup", "mm/0 done")
    s.run("vcpu/0 done")
    assert.deepStrictEqual(s.seen("GpcVisited").map((event) => event.hit), [false])
    assert.strictEqual(s.seen("RetryDecided")[0].reason, "count")
    assert.deepStrictEqual(s.violated(), [])
  })

  it("the other way round it violates P3", () => {
    const activateFirst = changed(mainline612, "activate.lock", {
      run: (_s, t, emit) => {
        emit.Locked(t.id, LOCK["gpc->refresh_lock"], t.a)
        return L["activate.active"]
      }
    })
    assert.deepStrictEqual(playI35(activateFirst).violated(), ["P3 at StartReturned"])
  })
})

describe("I-36: deactivate clears the cache before it leaves the list", () => {
  const deactivate = thread("vcpu/0", { _tag: "gpc_deactivate", gpc: 0 })

  it("6.12 holds: the list is left when the walk is over, and a reader finds it inactive", () => {
    const s = stage(world([deactivate, invalidator, reader], { gpc: "valid" }), mainline612)
    s.run("vcpu/0 to deactivate.gpc_lock", "mm/0 to start.visit", "vcpu/0 blocked at deactivate.gpc_lock")
    s.run(
      "mm/0 to start.gpc_unlock",
      "vcpu/0 blocked at deactivate.gpc_lock",
      "vcpu/1 done",
      "mm/0 done",
      "vcpu/0 done"
    )
    assert.deepStrictEqual(s.seen("GpcVisited").map((event) => event.hit), [false])
    assert.deepStrictEqual(s.seen("Checked").map((event) => event.ok), [false])
    const { active, khva, listed, pfn, valid } = s.state.gpcs[0]
    assert.deepStrictEqual({ active, khva, listed, pfn, valid }, { active: 0, khva: 0, listed: 0, pfn: -1, valid: 0 })
    assert.deepStrictEqual(s.violated(), [])
  })

  it("the other way round it violates P3", () => {
    const unlistFirst = changed(
      changed(mainline612, "deactivate.lock", {
        run: (_s, t, emit) => {
          emit.Locked(t.id, LOCK["gpc->refresh_lock"], t.a)
          return L["deactivate.gpc_lock"]
        }
      }),
      "deactivate.gpc_unlock",
      {
        run: (_s, t, emit) => {
          emit.Unlocked(t.id, LOCK.gpc_lock, -1)
          return L["deactivate.clear"]
        }
      }
    )
    const s = stage(world([deactivate, invalidator], { gpc: "valid" }), unlistFirst)
    s.run("vcpu/0 to deactivate.clear", "mm/0 to change")
    assert.deepStrictEqual(s.violated(), ["P3 at StartReturned"])
  })
})

const playI37 = (protocol: Policy | Program) => stage(world([refresher, thread("vcpu/1", refresh)]), protocol)

describe("I-37: two refreshers of one cache", () => {
  it("6.12 holds: the second waits for refresh_lock, and finds the mapping good", () => {
    const s = playI37(mainline612)
    s.run("vcpu/0 to retry.map", "vcpu/1 blocked at refresh.lock", "vcpu/0 done", "vcpu/1 done")
    assert.strictEqual(s.seen("PfnResolved").length, 1)
    assert.strictEqual(s.seen("MappingKept").length, 1)
    assert.deepStrictEqual(s.seen("RefreshReturned").map((event) => event.ret), [0, 0])
    assert.deepStrictEqual(s.violated(), [])
  })

  it("without refresh_lock both look the page up, and one finds it valid already when it publishes", () => {
    const s = playI37(changed(mainline612, "refresh.lock", { guard: () => true }))
    s.run("vcpu/0 to retry.map", "vcpu/1 done")
    assert.strictEqual(s.state.gpcs[0].valid, 1)
    s.run("vcpu/0 done")
    assert.strictEqual(s.seen("Published").length, 2)
  })
})

const playI38 = (policy: Policy, gpc: "active" | "valid") => {
  const s = stage(world([refresher, invalidator, reader], { gpc }), policy)
  s.run("mm/0 to start.mmu")
  return s
}

describe("I-38: the retry gates on a count that is raised after the caches were walked", () => {
  it.each(["active", "valid"] as const)("mainline-5.17 violates P1, from %s", (gpc) => {
    const s = playI38(mainline517, gpc)
    s.run("vcpu/0 done", "mm/0 to end.mmu", "vcpu/1 done")
    assert.deepStrictEqual(s.violated(), ["P11 at ValidSet", "P3 at StartReturned", ...USE_AFTER_FREE])
    assert.deepStrictEqual(s.seen("RetryTested").map((event) => event.met), [false, false])
  })

  it("mainline-5.17 violates P11: it is seen valid before anything is mapped", () => {
    const s = stage(world([refresher, reader], { gpc: "active" }), mainline517)
    s.run("vcpu/0 to gup", "vcpu/1 done", "vcpu/0 done")
    assert.include(s.violated(), "P11 at Checked")
    assert.include(s.violated(), "P11 at KhvaAccessed")
  })

  it("6.12 holds: mn_active_invalidate_count is raised before the walk", () => {
    const s = playI38(mainline612, "active")
    s.run("vcpu/0 to retry.relock", "mm/0 to end.mmu", "vcpu/0 to retry.decide", "vcpu/1 blocked at use.enter")
    s.run("mm/0 done", "vcpu/0 done", "vcpu/1 done")
    assert.deepStrictEqual(s.seen("RetryDecided").map((lap) => lap.reason), ["count"])
    assert.deepStrictEqual(s.violated(), [])
  })
})

describe("I-39: the references of a refresh", () => {
  it.each(POLICIES.filter((policy) => policy.publish !== "before-lookup"))(
    "$name holds P13: each lookup's reference is put once, the last one after publishing, under gpc->lock",
    (policy) => {
      const s = stage(world([refresher, forever("mm/0", madvise(U))]), policy)
      s.run("vcpu/0 to retry.relock", "mm/0 to idle", "vcpu/0 to refresh.write_unlock")
      const puts = s.seen("RefPut").filter((event) => event.reference === "gup").map((event) => event.pfn)
      assert.deepStrictEqual(puts, s.seen("PfnResolved").map((event) => event.pfn))
      assert.strictEqual(s.trail().at(-1), "RefPut")
      assert.isAbove(s.trail().lastIndexOf("RefPut"), s.trail().indexOf("Published"))
      assert.strictEqual(s.state.gpcs[0].writer, 1)
      s.run("vcpu/0 done")
      assert.deepStrictEqual(s.violated().filter((v) => v.startsWith("P13")), [])
    }
  )

  it("6.12 puts the reference of each lap before it looks up again", () => {
    const s = stage(world([refresher, forever("mm/0", madvise(U))]), mainline612)
    s.run("vcpu/0 to retry.relock", "mm/0 to idle", "vcpu/0 to retry.relock", "mm/0 to idle", "vcpu/0 done")
    const references: Array<string> = []
    for (const event of s.events()) {
      if (event._tag === "PfnResolved") references.push(`get ${event.pfn}`)
      if (event._tag === "RefPut" && event.reference === "gup") references.push(`put ${event.pfn}`)
    }
    const [first, second, third] = s.seen("PfnResolved").map((event) => event.pfn)
    assert.deepStrictEqual(
      references,
      [first, second, third].flatMap((pfn) => [`get ${pfn}`, `put ${pfn}`])
    )
    assert.strictEqual(new Set([first, second, third]).size, 3)
    assert.deepStrictEqual(s.violated(), [])
  })

  it("6.12 keeps the old mapping when the lookup finds its page, in a lap that is thrown away too", () => {
    const s = stage(world([refresher, thread("mm/0", madvise(LOW))]), mainline612)
    const { khva, pfn } = s.state.gpcs[0]
    s.run("vcpu/0 to retry.relock", "mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual(s.seen("Mapped").map((event) => event.reused), [true, true])
    assert.deepStrictEqual([s.state.gpcs[0].khva, s.state.gpcs[0].pfn], [khva, pfn])
  })

  it("a lookup that fails leaves nothing to put, and no mapping", () => {
    const unmap = thread("mm/0", { _tag: "munmap", start: U, end: U + PAGE, free: "before-end" })
    const s = stage(world([refresher, unmap]), mainline612)
    s.run("mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual(s.seen("RefPut").filter((event) => event.reference === "gup"), [])
    assert.deepStrictEqual(s.seen("RefreshReturned").map((event) => event.ret), [-14])
    const { khva, pfn, valid } = s.state.gpcs[0]
    assert.deepStrictEqual({ khva, pfn, valid }, { khva: 0, pfn: -1, valid: 0 })
    assert.deepStrictEqual(s.violated(), [])
  })

  it("without the last put it violates P13; with one too many as well", () => {
    const keep = changed(mainline612, "refresh.put", {
      run: (_s, t, emit) => {
        emit.Unlocked(t.id, LOCK["gpc->lock"], t.a)
        return L["refresh.unlock"]
      }
    })
    const s = stage(world([refresher]), keep)
    s.run("vcpu/0 done")
    assert.deepStrictEqual(s.violated(), ["P13 at RefreshReturned"])
    const twice = changed(mainline612, "refresh.put", {
      run: (state, t, emit) => {
        emit.RefPut(t.id, t.newPfn, REF.gup)
        emit.RefPut(t.id, state.gpcs[0].pfn, REF.gup)
        return L["refresh.write_unlock"]
      }
    })
    const other = stage(world([refresher]), twice)
    other.run("vcpu/0 done")
    assert.deepStrictEqual(other.violated(), ["P13 at RefPut"])
  })
})

const mremap = thread("mm/0", { _tag: "mremap", start: LOW, end: LOW + PAGE, to: HIGH + PAGE })

const playI40 = (protocol: Policy | Program) => {
  const s = stage({ ...world([mremap, refresher]), spareFrames: 4 }, protocol)
  s.run("mm/0 to end.count")
  return s
}

describe("I-40: mremap, whose split of a huge page nests an invalidation", () => {
  it.each([mainline612, mainline73, flagWait])("$name holds P8: the count is a counter", (policy) => {
    const s = playI40(policy)
    assert.strictEqual(s.state.threads[0].depth, 2)
    assert.deepStrictEqual([s.state.kvm.count, s.state.kvm.inProgress], [2, 1])
    s.run("mm/0 to change")
    assert.deepStrictEqual([s.state.kvm.count, s.state.kvm.inProgress], [1, 1])
    s.run("mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual([s.state.kvm.count, s.state.kvm.inProgress, s.state.threads[0].depth], [0, 0, 0])
    assert.deepStrictEqual(s.seen("CountIncremented").map((event) => event.count), [1, 2])
    assert.deepStrictEqual(s.seen("CountDecremented").map((event) => event.count), [1, 0])
    assert.deepStrictEqual(s.seen("RangeStartCalled").map((event) => event.change), ["move", "split"])
    assert.deepStrictEqual(s.violated(), [])
  })

  it("a flag in its place would violate P8", () => {
    const s = playI40(changed(mainline612, "end.count", {
      run: (_s, t, emit) => {
        emit.CountDecremented(t.id, 0)
        emit.EndReturned(t.id, t.start, t.end)
        return t.depth > 0 ? L.change : L.finish
      }
    }))
    s.run("mm/0 done")
    assert.deepStrictEqual(s.violated(), ["P8 at CountDecremented"])
  })
})
