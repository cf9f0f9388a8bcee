/**
 * Importing a trace: from a file or a stream of bytes to a stream of events, and the census when it has ended.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { Counter } from "./census.ts"
import type { Census } from "./census.ts"
import { TraceError } from "./error.ts"
import type { Format } from "./format.ts"
import { makeReader } from "./reader.ts"
import type { Reader } from "./reader.ts"
import { isGzip, sniff, SNIFFED_BYTES } from "./sniff.ts"

/** Bytes that are read at once. */
const PIECE = 262_144

/**
 * A trace being imported. `events` can be run once, in constant memory; `census` says what was read so far, and is
 * whole when `events` has ended.
 *
 * The events are in the order of the text. `cause` and `corr` are positions in this stream, counted from 1: whoever
 * appends it to a log that is not empty adds the log's head to both.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImportedTrace {
  readonly events: Stream.Stream<NewEvent<Event>, TraceError>
  readonly census: Effect.Effect<Census>
}

/**
 * Imports the trace in the file `path`: an ftrace text, or one that gzip compressed.
 *
 * Fails with {@link TraceError}, before the first event or within the stream, where the file cannot be read or is no
 * such text. A line that cannot be read is no failure: the census counts it.
 *
 * @category importing
 * @since 0.1.0
 */
export const importTrace = Effect.fn("trace.importTrace")(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const bytes = fs.stream(path, { chunkSize: PIECE }).pipe(
    Stream.mapError((error) =>
      new TraceError({ file: path, problem: "unreadable", expected: `a file: ${oneLine(error.message)}` })
    )
  )
  return importBytes(path, bytes)
})

/**
 * Imports a trace from a stream of bytes, such as stdin; `file` is its name in the events' sources.
 *
 * @category importing
 * @since 0.1.0
 */
export const importBytes = (file: string, bytes: Stream.Stream<Uint8Array, TraceError>): ImportedTrace => {
  const counter = new Counter()
  let reader: Reader | undefined
  const open = (format: Format): Reader => {
    reader = makeReader(file, format, counter)
    return reader
  }
  return {
    events: measured(bytes, counter).pipe(
      decompressed(file),
      readBy(file, open)
    ),
    census: Effect.sync(() => reader === undefined ? counter.take(file, [], []) : reader.census())
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ")

/** Counts the bytes as they were given, and takes their hash. */
const measured = (bytes: Stream.Stream<Uint8Array, TraceError>, counter: Counter) =>
  Stream.suspend(() => {
    const hash = createHash("sha256")
    return bytes.pipe(
      Stream.map((piece) => {
        counter.bytes += piece.length
        hash.update(piece)
        return piece
      }),
      Stream.onEnd(Effect.sync(() => {
        counter.sha256 = hash.digest("hex")
      }))
    )
  })

/** Decompresses what begins as a gzip file does. */
const decompressed = (file: string) => (bytes: Stream.Stream<Uint8Array, TraceError>) =>
  Stream.unwrap(Effect.gen(function*() {
    const pull = yield* Stream.toPull(bytes)
    const head: Array<Uint8Array> = []
    let more = true
    while (more && lengthOf(head) < GZIP_MAGIC_BYTES) {
      more = yield* pull.pipe(
        Effect.map((pieces) => head.push(...pieces) > 0),
        Pull.catchDone(() => Effect.succeed(false))
      )
    }
    const rest = more ? Stream.fromPull(Effect.succeed(pull)) : Stream.empty
    const all = Stream.concat(Stream.fromArray(head), rest)
    return isGzip(join(head)) ? yield* gunzip(file, all) : all
  }))

const GZIP_MAGIC_BYTES = 2

const lengthOf = (pieces: ReadonlyArray<Uint8Array>): number => pieces.reduce((sum, piece) => sum + piece.length, 0)

const join = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (pieces.length === 1) return pieces[0]!
  const joined = new Uint8Array(lengthOf(pieces))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

const gunzip = Effect.fnUntraced(function*(file: string, bytes: Stream.Stream<Uint8Array, TraceError>) {
  const compressed = yield* Stream.toReadableStreamEffect(bytes)
  const inflater = new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>
  return Stream.fromReadableStream({
    evaluate: () => compressed.pipeThrough(inflater),
    onError: (error) =>
      error instanceof TraceError
        ? error
        : new TraceError({ file, problem: "damaged", expected: `a whole gzip file: ${inflateProblem(error)}` })
  })
})

/** What zlib says stands in the cause of a TypeError. */
const inflateProblem = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause ?? error : error
  return oneLine(cause instanceof Error ? cause.message : String(cause))
}

/** Stands for the end of the bytes. */
const END = undefined

/** Looks at the first bytes, then reads them and all that follow in the format they are in. */
const readBy = (file: string, open: (format: Format) => Reader) => (bytes: Stream.Stream<Uint8Array, TraceError>) => {
  const sniffed: Array<Uint8Array> = []
  let reader: Reader | undefined

  const step = (piece: Uint8Array | undefined): Effect.Effect<ReadonlyArray<NewEvent<Event>>, TraceError> => {
    if (reader !== undefined) return piece === END ? finish(file, reader) : Effect.succeed(reader.push(piece))
    if (piece !== END) sniffed.push(piece)
    if (piece !== END && lengthOf(sniffed) < SNIFFED_BYTES) return Effect.succeed([])
    const first = join(sniffed)
    const whole = piece === END && first.length <= SNIFFED_BYTES
    const found = sniff(file, first.subarray(0, SNIFFED_BYTES), whole)
    if ("problem" in found) return Effect.fail(new TraceError({ file, ...found }))
    reader = open(found)
    const events = reader.push(first)
    return piece === END ? Effect.map(finish(file, reader), (last) => [...events, ...last]) : Effect.succeed(events)
  }

  return Stream.concat(bytes, Stream.make(END)).pipe(
    Stream.mapEffect(step),
    Stream.filter((events): events is readonly [NewEvent<Event>, ...Array<NewEvent<Event>>] => events.length > 0),
    Stream.flattenArray
  )
}

/** The bytes are at their end: they should have held a record. */
const finish = (file: string, reader: Reader): Effect.Effect<ReadonlyArray<NewEvent<Event>>, TraceError> => {
  const last = reader.end()
  const census = reader.census()
  if (census.parsed > 0 || census.markers > 0) return Effect.succeed(last)
  return Effect.fail(new TraceError({ file, ...nothingIn(census) }))
}

const nothingIn = (census: Census) => {
  const worst = census.rejected.toSorted((a, b) => b.count - a.count)[0]
  const why = worst === undefined ? "" : `; ${worst.count} of ${census.lines} lines have ${worst.reason}`
  return {
    problem: "unrecognised" as const,
    line: worst?.lines[0] ?? 1,
    expected: `a record of ${census.format}${why}`
  }
}
