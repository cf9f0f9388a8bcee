/** The judges, one by one; the interleavings show them at work. */
import { assert, describe, it } from "@effect/vitest"
import type { Emit, EmittedTag, PropertyId } from "./event.ts"
import { PROPERTY_IDS } from "./event.ts"
import { LOCK, REF } from "./evolve.ts"
import { execute } from "./execute.ts"
import { guest, HIGH, LOW, PAGE, read, refresh, thread, U, world } from "./interleaving.ts"
import { L } from "./label.ts"
import { judgeMove, JUDGES, PROPERTIES } from "./property.ts"
import { initialState, OP, PROT } from "./state.ts"
import type { State } from "./state.ts"

/** What is violated by events written by hand, in the order they are reported. */
const judged = (
  gpc: "inactive" | "active" | "remap" | "valid",
  write: (emit: Emit, state: State) => void
): ReadonlyArray<string> => {
  const found: Array<string> = []
  let at: EmittedTag
  const place = world([thread("vcpu/0", refresh), thread("mm/0"), thread("vcpu/1", read)], { gpc })
  const executor = execute(initialState(place), {
    event: (tag) => {
      at = tag
    },
    violated: (property, _thread, gpc) => found.push(`${property} at ${at} of ${gpc}`)
  })
  write(executor.emit, executor.state)
  return found
}

/** mm/0 opens an invalidation of a page. */
const open = (emit: Emit, hva: number) => {
  emit.RangeStartCalled(1, hva, hva + PAGE, 1, 1)
  emit.CountIncremented(1, 1)
}

const close = (emit: Emit, hva: number) => {
  emit.EndCalled(1, hva, hva + PAGE)
  emit.CountDecremented(1, 0)
  emit.EndReturned(1, hva, hva + PAGE)
}

/** vcpu/0 maps the page it finds at U. */
const lookUp = (emit: Emit, state: State) => {
  const pfn = state.mmu.pfn(1)
  emit.PfnResolved(0, U, pfn)
  emit.Mapped(0, 0, pfn, 0)
  return pfn
}

describe("P1 and P2 at an access", () => {
  it("are silent about the page that is mapped", () => {
    assert.deepStrictEqual(judged("valid", (emit, s) => emit.KhvaAccessed(2, 0, s.gpcs[0].khva, 0)), [])
  })
  it("P2 tells of a page that is kept but no longer mapped, P1 of one that is freed", () => {
    assert.deepStrictEqual(
      judged("valid", (emit, s) => {
        const { khva } = s.gpcs[0]
        emit.PteChanged(1, U, 0, PROT.absent, 1)
        emit.KhvaAccessed(2, 0, khva, 0)
        emit.RefPut(1, khva, REF.gather)
        emit.KhvaAccessed(2, 0, khva, 0)
      }),
      ["P2 at KhvaAccessed of 0", "P1 at KhvaAccessed of 0", "P2 at KhvaAccessed of 0"]
    )
  })
  it("P1 is not taken in by the frame's next life", () => {
    assert.deepStrictEqual(
      judged("valid", (emit, s) => {
        const { khva } = s.gpcs[0]
        emit.PteChanged(1, U, 0, PROT.absent, 0)
        emit.PageFaulted(1, U, khva + s.mmu.frames)
        assert.strictEqual(s.mmu.pfn(1), khva + s.mmu.frames)
        emit.KhvaAccessed(2, 0, khva, 0)
      }),
      ["P1 at KhvaAccessed of 0", "P2 at KhvaAccessed of 0"]
    )
  })
  it("P11 tells of an access to nothing", () => {
    assert.deepStrictEqual(judged("active", (emit) => emit.KhvaAccessed(2, 0, 0, 0)), ["P11 at KhvaAccessed of 0"])
  })
})

const start = (gpc: "remap" | "valid", hva: number, end: number, before: (emit: Emit, s: State) => void) =>
  judged(gpc, (emit, s) => {
    before(emit, s)
    emit.RangeStartCalled(1, hva, end, 1, 1)
    emit.StartReturned(1, hva, end)
  })

const readerAt = (pc: number) => (emit: Emit, s: State) => {
  emit.ReaderEntered(2, 0)
  s.threads[2].pc = pc
}

describe("P3 when start returns", () => {
  it("tells of a cache in the range that is valid", () => {
    assert.deepStrictEqual(start("valid", U, U + PAGE, () => {}), ["P3 at StartReturned of 0"])
  })
  it("the range is half open", () => {
    assert.deepStrictEqual(start("valid", U - PAGE, U, () => {}), [])
    assert.deepStrictEqual(start("valid", U + 1, U + PAGE, () => {}), [])
    assert.deepStrictEqual(start("valid", U - PAGE, U + 1, () => {}), ["P3 at StartReturned of 0"])
  })
  it("tells of a reader that has passed the check and is still inside, not of one that has not", () => {
    assert.deepStrictEqual(start("remap", U, U + PAGE, readerAt(L["use.access"])), ["P3 at StartReturned of 0"])
    assert.deepStrictEqual(start("remap", U, U + PAGE, readerAt(L["use.leave"])), ["P3 at StartReturned of 0"])
    assert.deepStrictEqual(start("remap", U, U + PAGE, readerAt(L["use.check"])), [])
  })
  it("does not mind a valid that is set only for the walk to see", () => {
    assert.deepStrictEqual(start("remap", U, U + PAGE, (emit) => emit.ValidSet(0, 0, 1)), [])
  })
})

const publish = (hva: number, stage: (emit: Emit) => void) =>
  judged("remap", (emit, s) => {
    const pfn = lookUp(emit, s)
    open(emit, hva)
    stage(emit)
    emit.Published(0, 0, U, pfn)
  })

describe("P4 when a mapping becomes valid", () => {
  it("tells of one over an invalidation whose start has returned and whose end was not called", () => {
    assert.deepStrictEqual(publish(U, (emit) => emit.StartReturned(1, U, U + PAGE)), ["P4 at Published of 0"])
  })
  it("does not mind one before that, after that, or elsewhere", () => {
    assert.deepStrictEqual(publish(U, () => {}), [])
    assert.deepStrictEqual(
      publish(U, (emit) => {
        emit.StartReturned(1, U, U + PAGE)
        emit.EndCalled(1, U, U + PAGE)
      }),
      []
    )
    assert.deepStrictEqual(publish(LOW, (emit) => emit.StartReturned(1, LOW, LOW + PAGE)), [])
    assert.deepStrictEqual(publish(HIGH, (emit) => emit.StartReturned(1, HIGH, HIGH + PAGE)), [])
  })
})

const remap = (emit: Emit, s: State) => {
  emit.PteChanged(1, U, 0, PROT.absent, 0)
  emit.PageFaulted(1, U, s.mmu.nextPfn)
}

describe("P5 with nothing in flight", () => {
  it("tells of a stale mapping when the last end returns", () => {
    assert.deepStrictEqual(
      judged("valid", (emit, s) => {
        open(emit, LOW)
        remap(emit, s)
        close(emit, LOW)
      }),
      ["P5 at EndReturned of 0"]
    )
  })
  it("tells of a stale mapping that is published", () => {
    assert.deepStrictEqual(
      judged("remap", (emit, s) => {
        const pfn = lookUp(emit, s)
        remap(emit, s)
        emit.Published(0, 0, U, pfn)
      }),
      ["P5 at Published of 0"]
    )
  })
  it("says nothing while something is in flight, of an invalid cache, or of memory that is not modelled", () => {
    const during = judged("remap", (emit, s) => {
      const pfn = lookUp(emit, s)
      open(emit, LOW)
      remap(emit, s)
      emit.Published(0, 0, U, pfn)
    })
    const invalid = judged("remap", (emit, s) => {
      open(emit, LOW)
      remap(emit, s)
      close(emit, LOW)
    })
    const elsewhere = judged("valid", (emit) => {
      emit.Translated(0, 0, -1, HIGH + PAGE, 0)
      open(emit, LOW)
      close(emit, LOW)
    })
    assert.deepStrictEqual([during, invalid, elsewhere], [[], [], []])
  })
})

describe("P8", () => {
  it("tells of an end that finds a memslot where start found none", () => {
    assert.deepStrictEqual(
      judged("remap", (emit) => {
        open(emit, U)
        emit.SeqBumped(1, 1, -1)
      }),
      ["P8 at SeqBumped of -1"]
    )
  })
  it("tells of a count back at 0 with an invalidation still in progress, or below 0", () => {
    assert.deepStrictEqual(
      judged("remap", (emit) => {
        open(emit, U)
        emit.MmuLockHeld(1, 1, 0, 1)
        emit.CountDecremented(1, 0)
      }),
      ["P8 at CountDecremented of -1"]
    )
    assert.deepStrictEqual(
      judged("remap", (emit) => {
        open(emit, U)
        emit.CountDecremented(1, -1)
      }),
      ["P8 at CountDecremented of -1"]
    )
  })
  it("is silent about a pair", () => {
    assert.deepStrictEqual(
      judged("remap", (emit) => {
        open(emit, U)
        emit.MmuLockHeld(1, 1, 0, 1)
        emit.StartReturned(1, U, U + PAGE)
        emit.EndCalled(1, U, U + PAGE)
        emit.SeqBumped(1, 1, 0)
        emit.CountDecremented(1, 0)
      }),
      []
    )
  })
})

const sleep = (woken: boolean) =>
  judged("remap", (emit) => {
    open(emit, U)
    emit.Waited(0, 1, 1)
    emit.EndCalled(1, U, U + PAGE)
    emit.CountDecremented(1, 0)
    if (woken) emit.Woken(1, 0)
    emit.EndReturned(1, U, U + PAGE)
  })

describe("P9", () => {
  it("tells of a sleeper when nothing is in flight that could wake it", () => {
    assert.deepStrictEqual([sleep(true), sleep(false)], [[], ["P9 at EndReturned of -1"]])
  })
})

describe("P10", () => {
  const WRITERS = [
    "refresh.write",
    "refresh.error",
    "retry.relock",
    "retry.relock_inner",
    "activate.active",
    "deactivate.clear"
  ] as const
  it.each(WRITERS)("tells of a thread that comes to %s with the lock in its hand", (label) => {
    const heldBy = (writer: number) => {
      const found: Array<PropertyId> = []
      const state = initialState(world([thread("vcpu/0"), thread("vcpu/1")]))
      state.gpcs[0].writer = writer + 1
      state.threads[0].pc = L[label]
      judgeMove(state, (property) => found.push(property), 0)
      return found
    }
    assert.deepStrictEqual([heldBy(0), heldBy(1)], [["P10"], []])
  })
})

const check = (gpa: number, ok: number) =>
  judged("valid", (emit) => {
    emit.Translated(0, 0, gpa, U, 0)
    emit.SlotsRead(2, 2, U)
    emit.Checked(2, 0, ok)
  })

describe("P11 and P12 at a check that succeeds", () => {
  it("P12 tells of another generation than the active one, for a guest address", () => {
    assert.deepStrictEqual(check(guest(U), 1), ["P12 at Checked of 0"])
    assert.deepStrictEqual([check(guest(U), 0), check(-1, 1)], [[], []])
  })
  it("P11 tells of a cache that is inactive, or maps nothing", () => {
    assert.deepStrictEqual(
      judged("active", (emit) => {
        emit.SlotsRead(2, 0, U)
        emit.Checked(2, 0, 1)
      }),
      ["P11 at Checked of 0"]
    )
    assert.deepStrictEqual(
      judged("valid", (emit, s) => {
        s.gpcs[0].active = 0
        emit.SlotsRead(2, 0, U)
        emit.Checked(2, 0, 1)
      }),
      ["P11 at Checked of 0"]
    )
  })
  it("P11 tells of a valid that is set ahead of its mapping, unless nobody sees it", () => {
    assert.deepStrictEqual(judged("active", (emit) => emit.ValidSet(0, 0, 0)), ["P11 at ValidSet of 0"])
    assert.deepStrictEqual(judged("active", (emit) => emit.ValidSet(0, 0, 1)), [])
    assert.deepStrictEqual(judged("active", (emit) => emit.MappingStored(0, 0, -1)), [])
  })
})

describe("P13", () => {
  it("tells of a refresh that returns with a reference, and of one put too many", () => {
    assert.deepStrictEqual(
      judged("remap", (emit, s) => {
        const pfn = lookUp(emit, s)
        emit.RefreshReturned(0, 0, 0)
        emit.RefPut(0, pfn, REF.gup)
        emit.RefreshReturned(0, 0, 0)
        emit.RefPut(0, pfn, REF.gup)
      }),
      ["P13 at RefreshReturned of 0", "P13 at RefPut of -1"]
    )
  })
})

describe("the list of properties", () => {
  it("has each once, with a name of its own", () => {
    assert.deepStrictEqual(PROPERTIES.map(({ id }) => id), [...PROPERTY_IDS])
    assert.strictEqual(new Set(PROPERTIES.map(({ name }) => name)).size, PROPERTIES.length)
  })
  it("an event without a judge violates nothing", () => {
    assert.isUndefined(JUDGES.CountIncremented)
    assert.deepStrictEqual(judged("valid", (emit) => emit.Locked(0, LOCK.gpc_lock, -1)), [])
    assert.strictEqual(OP.pause, 0)
  })
})
