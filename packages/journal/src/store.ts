/**
 * Where the bytes of a log are kept: its segments, which are addressed as one sequence.
 *
 * A byte of the log is a byte of one segment: the files count from its `base`. Nothing of a log lies across two
 * segments, and a segment is written only while it is the last.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import { type AccessFailed, accessFailed } from "./error.ts"
import type { FileStart } from "./header.ts"
import type { Medium } from "./medium.ts"
import type { Sidecar } from "./sidecar.ts"

/**
 * When an append returns: once the operating system has it (`never`: it outlives the process, not a power loss) or once
 * the disk has it (`batch`).
 *
 * @category models
 * @since 0.1.0
 */
export type Sync = "never" | "batch"

/** @internal */
export interface Segment {
  readonly medium: Medium
  /** Bytes of the log before it. */
  readonly base: number
  /** The byte of the log where its frames begin: behind its header, or at `base` when the header is not whole. */
  readonly frames: number
  /** Its header, `null` when that is not whole, which is then its fault. */
  readonly start: FileStart | null
  /** Why it cannot be the next segment of this log, as far as that is known without reading the log before it. */
  readonly fault: SegmentFault | null
}

/**
 * What is wrong with a header, at a byte of a file (which is another one, when that is missing). `torn` when it may be
 * what a crash left.
 *
 * @internal
 */
export interface SegmentFault {
  readonly path: string
  readonly byte: number
  readonly reason: string
  readonly torn: boolean
}

/** How a log gets another segment: when a batch would make the last one larger than `bytes`. @internal */
export interface RollOver {
  readonly bytes: number
  /** Makes a file of a header: whole, on the disk, and under the name of the segment, or not at all. */
  readonly begin: (segment: number, header: Uint8Array) => Effect.Effect<Medium, PlatformError>
}

/** Segments with sidecars; `rollOver` is `null` when there is no more than one, or none to be written. @internal */
export interface Store {
  readonly path: string
  readonly segments: Array<Segment>
  readonly sidecar: Sidecar
  readonly sync: Sync
  readonly rollOver: RollOver | null
}

/** The first segment of a log. @internal */
export const firstSegment = (medium: Medium, start: FileStart): Segment => ({
  medium,
  base: 0,
  frames: start.bytes,
  start,
  fault: null
})

/** The segment that is written. @internal */
export const lastSegment = (store: Store): Segment => store.segments.at(-1)!

/** The segment of a byte: where one ends and another begins, the one that begins. @internal */
export const segmentAt = ({ segments }: Store, at: number): Segment =>
  segments.find(({ base }) => base === at) ?? segments.findLast(({ base }) => base < at)!

/** The byte of the log where a segment ends, as far as that is settled: the last one grows. @internal */
export const endOf = ({ segments }: Store, segment: Segment): number =>
  segments[segments.indexOf(segment) + 1]?.base ?? Infinity

/** The file of a byte of the log, and the byte in it. @internal */
export const placeOf = (store: Store, at: number): { readonly path: string; readonly byte: number } => {
  const { base, fault, medium } = segmentAt(store, at)
  return fault !== null && at === base ? fault : { path: medium.path, byte: at - base }
}

/** Reads bytes of one segment: fewer than asked for only where it ends. @internal */
export const readBytes = (store: Store, at: number, length: number): Effect.Effect<Uint8Array, AccessFailed> => {
  const segment = segmentAt(store, at)
  const { base, medium } = segment
  return Effect.mapError(
    medium.read(at - base, Math.min(length, endOf(store, segment) - at)),
    accessFailed(medium.path, "read")
  )
}

/** Writes bytes at the end of the last segment. @internal */
export const writeBytes = (store: Store, at: number, bytes: Uint8Array): Effect.Effect<void, PlatformError> => {
  const { base, medium } = lastSegment(store)
  return medium.write(at - base, bytes)
}

/** Waits for the disk, when the log is one that does. @internal */
export const syncBytes = (store: Store): Effect.Effect<void, PlatformError> =>
  store.sync === "never" ? Effect.void : lastSegment(store).medium.sync

/** Cuts off the bytes of the last segment from a byte of the log on. @internal */
export const truncateBytes = (store: Store, at: number): Effect.Effect<void, PlatformError> => {
  const { base, medium } = lastSegment(store)
  return medium.truncate(at - base)
}
