import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"
import { ftrace } from "./formats/ftrace.ts"
import { importBytes, importTrace } from "./import.ts"
import type { Census } from "./reading/census.ts"
import { makeReader } from "./reading/reader.ts"
import { bytesOf } from "./reading/text.ts"

const HEADER = "# tracer: nop\n#\n"

const record = (time: string, event: string, pid = 234) =>
  `        gpcstorm-${String(pid).padEnd(7)} [001] ..... ${time.padStart(12)}: ${event}\n`

const KEEP = "gpc_keep: (f+0x1/0x2 [kvm]) gpc=0xffffc900001b2670 uhva=0x7e0002000000 pfn=0x10435e"

const load = Effect.fnUntraced(function*(...pieces: ReadonlyArray<string | Uint8Array>) {
  const bytes = pieces.map((piece) => typeof piece === "string" ? bytesOf(piece) : piece)
  const trace = importBytes("t", Stream.fromArray(bytes))
  const events = yield* Stream.runCollect(trace.events)
  return { events, census: yield* trace.census }
})

const refusal = (...pieces: ReadonlyArray<string | Uint8Array>) => Effect.flip(load(...pieces))

const tags = (events: ReadonlyArray<NewEvent<Event>>) => events.map(({ data }) => data._tag)

/** Every line is in exactly one class. */
const accounted = (census: Census) =>
  census.parsed + census.markers + census.comments + census.rejected.reduce((sum, { count }) => sum + count, 0)

const named = (name: string) => record("1.000000", KEEP).replace("        gpcstorm", name.padStart(16))

describe("importing a trace", () => {
  it.effect("counts every line and gives every event its file and line", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(
        HEADER,
        record("1.000000", KEEP),
        "CPU:1 [LOST 870 EVENTS]\n",
        "what is this\n\n",
        record("1.000001", "kvm_pvclock_update: vcpu_id 0"),
        " => some_frame\n"
      )
      assert.deepStrictEqual(
        [census.lines, census.parsed, census.markers, census.comments, accounted(census)],
        [8, 2, 1, 4, 8]
      )
      assert.deepStrictEqual(census.rejected, [{ reason: "no task, cpu and time", count: 1, lines: [5] }])
      assert.deepStrictEqual(census.unmapped, [{ event: "kvm_pvclock_update", count: 1, lines: [7] }])
      assert.deepStrictEqual(census.lost, [{ cpu: 1, count: 870, line: 4 }])
      assert.deepStrictEqual(census.records, { gpc_keep: 1, kvm_pvclock_update: 1 })
      assert.strictEqual(census.produced, events.length)
      assert.deepStrictEqual(tags(events), ["TaskSeen", "GpcSeen", "Translated", "MappingKept", "EventsLost"])
      assert.deepStrictEqual(events[3]!.src, { file: "t", line: 3 })
      assert.strictEqual(events[3]!.t, 1_000_000_000)
    }))

  it.effect("keeps the numbers of the first three lines that it refuses", () =>
    Effect.gen(function*() {
      const { census } = yield* load(HEADER, record("1.000000", KEEP), "x\n".repeat(5))
      assert.deepStrictEqual(census.rejected, [{ reason: "no task, cpu and time", count: 5, lines: [4, 5, 6] }])
    }))

  it.effect("tells what was overwritten before the first record", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(
        "# tracer: nop\n# entries-in-buffer/entries-written: 217/9001   #P:2\n##### CPU 1 buffer started ####\n",
        record("1.000000", KEEP)
      )
      assert.deepStrictEqual(census.lost, [{ cpu: -1, count: 8784, line: 2 }, { cpu: 1, count: -1, line: 3 }])
      assert.deepStrictEqual(tags(events).slice(0, 2), ["EventsLost", "EventsLost"])
    }))

  it.effect("reads lines that end in CR LF", () =>
    Effect.gen(function*() {
      const { census } = yield* load((HEADER + record("1.000000", KEEP)).replaceAll("\n", "\r\n"))
      assert.deepStrictEqual([census.parsed, census.comments, census.rejected], [1, 2, []])
    }))

  it.effect("refuses a last line that is cut off: a short number looks like any other", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(HEADER, record("1.000000", KEEP), record("1.000001", KEEP).slice(0, -4))
      assert.deepStrictEqual(census.rejected, [{ reason: "cut off: the text ends in it", count: 1, lines: [4] }])
      assert.strictEqual(accounted(census), census.lines)
      assert.strictEqual(tags(events).filter((tag) => tag === "MappingKept").length, 1)
    }))

  it.effect("refuses a line with a NUL, and reads the others", () =>
    Effect.gen(function*() {
      const { census } = yield* load(
        HEADER,
        record("1.000000", KEEP),
        record("1.0000\0", KEEP),
        record("1.000002", KEEP)
      )
      assert.deepStrictEqual([census.parsed, census.rejected], [2, [{ reason: "a NUL byte", count: 1, lines: [4] }]])
    }))

  it.effect("tells where the clock went back, and by how much", () =>
    Effect.gen(function*() {
      const { events } = yield* load(HEADER, record("2.000000", KEEP), record("1.500000", KEEP))
      const step = events.find(({ data }) => data._tag === "ClockStepped")
      assert.deepInclude(step!.data, { back: 500_000_000 })
      assert.strictEqual(step!.t, 1_500_000_000)
    }))

  it.effect("keeps every nanosecond of an uptime of years", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(
        HEADER,
        record("98765432.123456789", KEEP),
        record("98765432.123456790", KEEP)
      )
      const kept = events.filter(({ data }) => data._tag === "MappingKept")
      assert.strictEqual(kept[1]!.t - kept[0]!.t, 1)
      assert.strictEqual(BigInt(kept[0]!.t) + BigInt(census.origin) * 1_000_000_000n, 98765432_123456789n)
      assert.isTrue(Number.isSafeInteger(kept[0]!.t))
    }))

  it.effect("takes whole times as ticks where ftrace's header stands, and refuses them elsewhere", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(HEADER, record("3", KEEP), record("4", KEEP))
      assert.deepStrictEqual([census.clock, census.parsed], ["ticks", 2])
      assert.deepStrictEqual(events.filter(({ data }) => data._tag === "MappingKept").map(({ t }) => t), [3, 4])
      const mixed = yield* load(HEADER, record("3.000000", KEEP), record("4", KEEP))
      assert.deepStrictEqual([mixed.census.clock, mixed.census.parsed], ["time", 1])
    }))

  it.effect("announces a task again when it changes its name, but not when the tracer forgets it", () =>
    Effect.gen(function*() {
      const { events } = yield* load(HEADER, named("one"), named("<...>"), named("two"), named("two"))
      const seen = events.flatMap(({ data }) => data._tag === "TaskSeen" ? [[data.thread, data.comm, data.pid]] : [])
      assert.deepStrictEqual(seen, [[0, "one", 234], [0, "two", 234]])
    }))

  it.effect("reads what gzip compressed, and takes the hash of the file as it is", () =>
    Effect.gen(function*() {
      const file = gzipSync(HEADER + record("1.000000", KEEP))
      const { census } = yield* load(file.subarray(0, 1), file.subarray(1, 30), file.subarray(30))
      assert.strictEqual(census.parsed, 1)
      assert.strictEqual(census.bytes, file.length)
      assert.strictEqual(census.sha256, createHash("sha256").update(file).digest("hex"))
    }))
})

describe("a file that is no ftrace text", () => {
  const dat = Uint8Array.of(0x17, 0x08, 0x44, ...bytesOf("tracing6\0"))

  it.each<readonly [string, Uint8Array | string, string, RegExp]>([
    ["an empty file", "", "empty", /the text of a kernel trace \(ftrace/],
    ["a trace.dat", dat, "binary", /trace-cmd report -t -R t$/],
    ["a trace.dat that gzip compressed", gzipSync(dat), "binary", /trace-cmd report/],
    ["a perf.data", "PERFILE2\0\0", "binary", /perf script --ns -i t$/],
    ["a log of this project", Uint8Array.of(0x89, ...bytesOf("JRNL\r\n\x1a")), "binary", /pfnscope log/],
    ["a Chrome trace", "{\"traceEvents\": [{\"ph\": \"X\", \"ts\": 1}]}\n", "unsupported", /a Chrome trace/],
    ["a list of Chrome events", "[\n{\"name\": \"x\", \"ph\": \"B\", \"ts\": 1}]\n", "unsupported", /a Chrome trace/],
    [
      "a Perfetto trace",
      Uint8Array.of(0x0a, 4, 0x50, 1, 0x40, 2, 0x0a, 2, 0x50, 1),
      "binary",
      /a Perfetto trace; expected its text: traceconv systrace t$/
    ],
    ["a text that begins with an empty line", "\nCC\nDD\n", "unrecognised", /of its 3 lines/],
    ["another binary file", Uint8Array.of(1, 2, 0, 3), "binary", /NUL/],
    ["any other text", "dear all,\nplease find attached\n", "unrecognised", /of its 2 lines were read as ftrace 0 %/],
    ["a header without records", HEADER, "empty", /a record of ftrace/],
    [
      "records without a context",
      `${HEADER}kvm_unmap_hva_range: mmu notifier unmap range\n`,
      "unrecognised",
      /no task, cpu and time/
    ]
  ])(
    "is refused in one line that says what to do: %s",
    (_name, content, problem, advice) =>
      Effect.runPromise(Effect.gen(function*() {
        const error = yield* refusal(content)
        assert.strictEqual(error.problem, problem as typeof error.problem)
        assert.match(error.message, advice)
        assert.match(error.message, /^t(: byte \d+|:\d+): /)
        assert.notInclude(error.message, "\n")
      }))
  )

  it.effect("is refused where gzip's end is missing", () =>
    Effect.gen(function*() {
      const error = yield* refusal(gzipSync(HEADER + record("1.000000", KEEP)).subarray(0, -8))
      assert.deepInclude(error, { problem: "damaged", file: "t" })
    }))

  it.effect("is refused where it cannot be opened", () =>
    Effect.gen(function*() {
      const trace = yield* importTrace("/no/such/file")
      const error = yield* Effect.flip(Stream.runDrain(trace.events))
      assert.deepInclude(error, { problem: "unreadable", file: "/no/such/file" })
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})

const readAll = (pieces: ReadonlyArray<Uint8Array>) => {
  const reader = makeReader("t", ftrace)
  const events = pieces.flatMap((piece) => [...reader.push(piece)])
  events.push(...reader.end())
  return { events, census: reader.census() }
}

describe("whatever a text holds", () => {
  const part = fc.oneof(
    fc.constantFrom(
      record("1.000000", KEEP),
      record("2.5", KEEP),
      record("3.000000", "inv_start: (f) mn=0x1 start=0x1000 end=0x2000 flags=1 event=1 active=0 seq=0"),
      record("3.000001", "inv_inc: (f) kvm=0x1 active=1 start=0x1000 end=0x2000"),
      record("3.000002", "inv_end: (f) mn=0x1 start=0x1000 end=0x2000"),
      record("3.000003", "inv_dec: (f) active=0"),
      record("3.000003", "inv_end_ret: (f)"),
      record("3.000004", "gpc_snap: (f) gpc=0x5 uhva=0x1000 snap=0 active=0"),
      record("3.000004", "refresh: (f) gpc=0x5 gpa=0x1000"),
      record("3.000005", "refresh_ret: (f) ret=-14"),
      record("3.000006", "sys_madvise(start: 1000, len_in: 1000, behavior: 4)"),
      record("3.000007", "sys_madvise -> 0x0"),
      "CPU:0 [LOST EVENTS]\n",
      HEADER,
      "\r\n"
    ),
    fc.string({ unit: "binary" }).map((text) => `${text}\n`),
    fc.uint8Array({ maxLength: 80 })
  )

  const content = fc.array(part, { maxLength: 30 }).map((parts) =>
    Buffer.concat(parts.map((one) => typeof one === "string" ? Buffer.from(one) : Buffer.from(one)))
  )

  it("no line is lost from the census, and no cause or operation is later than its event", () => {
    fc.assert(fc.property(content, (bytes) => {
      const { census, events } = readAll([bytes])
      const text = bytes.toString("latin1")
      assert.strictEqual(census.lines, text.split("\n").length - (text === "" || text.endsWith("\n") ? 1 : 0))
      assert.strictEqual(accounted(census), census.lines)
      assert.strictEqual(Object.values(census.records).reduce((sum, n) => sum + n, 0), census.parsed)
      assert.strictEqual(census.produced, events.length)
      events.forEach((event, i) => {
        assert.isTrue(event.t >= 0 && Number.isSafeInteger(event.t))
        assert.isTrue(event.cause === undefined || event.cause <= i)
        assert.isTrue(event.corr === undefined || event.corr <= i + 1)
      })
    }))
  })

  it("the events are the same however the file is divided", () => {
    fc.assert(fc.property(content, fc.nat(), fc.nat(), (bytes, a, b) => {
      const [first, second] = [a, b].map((n) => n % (bytes.length + 1)).sort((x, y) => x - y) as [number, number]
      const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
      assert.deepStrictEqual(readAll(pieces), readAll([bytes]))
    }))
  })

  it.effect("importing it gives events or one TraceError", () =>
    Effect.promise(() =>
      fc.assert(fc.asyncProperty(content, (bytes) =>
        Effect.runPromise(
          load(bytes).pipe(
            Effect.map(({ census }) => assert.strictEqual(accounted(census), census.lines)),
            Effect.catchTag("TraceError", () => Effect.void)
          )
        )))
    ))
})
