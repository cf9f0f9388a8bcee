import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { activity } from "./activity.ts"
import { combine } from "./combine.ts"
import type { VerdictId } from "./diagnosis.ts"
import { UNPAIRED_NS } from "./diagnosis.ts"
import { addDuration, noDurations, quantile } from "./durations.ts"
import {
  closed,
  entered,
  kept,
  lap,
  logOf,
  lost,
  opened,
  published,
  report,
  retry,
  UHVA,
  verdict
} from "./hand-made.ts"
import type { Line } from "./hand-made.ts"
import { inFlight, rangesOf } from "./in-flight.ts"
import { fold } from "./projection.ts"
import { THRASH_RETRIES } from "./refreshes.ts"

describe("a report", () => {
  it("counts the laps of a refresh: its lookups, none where it kept its mapping", () => {
    const { refreshes } = report([entered, ...lap, retry("count"), ...lap, retry("seq"), ...lap, ...published, ...kept])
    assert.deepStrictEqual(refreshes.laps, [{ laps: 0, count: 1 }, { laps: 3, count: 1 }])
    assert.deepInclude(refreshes, { completed: 2, kept: 1, failed: 0, retries: 2, lapsMax: 3, unfinished: 0 })
    assert.deepStrictEqual(refreshes.retriesBy, [{ reason: "count", count: 1 }, { reason: "seq", count: 1 }])
  })

  it("counts a refresh that fails, and one that does not end", () => {
    const { refreshes } = report([
      entered,
      { _tag: "RefreshFailed", gpc: 0, ret: -14 } as Line,
      { _tag: "RefreshReturned", gpc: 0, ret: -14 } as Line,
      entered,
      ...lap
    ])
    assert.deepInclude(refreshes, { completed: 1, failed: 1, unfinished: 1 })
  })

  it("adds up when a cache was valid, and what its users found", () => {
    const { gpcs } = report([
      { ...entered, at: 100 },
      ...lap,
      { ...published[0]!, at: 200 },
      { _tag: "Checked", gpc: 0, ok: true, at: 210 } as Line,
      { _tag: "GpcInvalidated", gpc: 0, flag: false, at: 250 } as Line,
      { _tag: "Checked", gpc: 0, ok: false, at: 260 } as Line
    ])
    assert.deepStrictEqual(gpcs, [{
      id: 0,
      pointer: null,
      uhva: "0x7000",
      validNs: 50,
      invalidNs: 10,
      checks: { hit: 1, miss: 1 },
      invalidated: 1
    }])
  })

  it("names who invalidates, by what call, and how often a cache was hit", () => {
    const idle = { chain: null, hits: 0, overlapping: 0, gpcs: [], retries: 0, faultRetries: 0, retriesOverPage: 0 }
    const { invalidations, invalidators } = report([
      { _tag: "TaskSeen", thread: 2, comm: "qemu", pid: 77 } as Line,
      entered,
      ...lap,
      ...published,
      { _tag: "Called", thread: 2, op: "madvise", a: 0, b: 0, c: 0 } as Line,
      ...opened(2, UHVA, 1),
      { _tag: "GpcInvalidated", thread: 2, gpc: 0, flag: false } as Line,
      ...closed(2, UHVA, 0),
      { _tag: "Returned", thread: 2, ret: 0 } as Line,
      ...opened(2, 0x9000, 1),
      ...opened(3, 0xa000, 2)
    ])
    assert.deepInclude(invalidations, { count: 3, overlappingGpc: 1, maxInFlight: 2, hits: 1, open: 2 })
    assert.deepStrictEqual(invalidators, [
      { ...idle, comm: "thread 3", pid: 3, call: "none", count: 1 },
      {
        ...idle,
        comm: "qemu",
        pid: 77,
        call: "madvise",
        count: 1,
        hits: 1,
        overlapping: 1,
        gpcs: [{ id: 0, count: 1 }]
      },
      { ...idle, comm: "qemu", pid: 77, call: "none", count: 1 }
    ])
  })

  it("says where in the file each piece of evidence was read", () => {
    const found = verdict("pessimistic-retry", [entered, ...lap, retry("count"), ...lap, ...published])
    assert.deepStrictEqual(found.evidence, [{ seq: 5, file: "t", line: 5 }])
  })

  it("of several files adds up, and gives the gravest verdict", () => {
    const quiet = report([entered, ...lap, ...published])
    const stuck = report([entered, ...lap, retry("count"), ...lap, ...published])
    const both = combine(quiet, stuck)
    assert.deepInclude(both.refreshes, { completed: 2, retries: 1, unrelatedLaps: 1 })
    assert.deepStrictEqual(both.refreshes.laps, [{ laps: 1, count: 1 }, { laps: 2, count: 1 }])
    assert.deepStrictEqual(both.gpcs.map(({ id }) => id), [0, 1])
    assert.strictEqual(both.verdicts.find(({ id }) => id === "pessimistic-retry")!.verdict, "found")
    assert.strictEqual(both.files.length, 2)
  })

  it("is refused for a log with a hole", () => {
    const [first, , third] = logOf([entered, ...lap])
    const error = Effect.runSync(Effect.flip(fold(activity, Stream.make(first!, third!))))
    assert.deepInclude(error, { _tag: "LogNotDense", expected: 2, found: 3 })
  })
})

const unrelatedIn = (...inside: ReadonlyArray<Line>) =>
  report([entered, ...inside, ...lap, ...published]).refreshes.unrelatedLaps

describe("a retry", () => {
  it("is unrelated where no invalidation of the page was open in its lap", () => {
    assert.strictEqual(unrelatedIn(...opened(2, 0x9000, 1), ...lap, retry("count")), 1)
  })

  it("is related where one was open at its snapshot, or began or ended in it", () => {
    assert.strictEqual(unrelatedIn(...opened(2, UHVA, 1), ...lap, retry("count", 1)), 0)
    assert.strictEqual(unrelatedIn(...lap, ...opened(2, UHVA, 1), retry("count", 1)), 0)
    assert.strictEqual(
      unrelatedIn(lap[0]!, ...opened(2, UHVA, 1), ...closed(2, UHVA, 0), ...lap.slice(1), retry("seq")),
      0
    )
  })

  it("is unrelated again in the next lap, when the invalidation is over", () => {
    assert.strictEqual(
      unrelatedIn(...lap, ...opened(2, UHVA, 1), ...closed(2, UHVA, 0), retry("seq"), ...lap, retry("count")),
      1
    )
  })

  it("of a trace is related where the invalidation ended at the very time of its snapshot: the order is not known", () => {
    const lines: ReadonlyArray<Line> = [
      entered,
      ...opened(2, UHVA, 1),
      ...closed(2, UHVA, 0).map((line) => ({ ...line, at: 500 })),
      { ...lap[0]!, at: 500 },
      ...lap.slice(1).map((line) => ({ ...line, at: 501 })),
      { ...retry("count"), at: 502 }
    ]
    assert.strictEqual(report(lines).refreshes.unrelatedLaps, 0)
    assert.strictEqual(report(lines, "simulated").refreshes.unrelatedLaps, 1)
  })
})

const many = (n: number, ...inside: ReadonlyArray<Line>) => Array.from({ length: n }, () => [...inside]).flat()

const swap = (...waits: ReadonlyArray<Line>): ReadonlyArray<Line> => [
  { _tag: "Called", op: "set_memslot", a: 0, b: 0, c: 0 } as Line,
  ...waits,
  { _tag: "MemslotsSwapped", slot: -1, state: "present", hva: -1, generation: 3 } as Line
]

describe("a verdict", () => {
  const stale: ReadonlyArray<Line> = [
    entered,
    lap[0]!,
    lap[1]!,
    ...opened(2, UHVA, 1),
    ...closed(2, UHVA, 0),
    lap[2]!,
    ...published
  ]
  const faults = (covering: number, n: number): ReadonlyArray<Line> =>
    many(
      n,
      { _tag: "RetryTested", reason: "in-progress", met: true, inFlight: 2, covering } as Line,
      { _tag: "GuestFaultRetried", gfn: 9, reason: "in-progress" } as Line
    )
  const related = [...opened(2, UHVA, 1), ...closed(2, UHVA, 0)]
  const waited: Line = { _tag: "SwapWaited", count: 1 } as Line

  it.each<readonly [VerdictId, string, ReadonlyArray<Line>, string]>([
    ["stale-publish", "an invalidation from end to end between lookup and test", stale, "found"],
    ["stale-publish", "a publish without one", [entered, ...lap, ...published], "holds"],
    ["stale-publish", "no refresh at all", opened(2, UHVA, 1), "unknown"],
    ["P5", "a stale publish", stale, "violated"],
    ["pessimistic-retry", "an unrelated retry", [entered, ...lap, retry("count"), ...lap, ...published], "found"],
    ["pessimistic-retry", "no retry", [entered, ...lap, ...published], "holds"],
    [
      "unranged-seq",
      "an unrelated change of the sequence",
      [entered, ...lap, retry("seq"), ...lap, ...published],
      "found"
    ],
    ["unranged-seq", "a related one", [
      entered,
      lap[0]!,
      ...related,
      ...lap.slice(1),
      retry("seq"),
      ...lap,
      ...published
    ], "holds"],
    ["accumulated-hull", "a fault that no range holds", faults(0, 1), "found"],
    ["accumulated-hull", "a fault that a range holds", faults(1, 1), "holds"],
    [
      "accumulated-hull",
      "a refresh that no range holds",
      [entered, ...lap, retry("hull"), ...lap, ...published],
      "found"
    ],
    ["thrash", "many retries for the page", [
      entered,
      ...many(THRASH_RETRIES, lap[0]!, ...related, retry("seq")),
      ...lap,
      ...published
    ], "found"],
    [
      "thrash",
      "as many for others",
      [entered, ...many(THRASH_RETRIES, ...lap, retry("count")), ...lap, ...published],
      "holds"
    ],
    ["thrash", "many faults in a row for one frame", faults(1, 10), "found"],
    ["unpaired-range", "a range open for long at the end", [...opened(2, UHVA, 1), {
      ...entered,
      at: UNPAIRED_NS + 200
    }], "found"],
    ["unpaired-range", "a range open for a moment at the end", opened(2, UHVA, 1), "holds"],
    ["unpaired-range", "an end before any start: the trace begins there", closed(2, UHVA, 0), "unknown"],
    ["unpaired-range", "an end without its start", [...related, ...closed(2, UHVA, 0)], "found"],
    [
      "P8",
      "a count in progress below 0",
      [...related, { _tag: "SeqBumped", seq: 1, inProgress: -1 } as Line],
      "violated"
    ],
    ["sign-extended-seq", "a negative snapshot", [{ _tag: "Snapshotted", seq: -0x7fff_0000 } as Line], "found"],
    ["sign-extended-seq", "any other", [{ _tag: "Snapshotted", seq: 0x8000_0000 } as Line], "holds"],
    ["generation-churn", "many refreshes that kept their mapping", many(10, ...kept), "found"],
    ["generation-churn", "a few", many(9, ...kept), "holds"],
    ["memslot-starved", "an update that slept twice", swap(waited, waited), "found"],
    ["memslot-starved", "one that slept once, shortly", swap(waited), "holds"],
    ["memslot-starved", "no update", [entered], "unknown"],
    ["refresh-failed", "one that returned an error", [
      entered,
      { _tag: "RefreshFailed", gpc: 0, ret: -14 } as Line,
      { _tag: "RefreshReturned", gpc: 0, ret: -14 } as Line
    ], "found"],
    ["refresh-failed", "one that did not", [entered, ...lap, ...published], "holds"],
    ["accumulated-hull", "a refresh between two ranges, of which one is over", [
      entered,
      ...opened(2, 0x1000, 1),
      ...opened(3, 0x9000, 2),
      ...closed(2, 0x1000, 1),
      ...lap,
      retry("count")
    ], "found"],
    ["accumulated-hull", "a refresh beside one range", [
      entered,
      ...opened(3, 0x9000, 1),
      ...lap,
      retry("count"),
      ...lap,
      ...published
    ], "holds"],
    [
      "P3",
      "a cache that is valid when range_start returns",
      [entered, ...lap, ...published, ...opened(2, UHVA, 1)],
      "violated"
    ],
    ["P3", "one that was marked", [
      entered,
      ...lap,
      ...published,
      opened(2, UHVA, 1)[0]!,
      { _tag: "GpcInvalidated", thread: 2, gpc: 0, flag: false } as Line,
      ...opened(2, UHVA, 1).slice(1)
    ], "holds"],
    ["P4", "a publish inside a range of the page", [entered, ...lap, ...opened(2, UHVA, 1), ...published], "violated"],
    ["P4", "one inside another range", [entered, ...lap, ...opened(2, 0x9000, 1), ...published], "holds"],
    [
      "P11",
      "a publish of no page",
      [entered, ...lap, { _tag: "Published", gpc: 0, uhva: UHVA, pfn: -1 } as Line],
      "violated"
    ],
    ["P1", "what an auditor wrote", [{ _tag: "PropertyViolated", property: "P1", gpc: 0 } as Line], "violated"]
  ])("%s on %s", (id, _name, lines, expected) => {
    assert.strictEqual(verdict(id, lines).verdict, expected)
  })

  it("never holds where events were lost, or the clock went back", () => {
    const back: Line = { _tag: "ClockStepped", thread: -1, back: 5 } as Line
    for (const doubt of [lost, back]) {
      const verdicts = report([entered, ...lap, ...published, ...related, ...swap(), doubt]).verdicts
      assert.deepStrictEqual([...new Set(verdicts.map((one) => one.verdict))], ["unknown"])
    }
  })

  it("tells where a log says that events were lost", () => {
    assert.deepStrictEqual(report([entered, lost, ...lap]).files[0]!.lost, [{ cpu: 0, count: -1, line: 2, seq: 2 }])
    assert.deepStrictEqual(report([entered, ...lap]).files[0]!.lost, [])
  })

  it("that rests on what was not seen is unknown where events were lost; one on what was seen is not", () => {
    assert.strictEqual(
      verdict("pessimistic-retry", [lost, entered, ...lap, retry("count"), ...lap, ...published]).verdict,
      "unknown"
    )
    assert.strictEqual(verdict("stale-publish", [lost, ...stale]).verdict, "found")
    assert.strictEqual(
      verdict("pessimistic-retry", [entered, ...lap, retry("count"), lost, ...lap, ...published]).verdict,
      "unknown"
    )
  })

  it("of a stale publish is unknown where events were lost since the lookup: it may have been another lap's", () => {
    const doubtful = verdict("stale-publish", [...stale.slice(0, 3), lost, ...stale.slice(3)])
    assert.deepInclude(doubtful, { verdict: "unknown", count: 1 })
  })
})

const rangesAfter = (lines: ReadonlyArray<Line>) =>
  rangesOf(logOf(lines).reduce((state, event) => inFlight.evolve(state, event), inFlight.init()), "mn/0")

describe("the invalidations in flight", () => {
  it("have a hull that grows while the count is not 0, and begins anew", () => {
    const grown = rangesAfter([...opened(2, 0x1000, 1), ...opened(3, 0x9000, 2), ...closed(2, 0x1000, 1)])
    assert.deepInclude(grown, { counted: 1, hullStart: 0x1000, hullEnd: 0xa000, maxInFlight: 2 })
    const anew = rangesAfter([...opened(2, 0x1000, 1), ...closed(2, 0x1000, 0), ...opened(3, 0x9000, 1)])
    assert.deepInclude(anew, { counted: 1, hullStart: 0x9000, hullEnd: 0xa000 })
  })

  it("are those that the kernel counts, after ends were lost", () => {
    const after = rangesAfter([...opened(2, 0x1000, 1), lost, ...opened(3, 0x9000, 1)])
    assert.deepStrictEqual(after.open.map(({ start }) => start), [0x9000])
    assert.strictEqual(after.counted, 1)
  })

  it("are as many as were started and not ended, in whatever order the threads run", () => {
    const threads = fc.array(fc.tuple(fc.nat(3), fc.nat(5)), { maxLength: 60 })
    fc.assert(fc.property(threads, (steps) => {
      const open: Array<readonly [thread: number, uhva: number]> = []
      const lines = steps.flatMap(([thread, page]) => {
        const mine = open.findIndex(([owner]) => owner === thread)
        if (mine >= 0 && page % 2 === 0) {
          const [[, uhva]] = open.splice(mine, 1) as [readonly [number, number]]
          return closed(thread, uhva, open.length)
        }
        open.push([thread, page * 0x1000])
        return opened(thread, page * 0x1000, open.length)
      })
      const state = rangesAfter(lines)
      assert.deepStrictEqual(state.open.length, open.length)
      assert.strictEqual(state.counted, open.length)
    }))
  })
})

describe("durations", () => {
  it("have quantiles that are low by less than one part in a thousand", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2 ** 31 - 1), { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (all, q) => {
          const durations = noDurations()
          for (const ns of all) addDuration(durations, ns)
          const exact = all.toSorted((a, b) => a - b)[Math.round((all.length - 1) * q)]!
          assert.isAtMost(quantile(durations, q), exact)
          assert.isAtLeast(quantile(durations, q), exact * 0.999)
          assert.strictEqual(durations.max, Math.max(...all))
        }
      )
    )
  })
})
