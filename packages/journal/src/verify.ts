/**
 * Checking a log from its first byte to its last, without changing it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import type { Codec } from "./codec.ts"
import type { Head, Header } from "./envelope.ts"
import type { Damaged, OpenError } from "./error.ts"
import { type BatchHead, FrameCursor } from "./frame.ts"
import { emptyLog, headOf, hex } from "./log.ts"
import { damaged, decodersOf } from "./reader.ts"
import { type EventFault, isDamage, longestPrefix } from "./scan.ts"
import { openSegments } from "./segments.ts"
import { type Tail, tailOf } from "./tail.ts"

/**
 * What is in a log, up to `head`, and what is wrong after it: `damage` with the file of the segment, the byte in it of the
 * batch and the position of the event where it begins, or a tail of `bytes` from `byte` of a segment on that a crash tore
 * and opening would cut off.
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
  readonly damage: {
    readonly segment: string
    readonly byte: number
    readonly seq: number
    readonly reason: string
  } | null
  readonly torn: Tail | null
  readonly continues: number | null
}

/**
 * `head` is the hash, in hex, of a head that was written down earlier, to be found again. `onProgress` is told again and
 * again how many bytes of how many are read, over all segments.
 *
 * @category models
 * @since 0.1.0
 */
export interface VerifyOptions {
  readonly head?: string | undefined
  readonly onProgress?: ((bytes: number, of: number) => Effect.Effect<void>) | undefined
}

/**
 * Reads the log at `path`, all its segments, in bounded memory and checks lengths, CRCs, positions, revisions, the hash
 * chain and the framing of every event; with a codec, every event is decoded too.
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
    options: VerifyOptions = {}
  ): Effect.fn.Return<Report, OpenError, FileSystem> {
    const fs = yield* FileSystem
    return yield* Effect.scoped(check(fs, path, codec, options))
  }
)

const check = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  path: string,
  codec: Codec<E> | undefined,
  { head, onProgress }: VerifyOptions
): Effect.fn.Return<Report, OpenError, Scope.Scope> {
  const { size, start, store } = yield* openSegments(fs, path, codec?.name, null)
  const wanted = head?.toLowerCase()
  let continues: number | null = null
  const { log, stop } = yield* longestPrefix(store, emptyLog(start), size, {
    inspect: (payload, head) => {
      if (wanted !== undefined && hex(head.previous) === wanted) continues = head.first - 1
      return faultIn(payload, head, codec)
    },
    ...(onProgress === undefined ? {} : { progress: (end: number) => onProgress(end, size) })
  })
  if (hex(log.hash) === wanted) continues = log.seq
  const isDamaged = stop !== null && (yield* isDamage(store, stop, size))
  return {
    header: start.header,
    events: log.seq,
    batches: log.batches,
    head: headOf(log),
    damage: stop !== null && isDamaged ? damageOf(damaged(store, stop)) : null,
    torn: stop !== null && !isDamaged ? tailOf(store, stop.at, size) : null,
    continues
  }
})

const damageOf = ({ byte, path, reason, seq }: Damaged) => ({ segment: path, byte, seq, reason })

const faultIn = <E>(payload: Uint8Array, head: BatchHead, codec: Codec<E> | undefined): EventFault | null => {
  const cursor = new FrameCursor(payload, head, codec === undefined ? [] : decodersOf(codec, head))
  while (!cursor.done) {
    const { seq } = cursor
    cursor.next(() => true)
    if (cursor.fault !== null) return { seq, reason: cursor.fault }
  }
  return null
}
