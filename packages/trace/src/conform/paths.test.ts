// Conformance on paths that few traces take: failed refreshes, caches that move, memslots that come and go.
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { importBytes } from "../import.ts"
import { envelopesOf } from "../report.ts"
import { conform } from "./conform.ts"
import { activate, check, deactivate, gpcPointer, invalidate, refresh, swapSlots, traceText } from "./text.ts"
import type { TraceText } from "./text.ts"

const A = 0x7e00_0000_1000
const B = 0x7e00_0000_2000
const HEAP = 0x7f00_0000_0000

const compare = (t: TraceText) => {
  const text = new TextEncoder().encode(`${t.lines.join("\n")}\n`)
  const events = Stream.suspend(() => envelopesOf(importBytes("trace.txt", Stream.make(text))))
  return conform({ events, records: Effect.succeed([]) })
}

/** The start of every trace here: one invalidation, so that the count is known, and an active cache. */
const begun = (): TraceText => {
  const t = traceText()
  swapSlots(t, 1, 0)
  invalidate(t, 2, { start: HEAP })
  invalidate(t, 2, { start: A + 0x10_0000, gfn: 0x101 })
  activate(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, seq: 1 })
  return t
}

const agrees = (name: string, write: (t: TraceText) => void, minimum: number) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const t = begun()
      write(t)
      const result = yield* compare(t)
      assert.deepStrictEqual(result.disagree, [])
      assert.strictEqual(result.misplaced, 0)
      assert.isAtLeast(result.decisions, minimum)
    }))

const disagrees = (name: string, write: (t: TraceText) => void, actual: string) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const t = begun()
      write(t)
      const result = yield* compare(t)
      assert.deepStrictEqual(result.disagree.map((d) => d.actual), [actual])
    }))

describe("the policy of 6.12 agrees with", () => {
  agrees("a cache that is marked, refreshed and used", (t) => {
    check(t, 1, 0, true)
    invalidate(t, 2, { start: A, gfn: 1, hits: [0] }, 1)
    check(t, 1, 0, false)
    refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, seq: 2 })
    check(t, 1, 0, true)
  }, 6)

  agrees("a refresh whose memslot is gone, and one when it is back", (t) => {
    swapSlots(t, 3, 2)
    check(t, 1, 0, false)
    refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, generation: 4, oldGeneration: 2, seq: 1, how: "unmapped" })
    check(t, 1, 0, false)
    swapSlots(t, 3, 4)
    refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, generation: 6, oldGeneration: 4, seq: 1 })
    check(t, 1, 0, true)
  }, 6)

  agrees("a refresh whose page cannot be looked up", (t) => {
    invalidate(t, 2, { start: A, gfn: 1, hits: [0] }, 1)
    refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, seq: 2, how: "failed" })
    check(t, 1, 0, false)
    invalidate(t, 2, { start: A, gfn: 1 }, 2)
    refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, seq: 3 })
    check(t, 1, 0, true)
  }, 6)

  agrees("a generation that changes without moving anything: the mapping is kept", (t) => {
    swapSlots(t, 3, 2)
    check(t, 1, 0, false)
    refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, generation: 4, oldGeneration: 2, how: "kept" })
    check(t, 1, 0, true)
  }, 4)

  agrees("an active cache that is given another address", (t) => {
    activate(t, 1, { gpc: 0, gpa: 0x2000, uhva: B, oldGpa: 0x1000, seq: 1, active: true })
    check(t, 1, 0, true)
    invalidate(t, 2, { start: A, gfn: 1 }, 1)
    check(t, 1, 0, true)
    invalidate(t, 2, { start: B, gfn: 2, hits: [0] }, 2)
    check(t, 1, 0, false)
  }, 6)

  agrees("a cache given by host address that no memslot covers", (t) => {
    activate(t, 1, { gpc: 1, gpa: -1, uhva: HEAP, seq: 1 })
    check(t, 1, 1, true)
    invalidate(t, 2, { start: HEAP, hits: [1] }, 1)
    check(t, 1, 1, false)
    refresh(t, 1, { gpc: 1, gpa: -1, uhva: HEAP, seq: 1 })
    check(t, 1, 1, true)
  }, 7)

  agrees("a cache that is deactivated, passed over, and activated again", (t) => {
    deactivate(t, 1, 0)
    check(t, 1, 0, false)
    invalidate(t, 2, { start: A, gfn: 1 }, 1)
    activate(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, seq: 2 })
    check(t, 1, 0, true)
    deactivate(t, 1, 1, false)
  }, 3)

  agrees("one walk that marks two caches of one page, in whatever order", (t) => {
    activate(t, 1, { gpc: 1, gpa: 0x1040, uhva: A + 0x40, seq: 1 })
    activate(t, 1, { gpc: 2, gpa: 0x1080, uhva: A + 0x80, seq: 1 })
    invalidate(t, 2, { start: A, gfn: 1, hits: [2, 0, 1] }, 1)
    for (const gpc of [0, 1, 2]) check(t, 1, gpc, false)
  }, 8)

  agrees("another VM in the memory of the one before: its counts begin anew", (t) => {
    invalidate(t, 2, { start: A, gfn: 1, hits: [0] }, 1)
    t.by(7, `gpc_init: (f+0x4/0x70 [kvm]) gpc=${gpcPointer(0)} kvm=0xffffc90000001000`)
    swapSlots(t, 7, 0)
    invalidate(t, 8, { start: HEAP })
    activate(t, 7, { gpc: 0, gpa: 0x1000, uhva: B, seq: 0 })
    check(t, 7, 0, true)
    invalidate(t, 8, { start: B, gfn: 1, hits: [0] }, 0)
    check(t, 7, 0, false)
  }, 4)

  agrees("a memslot update that waits for an invalidation in flight", (t) => {
    const lines = t.lines.length
    invalidate(t, 2, { start: HEAP }, 1)
    const end = t.lines.splice(t.lines.findIndex((line, i) => i > lines && line.includes("inv_end:")))
    t.by(3, "swap_slots: (f+0x0/0x180 [kvm]) kvm=0xffffc90000001000 as_id=0 active=1")
    t.by(3, "swap_wait: (f+0xc0/0x180 [kvm]) kvm=0xffffc90000001000 active=1")
    for (const line of end) t.by(2, line.slice(line.indexOf(": ") + 2))
    t.by(3, "swap_publish: (f+0x118/0x180 [kvm]) kvm=0xffffc90000001000 active=0 newgen=0x8000000000000002")
    t.by(3, "swap_slots_ret: (f+0x35b/0x640 [kvm] <- g) kvm=0xffffc90000001000 gen=0x4")
  }, 3)
})

describe("it disagrees with", () => {
  disagrees("a walk that marks a cache outside its range", (t) => {
    invalidate(t, 2, { start: B, gfn: 2, hits: [0] }, 1)
  }, "to mark gpc/0")

  disagrees("a walk that passes over a valid cache in its range", (t) => {
    invalidate(t, 2, { start: A, gfn: 1 }, 1)
  }, "to pass over gpc/0")

  disagrees("a publish though the sequence has moved since the lap began", (t) => {
    invalidate(t, 2, { start: A, gfn: 1, hits: [0] }, 1)
    const at = t.lines.length
    refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, seq: 2 })
    const rest = t.lines.splice(t.lines.findIndex((line, i) => i >= at && line.includes("gpc_recheck")))
    invalidate(t, 2, { start: A, gfn: 1 }, 2)
    for (const line of rest) t.by(1, line.slice(line.indexOf(": ") + 2))
  }, "to publish")

  disagrees("a memslot update that does not wait", (t) => {
    const lines = t.lines.length
    invalidate(t, 2, { start: HEAP }, 1)
    const end = t.lines.splice(t.lines.findIndex((line, i) => i > lines && line.includes("inv_end:")))
    swapSlots(t, 3, 2)
    for (const line of end) t.by(2, line.slice(line.indexOf(": ") + 2))
  }, "to publish the memslots")

  disagrees("a check that succeeds with the generation of old memslots", (t) => {
    swapSlots(t, 3, 2)
    check(t, 1, 0, true)
  }, "to succeed")
})
