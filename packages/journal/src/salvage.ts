/**
 * Everything that can still be read of a damaged log, in a new one.
 *
 * Batches whose length and CRC are right are looked for behind the damage too. Their events get new, dense positions, and
 * their causes with them; what is lost is told where it was.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type { Codec } from "./codec.ts"
import type { Envelope, Head, NewEvent } from "./envelope.ts"
import type { AccessFailed, AppendError, OpenError } from "./error.ts"
import { type BatchHead, chain, FrameCursor, readBatchHead } from "./frame.ts"
import { file } from "./open.ts"
import { decodersOf } from "./reader.ts"
import { type Fault, type Frame, nextSound, readFrames } from "./scan.ts"
import { openRemains } from "./segments.ts"
import { placeOf, type Store } from "./store.ts"

/**
 * What cannot be read: `count` events from position `first` on, which are missed at `byte` of the file `segment`; `null`
 * when nothing behind them tells how many there were, 0 when only the hash chain is broken there.
 *
 * @category models
 * @since 0.1.0
 */
export interface Loss {
  readonly segment: string
  readonly byte: number
  readonly first: number
  readonly count: number | null
  readonly reason: string
}

/** What was read, where the new log ends, and what was lost. @category models @since 0.1.0 */
export interface Salvaged {
  readonly events: number
  readonly head: Head
  readonly lost: ReadonlyArray<Loss>
}

/**
 * Writes what can be read of the log `from` to a new log `to`, with the same header. At every loss stands the event that
 * `note` makes of it, at the time of the event before. A sound log gives one of the same head, and of the same bytes when
 * it is of segments of the same size.
 *
 * @category constructors
 * @since 0.1.0
 */
export const salvage = Effect.fn("journal.salvage")(
  function*<E>(codec: Codec<E>, { from, note, to }: {
    readonly from: string
    readonly to: string
    readonly note: (loss: Loss, t: number) => NewEvent<E>
  }): Effect.fn.Return<Salvaged, OpenError | AppendError, FileSystem> {
    const fs = yield* FileSystem
    return yield* Effect.gen(function*() {
      const { header, size, store } = yield* openRemains(fs, from, codec.name)
      const journal = yield* file(codec, { path: to, mode: "create", sync: "batch", meta: header.meta })
      const places = new Places()
      const lost: Array<Loss> = []
      let events = 0
      let t = 0
      const write = Effect.fnUntraced(function*(piece: Piece<E>) {
        const { seq } = yield* journal.head
        if (piece.gap !== null) {
          const { at, ...gap } = piece.gap
          const { byte, path } = placeOf(store, at)
          const loss = { segment: path, byte, ...gap }
          lost.push(loss)
          yield* journal.append([note(loss, t)])
          return
        }
        places.put(piece.events[0]!.seq, piece.events.length, seq + 1)
        yield* journal.append(piece.events.map((event) => places.moved(event)), { key: piece.key })
        events += piece.events.length
        t = piece.events.at(-1)!.t
      })
      yield* pieces(store, size, codec, write)
      return { events, head: yield* journal.head, lost }
    }).pipe(Effect.scoped)
  }
)

/** Events of one batch that follow each other, or a loss at a byte of the log. */
type Piece<E> =
  | { readonly gap: null; readonly events: ReadonlyArray<Envelope<E>>; readonly key: string | undefined }
  | { readonly gap: Omit<Loss, "segment" | "byte"> & { readonly at: number } }

/** Where events were and are: runs of them, ascending. */
class Places {
  private readonly runs: Array<{ readonly was: number; readonly count: number; readonly is: number }> = []

  put(was: number, count: number, is: number): void {
    const last = this.runs.at(-1)
    const goesOn = last !== undefined && last.was + last.count === was && last.is + last.count === is
    if (goesOn) this.runs[this.runs.length - 1] = { ...last, count: last.count + count }
    else this.runs.push({ was, count, is })
  }

  /** An event with the positions that it refers to as they are now; those of lost events are left out. */
  moved<E>({ cause, corr, data, how, src, stream, t }: Envelope<E>): NewEvent<E> {
    return { stream, t, cause: this.now(cause), corr: this.now(corr), how, src, data }
  }

  private now(was: number | undefined): number | undefined {
    if (was === undefined) return undefined
    const run = this.runs.findLast((one) => one.was <= was)
    return run !== undefined && was < run.was + run.count ? run.is + was - run.was : undefined
  }
}

/** Gives every batch that is whole, and every loss, in the order of the log. */
const pieces = Effect.fnUntraced(function*<E, X>(
  store: Store,
  size: number,
  codec: Codec<E>,
  each: (piece: Piece<E>) => Effect.Effect<void, X>
): Effect.fn.Return<void, X | AccessFailed> {
  /** The position that comes next, the hash before it where that is known, and why it may not come. */
  const [first] = store.segments
  const want: Wanted = { seq: 1, hash: first!.fault === null ? first!.start!.hash : null, fault: null }
  for (let at = 0; at < size;) {
    const { fault, frames, next } = yield* readFrames(store, at, size)
    for (const frame of frames) yield* Effect.forEach(within(frame, want, codec), each, { discard: true })
    at = next
    if (fault === null) continue
    want.fault ??= fault
    at = (yield* nextSound(store, fault.at, size)) ?? size
  }
  if (want.fault !== null) {
    yield* each({ gap: { ...want.fault, first: want.seq, count: null } })
  }
})

interface Wanted {
  seq: number
  hash: Uint8Array | null
  fault: Fault | null
}

/** What a sound frame adds: a loss before it, its events, and a loss of those that cannot be decoded. */
const within = <E>({ at, payload }: Frame, want: Wanted, codec: Codec<E>): ReadonlyArray<Piece<E>> => {
  const head = readBatchHead(payload)
  if (typeof head === "string") {
    want.fault ??= { at, reason: head }
    return []
  }
  // It was read before: a batch that is there twice.
  if (head.first < want.seq) return []
  const found: Array<Piece<E>> = []
  const fault = want.fault ?? { at, reason: `the batch begins with event #${head.first}` }
  const broken = want.hash !== null && Buffer.compare(want.hash, head.previous) !== 0
  if (head.first > want.seq) {
    found.push({ gap: { ...fault, first: want.seq, count: head.first - want.seq } })
  } else if (broken) {
    found.push({ gap: { at, first: head.first, count: 0, reason: "the hash chain is broken" } })
  }
  const { events, reason } = decoded(payload, head, codec)
  const end = head.first + head.count
  const whole = reason === null
  if (events.length > 0) found.push({ gap: null, events, key: whole ? head.key ?? undefined : undefined })
  if (!whole) {
    const first = head.first + events.length
    found.push({ gap: { at, first, count: end - first, reason } })
  }
  want.seq = end
  want.hash = chain(head.previous, payload)
  want.fault = null
  return found
}

/** The events of a batch up to the first that cannot be decoded, and what is wrong with that. */
const decoded = <E>(payload: Uint8Array, head: BatchHead, codec: Codec<E>) => {
  const cursor = new FrameCursor(payload, head, decodersOf(codec, head))
  const events: Array<Envelope<E>> = []
  while (!cursor.done) {
    const event = cursor.next(() => true)
    if (cursor.fault !== null) return { events, reason: cursor.fault }
    if (event !== undefined) events.push(event)
  }
  return { events, reason: null }
}
