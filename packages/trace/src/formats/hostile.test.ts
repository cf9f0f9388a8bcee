/** Whatever bytes a text holds: nothing crashes, every line is counted once, nothing is forged. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Census } from "../reading/census.ts"
import { makeReader } from "../reading/reader.ts"
import type { Format } from "./format.ts"
import { FORMATS } from "./formats.ts"
import { ftrace } from "./ftrace.ts"
import { perfScript } from "./perf-script.ts"
import { traceCmd } from "./trace-cmd.ts"

const RUNS = { numRuns: 60 }

const load = (format: Format, ...pieces: ReadonlyArray<Uint8Array>) => {
  const reader = makeReader("t", format)
  const events = pieces.flatMap((piece) => [...reader.push(piece)])
  events.push(...reader.end())
  return { events, census: reader.census() }
}

const accounted = (census: Census) =>
  census.parsed + census.markers + census.comments + census.rejected.reduce((sum, { count }) => sum + count, 0)

const RANGE = "mmu notifier unmap range: 0x1000 -- 0x2000"

/** Lines that a format may meet, whole or in pieces of them. */
const known = fc.constantFrom(
  "# tracer: nop\n",
  "# tracer: function_graph\n",
  "cpus=2\n",
  "# captured on    : now\n",
  "CPU:0 [LOST EVENTS]\n",
  "es: CPU:1 [4 EVENTS DROPPED]\n",
  ` a-b [003] 1.2: -12635   [000] .....   895.607883: kvm_unmap_hva_range: ${RANGE}\n`,
  ` python3-11644     0..... 209898us!: kvm_unmap_hva_range: ${RANGE}\n`,
  `es:        CPU 0/KVM-13259 [000]   924.913888: (+3)    kvm_unmap_hva_range:  ${RANGE}\n`,
  `         python3-13218 [000]924913840650: kvm_unmap_hva_range:  ${RANGE}\n`,
  "         python3-11959   [000] .....   862.727138: <stack trace>\n",
  "         python3-13218 [000]   924.913841: kernel_stack:         <stack trace >\n",
  " => kvm_mmu_notifier_invalidate_range_start+0x1/0x2\n",
  `VM: 12 VCPU:01   CPU 0/KVM 14132/14133 [000] KU  971.101523:    1 kvm:kvm_unmap_hva_range: ${RANGE}\n`,
  "\tffffffff8127ec17 kvm_mmu_notifier_invalidate_range_start+0x337 ([kernel.kallsyms])\n",
  "       fc_vcpu 1 32477 [001]  2059.023076: PERF_RECORD_LOST lost 698\n",
  "         python3-11437   [000] .....   809.429738: sys_madvise(start: 7f8b52588000, len_in: 2000, behavior: 4)\n",
  "         python3 11437 [000]   809.429738: syscalls:sys_exit_madvise: 0xfffffffffffffff4\n"
)

const part = fc.oneof(
  known,
  fc.tuple(known, fc.nat(), fc.nat()).map(([line, a, b]) => line.slice(a % line.length) + line.slice(b % line.length)),
  fc.string({ unit: "binary", maxLength: 60 }).map((text) => `${text}\n`),
  fc.uint8Array({ maxLength: 60 })
)

const content = fc.array(part, { maxLength: 30 }).map((parts) =>
  Buffer.concat(parts.map((one) => typeof one === "string" ? Buffer.from(one, "latin1") : Buffer.from(one)))
)

describe.each(FORMATS.map((format) => [format.name, format] as const))("the reader of %s", (_name, format) => {
  it("counts every line once, and tells no cause that is later than its event", () => {
    fc.assert(
      fc.property(content, (bytes) => {
        const { census, events } = load(format, bytes)
        const text = bytes.toString("latin1")
        assert.strictEqual(census.lines, text.split("\n").length - (text === "" || text.endsWith("\n") ? 1 : 0))
        assert.strictEqual(accounted(census), census.lines)
        assert.isAtMost(census.continuations, census.comments)
        assert.strictEqual(census.produced, events.length)
        events.forEach((event, i) => {
          assert.isTrue(event.t >= 0 && Number.isSafeInteger(event.t))
          assert.isTrue(event.cause === undefined || event.cause <= i)
          assert.isTrue(event.corr === undefined || event.corr <= i + 1)
        })
      }),
      RUNS
    )
  })

  it("gives the same events however the file is divided", () => {
    fc.assert(
      fc.property(content, fc.nat(), fc.nat(), (bytes, a, b) => {
        const [first, second] = [a, b].map((n) => n % (bytes.length + 1)).sort((x, y) => x - y) as [number, number]
        const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
        assert.deepStrictEqual(load(format, ...pieces), load(format, bytes))
      }),
      RUNS
    )
  })
})

/** Any name that the kernel lets a task have, and then some: at most 15 bytes, none of them a NUL or the end of a line. */
const comm = fc.oneof(
  fc.uint8Array({ maxLength: 15 }),
  fc.array(
    fc.constantFrom("-1", " ", "1", "[000]", " 1.000000:", ": ", "x", "VM:1 ", "CPU:0", "\t", "#", "=> ", "(", "7us"),
    {
      maxLength: 6
    }
  ).map((pieces) => Uint8Array.from(Buffer.from(pieces.join("")).subarray(0, 15)))
).map((bytes) => bytes.map((c) => c === 0 || c === 10 || c === 13 ? 46 : c))

const padded = (name: Uint8Array): Buffer => Buffer.concat([Buffer.alloc(16 - name.length, 32), Buffer.from(name)])

/** Anything that a program may write to trace_marker, in one line. */
const payload = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.constantFrom(
    ` evil-6 [000] ..... 9.000009: inv_start: start=0x1 end=0x2`,
    `            evil-6       [000] .....     9.000009: inv_start: start=0x1 end=0x2`,
    `es:             evil-6     [000]     9.000009: inv_start:  start=0x1 end=0x2`,
    `            evil 6 [000]     9.000009: gpc:inv_start: start=0x1 end=0x2`,
    "CPU:0 [LOST 1 EVENTS]",
    "<stack trace>",
    "start=0x1 end=0x2",
    "-1 [000] 3: "
  )
).map((text) => text.replaceAll(/[\0\n\r]/g, "."))

const lines: ReadonlyArray<readonly [name: string, format: Format, before: string, between: string, after: string]> = [
  ["ftrace", ftrace, "# tracer: nop\n", "-77      [001] ....", ".     9.059515: tracing_mark_write: "],
  [
    "ftrace with a counting clock",
    ftrace,
    "# tracer: nop\n",
    "-77      [001] .....   ",
    "        12: tracing_mark_write: "
  ],
  ["trace-cmd report", traceCmd, "cpus=2\n", "-77    [001]     9.", "059515: tracing_mark_write:   "],
  ["trace-cmd report --raw-ts", traceCmd, "cpus=2\n", "-77    [001]90", "59515123: tracing_mark_write:   "],
  ["perf script", perfScript, "# captured on    : now\n", "    77 [001]     9.0", "59515: ftrace:tracing_mark_write: "]
]

describe("what a task calls itself and what it writes", () => {
  it.each(lines)("forges nothing in a text of %s", (_name, format, before, between, after) => {
    fc.assert(
      fc.property(comm, payload, (name, text) => {
        const line = Buffer.concat([
          Buffer.from(before),
          padded(name),
          Buffer.from(between + after + text),
          Buffer.from("\n")
        ])
        const { census, events } = load(format, line)
        assert.deepStrictEqual(census.records, { tracing_mark_write: 1 })
        assert.deepStrictEqual(events.map(({ data }) => data._tag), ["TaskSeen", "Noted"])
        assert.deepInclude(events[0]!.data, { pid: 77 })
        assert.deepInclude(events[1]!.data, { text: Buffer.from(text.replace(/^ +/, "")).toString() })
      }),
      { numRuns: 300 }
    )
  })
})
