import { assert, describe, it } from "@effect/vitest"
import { endValidating, exactRanges, mainline612, pfncache2, POLICIES } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { logOf } from "./log.ts"
import type { Log } from "./log.ts"
import { atSeq } from "./position.ts"
import type { Position } from "./position.ts"
import { race } from "./race.ts"
import type { Race } from "./race.ts"
import { HIGH, play, playDrawn, U, use, worldOfThreads, zap } from "./staging.ts"

const raceOf = (log: Log<never>, at?: Position) => Effect.runSync(race(log, at))

/** The rows in short: the thread, and the event's name or the number of laps. */
const rowsOf = ({ rows, threads }: Race) =>
  rows.map((row) => `${threads[row.column]} ${row.kind === "event" ? row.envelope.type : `${row.laps} laps`}`)

const world = worldOfThreads({ "vcpu/0": [1, use], "mm/0": [1, zap(U)], "mm/1": [1, zap(HIGH)] })
const laps = (n: number) => Array.from({ length: n }, () => "vcpu/0 to retry.decide" as const)

describe("the race of a use after free (I-06)", () => {
  const { events, log } = play(world, mainline612, "mm/1 done", "vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done")
  const seqOf = (type: string) => events.findLast((event) => event.type === type)!.seq

  it("is that of the first violation, with the threads that explain it and no other", () => {
    const table = raceOf(log)
    assert.deepStrictEqual(table.threads, ["vcpu/0", "mm/0"])
    assert.deepInclude(table, { gpc: 0, uhva: U, page: U })
    assert.deepInclude(table.ending, { kind: "violated", seq: seqOf("Published"), gpc: 0 })
    assert.deepStrictEqual(rowsOf(table), [
      "vcpu/0 Called",
      "vcpu/0 Checked",
      "vcpu/0 RefreshEntered",
      "vcpu/0 ValidCleared",
      "vcpu/0 Snapshotted",
      "vcpu/0 PfnResolved",
      "mm/0 Called",
      "mm/0 RangeStartCalled",
      "mm/0 CountIncremented",
      "mm/0 GpcVisited",
      "mm/0 StartReturned",
      "mm/0 PteChanged",
      "mm/0 EndCalled",
      "mm/0 CountDecremented",
      "mm/0 EndReturned",
      "vcpu/0 RetryTested",
      "vcpu/0 RetryTested",
      "vcpu/0 Published"
    ])
  })

  it("of a later violation is found by the event it was judged at, or by where it is written down", () => {
    const access = seqOf("KhvaAccessed")
    const table = raceOf(log, atSeq(access))
    assert.deepStrictEqual(table, raceOf(log, atSeq(access + 1)))
    assert.strictEqual(table.ending.kind === "violated" && table.ending.property.id, "P1")
    assert.includeMembers(rowsOf(table), ["vcpu/0 PageFreed", "mm/0 PteChanged", "vcpu/0 KhvaAccessed"])
    const alias = raceOf(log, atSeq(access + 2))
    assert.deepInclude(alias.ending, { kind: "violated", seq: access })
    assert.strictEqual(alias.ending.kind === "violated" && alias.ending.property.id, "P2")
  })
})

describe("the race of a log that a checker wrote for a property", () => {
  const { events } = play(world, mainline612, "mm/1 done", "vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done")
  const endingOf = (scenario: string) => {
    const { ending } = raceOf(logOf({ world, scenario }, events))
    return ending.kind === "violated" ? ending.property.id : ending.kind
  }

  it("is that of the last violation of the property, not of what is violated on the way", () => {
    assert.deepStrictEqual(["check P1", "check P2", "check P5"].map(endingOf), ["P1", "P2", "P5"])
  })

  it("is that of the property wherever at the log's end it is asked for", () => {
    const at = ({ seq }: { readonly seq: number }) => {
      const { ending } = raceOf(logOf({ world, scenario: "check P1" }, events), atSeq(seq))
      return ending.kind === "violated" ? `${ending.property.id} at #${ending.seq}` : ending.kind
    }
    const access = events.findLast(({ type }) => type === "KhvaAccessed")!
    const written = events.filter(({ seq, type }) => seq > access.seq && type === "PropertyViolated")
    assert.deepStrictEqual([access, ...written].map(at), Array.from({ length: 3 }, () => `P1 at #${access.seq}`))
    const published = events.findLast(({ type }) => type === "Published")!
    assert.strictEqual(at(published), `P5 at #${published.seq}`)
  })

  it("is never that of a violation where progress was sought", () => {
    assert.strictEqual(endingOf("check P6 of vcpu/0"), "position")
  })

  it("differs from that of a run, whatever its name", () => {
    assert.deepStrictEqual(["checkers", "P1", "recheck P1"].map(endingOf), ["P5", "P5", "P5"])
  })
})

describe("the race of a refresh that gets nowhere", () => {
  const { events, log } = play(world, mainline612, "mm/1 to change", ...laps(40), "vcpu/0 to retry.map")

  it("shows one lap, one invalidation that is in its way, and how often it goes on so", () => {
    const table = raceOf(log)
    assert.deepStrictEqual(rowsOf(table), [
      "mm/1 Called",
      "mm/1 RangeStartCalled",
      "mm/1 CountIncremented",
      "mm/1 GpcVisited",
      "mm/1 StartReturned",
      "vcpu/0 Called",
      "vcpu/0 Checked",
      "vcpu/0 RefreshEntered",
      "vcpu/0 ValidCleared",
      "vcpu/0 Snapshotted",
      "vcpu/0 PfnResolved",
      "vcpu/0 RetryTested",
      "vcpu/0 RetryDecided",
      "vcpu/0 39 laps"
    ])
    const [first, ...others] = events.filter(({ type }) => type === "RetryDecided")
    const entered = events.find(({ type }) => type === "RefreshEntered")!
    const last = others.at(-1)!
    assert.strictEqual(others.length + 1, 40)
    assert.deepStrictEqual(table.ending, {
      kind: "laps",
      thread: "vcpu/0",
      gpc: 0,
      laps: 40,
      unrelated: 40,
      nanos: last.t - entered.t,
      seq: last.seq
    })
    const fold = table.rows.at(-1)!
    assert.deepInclude(fold, { kind: "fold", laps: 39, events: 39 * 4 })
    assert.isAtMost(fold.kind === "fold" ? fold.nanos : Infinity, last.t - first!.t)
  })
})

describe("a race", () => {
  it("folds the laps before the one that matters", () => {
    const { log } = play(
      world,
      mainline612,
      "mm/1 to change",
      ...laps(3),
      "mm/1 done",
      "vcpu/0 to retry.map",
      "mm/0 done",
      "vcpu/0 done"
    )
    const table = raceOf(log)
    assert.deepStrictEqual(table.threads, ["vcpu/0", "mm/0"])
    assert.deepStrictEqual(rowsOf(table).slice(0, 7), [
      "vcpu/0 Called",
      "vcpu/0 Checked",
      "vcpu/0 RefreshEntered",
      "vcpu/0 ValidCleared",
      "vcpu/0 3 laps",
      "vcpu/0 Snapshotted",
      "vcpu/0 PfnResolved"
    ])
  })

  it("of a sound log is that of its end; of an empty one has no rows", () => {
    const { events, log } = play(world, exactRanges, "mm/0 done", "vcpu/0 done")
    assert.deepStrictEqual(raceOf(log).ending, { kind: "position", seq: events.length })
    const { log: nothing } = play(world, exactRanges)
    assert.deepInclude(raceOf(nothing), { threads: [], rows: [], chosen: 0, gpc: -1 })
  })

  it("has the events in order, each in the column of its thread, and counts those it folds", () => {
    const busy = worldOfThreads({
      "vcpu/0": [0, use],
      "vcpu/1": [0, use],
      "mm/0": [0, zap(U)],
      "mm/1": [0, zap(HIGH)]
    })
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 11 }), { maxLength: 300, size: "max" }),
        fc.constantFrom(endValidating, pfncache2, ...POLICIES),
        fc.option(fc.nat(), { nil: undefined }),
        (drawn, policy, at) => {
          const { events, log } = playDrawn(busy, policy, drawn)
          const table = raceOf(log, at === undefined ? undefined : atSeq(at % (events.length + 1)))
          let shown = 0
          let last = 0
          for (const row of table.rows) {
            if (row.kind === "fold") {
              shown += row.events
              assert.isAtLeast(row.nanos, 0)
              continue
            }
            shown++
            const { data, seq } = row.envelope
            assert.isAbove(seq, last)
            last = seq
            assert.strictEqual(table.threads[row.column], busy.threads[data.thread]!.name)
            assert.notStrictEqual(data._tag, "PropertyViolated")
          }
          assert.strictEqual(shown, table.chosen)
          assert.isAtMost(last, table.ending.seq)
        }
      ),
      { numRuns: 60 }
    )
  })
})
