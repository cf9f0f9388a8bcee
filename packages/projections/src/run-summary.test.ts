import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "@pfnscope/journal"
import { endValidating, flagWait, mainline612, rangeSpin } from "@pfnscope/protocol"
import type { Event, Policy, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { logOf } from "./log.ts"
import { fold } from "./projection.ts"
import { runSummary, summaryOf } from "./run-summary.ts"
import type { RunSummary } from "./run-summary.ts"
import { HIGH, play, U, use, worldOfThreads, zap } from "./staging.ts"
import type { Row } from "./staging.ts"
import { STARVED_OPEN_TURNS, STARVED_TURNS, violationOf, violations } from "./violations.ts"

const summarize = (events: ReadonlyArray<Envelope<Event>>): RunSummary =>
  summaryOf(Effect.runSync(fold(runSummary, logOf({}, events).read())))

const world = worldOfThreads({ "vcpu/0": [1, use], "mm/0": [1, zap(U)], "mm/1": [1, zap(HIGH)] })

const summaryOfPlay = (policy: Policy, rows: ReadonlyArray<Row>, of: World = world) =>
  summarize(play(of, policy, ...rows).events)

const laps = (n: number): ReadonlyArray<Row> => Array.from({ length: n }, () => "vcpu/0 to retry.decide")

const verdictOf = ({ verdicts }: RunSummary, id: string) => {
  const { count, first, verdict } = verdicts.find((one) => one.id === id)!
  return { verdict, count, first }
}

const holds = { verdict: "holds" as const, count: 0, first: null }

describe("a run's row", () => {
  it("counts the refreshes, their laps, and those thrown away for nothing over the page", () => {
    const { refreshes } = summaryOfPlay(mainline612, ["mm/1 to change", ...laps(4), "mm/1 done", "vcpu/0 done"])
    assert.deepStrictEqual(refreshes, { started: 1, completed: 1, lapsMax: 5, lapsMean: 5, unrelatedLaps: 4, waits: 0 })
  })

  it("counts the laps of a refresh that is still running", () => {
    const { refreshes } = summaryOfPlay(mainline612, ["mm/1 to change", ...laps(4), "vcpu/0 to retry.map"])
    assert.deepStrictEqual(refreshes, { started: 1, completed: 0, lapsMax: 5, lapsMean: 5, unrelatedLaps: 4, waits: 0 })
  })

  it("counts a lap that was thrown away for a range over the page as related", () => {
    const { refreshes } = summaryOfPlay(mainline612, ["mm/0 to change", ...laps(4), "mm/0 done", "vcpu/0 done"])
    assert.deepInclude(refreshes, { lapsMax: 5, unrelatedLaps: 0 })
  })

  it("counts a sleep once, and a spin once however often it looks", () => {
    const slept = summaryOfPlay(flagWait, ["mm/0 to change", "vcpu/0 blocks", "mm/0 done", "vcpu/0 done"])
    assert.strictEqual(slept.refreshes.waits, 1)
    const spin = Array.from({ length: 7 }, (): Row => "vcpu/0 to retry.wait")
    const spun = summaryOfPlay(rangeSpin, ["mm/0 to change", ...spin, "mm/0 done", "vcpu/0 done"])
    assert.strictEqual(spun.refreshes.waits, 1)
  })

  it("names each violated property once, at the event it was judged at, with its count", () => {
    const { violations } = summaryOfPlay(mainline612, ["vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done"])
    assert.deepStrictEqual(violations, [
      { property: "P1", seq: 39, count: 1 },
      { property: "P2", seq: 39, count: 1 },
      { property: "P5", seq: 31, count: 1 }
    ])
  })
})

/** A refresh that throws away so many laps for a range that is not over its page, and completes; or is still running. */
const lapping = (n: number) => summaryOfPlay(mainline612, ["mm/1 to change", ...laps(n), "mm/1 done", "vcpu/0 done"])
const running = (n: number) => summaryOfPlay(mainline612, ["mm/1 to change", ...laps(n), "vcpu/0 to retry.map"])

describe("a verdict", () => {
  it("on each of P1 to P13 holds in a run without findings", () => {
    const { verdicts, violations } = summaryOfPlay(flagWait, ["vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done"])
    assert.deepStrictEqual(verdicts.map(({ id }) => id), Array.from({ length: 13 }, (_, i) => `P${i + 1}`))
    for (const { verdict } of verdicts) assert.strictEqual(verdict, "holds")
    assert.deepStrictEqual(violations, [])
  })

  it("on P6 is violated by a refresh that has thrown away so many laps for nothing over its page, though it completes", () => {
    assert.deepStrictEqual(verdictOf(lapping(STARVED_TURNS - 1), "P6"), holds)
    assert.deepInclude(verdictOf(lapping(STARVED_TURNS), "P6"), { verdict: "violated", count: 1 })
    assert.deepInclude(verdictOf(lapping(STARVED_TURNS + 50), "P6"), { verdict: "violated", count: 1 })
  })

  it("on P6 is violated by one that the end finds running, from fewer laps on", () => {
    assert.deepStrictEqual(verdictOf(running(STARVED_OPEN_TURNS - 1), "P6"), holds)
    assert.deepInclude(verdictOf(running(STARVED_OPEN_TURNS), "P6"), { verdict: "violated", count: 1 })
    assert.deepStrictEqual(verdictOf(running(STARVED_OPEN_TURNS), "P7"), holds)
  })

  it("is not P6 while ranges over the page are in flight, and P7 when they are over", () => {
    const related: ReadonlyArray<Row> = ["mm/0 to change", ...laps(STARVED_TURNS + 1)]
    assert.deepStrictEqual(verdictOf(summaryOfPlay(mainline612, related), "P6"), holds)
    assert.deepStrictEqual(verdictOf(summaryOfPlay(mainline612, related), "P7"), holds)
    const after: ReadonlyArray<Row> = [
      "mm/1 to change",
      "mm/0 to change",
      ...laps(2),
      "mm/0 done",
      ...laps(STARVED_TURNS + 2)
    ]
    assert.deepStrictEqual(verdictOf(summaryOfPlay(mainline612, after), "P6"), holds)
    assert.deepInclude(verdictOf(summaryOfPlay(mainline612, after), "P7"), { verdict: "violated", count: 1 })
  })

  it("on P6 counts waits in vain: for a hull that covers the page while none of its ranges does (I-12)", () => {
    const below = zap(U - 0x20_0000)
    const sides = worldOfThreads({ "vcpu/0": [1, use], "mm/0": [0, below], "mm/1": [0, zap(HIGH)] })
    const turn: ReadonlyArray<Row> = [
      "mm/0 to end.mmu",
      "mm/1 to change",
      "vcpu/0 blocks",
      "mm/0 to idle",
      "mm/1 to idle"
    ]
    const run = (n: number) => summaryOfPlay(flagWait, Array.from({ length: n }, () => turn).flat(), sides)
    assert.deepInclude(run(20).refreshes, { lapsMax: 1, waits: 20 })
    assert.deepStrictEqual(verdictOf(run(STARVED_OPEN_TURNS - 1), "P6"), holds)
    assert.deepInclude(verdictOf(run(STARVED_OPEN_TURNS), "P6"), { verdict: "violated", count: 1 })
    assert.deepInclude(verdictOf(run(STARVED_TURNS + 20), "P6"), { verdict: "violated", count: 1 })
  })

  it("on a log with holes is unknown, never holds; what was violated stays so", () => {
    const { events } = play(world, mainline612, "vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done")
    const lost: Envelope<Event> = {
      ...events.at(-1)!,
      seq: events.length + 1,
      stream: "audit/0",
      type: "EventsLost",
      data: { _tag: "EventsLost", thread: 0, cpu: 1, count: -1 }
    }
    const verdicts = new Set(summarize([...events, lost]).verdicts.map(({ verdict }) => verdict))
    assert.deepStrictEqual(verdicts, new Set(["violated", "unknown"]))
  })
})

describe("violations", () => {
  it("are counted beyond those that are kept", () => {
    const reader = worldOfThreads({ "vcpu/0": [300, use], "mm/0": [1, zap(U)] })
    const { events } = play(reader, mainline612, "vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done")
    const found = Effect.runSync(fold(violations, logOf({}, events).read()))
    assert.strictEqual(found.counts.get("P1"), 300)
    assert.strictEqual(found.list.filter(({ property }) => property === "P1").length, 100)
    for (const { judged, property, seq } of found.list) {
      assert.isBelow(judged, seq)
      assert.notStrictEqual(events[judged - 1]!.type, "PropertyViolated")
      assert.strictEqual(Effect.runSync(violationOf(logOf({}, events), judged, property)), seq)
    }
  })

  it("of an event that none was judged at are none", () => {
    const { events, log } = play(world, endValidating, "mm/0 done")
    for (const { seq } of events) assert.isUndefined(Effect.runSync(violationOf(log, seq)))
  })
})
