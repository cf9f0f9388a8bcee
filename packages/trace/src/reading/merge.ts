/**
 * Several traces imported as one: their records in the order of their times.
 *
 * Each file is read ahead by a piece; the next record is the oldest of those that stand first. Records of one file are
 * never reordered, not even where its clock goes back. What follows a record in its file (the frames of its call chain, a
 * loss) stays behind it.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { TraceError } from "../error.ts"
import { isTimed, makeAhead } from "../formats/ahead.ts"
import type { Ahead } from "../formats/ahead.ts"
import { emptyLine } from "../formats/format.ts"
import type { TraceLine } from "../formats/format.ts"
import type { ImportOptions } from "../import.ts"
import { bytesOfFile, textOf } from "./bytes.ts"
import { Counter } from "./census.ts"
import type { Census } from "./census.ts"
import { expectRecords, mapsOf, recognised } from "./recognised.ts"
import { makeRecorder } from "./recorder.ts"
import type { Recorder } from "./recorder.ts"

/** A file of several that are imported as one. @category models @since 0.1.0 */
export interface TraceFile {
  readonly path: string
  /** Nanoseconds that are added to its times. */
  readonly offset?: number | undefined
  /** The machine it was recorded on: tasks, caches and VMs of different machines are kept apart, whatever their numbers. */
  readonly host?: string | undefined
}

/**
 * Several traces being imported as one; see {@link ImportedTrace}. Each event has the file and the line that it comes from.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImportedTraces {
  readonly events: Stream.Stream<NewEvent<Event>, TraceError>
  readonly censuses: Effect.Effect<ReadonlyArray<Census>>
}

/** A file that is being read. */
interface Open {
  readonly ahead: Ahead
  /** Reads a piece more, or its end. */
  readonly more: Effect.Effect<void, TraceError>
}

/**
 * Imports the traces in `files` as one, in the order of their times. Fails as {@link importTrace} does, and where one has
 * times and another only counts.
 *
 * @category importing
 * @since 0.1.0
 */
export const importTraces = Effect.fn("trace.importTraces")(function*(
  files: ReadonlyArray<TraceFile>,
  options: Pick<ImportOptions, "mail" | "maps" | "progress"> = {}
) {
  const opened = yield* Effect.forEach(files, ({ path }) => bytesOfFile(path))
  const size = opened.reduce((sum, one) => sum + one.size, 0)
  const counters = files.map(() => new Counter())
  const line = emptyLine()
  let recorder: Recorder | undefined

  const open = Effect.fnUntraced(function*(file: TraceFile, i: number) {
    const counter = counters[i]!
    const text = textOf(file.path, opened[i]!.bytes, [...counters.filter((other) => other !== counter), counter], {
      progress: options.progress,
      size
    })
    const { first, found, rest } = yield* recognised(file.path, text, options.mail)
    const source = { file: file.path, machine: file.host ?? "", bareHex: found.bareHex, counter }
    const ahead = makeAhead(source, found.format, file.offset ?? 0)
    const pull = yield* Stream.toPull(rest)
    ahead.push(first)
    const more = pull.pipe(
      Effect.map((pieces) => pieces.forEach(ahead.push)),
      Pull.catchDone(() => Effect.sync(() => ahead.push(undefined)))
    )
    return { ahead, more }
  })

  const events = Stream.unwrap(Effect.gen(function*() {
    const maps = yield* mapsOf(files[0]?.path ?? "", options.maps)
    const reads = yield* Effect.forEach(files, open)
    const own = makeRecorder(line, maps)
    recorder = own
    yield* fill(reads)
    yield* sameClock(reads)
    return Stream.paginate(undefined, () => Effect.map(fill(reads), () => takeReady(reads, line, own)))
  }))

  const censuses = Effect.sync(() => files.map(({ path }, i) => counters[i]!.take(path, recorder?.names ?? [])))
  const expectAll = Effect.flatMap(
    censuses,
    (all) => Effect.forEach(all, (census) => expectRecords(census.file, census), { discard: true })
  )
  const imported: ImportedTraces = { events: Stream.concat(events, Stream.fromEffectDrain(expectAll)), censuses }
  return imported
})

/** Times and counts have no order between them. */
const sameClock = (reads: ReadonlyArray<Open>): Effect.Effect<void, TraceError> => {
  const odd = reads.find(({ ahead }) => ahead.clock() === "ticks")
  if (odd === undefined || reads.every(({ ahead }) => ahead.clock() !== "time")) return Effect.void
  const expected = "times, as the other files have: this one only counts (the clock counter, uptime or x86-tsc)"
  return Effect.fail(new TraceError({ file: odd.ahead.source.file, problem: "unsupported", expected }))
}

/** Reads on until a line of every file waits, unless the file has ended. */
const fill = (reads: ReadonlyArray<Open>): Effect.Effect<void, TraceError> =>
  Effect.forEach(reads, ({ ahead, more }) =>
    Effect.whileLoop({
      while: () => ahead.first() === undefined && !ahead.ended(),
      body: () => more,
      step: () => {}
    }), { discard: true })

type Batch = readonly [events: ReadonlyArray<NewEvent<Event>>, next: Option.Option<undefined>]

/** Takes lines until one file has none waiting, or all are at their end. */
const takeReady = (reads: ReadonlyArray<Open>, line: TraceLine, recorder: Recorder): Batch => {
  while (reads.every(({ ahead }) => ahead.first() !== undefined || ahead.ended())) {
    const next = oldest(reads)
    if (next === undefined) {
      recorder.end()
      return [recorder.drain(), Option.none()]
    }
    const { line: copy, reading } = next.first()!
    Object.assign(line, copy)
    recorder.take(reading, next.source)
    next.shift()
  }
  return [recorder.drain(), Option.some(undefined)]
}

/** The file whose turn it is: one with a line that belongs to the record before, or the one with the oldest record. */
const oldest = (reads: ReadonlyArray<Open>): Ahead | undefined => {
  let best: Ahead | undefined
  for (const { ahead } of reads) {
    const first = ahead.first()
    if (first === undefined) continue
    if (!isTimed(first.reading)) return ahead
    if (best === undefined || isBefore(first.line, best.first()!.line)) best = ahead
  }
  return best
}

const isBefore = (a: TraceLine, b: TraceLine): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.nanos < b.nanos)
