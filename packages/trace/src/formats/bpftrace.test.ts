import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as fc from "fast-check"
import type { Census } from "../reading/census.ts"
import { makeReader } from "../reading/reader.ts"
import { sniff } from "../reading/sniff.ts"
import { bytesOf } from "../reading/text.ts"
import { bpftrace, bpftraceJson } from "./bpftrace.ts"

const load = (text: string, format = bpftrace) => {
  const reader = makeReader("t", format)
  const events = [...reader.push(bytesOf(text)), ...reader.end()]
  return { events, census: reader.census() }
}

/** Tag, time and line of each event. */
const outline = (events: ReadonlyArray<NewEvent<Event>>) => events.map(({ data, src, t }) => [data._tag, t, src?.line])

const accounted = (census: Census) =>
  census.parsed + census.markers + census.comments + census.rejected.reduce((sum, { count }) => sum + count, 0)

const snap = (time: number, seq: number, cpu = 1) =>
  `${time} ${cpu} 234 240 "CPU 0/KVM" gpc_snap gpc=0xffffc90000406670 uhva=0x7e0002000000 snap=${seq} active=1\n`

describe("the text of bpftrace", () => {
  it("is given in the order of its times, and says how many were moved", () => {
    const { census, events } = load(`Attaching 9 probes...\n${snap(300, 1)}${snap(100, 2, 0)}${snap(200, 3)}`)
    const taken = events.flatMap(({ data, src, t }) => data._tag === "Snapshotted" ? [[data.seq, t, src?.line]] : [])
    assert.deepStrictEqual(taken, [[2, 100, 3], [3, 200, 4], [1, 300, 2]])
    assert.deepStrictEqual([census.parsed, census.comments, census.moved, census.rejected], [3, 1, 2, []])
    assert.notInclude(events.map(({ data }) => data._tag), "ClockStepped")
  })

  it("keeps runs apart: the clock of a second boot begins anew", () => {
    const { census, events } = load(`${snap(300, 1)}Attaching 9 probes...\n${snap(100, 2)}`)
    assert.deepStrictEqual(
      events.flatMap(({ data, src }) =>
        ["Snapshotted", "ClockStepped"].includes(data._tag) ? [[data._tag, src?.line]] : []
      ),
      [["Snapshotted", 1], ["ClockStepped", 3], ["Snapshotted", 3]]
    )
    assert.strictEqual(census.moved, 0)
  })

  it("tells losses where they were told, and leaves maps and histograms alone", () => {
    const { census, events } = load(
      `${snap(1, 1)}Lost 4595 events\n\n@c[CPU 0/KVM]: 4\n@w: \n[4K, 8K)              14 |@@@@@|\n${snap(2, 2)}`
    )
    assert.deepStrictEqual(census.lost, [{ cpu: -1, count: 4595, line: 2 }])
    assert.deepStrictEqual([census.parsed, census.markers, census.comments], [2, 1, 4])
    assert.deepStrictEqual(outline(events).filter(([tag]) => tag === "EventsLost" || tag === "Snapshotted"), [
      ["Snapshotted", 1, 1],
      ["EventsLost", 1, 2],
      ["Snapshotted", 2, 7]
    ])
  })

  it("reads the states that the thread of 2023 pasted: counted, not timed", () => {
    const { census, events } = load(
      "4983329 ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000\n" +
        "      1 ept[0] vcpu=ffff9964cdc48000 seq=ffffffff80854227 inprog=1 start=7fa3183a3000 end=7fa3183a4000\n" +
        "vcpu=ffff9d518541c680 seq=00000000 inprog=0 start=00000000 end=00000000\n"
    )
    assert.strictEqual(census.clock, "ticks")
    assert.deepStrictEqual(events.map(({ data, stream, t }) => [stream, t, data]), [
      ["mn/0", 1, {
        _tag: "FaultStateSeen",
        thread: -1,
        vcpu: "0xffff9c533e1da340",
        seq: 0x8002c058,
        inProgress: 0,
        start: 0x7fb47c1f5000,
        end: 0x7fb47c1f6000,
        repeat: 4983329
      } as Event],
      ["mn/0", 2, {
        _tag: "FaultStateSeen",
        thread: -1,
        vcpu: "0xffff9964cdc48000",
        seq: 0x80854227 - 2 ** 32,
        inProgress: 1,
        start: 0x7fa3183a3000,
        end: 0x7fa3183a4000,
        repeat: 1
      } as Event],
      ["mn/0", 3, {
        _tag: "FaultStateSeen",
        thread: -1,
        vcpu: "0xffff9d518541c680",
        seq: 0,
        inProgress: 0,
        start: 0,
        end: 0,
        repeat: 1
      } as Event]
    ])
  })

  it("takes a state without a time at the time of the record before, and no time where the first have none", () => {
    const state = "vcpu=ffff9d518541c680 seq=0 inprog=0 start=0 end=0\n"
    const timed = load(snap(70, 1) + state)
    assert.strictEqual(timed.events.find(({ data }) => data._tag === "FaultStateSeen")!.t, 70)
    const late = load(state + snap(70, 1))
    assert.deepStrictEqual(late.census.rejected, [
      { reason: "a time, where the first records have none", count: 1, lines: [2] }
    ])
  })

  it("reads syscalls by their tracepoints' fields", () => {
    const { events } = load(
      `5 0 7 8 "vmm" sys_enter_madvise start=0x7e0000001000 len_in=4096 behavior=4\n6 0 7 8 "vmm" sys_exit_madvise ret=-12\n`
    )
    assert.deepStrictEqual(events.slice(1).map(({ data }) => data), [
      { _tag: "Called", thread: 0, op: "madvise", a: 0x7e0000001000, b: 0x7e0000002000, c: 2 } as Event,
      { _tag: "Returned", thread: 0, ret: -12 } as Event
    ])
  })
})

const json = (data: string) => `${JSON.stringify({ type: "printf", data })}\n`

describe("the JSON of bpftrace", () => {
  it("joins what was printed in pieces, and cites the line in which it began", () => {
    const [a, b] = [snap(100, 1), snap(200, 2)]
    const { census, events } = load(
      `{"type": "attached_probes", "data": {"probes": 1}}\n` + json(a.slice(0, 30)) + json(a.slice(30) + b) +
        `{"type": "map", "data": {"@c": {"CPU 0/KVM": 4}}}\n{"type": "lost_events", "data": {"events": 4595}}\n`,
      bpftraceJson
    )
    assert.deepStrictEqual(outline(events).filter(([tag]) => tag === "Snapshotted" || tag === "EventsLost"), [
      ["Snapshotted", 100, 2],
      ["Snapshotted", 200, 3],
      ["EventsLost", 200, 5]
    ])
    assert.deepStrictEqual([census.parsed, census.continuations, census.comments, census.markers], [1, 1, 3, 1])
    assert.strictEqual(accounted(census), census.lines)
  })

  it("says what it does not know", () => {
    const { census } = load(`{"type": "surprise"}\nplain\n${json("no event\n")}`, bpftraceJson)
    assert.deepStrictEqual(census.rejected, [
      { reason: "no JSON of bpftrace", count: 2, lines: [1, 2] },
      { reason: "no event that is known", count: 1, lines: [3] }
    ])
  })
})

describe("which of the two a text is", () => {
  it.each<readonly [string, string]>([
    [`Attaching 1 probe...\nhello\n`, "bpftrace"],
    [snap(1, 1), "bpftrace"],
    ["1 ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000\n", "bpftrace"],
    [json(snap(1, 1)), "bpftrace -f json"],
    [`{"type":"printf","data":"x"}\n`, "bpftrace -f json"]
  ])("%s: %s", (text, name) => {
    const found = sniff("t", bytesOf(text), true)
    assert.strictEqual("name" in found ? found.name : found.expected, name)
  })
})

const words = fc.constantFrom(
  `"`,
  " ",
  "inv_start",
  "gpc_err",
  "a=1",
  "start=0x1",
  "tid=9",
  "1 1 1 1",
  "\\",
  "é",
  "Lost 9 events"
)
const nasty = fc.array(words, { maxLength: 6 }).map((parts) => parts.join(""))
const comm = nasty.map((text) => {
  let cut = text
  while (bytesOf(cut).length > 15) cut = cut.slice(0, -1)
  return cut
})

describe("whatever a name or a text holds", () => {
  it("the event is what the program printed", () => {
    fc.assert(fc.property(comm, (comm) => {
      for (const [text, format] of [[snap(5, 9), bpftrace], [json(snap(5, 9)), bpftraceJson]] as const) {
        const shown = format === bpftrace ? comm : JSON.stringify(comm).slice(1, -1)
        const { census, events } = load(text.replace("CPU 0/KVM", () => shown), format)
        assert.deepStrictEqual(census.records, { gpc_snap: 1 })
        const seen = events.flatMap(({ data }) => data._tag === "TaskSeen" ? [[data.comm, data.pid]] : [])
        assert.deepStrictEqual(seen, [[comm, 240]])
      }
    }))
  })

  it("a text in a marker is that text", () => {
    fc.assert(fc.property(comm, nasty, (comm, payload) => {
      const { census, events } = load(`5 1 2 3 "${comm}" tracing_mark_write ${payload}\n`)
      assert.deepStrictEqual(census.records, { tracing_mark_write: 1 })
      const noted = events.find(({ data }) => data._tag === "Noted")
      assert.deepInclude(noted!.data, { text: payload.trimStart() })
    }))
  })
})
