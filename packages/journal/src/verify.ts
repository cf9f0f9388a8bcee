/**
 * Checking a log from its first byte to its last, without changing it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type { Codec } from "./codec.ts"
import type { Head, Header } from "./envelope.ts"
import { accessFailed, CodecMismatch, type OpenError } from "./error.ts"
import { type BatchHead, FrameCursor } from "./frame.ts"
import { readHeader } from "./header.ts"
import { emptyLog, headOf, hex } from "./log.ts"
import { damageIn, openFile } from "./open.ts"
import { decodersOf } from "./reader.ts"
import { type EventFault, longestPrefix } from "./scan.ts"
import { fileStore } from "./store.ts"

/**
 * What is in a log, up to `head`, and what is wrong after it: `damage` with the byte of the batch and the position of
 * the event where it begins, or a tail of `bytes` from `byte` on that a crash tore and opening would cut off.
 *
 * `continues` is the position of the head that was asked for: up to there the log is what it was when its hash was that,
 * however much was appended since. It is `null` when no batch ends with that hash (the log was rewritten, or ends before
 * it), and when none was asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly header: Header
  readonly events: number
  readonly batches: number
  readonly head: Head
  readonly damage: { readonly byte: number; readonly seq: number; readonly reason: string } | null
  readonly torn: { readonly byte: number; readonly bytes: number } | null
  readonly continues: number | null
}

/**
 * Reads the file at `path` in bounded memory and checks lengths, CRCs, positions, revisions, the hash chain and the
 * framing of every event; with a codec, every event is decoded too. `head` is the hash, in hex, of a head that was written
 * down earlier, to be found again.
 *
 * Fails when there is no journal to check; what is wrong in one is in the report.
 *
 * @category constructors
 * @since 0.1.0
 */
export const verify = Effect.fn("journal.verify")(
  function*<E>(
    path: string,
    codec?: Codec<E>,
    options: { readonly head?: string | undefined } = {}
  ): Effect.fn.Return<Report, OpenError, FileSystem> {
    const fs = yield* FileSystem
    return yield* check(fs, path, codec, options.head?.toLowerCase()).pipe(
      Effect.scoped,
      Effect.catchTag("PlatformError", (error) => Effect.fail(accessFailed(path, "read")(error)))
    )
  }
)

const check = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  path: string,
  codec: Codec<E> | undefined,
  wanted: string | undefined
) {
  const store = fileStore(fs, path, yield* openFile(fs, path, "r"), "never")
  const size = yield* store.size
  const start = yield* readHeader(store, size)
  if (codec !== undefined && start.header.codec !== codec.name) {
    return yield* new CodecMismatch({ path, found: start.header.codec, expected: codec.name })
  }
  let continues: number | null = null
  const prefix = yield* longestPrefix(store, emptyLog(start), size, (payload, head) => {
    if (wanted !== undefined && hex(head.previous) === wanted) continues = head.first - 1
    return faultIn(payload, head, codec)
  })
  const { log, stop } = prefix
  if (hex(log.hash) === wanted) continues = log.seq
  const damaged = (yield* damageIn(store, prefix, size)) !== null
  const report: Report = {
    header: start.header,
    events: log.seq,
    batches: log.batches,
    head: headOf(log),
    damage: stop !== null && damaged ? { byte: stop.at, seq: stop.seq, reason: stop.reason } : null,
    torn: stop !== null && !damaged ? { byte: stop.at, bytes: size - stop.at } : null,
    continues
  }
  return report
})

const faultIn = <E>(payload: Uint8Array, head: BatchHead, codec: Codec<E> | undefined): EventFault | null => {
  const cursor = new FrameCursor(payload, head, codec === undefined ? [] : decodersOf(codec, head))
  while (!cursor.done) {
    const { seq } = cursor
    cursor.next(() => true)
    if (cursor.fault !== null) return { seq, reason: cursor.fault }
  }
  return null
}
