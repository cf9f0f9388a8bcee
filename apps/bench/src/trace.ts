/**
 * Measures the reading of a trace: from a file to events, on one core, against a bare loop over the same file's lines in
 * the same process; and the memory it takes as the file grows.
 *
 * The text is the bundled capture of Linux 6.12, over and over, each copy later than the one before. The bare loop reads
 * the same file through the same stream and makes a string of each line: less no reader of lines can do. What it costs
 * to find the line ends alone is shown beside it.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { importTrace } from "@pfnscope/trace"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"

const CAPTURE = fileURLToPath(new URL("../../../packages/trace/captures/A1-6.12.trace.gz", import.meta.url))

/** Rounds after a first one that warms up. */
const ROUNDS = 5
const MEASURED_LINES = 1_000_000
const SIZES = [100_000, 1_000_000, 10_000_000]
const PIECE = 262_144

const TIME = / (\d+)\.(\d{6}): /

/** The capture's records, a second later with each copy. */
const copies = (lines: ReadonlyArray<string>, count: number) =>
  Stream.range(0, Math.ceil(count / lines.length) - 1).pipe(
    Stream.map((copy) => {
      const part = lines.slice(0, Math.min(lines.length, count - copy * lines.length))
      const later = part.map((line) => line.replace(TIME, (_, s: string, us: string) => ` ${Number(s) + copy}.${us}: `))
      return new TextEncoder().encode(`${later.join("\n")}\n`)
    })
  )

const write = Effect.fnUntraced(function*(path: string, count: number) {
  const fs = yield* FileSystem.FileSystem
  const text = gunzipSync(yield* fs.readFile(CAPTURE)).toString()
  const all = text.trimEnd().split("\n")
  const header = all.filter((line) => line.startsWith("#") && !line.includes("entries"))
  const records = all.filter((line) => !line.startsWith("#"))
  const head = Stream.make(new TextEncoder().encode(`${header.join("\n")}\n`))
  yield* Stream.run(Stream.concat(head, copies(records, count - header.length)), fs.sink(path))
})

const perSecond = Effect.fnUntraced(function*<E, R>(work: Effect.Effect<number, E, R>) {
  const from = performance.now()
  const done = yield* work
  return done / (performance.now() - from) * 1000
})

const pieces = (path: string) =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) => fs.stream(path, { chunkSize: PIECE })))

/** From the file to events. */
const toEvents = Effect.fnUntraced(function*(path: string) {
  const trace = yield* importTrace(path)
  yield* Stream.runDrain(trace.events)
  return (yield* trace.census).lines
})

/** From the file to strings, one a line. */
const toLines = (path: string) =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let rest = ""
    let lines = 0
    return Stream.runForEach(pieces(path), (piece) =>
      Effect.sync(() => {
        const found = (rest + decoder.decode(piece, { stream: true })).split("\n")
        rest = found.pop()!
        for (const line of found) if (line.length > 0) lines++
      })).pipe(Effect.map(() => lines))
  })

/** From the file to where its lines end. */
const toLineEnds = (path: string) =>
  Effect.suspend(() => {
    let lines = 0
    return Stream.runForEach(pieces(path), (piece) =>
      Effect.sync(() => {
        for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines++
      })).pipe(Effect.map(() => lines))
  })

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const mega = (n: number) => `${(n / 1e6).toFixed(2).padStart(6)} M lines/s`

const verdict = (name: string, value: number, wanted: number, text: string): string =>
  `  ${name.padEnd(52)} ${text}   wanted ${wanted}   ${value >= wanted ? "ok" : "falls short"}`

/**
 * Says the most memory that this process held while it read the file, in bytes. (What getrusage says begins with what
 * the parent held.)
 */
const sayMemory = Effect.fnUntraced(function*(path: string) {
  yield* toEvents(path)
  const fs = yield* FileSystem.FileSystem
  const status = yield* fs.readFileString("/proc/self/status")
  yield* Console.log(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024)
})

/** The most memory that a process of its own holds while it reads the file, bytes. */
const memoryOf = (path: string): number => {
  const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), path], { encoding: "utf8" })
  if (status !== 0) throw new Error(`${path}: the reading process ended with ${status}`)
  return Number(stdout)
}

const main = Effect.scoped(Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-trace-" })
  const path = `${folder}/trace.txt`
  yield* write(path, MEASURED_LINES)
  const rates = { events: new Array<number>(), lines: new Array<number>(), ends: new Array<number>() }
  for (let round = 0; round <= ROUNDS; round++) {
    const events = yield* perSecond(toEvents(path))
    const lines = yield* perSecond(toLines(path))
    const ends = yield* perSecond(toLineEnds(path))
    if (round === 0) continue
    rates.events.push(events)
    rates.lines.push(lines)
    rates.ends.push(ends)
  }
  yield* Console.log(
    `Node ${process.versions.node}, ${MEASURED_LINES} lines of ftrace text, median of ${ROUNDS} rounds`
  )
  yield* Console.log(`  from disk to events                                  ${mega(median(rates.events))}`)
  yield* Console.log(`  a bare loop: each line a string                      ${mega(median(rates.lines))}`)
  yield* Console.log(`  line ends found, nothing made of them                ${mega(median(rates.ends))}`)
  const rate = median(rates.events)
  const ratio = rate / median(rates.lines)
  yield* Console.log(verdict("lines/s", rate, 1_000_000, mega(rate).trim()))
  yield* Console.log(verdict("events / bare loop", ratio, 0.4, ratio.toFixed(2)))
  for (const size of SIZES) {
    yield* write(path, size)
    const bytes = memoryOf(path)
    yield* Console.log(
      `  memory with ${String(size).padStart(8)} lines ${" ".repeat(25)}${(bytes / 1e6).toFixed(0).padStart(6)} MB`
    )
  }
}))

const [path] = process.argv.slice(2)
await Effect.runPromise(Effect.provide(path === undefined ? main : sayMemory(path), NodeFileSystem.layer))
