import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { VerdictId } from "./diagnosis.ts"
import { isSignExtended, OUTRUN_CHANGES, STUCK_FAULTS, UNPAIRED_FAULTS } from "./fault-states.ts"
import { logFile, reportOf } from "./report.ts"

type Seen = Extract<Event, { _tag: "FaultStateSeen" }>

const VCPU = "ffff9c533e1da340"

/** A state as a program without times prints it: all lines are at the same time. */
const seen = (fields: Partial<Seen>): Event => ({
  _tag: "FaultStateSeen",
  thread: 0,
  vcpu: VCPU,
  seq: 0x2c058,
  inProgress: 0,
  start: 0x7fb47c1f5000,
  end: 0x7fb47c1f6000,
  repeat: 1,
  ...fields
})

const report = (events: ReadonlyArray<Event>) => {
  const log = events.map((data, i): Envelope<Event> => ({
    seq: i + 1,
    stream: data._tag === "EventsLost" ? "audit/0" : "mn/0",
    rev: 1,
    type: data._tag,
    version: 1,
    t: 0,
    how: "observed",
    src: { file: "ept.txt", line: i + 1 },
    data
  }))
  return Effect.runSync(reportOf(Stream.fromIterable(log), Effect.succeed(logFile("ept.txt", "abc"))))
}

const many = (n: number, of: (i: number) => Partial<Seen>) => Array.from({ length: n }, (_, i) => seen(of(i)))

const busy = { inProgress: 1, seq: 0x80854227 }

describe("what the faults of a vCPU saw", () => {
  it.each<readonly [VerdictId, string, ReadonlyArray<Event>, string]>([
    [
      "sign-extended-seq",
      "the line that ended the thread of 2023",
      [seen({ seq: 0x8002c058, repeat: 4_983_329 })],
      "found"
    ],
    ["stuck-fault", "the same line: it is explained", [seen({ seq: 0x8002c058, repeat: 4_983_329 })], "holds"],
    ["stuck-fault", "a small sequence that stands still", [seen({ repeat: STUCK_FAULTS })], "found"],
    ["sign-extended-seq", "the same", [seen({ repeat: STUCK_FAULTS })], "holds"],
    ["stuck-fault", "one line after the other, not counted", many(STUCK_FAULTS, () => ({})), "found"],
    ["stuck-fault", "too few faults to tell", [seen({ repeat: STUCK_FAULTS - 1 })], "holds"],
    [
      "stuck-fault",
      "as many faults, with invalidations in between",
      many(10, (i) => ({ seq: i, repeat: STUCK_FAULTS / 10 })),
      "holds"
    ],
    ["unpaired-range", "in progress to the end", [seen({}), seen({ ...busy, repeat: UNPAIRED_FAULTS })], "found"],
    ["P8", "in progress to the end", [seen({ ...busy, repeat: UNPAIRED_FAULTS })], "violated"],
    ["unpaired-range", "back at 0 in the end", [seen({ ...busy, repeat: UNPAIRED_FAULTS }), seen({})], "holds"],
    [
      "unpaired-range",
      "in progress at the end, but not for long",
      [seen({ ...busy, repeat: UNPAIRED_FAULTS - 1 })],
      "unknown"
    ],
    ["unpaired-range", "in progress for a while", [seen({ ...busy, repeat: UNPAIRED_FAULTS - 1 }), seen({})], "holds"],
    ["sign-extended-seq", "bit 31 set, too few faults to tell", [seen({ seq: 0x8002c058, repeat: 500 })], "unknown"],
    ["sign-extended-seq", "bit 31 set, and all is well", [seen({ seq: 0x8002c058 })], "holds"],
    [
      "unpaired-range",
      "in progress to the end, while others come and go below it",
      many(UNPAIRED_FAULTS, (i) => ({ inProgress: 1 + i % 2, seq: i >> 1, end: 0x7fb47c1f6000 + i })),
      "found"
    ],
    [
      "unpaired-range",
      "seen in progress each time, but the hull shrinks: it was at 0 in between",
      [...many(UNPAIRED_FAULTS, (i) => ({ inProgress: 1, seq: i, start: 0x1000 * (i % 7) })), seen({})],
      "holds"
    ],
    ["thrash", "another sequence at each fault", many(OUTRUN_CHANGES + 1, (seq) => ({ seq })), "found"],
    [
      "thrash",
      "another sequence now and then",
      many(OUTRUN_CHANGES + 1, (seq) => ({ seq, repeat: 3 })),
      "holds"
    ],
    ["thrash", "a few faults", many(OUTRUN_CHANGES, (seq) => ({ seq })), "holds"]
  ])("is judged: %s on %s", (id, _name, events, expected) => {
    assert.strictEqual(report(events).verdicts.find((one) => one.id === id)!.verdict, expected)
  })

  it("is told vCPU by vCPU, with the line that shows it", () => {
    const other = "ffff9964cdc48000"
    const { faultStates, verdicts } = report([
      seen({ vcpu: other, seq: 1 }),
      seen({ seq: 0x8002c058, repeat: 20_000 }),
      seen({ vcpu: other, seq: 2 }),
      seen({ seq: 0x8002c058, repeat: 20_000 })
    ])
    assert.deepStrictEqual(
      faultStates.map(({ changes, faults, longest, vcpu }) => [vcpu, faults, changes, longest.faults, longest.line]),
      [[other, 2, 1, 1, 1], [VCPU, 40_000, 0, 40_000, 2]]
    )
    const found = verdicts.find(({ id }) => id === "sign-extended-seq")!
    assert.deepInclude(found, { count: 1, evidence: [{ seq: 2, file: "ept.txt", line: 2 }], inferred: false })
  })

  it("never holds where lines were lost, but what stands still was seen", () => {
    const lost: Event = { _tag: "EventsLost", thread: -1, cpu: -1, count: 4595 }
    const { verdicts } = report([lost, seen({ seq: 0x8002c058, repeat: STUCK_FAULTS })])
    assert.deepStrictEqual(
      verdicts.filter(({ verdict }) => verdict !== "unknown").map(({ id }) => id),
      ["sign-extended-seq"]
    )
  })
})

describe("bit 31", () => {
  it("is set in a sequence, or in its sign-extended copy", () => {
    assert.deepStrictEqual([0, 1, 2 ** 31 - 1, 2 ** 32, 2 ** 33].map(isSignExtended), Array(5).fill(false))
    assert.deepStrictEqual(
      [2 ** 31, 0x8002dc25, 2 ** 32 - 1, -1, 0x8002dc25 - 2 ** 32].map(isSignExtended),
      Array(5).fill(true)
    )
  })
})
