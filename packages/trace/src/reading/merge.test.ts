import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { gzipSync } from "node:zlib"
import { importBytes } from "../import.ts"
import { importTraces } from "./merge.ts"
import type { TraceFile } from "./merge.ts"
import { bytesOf } from "./text.ts"

const HEADER = "# tracer: nop\n"

const record = (time: string, event: string, pid = 234) =>
  `        gpcstorm-${String(pid).padEnd(7)} [001] ..... ${time.padStart(12)}: ${event}\n`

/** Imports texts, each as the file of its number. */
const load = Effect.fnUntraced(function*(
  texts: ReadonlyArray<string | Uint8Array>,
  more: ReadonlyArray<Omit<TraceFile, "path">> = []
) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped()
  const files = texts.map((_, i) => ({ path: `${folder}/${i}.txt`, ...more[i] }))
  yield* Effect.forEach(files, ({ path }, i) => {
    const text = texts[i]!
    return fs.writeFile(path, typeof text === "string" ? bytesOf(text) : text)
  })
  const traces = yield* importTraces(files)
  const events = yield* Stream.runCollect(traces.events)
  const censuses = yield* traces.censuses
  const place = ({ src }: NewEvent<Event>) => `${src!.file.slice(folder.length + 1, -4)}:${src!.line}`
  return { events, censuses, place }
})

const plain = (events: ReadonlyArray<NewEvent<Event>>) => events.map(({ src: _src, ...event }) => event)

const note = (text: string) => `tracing_mark_write: ${text}`

const notes = (events: ReadonlyArray<NewEvent<Event>>) =>
  events.flatMap(({ data }) => data._tag === "Noted" ? [data.text] : [])

const seen = (events: ReadonlyArray<NewEvent<Event>>) =>
  events.flatMap(({ data }) => data._tag === "TaskSeen" ? [data.thread] : [])

const caches = (events: ReadonlyArray<NewEvent<Event>>) =>
  new Set(events.flatMap(({ data }) => data._tag === "MappingKept" ? [data.gpc] : [])).size

describe("several traces", () => {
  it.effect("are one in the order of their times, each event with its file and line", () =>
    Effect.gen(function*() {
      const { censuses, events, place } = yield* load([
        HEADER + record("1.000000", note("a")) + record("3.000000", note("c")),
        HEADER + record("2.000000", note("b")) + record("3.000000", note("d")) + "what is this\n"
      ])
      assert.deepStrictEqual(notes(events), ["a", "b", "c", "d"])
      assert.deepStrictEqual(events.map(place), ["0:2", "0:2", "1:2", "0:3", "1:3"])
      assert.deepStrictEqual(censuses.map(({ lines, parsed, produced }) => [lines, parsed, produced]), [
        [3, 2, 3],
        [4, 2, 2]
      ])
      assert.deepStrictEqual(censuses[1]!.rejected.map(({ lines }) => lines), [[4]])
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("are moved by their offsets first", () =>
    Effect.gen(function*() {
      const { events } = yield* load(
        [HEADER + record("1.000000", note("a")), HEADER + record("0.999999", note("b"))],
        [{}, { offset: 2000 }]
      )
      assert.deepStrictEqual(events.filter(({ data }) => data._tag === "Noted").map(({ t }) => t), [
        1_000_000_000,
        1_000_001_000
      ])
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("of one machine share its tasks, those of others do not, nor caches nor VMs", () =>
    Effect.gen(function*() {
      const keep = "gpc_keep: (f) gpc=0xffffc900001b2670 uhva=0x7e0002000000 pfn=0x10435e"
      const texts = [HEADER + record("1.000000", keep), HEADER + record("2.000000", keep)]
      const shared = yield* load(texts)
      const apart = yield* load(texts, [{}, { host: "guest" }])
      assert.deepStrictEqual(seen(shared.events), [0])
      assert.deepStrictEqual(seen(apart.events), [0, 1])
      assert.deepStrictEqual([caches(shared.events), caches(apart.events)], [1, 2])
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("keep what follows a record behind it", () =>
    Effect.gen(function*() {
      const perf =
        `python3 14315 [000]     1.000000: kvm:kvm_unmap_hva_range: mmu notifier unmap range: 0x1000 -- 0x2000
\tffffffff8127ec17 zap+0x337 ([kernel.kallsyms])

python3 14315 [000]     1.000002: PERF_RECORD_LOST lost 2
python3 14315 [000]     3.000000: kvm:kvm_unmap_hva_range: mmu notifier unmap range: 0x1000 -- 0x2000
`
      const { events } = yield* load([perf, HEADER + record("1.000001", note("a"), 7)])
      const chain = events.find(({ data }) => data._tag === "CallChainSeen")!
      assert.strictEqual(events[chain.cause! - 1]!.data._tag, "CountIncremented")
      assert.deepStrictEqual(
        events.map(({ data }) => data._tag).filter((tag) => /Chain|Noted|Lost/.test(tag)),
        ["CallChainSeen", "EventsLost", "Noted"]
      )
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("are never reordered within a file", () =>
    Effect.gen(function*() {
      const { events } = yield* load([
        HEADER + record("5.000000", note("a")) + record("1.000000", note("b")),
        HEADER + record("2.000000", note("c")) + record("6.000000", note("d"))
      ])
      assert.deepStrictEqual(notes(events), ["c", "a", "b", "d"])
      assert.isTrue(events.some(({ data }) => data._tag === "ClockStepped"))
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("are refused where one only counts, or is none", () =>
    Effect.gen(function*() {
      const timed = HEADER + record("1.000000", note("a"))
      const counts = yield* Effect.flip(load([timed, HEADER + record("3", note("b"))]))
      assert.deepInclude(counts, { problem: "unsupported" })
      const letter = yield* Effect.flip(load([timed, "dear all,\n"]))
      assert.deepInclude(letter, { problem: "unrecognised" })
      const header = yield* Effect.flip(load([timed, HEADER]))
      assert.deepInclude(header, { problem: "empty" })
      const none = yield* Effect.flip(
        importTraces([{ path: "/no/such" }]).pipe(
          Effect.flatMap(({ events }) => Stream.runDrain(events))
        )
      )
      assert.deepInclude(none, { problem: "unreadable", file: "/no/such" })
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("say what one does whose records they share", () =>
    Effect.gen(function*() {
      const MN = "mn=0xffffc900001b2a90"
      const events = [
        "sys_madvise(start: 1000, len_in: 1000, behavior: 4)",
        `inv_start: (f) ${MN} start=0x1000 end=0x2000 event=1`,
        "inv_inc: (f) kvm=0xffffc900001b1000 active=1",
        `inv_end: (f) ${MN} start=0x1000 end=0x2000`,
        "inv_dec: (f) kvm=0xffffc900001b1000 active=0",
        `inv_end_ret: (f) ${MN}`,
        "sys_madvise -> 0x0"
      ]
      const lines = Array.from({ length: 5 }, () => events).flat()
        .map((event, i) => record(`1.${String(i).padStart(6, "0")}`, event))
      const whole = yield* Stream.runCollect(importBytes("t", Stream.make(bytesOf(HEADER + lines.join("")))).events)
      const layer = NodeFileSystem.layer
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fc.nat(2), { minLength: lines.length, maxLength: lines.length }),
            async (where) => {
              const texts = [0, 1, 2].map((file) => HEADER + lines.filter((_, i) => where[i] === file).join(""))
              const parts = texts.filter((text) => text !== HEADER)
              const packed = parts.map((text, i) => i === 0 ? gzipSync(text) : text)
              const merged = await Effect.runPromise(load(packed).pipe(Effect.scoped, Effect.provide(layer)))
              assert.deepStrictEqual(plain(merged.events), plain(whole))
            }
          ),
          { numRuns: 20 }
        )
      )
    }))
})
