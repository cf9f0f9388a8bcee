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
import { emptyLog, headOf } from "./log.ts"
import { damageIn, openFile } from "./open.ts"
import { decodersOf } from "./reader.ts"
import { type EventFault, longestPrefix } from "./scan.ts"
import { fileStore } from "./store.ts"

/**
 * What is in a log, up to `head`, and what is wrong after it: `damage` with the byte of the batch and the position of
 * the event where it begins, or a tail of `bytes` from `byte` on that a crash tore and opening would cut off.
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
}

/**
 * Reads the file at `path` in bounded memory and checks lengths, CRCs, positions, revisions, the hash chain and the
 * framing of every event; with a codec, every event is decoded too.
 *
 * Fails when there is no journal to check; what is wrong in one is in the report.
 *
 * @category constructors
 * @since 0.1.0
 */
export const verify = Effect.fn("journal.verify")(
  function*<E>(path: string, codec?: Codec<E>): Effect.fn.Return<Report, OpenError, FileSystem> {
    const fs = yield* FileSystem
    return yield* check(fs, path, codec).pipe(
      Effect.scoped,
      Effect.catchTag("PlatformError", (error) => Effect.fail(accessFailed(path, "read")(error)))
    )
  }
)

const check = Effect.fnUntraced(function*<E>(fs: FileSystem, path: string, codec: Codec<E> | undefined) {
  const store = fileStore(fs, path, yield* openFile(fs, path, "r"), "never")
  const size = yield* store.size
  const start = yield* readHeader(store, size)
  if (codec !== undefined && start.header.codec !== codec.name) {
    return yield* new CodecMismatch({ path, found: start.header.codec, expected: codec.name })
  }
  const prefix = yield* longestPrefix(store, emptyLog(start), size, (payload, head) => faultIn(payload, head, codec))
  const { log, stop } = prefix
  const damaged = (yield* damageIn(store, prefix, size)) !== null
  const report: Report = {
    header: start.header,
    events: log.seq,
    batches: log.batches,
    head: headOf(log),
    damage: stop !== null && damaged ? { byte: stop.at, seq: stop.seq, reason: stop.reason } : null,
    torn: stop !== null && !damaged ? { byte: stop.at, bytes: size - stop.at } : null
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
