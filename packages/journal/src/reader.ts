/**
 * Reading: a stream of envelopes, pulled window by window, of what is committed or of what comes as well.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { Codec } from "./codec.ts"
import type { Envelope } from "./envelope.ts"
import { Closed, Damaged, type ReadError, Undecodable } from "./error.ts"
import { type BatchHead, chain, type Decoder, FrameCursor, readBatchHead } from "./frame.ts"
import { endAfter, frameBefore } from "./log.ts"
import { type Fault, type Frame, readFrames } from "./scan.ts"
import { nextCommit, type Session, whileOpen } from "./session.ts"
import { placeOf, type Store } from "./store.ts"

/**
 * Which events to read: those at positions `from` … `to`, both inclusive (all when not given), or after `after`, which
 * is what a reader that has applied everything up to it asks for; and of one `stream` only. `unknown` says what becomes
 * of events that the codec does not know.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadOptions {
  readonly from?: number | undefined
  readonly after?: number | undefined
  readonly to?: number | undefined
  readonly stream?: string | undefined
  readonly unknown?: Unknown | undefined
}

/**
 * What becomes of an event whose type, version or layout the codec does not know: it fails the reading with
 * `Undecodable` (`fail`, when nothing else is said), it is left out (`ignore`), or left out with one warning for each
 * such type (`warn`). The positions of the others stay what they are, so that there are gaps between them.
 *
 * @category models
 * @since 0.1.0
 */
export type Unknown = "fail" | "warn" | "ignore"

/** Events that are decoded at a time: what a reader holds besides a window of the file. */
const CHUNK = 4096

/** @internal */
export const readFrom = <E>(
  session: Session,
  codec: Codec<E>,
  options: ReadOptions,
  follow: boolean
): Stream.Stream<Envelope<E>, ReadError> =>
  Stream.fromPull(Effect.sync(() => new Reader(session, codec, options, follow).pull))

type Chunk<E> = readonly [Envelope<E>, ...Array<Envelope<E>>]

class Reader<E> {
  readonly pull: Pull.Pull<Chunk<E>, ReadError> = Effect.suspend(() => this.step())
  private readonly session: Session
  private readonly codec: Codec<E>
  private readonly from: number
  private readonly to: number
  private readonly stream: string | undefined
  private readonly unknown: Unknown
  private readonly follow: boolean
  /** What was said of types that the codec does not know. */
  private readonly warned = new Set<string>()
  /** The byte of the next frame to load. */
  private at: number
  /** The position that comes next, wanted or not: a gap is an error. */
  private expected: number
  private end: number
  private frames: ReadonlyArray<Frame> = []
  private nextFrame = 0
  private frameAt = 0
  private cursor: FrameCursor<E> | null = null
  private wanted: (seq: number, stream: number) => boolean = () => true

  constructor(session: Session, codec: Codec<E>, options: ReadOptions, follow: boolean) {
    this.session = session
    this.codec = codec
    this.from = Math.max(options.from ?? 1, (options.after ?? 0) + 1)
    this.to = options.to ?? Infinity
    this.stream = options.stream
    this.unknown = options.unknown ?? "fail"
    this.follow = follow
    const { byte, first } = frameBefore(session.log, this.from)
    this.at = byte
    this.expected = first
    this.end = endAfter(session.log, this.to)
  }

  /** The next events, from what is in memory as long as there is something. */
  private step(): Pull.Pull<Chunk<E>, ReadError> {
    const { path } = this.session.store
    if (this.session.closed) return this.follow ? Cause.done() : Effect.fail(new Closed({ path }))
    for (;;) {
      if (this.cursor !== null) {
        const cursor = this.cursor
        // What was read before a fault comes first; the next step ends with the fault.
        const events = cursor.fault === null ? this.take(cursor) : []
        const warnings = this.unknown === "warn" ? this.newWarnings(cursor) : []
        if (events.length > 0) return Effect.as(warn(warnings), events as unknown as Chunk<E>)
        if (warnings.length > 0) return Effect.andThen(warn(warnings), this.pull)
        if (cursor.fault !== null) {
          const place = placeOf(this.session.store, this.frameAt)
          return Effect.fail(new Undecodable({ ...place, seq: this.expected, reason: cursor.fault }))
        }
        this.cursor = null
      } else if (this.expected > this.to) {
        return Cause.done()
      } else if (this.nextFrame < this.frames.length) {
        const fault = this.enter(this.frames[this.nextFrame++]!)
        if (fault !== null) return Effect.fail(fault)
      } else if (this.at < this.end) {
        return this.load()
      } else if (this.session.log.end > this.end && this.follow) {
        this.end = this.session.log.end
      } else {
        return this.atEnd()
      }
    }
  }

  /** Decodes wanted events, up to a chunk; `expected` is then the position of the fault, or the next one. */
  private take(cursor: FrameCursor<E>): Array<Envelope<E>> {
    const events: Array<Envelope<E>> = []
    while (!cursor.done && cursor.seq <= this.to && events.length < CHUNK) {
      this.expected = cursor.seq
      const event = cursor.next(this.wanted)
      if (cursor.fault !== null) return events
      if (event !== undefined) events.push(event)
    }
    this.expected = cursor.seq
    return events
  }

  /** What there is to say of the types that were left out, and was not said before. */
  private newWarnings({ head, skipped }: FrameCursor<E>): ReadonlyArray<string> {
    const { codec, session: { store: { path } }, warned } = this
    const reasons = [...skipped].map((type) => `${path}: events left out: ${codec.decoder(head.types[type]!)}`)
    skipped.clear()
    return reasons.filter((reason) => !warned.has(reason) && warned.add(reason))
  }

  private enter({ at, payload }: Frame): Damaged | null {
    const head = readBatchHead(payload)
    if (typeof head === "string") return this.damaged(at, head)
    if (head.first !== this.expected) return this.damaged(at, `the batch begins with event #${head.first}`)
    this.expected = head.first + head.count
    const stream = this.stream === undefined ? -1 : head.streams.findIndex(({ name }) => name === this.stream)
    const passed = this.expected <= this.from || (this.stream !== undefined && stream < 0)
    if (passed) return null
    const { from, to } = this
    this.wanted = (seq, index) => seq >= from && seq <= to && (stream < 0 || index === stream)
    this.cursor = new FrameCursor(payload, head, decodersOf(this.codec, head, this.unknown))
    this.frameAt = at
    return null
  }

  private damaged(at: number, reason: string): Damaged {
    return damaged(this.session.store, { at, seq: this.expected, reason })
  }

  private load(): Pull.Pull<Chunk<E>, ReadError> {
    const { session } = this
    return Effect.matchEffect(whileOpen(session, () => readFrames(session.store, this.at, this.end)), {
      onFailure: (error): Pull.Pull<Chunk<E>, ReadError> =>
        error._tag === "Closed" && this.follow ? Cause.done() : Effect.fail(error),
      onSuccess: ({ fault, frames, next }) => {
        // Sound frames before the fault are read first; the next load finds the fault again.
        if (fault !== null && frames.length === 0) return Effect.fail(this.damaged(fault.at, fault.reason))
        this.frames = frames
        this.nextFrame = 0
        this.at = next
        return this.step()
      }
    })
  }

  private atEnd(): Pull.Pull<Chunk<E>, ReadError> {
    const { damage, writable } = this.session
    if (damage !== null && this.to > this.session.log.seq) return Effect.fail(damage)
    return this.follow && writable ? Effect.andThen(nextCommit(this.session), this.pull) : Cause.done()
  }
}

/** What is wrong at a byte of the log, by its file. @internal */
export const damaged = (store: Store, { at, reason, seq }: Fault & { readonly seq: number }): Damaged => {
  const { byte, path } = placeOf(store, at)
  return new Damaged({ path, byte, seq, reason })
}

const warn = (warnings: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true })

/**
 * A type that the codec cannot read is a fault of the first wanted event of that type, not of the batch; or its events
 * are skipped.
 *
 * @internal
 */
export const decodersOf = <E>(
  codec: Codec<E>,
  head: BatchHead,
  unknown: Unknown = "fail"
): ReadonlyArray<Decoder<E>> =>
  head.types.map((type) => {
    const decoder = codec.decoder(type)
    if (typeof decoder !== "string") return decoder
    return unknown === "fail" ? (input) => input.fail(decoder) as E : undefined
  })

/**
 * The hash of the log after the batch that holds `seq`: what a snapshot at `seq` is bound to.
 *
 * @internal
 */
export const hashAt = Effect.fnUntraced(function*(
  session: Session,
  seq: number
): Effect.fn.Return<Uint8Array, ReadError> {
  const { log, store } = session
  if (seq === 0) return log.start.hash
  if (seq === log.seq) return log.hash
  const end = endAfter(log, seq)
  for (let at = frameBefore(log, seq).byte; at < end;) {
    const from = at
    const { fault, frames, next } = yield* whileOpen(session, () => readFrames(store, from, end))
    for (const { payload } of frames) {
      const head = readBatchHead(payload)
      if (typeof head !== "string" && head.first + head.count > seq) return chain(head.previous, payload)
    }
    if (fault !== null) return yield* damaged(store, { ...fault, seq })
    at = next
  }
  return log.hash
})
