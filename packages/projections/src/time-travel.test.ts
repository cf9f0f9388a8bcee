import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "@pfnscope/journal"
import { EMITTED, exactRanges, mainline612, makeEvent, OPEN_RANGES } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { logOf } from "./log.ts"
import { atSeq, END } from "./position.ts"
import { HIGH, play, playDrawn, U, use, worldOfThreads, zap } from "./staging.ts"
import { leavesOf, pathOf, viewOf } from "./state-view.ts"
import { stateAt } from "./time-travel.ts"
import { worldOf } from "./world.ts"

const world = worldOfThreads({ "vcpu/0": [3, use], "mm/0": [3, zap(U)], "mm/1": [3, zap(HIGH)] }, { slots: true })

describe("the state at a position", () => {
  it("is that of the run, at every position of any schedule", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 11 }), { maxLength: 150, size: "max" }),
        fc.constantFrom(mainline612, exactRanges),
        (drawn, policy) => {
          const { events, hashes, log } = playDrawn(world, policy, drawn)
          for (let seq = 0; seq <= events.length; seq++) {
            const at = Effect.runSync(stateAt(log, atSeq(seq)))
            assert.deepStrictEqual([at.seq, at.t, at.stateHash, at.unapplied], [
              seq,
              events[seq - 1]?.t ?? 0,
              hashes[seq],
              0
            ])
          }
        }
      ),
      { numRuns: 20 }
    )
  })

  it("is found by time: the source's, and from the first event", () => {
    const { events, log } = play(world, mainline612, "vcpu/0 to retry.map")
    const seqAt = (_tag: "Time" | "Elapsed", nanos: number) => Effect.runSync(stateAt(log, { _tag, nanos })).seq
    for (const { seq, t } of events) {
      assert.strictEqual(seqAt("Time", t), seq)
      assert.strictEqual(seqAt("Time", t + 99), seq)
      assert.strictEqual(seqAt("Time", t - 1), seq - 1)
      assert.strictEqual(seqAt("Elapsed", t - events[0]!.t), seq)
    }
    assert.strictEqual(Effect.runSync(stateAt(log, END)).seq, events.length)
  })

  it("is refused where an event is missing on the way there", () => {
    const { events } = play(world, mainline612, "mm/0 done")
    const error = Effect.runSync(Effect.flip(stateAt(logOf({ world }, events.toSpliced(3, 1)), END)))
    assert.strictEqual(error.message, "state: event #5 came where #4 was expected")
  })

  it("beyond the end is refused with the end", () => {
    const { events, log } = play(world, mainline612, "mm/0 done")
    const error = Effect.runSync(Effect.flip(stateAt(log, atSeq(events.length + 1))))
    assert.strictEqual(
      error.message,
      `position #${events.length + 1}: expected one of the log, which ends at #${events.length}`
    )
  })
})

const seen = (data: Partial<Event>, seq: number): Envelope<Event> => ({
  seq,
  stream: data._tag === "Called" ? "mm/7" : "mn/0",
  rev: seq,
  type: data._tag!,
  version: 1,
  t: seq,
  how: "observed",
  data: data as Event
})

const lines = (...events: ReadonlyArray<Partial<Event>>) =>
  logOf({ kind: "import" }, events.map((e, i) => seen(e, i + 1)))

describe("a log without a world", () => {
  const range = { start: 0x1000, end: 0x2000 }

  it.effect("has the threads and caches that its events name", () =>
    Effect.gen(function*() {
      const log = lines(
        { _tag: "Called", thread: 2, op: "madvise", a: 0, b: 0, c: 0 },
        { _tag: "Checked", thread: 0, gpc: 1, ok: true }
      )
      const { areas, gpcs, threads } = yield* worldOf(log)
      assert.deepStrictEqual([areas.length, gpcs.length], [0, 2])
      assert.deepStrictEqual(threads.map(({ name }) => name), ["thread/0", "thread/1", "mm/7"])
    }))

  it.effect("keeps the kernel's count where the start of a range was lost, and says what it left out", () =>
    Effect.gen(function*() {
      const log = lines(
        { _tag: "EndCalled", thread: 0, ...range },
        { _tag: "CountDecremented", thread: 0, count: 3 },
        { _tag: "EndReturned", thread: 0, ...range }
      )
      const { state, unapplied } = yield* stateAt(log, END)
      assert.deepStrictEqual([state.kvm.count, unapplied], [3, 3])
    }))

  it("takes any events without writing where nothing of theirs is", () => {
    const event = fc.tuple(
      fc.constantFrom(...EMITTED),
      fc.nat({ max: 2 }),
      fc.array(fc.nat({ max: 3 }), { minLength: 4, maxLength: 4 })
    )
    fc.assert(fc.property(fc.array(event, { maxLength: 60, size: "max" }), (drawn) => {
      const events = drawn.map(([tag, thread, [a, b, c, d]]) => makeEvent(tag)(thread, a!, b!, c!, d!, -1))
      const { state } = Effect.runSync(stateAt(lines(...events), END))
      assert.isTrue([...state.cells].every(Number.isFinite))
      for (const t of state.threads) assert.isTrue(t.depth >= 0 && t.depth <= OPEN_RANGES)
      const counts = events.flatMap((e) =>
        e._tag === "CountIncremented" || e._tag === "CountDecremented" ? [e.count] : []
      )
      assert.strictEqual(state.kvm.count, counts.at(-1) ?? 0)
      viewOf(state)
    }))
  })
})

describe("the state as an object", () => {
  it.effect("has the kernel's names, addresses as text, and only what means something", () =>
    Effect.gen(function*() {
      const { log } = play(world, mainline612, "mm/0 to change", "vcpu/0 to retry.map")
      const view = viewOf((yield* stateAt(log, END)).state)
      assert.deepStrictEqual(view.gpcs, [{
        id: "gpc/0",
        active: true,
        valid: false,
        needs_invalidation: false,
        gpa: "0x10000000",
        uhva: "0x400000",
        pfn: "KVM_PFN_ERR_FAULT",
        generation: 0,
        on_gpc_list: true,
        refresh_lock: "vcpu/0"
      }])
      assert.deepStrictEqual(view.notifier["in_flight"], {
        "mm/0": { start: "0x400000", end: "0x401000", phase: "between start and end" }
      })
      assert.deepStrictEqual(view.threads.map((t) => [t.id, t["label"], t["call"], t["new_pfn"]]), [
        ["vcpu/0", "retry.map", "gpc_use(gpc/0)", "0x1"],
        ["mm/0", "change", "madvise(0x400000, 0x401000, DONTNEED)", undefined],
        ["mm/1", "idle", undefined, undefined]
      ])
      assert.deepStrictEqual(view.mmu["frames"], { "0x1": { mapcount: 1, gup: 1, gather: 0 } })
    }))

  it.effect("has the paths of its leaves", () =>
    Effect.gen(function*() {
      const { log } = play(world, mainline612, "mm/0 to change")
      const { state } = yield* stateAt(log, END)
      const paths = leavesOf(state).map(pathOf)
      assert.strictEqual(new Set(paths).size, paths.length)
      assert.includeMembers(paths, [
        "gpc/0.valid",
        "mn/0.mn_active_invalidate_count",
        "mmu/0.pages.0x400000.pfn",
        "mm/1.label"
      ])
    }))
})
