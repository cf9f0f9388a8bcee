/**
 * Reading frames from a store: windows of them, the longest valid prefix, and the next sound one after damage. Readers
 * ask for bytes of the log; that it is cut into segments, each with a header before its frames, is known here.
 *
 * Lengths come from the file and are checked against what is left of it, and against the largest payload, before
 * anything is allocated. At most a window or one frame is held at a time.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { crc32 } from "node:zlib"
import type { AccessFailed } from "./error.ts"
import { type BatchHead, FRAME_PREFIX, LARGEST_PAYLOAD, MARKER, readBatchHead, SMALLEST_PAYLOAD } from "./frame.ts"
import { HEADER_PREFIX } from "./header.ts"
import { admit, type Log, misfit, misplaced } from "./log.ts"
import { endOf, lastSegment, readBytes, segmentAt, type Store } from "./store.ts"

const WINDOW = 1 << 20

/** A payload whose length and CRC are right, and the byte where its frame begins. @internal */
export interface Frame {
  readonly at: number
  readonly payload: Uint8Array
}

/** The byte of a frame that is not sound, and why. @internal */
export interface Fault {
  readonly at: number
  readonly reason: string
}

/** Some frames, the byte after the last of them, and what is wrong there if something is. @internal */
export interface Frames {
  readonly frames: ReadonlyArray<Frame>
  readonly next: number
  readonly fault: Fault | null
}

/** Reads at least one frame of the bytes `[at, end)` in the segment of `at`, or says why there is none. @internal */
export const readFrames = Effect.fnUntraced(function*(
  store: Store,
  at: number,
  end: number
): Effect.fn.Return<Frames, AccessFailed> {
  const segment = segmentAt(store, at)
  const { base, fault, frames } = segment
  if (fault !== null && at === base) return { frames: [], next: at, fault: { at, reason: fault.reason } }
  const from = Math.max(at, frames)
  const to = Math.min(end, endOf(store, segment))
  return from < to ? yield* framesBetween(store, from, to) : { frames: [], next: to, fault: null }
})

const framesBetween = Effect.fnUntraced(function*(
  store: Store,
  at: number,
  end: number
): Effect.fn.Return<Frames, AccessFailed> {
  const asked = Math.min(WINDOW, end - at)
  const window = yield* readBytes(store, at, asked)
  const first = frameLength(window, 0)
  const large = first > asked && first <= end - at && first <= FRAME_PREFIX + LARGEST_PAYLOAD
  const found = framesIn(large ? yield* readBytes(store, at, first) : window, at, end)
  // Something shortened the file while it was being read.
  if (found.frames.length === 0 && found.fault === null) {
    return { ...found, fault: { at, reason: "the file ends early" } }
  }
  return found
})

/** Bytes of the frame at `offset` by its own account; 0 when not even that is there. */
const frameLength = (window: Uint8Array, offset: number): number =>
  offset + FRAME_PREFIX > window.length ? 0 : FRAME_PREFIX + u32(window, offset)

const u32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0

/** The frames that begin and end in a window of the bytes `[at, end)`. */
const framesIn = (window: Uint8Array, at: number, end: number): Frames => {
  const frames: Array<Frame> = []
  let offset = 0
  while (at + offset < end) {
    const left = end - at - offset
    const length = frameLength(window, offset) - FRAME_PREFIX
    if (length < 0 && left >= FRAME_PREFIX) break
    const wrong = wrongLength(length, left)
    if (wrong !== null) return { frames, next: at + offset, fault: { at: at + offset, reason: wrong } }
    if (offset + FRAME_PREFIX + length > window.length) break
    const payload = window.subarray(offset + FRAME_PREFIX, offset + FRAME_PREFIX + length)
    if (crc32(payload) !== u32(window, offset + 4)) {
      return { frames, next: at + offset, fault: { at: at + offset, reason: "the batch's checksum is wrong" } }
    }
    frames.push({ at: at + offset, payload })
    offset += FRAME_PREFIX + length
  }
  return { frames, next: at + offset, fault: null }
}

const wrongLength = (length: number, left: number): string | null => {
  if (length < 0) return `a batch cut short: ${left} bytes`
  if (length < SMALLEST_PAYLOAD) return `a batch of ${length} bytes, expected at least ${SMALLEST_PAYLOAD}`
  if (length > LARGEST_PAYLOAD) return `a batch of ${length} bytes, expected at most ${LARGEST_PAYLOAD}`
  if (FRAME_PREFIX + length > left) return `a batch cut short: ${left} of ${FRAME_PREFIX + length} bytes`
  return null
}

/** What is wrong in the events of a sound batch: the position of the event, and why. @internal */
export interface EventFault {
  readonly seq: number
  readonly reason: string
}

/** The longest valid prefix of a store, and where and why it ends before the last byte. @internal */
export interface Prefix {
  readonly log: Log
  readonly stop: Fault & { readonly seq: number } | null
}

/** What is looked for on the way, and who is told how far it went. @internal */
export interface Inspection {
  readonly inspect?: (payload: Uint8Array, head: BatchHead) => EventFault | null
  readonly progress?: (end: number) => Effect.Effect<void>
}

/**
 * Reads batch after batch behind the log, and segment after segment, and admits those that are sound, continue it, and in
 * which `inspect` finds no fault.
 *
 * @internal
 */
export const longestPrefix = Effect.fnUntraced(function*(
  store: Store,
  log: Log,
  size: number,
  { inspect = () => null, progress = () => Effect.void }: Inspection = {}
): Effect.fn.Return<Prefix, AccessFailed> {
  for (;;) {
    const stop = enterSegments(store, log)
    if (stop !== null || log.end >= size) return { log, stop }
    const { fault, frames } = yield* readFrames(store, log.end, size)
    for (const { at, payload } of frames) {
      const head = readBatchHead(payload)
      if (typeof head === "string") return { log, stop: { at, seq: log.seq + 1, reason: head } }
      const reason = misfit(log, head)
      if (reason !== null) return { log, stop: { at, seq: log.seq + 1, reason } }
      const found = inspect(payload, head)
      if (found !== null) return { log, stop: { at, ...found } }
      admit(log, head, payload)
    }
    if (fault !== null) return { log, stop: { ...fault, seq: log.seq + 1 } }
    yield* progress(log.end)
  }
})

/** Passes the headers of the segments that begin where the log ends, or says which of them is not of this log. */
const enterSegments = (store: Store, log: Log): Prefix["stop"] => {
  for (;;) {
    const segment = store.segments.find(({ base }) => base === log.end)
    if (segment === undefined) return null
    const { base, fault, frames, start } = segment
    const seq = log.seq + 1
    if (fault !== null) return { at: base, seq, reason: fault.reason }
    const reason = misplaced(log, start!.header)
    if (reason !== null) return { at: base + HEADER_PREFIX, seq, reason }
    log.end = frames
  }
}

/**
 * Whether a log that stops before its last byte is damaged there, and not just torn by a crash: that leaves the last
 * segment without the end of its frames, or of its header, and nothing sound behind it.
 *
 * @internal
 */
export const isDamage = (
  store: Store,
  { at }: Fault,
  size: number
): Effect.Effect<boolean, AccessFailed> => {
  const segment = segmentAt(store, at)
  const { fault, frames } = segment
  const misplaced = at < frames || (fault !== null && !fault.torn)
  return segment !== lastSegment(store) || misplaced
    ? Effect.succeed(true)
    : Effect.map(nextSound(store, at, size), (sound) => sound !== null)
}

/**
 * The byte of the first frame at or after `from` whose length and CRC are right: there is more of the log behind the
 * damage, so that it is no torn tail. `null` when there is none.
 *
 * @internal
 */
export const nextSound = Effect.fnUntraced(function*(
  store: Store,
  from: number,
  size: number
): Effect.fn.Return<number | null, AccessFailed> {
  for (const segment of store.segments) {
    const end = Math.min(size, endOf(store, segment))
    const found = end > from ? yield* soundWithin(store, Math.max(from, segment.base), end) : null
    if (found !== null) return found
  }
  return null
})

/** The first sound frame of the bytes `[from, end)` of one segment. */
const soundWithin = Effect.fnUntraced(function*(
  store: Store,
  from: number,
  end: number
): Effect.fn.Return<number | null, AccessFailed> {
  // Windows overlap by a marker less one byte, so that none is missed between two.
  for (let at = from + FRAME_PREFIX; at + MARKER.length <= end;) {
    const window = Buffer.from(yield* readBytes(store, at, Math.min(WINDOW, end - at)))
    if (window.length < MARKER.length) return null
    for (let found = window.indexOf(MARKER); found >= 0; found = window.indexOf(MARKER, found + 1)) {
      const frame = at + found - FRAME_PREFIX
      if (yield* isSound(store, frame, end)) return frame
    }
    at += window.length - MARKER.length + 1
  }
  return null
})

/** The cheap tests come first: text that happens to hold the marker does not pass them. */
const isSound = Effect.fnUntraced(function*(store: Store, at: number, end: number) {
  const prefix = yield* readBytes(store, at, FRAME_PREFIX + SMALLEST_PAYLOAD)
  if (prefix.length < FRAME_PREFIX + SMALLEST_PAYLOAD) return false
  const length = u32(prefix, 0)
  const events = u32(prefix, FRAME_PREFIX + 12)
  if (wrongLength(length, end - at) !== null || events === 0 || events > length) return false
  const frame = yield* readBytes(store, at, FRAME_PREFIX + length)
  return frame.length === FRAME_PREFIX + length && crc32(frame.subarray(FRAME_PREFIX)) === u32(frame, 4)
})
