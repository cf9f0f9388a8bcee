/**
 * The bytes of a trace: measured as they lie in the file, decompressed where they are compressed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { TraceError } from "../error.ts"
import type { Counter } from "./census.ts"
import { inflate } from "./inflate.ts"
import type { Compression } from "./inflate.ts"
import { makeProgress } from "./progress.ts"
import type { ImportProgress } from "./progress.ts"
import { isGzip, isZstd, MAGIC_BYTES } from "./sniff.ts"

/** Bytes that are read at once. */
const PIECE = 262_144

type Bytes = Stream.Stream<Uint8Array, TraceError>

/** The bytes of the file `path`, and how many it has (0: it does not say). */
export const bytesOfFile = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const size = yield* fs.stat(path).pipe(Effect.map((info) => Number(info.size)), Effect.orElseSucceed(() => 0))
  const bytes: Bytes = fs.stream(path, { chunkSize: PIECE }).pipe(
    Stream.mapError((error) =>
      new TraceError({ file: path, problem: "unreadable", expected: `a file: ${oneLine(error.message)}` })
    )
  )
  return { bytes, size }
})

export const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ")

/** The text in `bytes`. The last of `counters` counts them; all of them are what progress is told of. */
export const textOf = (
  file: string,
  bytes: Bytes,
  counters: ReadonlyArray<Counter>,
  options: {
    readonly progress?: ((progress: ImportProgress) => Effect.Effect<void>) | undefined
    readonly size?: number | undefined
  }
): Bytes => {
  const counter = counters[counters.length - 1]!
  const measuredBytes = measured(bytes, counter)
  const { progress, size = 0 } = options
  const text = decompressed(file, measuredBytes)
  if (progress === undefined) return text
  const report = makeProgress(progress, size)
  return Stream.tap(text, () => report(counters))
}

/** Counts the bytes as they were given, and takes their hash. */
const measured = (bytes: Bytes, counter: Counter): Bytes =>
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

/** Decompresses what begins as a gzip or a zstd file does. */
const decompressed = (file: string, bytes: Bytes): Bytes =>
  Stream.unwrap(Effect.gen(function*() {
    const { first, rest } = yield* headOf(bytes, MAGIC_BYTES)
    const all = Stream.concat(Stream.make(first), rest)
    if (isGzip(first)) return yield* inflated(file, all, "gzip")
    return isZstd(first) ? yield* inflated(file, all, "zstd") : all
  }))

/** The first bytes, `wanted` or more unless there are fewer, and those that follow. */
export const headOf = Effect.fnUntraced(function*(bytes: Bytes, wanted: number) {
  const pull = yield* Stream.toPull(bytes)
  const head: Array<Uint8Array> = []
  let more = true
  while (more && lengthOf(head) < wanted) {
    more = yield* pull.pipe(
      Effect.map((pieces) => head.push(...pieces) > 0),
      Pull.catchDone(() => Effect.succeed(false))
    )
  }
  const rest: Bytes = more ? Stream.fromPull(Effect.succeed(pull)) : Stream.empty
  return { first: join(head), rest, ended: !more }
})

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

const inflated = Effect.fnUntraced(function*(file: string, bytes: Bytes, compression: Compression) {
  const compressed = yield* Stream.toReadableStreamEffect(bytes)
  return Stream.fromAsyncIterable(inflate(compression, compressed), (error) =>
    error instanceof TraceError
      ? error
      : new TraceError({ file, problem: "damaged", expected: `a whole ${compression} file: ${inflateProblem(error)}` }))
})

/** What zlib says, in one line. */
const inflateProblem = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause ?? error : error
  return oneLine(cause instanceof Error ? cause.message : String(cause))
}
