import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "@pfnscope/journal"
import { printable } from "@pfnscope/projections"
import type { Race, RaceEnding, RaceRow } from "@pfnscope/projections"
import { EMITTED, makeEvent, PROPERTIES } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as fc from "fast-check"
import { RACE_WIDTH, raceJson, raceText } from "./race.ts"

const U = 0x7e00_0000_8000

const envelope = (seq: number, data: Event): Envelope<Event> => ({
  seq,
  stream: "mn/0",
  rev: seq,
  type: data._tag,
  version: 1,
  t: seq * 100,
  how: "simulated",
  data
})

type Fields = { readonly _tag: Event["_tag"] } & Record<string, unknown>

/** Rows of events, each with its column. */
const rowsOf = (...rows: ReadonlyArray<readonly [column: number, Fields]>): ReadonlyArray<RaceRow> =>
  rows.map(([column, fields], i) => ({
    kind: "event",
    column,
    envelope: envelope(i + 1, { thread: column, ...fields } as unknown as Event)
  }))

const raceOf = (threads: ReadonlyArray<string>, rows: ReadonlyArray<RaceRow>, ending: RaceEnding): Race => ({
  threads,
  rows,
  ending,
  gpc: 0,
  uhva: U + 0x10,
  page: U,
  chosen: rows.length
})

const fold = (laps: number): RaceRow => ({ kind: "fold", column: 0, laps, events: 4 * laps, nanos: 812_400_000 })

const span = { start: U, end: U + 0x1000 }

describe("a race as text", () => {
  it("is a table of kernel functions, two columns wide, that ends with what was violated", () => {
    const rows = rowsOf(
      [0, { _tag: "RefreshEntered", gpc: 0, gpa: -1, uhva: U }],
      [0, { _tag: "Locked", lock: "gpc->lock", gpc: 0 }],
      [0, { _tag: "ValidCleared", gpc: 0 }],
      [0, { _tag: "Unlocked", lock: "gpc->lock", gpc: 0 }],
      [0, { _tag: "PfnResolved", hva: U, pfn: 0x2b }],
      [1, { _tag: "Called", op: "madvise", a: U, b: U + 0x1000, c: 0 }],
      [1, { _tag: "RangeStartCalled", ...span, event: "CLEAR", change: "zap" }],
      [1, { _tag: "CountIncremented", count: 1 }],
      [1, { _tag: "GpcVisited", gpc: 0, hit: false }],
      [1, { _tag: "StartReturned", ...span }],
      [1, { _tag: "PteChanged", hva: U, pfn: 0, protection: "absent", gathered: true }],
      [1, { _tag: "PteChanged", hva: U + 0x1000, pfn: 7, protection: "read-only", gathered: false }],
      [1, { _tag: "EndCalled", ...span }],
      [1, { _tag: "CountDecremented", count: 0 }],
      [1, { _tag: "Woken", sleeper: 0 }],
      [0, { _tag: "Published", gpc: 0, uhva: U, pfn: 0x2b }],
      [0, { _tag: "RefPut", pfn: 0x2b, reference: "gup" }],
      [0, { _tag: "PageFreed", pfn: 0x2b }],
      [0, { _tag: "KhvaAccessed", gpc: 0, pfn: 0x2b, word: 0 }]
    )
    const ending: RaceEnding = { kind: "violated", property: PROPERTIES[0]!, seq: 19, gpc: 0 }
    assert.strictEqual(
      raceText(raceOf(["vcpu/0", "mm/0"], rows, ending)),
      `U = uhva of gpc/0 = 0x7e0000008010

 CPU0 vcpu/0                         CPU1 mm/0
 -----------                         ---------
 kvm_gpc_refresh
 write_lock_irq(&gpc->lock)
   valid = false
 write_unlock_irq(&gpc->lock)
   hva_to_pfn(U) = pfn 2b
                                     madvise(0x7e0000008000,
                                         0x7e0000009000, DONTNEED)
                                     invalidate_range_start
                                       [7e00..08000, 7e00..09000) CLEAR
                                       active_count => 1
                                       walk: nothing to invalidate
                                       range_start returns
                                     PTE(U) = none
                                     PTE(7e00..09000) = pfn 7,
                                         read-only
                                     invalidate_range_end
                                       active_count => 0
                                       wakes a sleeper
   valid = true, pfn = 2b
 put pfn 2b
 pfn 2b is freed
 access *khva: pfn 2b

 *** P1 NoUAF violated at #19: not so: no access through khva touches a
     page that has been freed ***
 Steps are sequentially consistent: weak memory and the contents of
 pages are not modelled.`
    )
  })

  it("says of a walk what it wrote, and of a hull that was reset that it is empty", () => {
    const rows = rowsOf(
      [0, { _tag: "GpcVisited", gpc: 0, hit: true }],
      [0, { _tag: "GpcInvalidated", gpc: 0, flag: true }],
      [0, { _tag: "GpcInvalidated", gpc: 0, flag: false }],
      [0, { _tag: "HullChanged", entry: 0, start: 0, end: 0, users: 0 }]
    )
    const lines = raceText(raceOf(["mm/0"], rows, { kind: "position", seq: 4 })).split("\n").map((line) => line.trim())
    assert.deepStrictEqual(lines.slice(lines.indexOf("walk: the cache is hit"), lines.indexOf("hull = empty") + 1), [
      "walk: the cache is hit",
      "gpc->valid = false",
      "needs_invalidation = false",
      "gpc->valid = false",
      "hull = empty"
    ])
  })

  it("says of laps it leaves out whether one has been shown", () => {
    const [entered, retry] = rowsOf(
      [0, { _tag: "RefreshEntered", gpc: 0, gpa: -1, uhva: U }],
      [0, { _tag: "RetryDecided", gpc: 0, reason: "count", inFlight: 1, covering: 0 }]
    )
    const rows = [entered!, fold(3), retry!, fold(18_431)]
    const text = raceText(raceOf(["vcpu/0"], rows, {
      kind: "laps",
      thread: "vcpu/0",
      gpc: 0,
      laps: 18_435,
      unrelated: 18_435,
      nanos: 812_400_000,
      seq: 9
    }))
    assert.deepStrictEqual(text.split("\n").slice(4, 12), [
      " kvm_gpc_refresh",
      "   ... 3 laps before, 812.4 ms ...",
      "   retry: count",
      "          (no range over U)",
      "   ... 18431 laps more, 812.4 ms ...",
      "",
      " *** no progress: 18435 laps thrown away in 812.4 ms, 18435 of them for",
      "     nothing over the page ***"
    ])
  })

  it("of more threads than fit side by side names the thread in each row", () => {
    const rows = rowsOf(
      ...[0, 1, 2, 3].map((column) => [column, { _tag: "CountIncremented", count: column + 1 }] as const)
    )
    const lines = raceText(raceOf(["vcpu/0", "mm/1", "mm/2", "mm/3"], rows, { kind: "position", seq: 4 })).split("\n")
    assert.deepStrictEqual(lines.slice(2, 7), [
      " vcpu/0    active_count => 1",
      " mm/1      active_count => 2",
      " mm/2      active_count => 3",
      " mm/3      active_count => 4",
      ""
    ])
    assert.strictEqual(lines[7], " (up to #4)")
  })

  /** Events whose first field is a name: a number there is its place in a vocabulary. */
  const NAMED: ReadonlySet<string> = new Set(["Called", "Locked", "Unlocked", "RetryTested", "PropertyViolated"])
  const number = fc.oneof(fc.nat({ max: 3 }), fc.constant(-1), fc.nat({ max: 2 ** 46 }))
  const bit = fc.nat({ max: 1 })
  const drawn = fc.tuple(fc.constantFrom(...EMITTED), fc.nat({ max: 5 }), number, bit, bit, bit)
  const races = fc.tuple(
    fc.array(fc.string({ unit: "binary", maxLength: 40 }).map(printable), { minLength: 1, maxLength: 6 }),
    fc.array(drawn, { maxLength: 40, size: "max" })
  ).map(([threads, events]) => {
    const rows = events.map(([tag, thread, a, b, c, d], i): RaceRow => ({
      kind: "event",
      column: thread % threads.length,
      envelope: envelope(i + 1, makeEvent(tag)(thread, NAMED.has(tag) ? 2 : a, b, c, d, -1))
    }))
    return raceOf(threads, rows, { kind: "position", seq: events.length })
  })

  it("is never wider than a mail, has only spaces between, and a line for each event", () => {
    fc.assert(fc.property(races, (race) => {
      const lines = raceText(race).split("\n")
      for (const line of lines) {
        assert.isAtMost(line.length, RACE_WIDTH)
        assert.strictEqual(line, line.trimEnd())
        assert.notInclude(line, "\t")
      }
      const around = raceText({ ...race, rows: [] }).split("\n").length
      assert.isAtLeast(lines.length - around, race.rows.length)
      assert.notInclude(lines.join("\n"), "undefined")
      assert.strictEqual((raceJson(race) as { readonly rows: ReadonlyArray<unknown> }).rows.length, race.rows.length)
    }))
  })
})
