import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as fc from "fast-check"
import type { Census } from "../reading/census.ts"
import { makeReader } from "../reading/reader.ts"
import { sniff } from "../reading/sniff.ts"
import { bytesOf } from "../reading/text.ts"
import { funcgraph } from "./funcgraph.ts"

const load = (...lines: ReadonlyArray<string>) => {
  const reader = makeReader("t", funcgraph)
  const events = [...reader.push(bytesOf(lines.map((line) => `${line}\n`).join(""))), ...reader.end()]
  return { events, census: reader.census() }
}

/** Tag and time in µs, without what every text begins with. */
const outline = (events: ReadonlyArray<NewEvent<Event>>) =>
  events.filter(({ data }) => data._tag !== "TaskSeen" && data._tag !== "GpcSeen").map(({ data, how, t }) =>
    `${t / 1000} ${data._tag}${how === "inferred" ? " (inferred)" : ""}`
  )

const accounted = (census: Census) =>
  census.parsed + census.markers + census.comments + census.rejected.reduce((sum, { count }) => sum + count, 0)

/** A line of CPU `cpu` at `micros`, at a depth. */
const at = (micros: number, cpu: number, depth: number, call: string, duration = "") =>
  `    0.${String(micros).padStart(6, "0")} |   ${cpu})   vmm-${7 + cpu}   | ${duration.padStart(12)}  |  ${
    "  ".repeat(depth)
  }${call}`

/** The same without the task's column. */
const taskless = (micros: number, call: string) =>
  `    0.${String(micros).padStart(6, "0")} |   1)               |  ${call}`

describe("the text of function_graph", () => {
  it("tells the laps of a refresh, how long it took and what came of it", () => {
    const { census, events } = load(
      "# tracer: function_graph",
      at(1, 0, 0, "kvm_gpc_refresh [kvm]() {"),
      at(2, 0, 1, "__kvm_gpc_refresh [kvm]() {"),
      at(3, 0, 2, "hva_to_pfn [kvm](); /* = 0x10435e */", "1.500 us"),
      at(6, 0, 2, "hva_to_pfn [kvm]() {"),
      at(7, 0, 3, "get_user_pages_fast_only();", "0.5 us"),
      at(9, 0, 2, "} /* hva_to_pfn [kvm] = 0x10435f */", "3.0 us"),
      at(10, 0, 1, "} /* __kvm_gpc_refresh [kvm] = 0x0 */", "8.0 us"),
      at(11, 0, 0, "} /* kvm_gpc_refresh [kvm] = -14 */", "+ 10.0 us")
    )
    assert.deepStrictEqual(outline(events), [
      "1 RefreshEntered",
      "3 ValidCleared (inferred)",
      "4.5 PfnResolved",
      "6 RetryDecided (inferred)",
      "9 PfnResolved",
      "11 RefreshReturned"
    ])
    assert.deepInclude(events.at(-1)!.data, { ret: -14, gpc: 0 })
    assert.deepStrictEqual(census.rejected, [])
    assert.deepStrictEqual(census.unmapped, [{ event: "get_user_pages_fast_only", count: 1, lines: [6] }])
    assert.deepStrictEqual([census.parsed, accounted(census)], [8, 9])
  })

  it("names the cache where the arguments are shown, and only then", () => {
    const { events } = load(
      at(1, 0, 0, "kvm_gpc_check [kvm](gpc=0xffffc90000406670, len=0x1000); /* = 0xab01 */", "0.1 us"),
      at(2, 0, 0, "__kvm_gpc_refresh(gpc=0xffffc90000406670, gpa=0x2000000, uhva=0xffff888000000000) {"),
      at(3, 0, 0, "}", "1.0 us"),
      at(4, 0, 0, "kvm_gpc_check [kvm](); /* ret=0x0 */", "0.1 us")
    )
    const seen = events.flatMap(({ data, how }) => data._tag === "TaskSeen" ? [] : [{ ...data, how }])
    assert.deepStrictEqual(
      seen,
      [
        { _tag: "GpcSeen", thread: 0, gpc: 0, pointer: "0xffffc90000406670", how: "observed" },
        { _tag: "Checked", thread: 0, gpc: 0, ok: true, how: "observed" },
        { _tag: "RefreshEntered", thread: 0, gpc: 0, gpa: 0x2000000, uhva: -1, how: "observed" },
        { _tag: "RefreshReturned", thread: 0, gpc: 0, ret: 0, how: "inferred" },
        { _tag: "Checked", thread: 0, gpc: 1, ok: false, how: "observed" }
      ] as unknown as typeof seen
    )
  })

  it("takes the range from the tracepoint in the call, and ends it where range_end is called", () => {
    const { census, events } = load(
      at(1, 0, 0, "kvm_mmu_notifier_invalidate_range_start [kvm]() {"),
      at(2, 0, 1, "/* kvm_unmap_hva_range: mmu notifier unmap range: 0x7e0000001000 -- 0x7e0000002000 */"),
      at(3, 0, 1, "gfn_to_pfn_cache_invalidate_start [kvm]();", "0.5 us"),
      at(5, 0, 0, "}", "4.0 us"),
      at(6, 1, 0, "kvm_gpc_refresh [kvm]();", "90.0 us"),
      at(8, 0, 0, "kvm_mmu_notifier_invalidate_range_end [kvm]();", "2.0 us"),
      at(20, 0, 0, "other();", "2.0 us")
    )
    assert.deepStrictEqual(outline(events), [
      "2 RangeStartCalled",
      "2 CountIncremented (inferred)",
      "3.5 WalkReturned",
      "5 StartReturned",
      "6 RefreshEntered",
      "8 EndCalled (inferred)",
      "10 CountDecremented (inferred)",
      "10 EndReturned (inferred)",
      "96 RefreshReturned (inferred)"
    ])
    assert.deepStrictEqual(census.unmapped, [{ event: "other", count: 1, lines: [7] }])
  })

  it("takes the range from the walk's arguments, and leaves an invalidation out that has none", () => {
    const start = "kvm_mmu_notifier_invalidate_range_start [kvm]() {"
    const { census, events } = load(
      at(1, 0, 0, start),
      at(
        2,
        0,
        1,
        "gfn_to_pfn_cache_invalidate_start(kvm=0xffffc90000405000, start=0x7e0000001000, end=0x7e0000002000);",
        "0.5 us"
      ),
      at(4, 0, 0, "}", "3.0 us"),
      at(5, 0, 0, start),
      at(6, 0, 1, "gfn_to_pfn_cache_invalidate_start();", "0.5 us"),
      at(8, 0, 0, "}", "3.0 us"),
      at(9, 1, 0, "kvm_mmu_notifier_invalidate_range_end();", "3.0 us")
    )
    assert.deepStrictEqual(outline(events), [
      "2 RangeStartCalled",
      "2 CountIncremented (inferred)",
      "2.5 WalkReturned",
      "4 StartReturned"
    ])
    assert.deepStrictEqual(census.unmapped, [
      { event: "gfn_to_pfn_cache_invalidate_start", count: 2, lines: [5, 5] },
      { event: "kvm_mmu_notifier_invalidate_range_start", count: 1, lines: [6] },
      { event: "kvm_mmu_notifier_invalidate_range_end", count: 2, lines: [7, 7] }
    ])
  })

  it("keeps a stack for every task, and knows who runs from the switches", () => {
    const { census, events } = load(
      taskless(1, "one() {"),
      " ------------------------------------------",
      " 1)   CPU 0/K-10    =>    vmm-11   ",
      " ------------------------------------------",
      "",
      taskless(2, "kvm_gpc_refresh() {"),
      " 1)    vmm-11    =>   CPU 0/K-10   ",
      taskless(3, "two() {"),
      taskless(4, "}"),
      " 1)   CPU 0/K-10    =>    vmm-11   ",
      taskless(5, "}"),
      taskless(6, "}")
    )
    assert.deepStrictEqual(outline(events), ["2 RefreshEntered", "5 RefreshReturned (inferred)"])
    assert.deepStrictEqual(census.records, { one: 1, kvm_gpc_refresh: 2, two: 2 })
    assert.deepStrictEqual(census.rejected, [{ reason: "the end of a call that is not shown", count: 1, lines: [12] }])
    const tasks = events.flatMap(({ data }) => data._tag === "TaskSeen" ? [`${data.comm}-${data.pid}`] : [])
    assert.deepStrictEqual(tasks.slice(-2), ["vmm-11", "CPU 0/K-10"])
  })

  it("trusts the name behind a call's end more than what it remembers", () => {
    const { census } = load(at(1, 0, 0, "one() {"), at(2, 0, 0, "} /* two */"), at(3, 0, 0, "} /* three */"))
    assert.deepStrictEqual(census.records, { one: 1, two: 1, three: 1 })
  })

  it("counts what is decoration, what is lost, and what has no time", () => {
    const { census } = load(
      "# tracer: function_graph",
      " 0)   ==========> |",
      at(1, 0, 0, "one();", "0.1 us"),
      "CPU:0 [LOST 5 EVENTS]",
      " 0)   0.100 us    |  two();",
      "what is this"
    )
    assert.deepStrictEqual([census.parsed, census.comments, census.markers], [1, 2, 1])
    assert.deepStrictEqual(census.rejected, [
      { reason: "no times: echo funcgraph-abstime > trace_options", count: 1, lines: [5] },
      { reason: "no CPU", count: 1, lines: [6] }
    ])
  })
})

describe("whether a text is one", () => {
  const timeless = " 0)               |  kvm_gpc_refresh [kvm]() {\n 0)   1.0 us      |  }\n"

  it.each<readonly [string, string, RegExp]>([
    ["with the header", `# tracer: function_graph\n${at(1, 0, 0, "one();", "0.1 us")}\n`, /^function_graph$/],
    ["without it", `${at(1, 0, 0, "one();", "0.1 us")}\n`, /^function_graph$/],
    [
      "without times",
      `# tracer: function_graph\n${timeless}`,
      /^unsupported 2 .*echo funcgraph-abstime > trace_options$/
    ],
    ["with nothing at all", timeless, /^unsupported 1 .*echo funcgraph-abstime > trace_options$/]
  ])("%s", (_name, text, expected) => {
    const found = sniff("t", bytesOf(text), true)
    assert.match("name" in found ? found.name : `${found.problem} ${found.line} ${found.expected}`, expected)
  })
})

describe("whatever a name holds", () => {
  const unit = fc.constantFrom("-", "5", " ", "|", "1", ".", "u", "s", "=", ">", ")", "{", "}", "/", "*", "é")

  it("a task's name forges no column", () => {
    fc.assert(fc.property(fc.array(unit, { maxLength: 7 }), (units) => {
      let comm = units.join("")
      while (bytesOf(comm).length > 7) comm = comm.slice(0, -1)
      const { census, events } = load(
        `    0.000001 |   1)   ${comm}-4802  |   0.500 us    |  kvm_gpc_check(); /* = 0x1 */`
      )
      assert.deepStrictEqual(census.records, { kvm_gpc_check: 2 })
      const seen = events.flatMap(({ data }) => data._tag === "TaskSeen" ? [[data.comm, data.pid]] : [])
      assert.deepStrictEqual(seen, [[comm.trimStart(), 4802]])
    }))
  })
})
