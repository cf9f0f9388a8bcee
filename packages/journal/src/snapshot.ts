/**
 * Snapshots: what somebody folded a log into, up to a position, kept beside it and never trusted.
 *
 * | byte | |
 * |---|---|
 * | 0 | `4a 53 4e 50` ("JSNP") |
 * | 4 | CRC-32 of what follows, u32 |
 * | 8 | position, u64 |
 * | 16 | hash of the log after the batch that holds the position, 32 bytes |
 * | 48 | the bytes that were saved |
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { crc32 } from "node:zlib"
import {
  AccessFailed,
  accessFailed,
  BeyondHead,
  Closed,
  type ReadError,
  ReadOnly,
  type SnapshotError
} from "./error.ts"
import { hashAt } from "./reader.ts"
import type { Session } from "./session.ts"

const MAGIC = Buffer.from("JSNP")
const PREFIX = 48

/** What was saved, and the position it was saved at. @category models @since 0.1.0 */
export interface Snapshot {
  readonly seq: number
  readonly bytes: Uint8Array
}

/**
 * Snapshots of one log by name and version, at positions. They can be deleted at any time, and one that is unsound, of
 * another log, or of a log whose past is not this one's is never returned.
 *
 * - `save` replaces what was there for the same position; `seq` is at most the last committed one.
 * - `latest` gives the snapshot at the highest position up to `atOrBefore` (the end when not given), `null` without one.
 * - `positions` are those that there are snapshots for, ascending; `at` gives the one of a position, `null` when it is
 *   unsound or gone.
 * - `drop` deletes those of a name and version.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshots {
  readonly save: (name: string, version: number, seq: number, bytes: Uint8Array) => Effect.Effect<void, SnapshotError>
  readonly latest: (name: string, version: number, atOrBefore?: number) => Effect.Effect<Snapshot | null, ReadError>
  readonly positions: (name: string, version: number) => Effect.Effect<ReadonlyArray<number>, AccessFailed | Closed>
  readonly at: (name: string, version: number, seq: number) => Effect.Effect<Snapshot | null, ReadError>
  readonly drop: (name: string, version: number) => Effect.Effect<void, ReadOnly | AccessFailed | Closed>
}

/** @internal */
export const snapshotsOf = (session: Session): Snapshots => {
  const { log, sidecars, store } = session
  const { path, sidecar } = store
  // Two saves of one snapshot would write the same file on its way to its name.
  const saving = Semaphore.makeUnsafe(1)
  const closed = Effect.suspend(() => session.closed ? Effect.fail(new Closed({ path })) : Effect.void)

  /** Positions that there are sidecars for, highest first. */
  const downwards = (name: string, version: number) => {
    const prefix = prefixOf(name, version)
    return Effect.map(
      Effect.mapError(sidecar.list(prefix), accessFailed(path, "list its snapshots")),
      (names) => names.flatMap((found) => positionIn(found.slice(prefix.length))).sort((a, b) => b - a)
    )
  }

  const save = Effect.fn("journal.snapshot.save")(
    function*(name: string, version: number, seq: number, bytes: Uint8Array): Effect.fn.Return<void, SnapshotError> {
      yield* closed
      if (!sidecars) return yield* new ReadOnly({ path })
      if (seq > log.seq) return yield* new BeyondHead({ path, what: "snapshot", seq, head: log.seq })
      const whole = wrap(seq, yield* hashAt(session, seq), bytes)
      const written = saving.withPermit(Effect.uninterruptible(sidecar.write(prefixOf(name, version) + seq, whole)))
      yield* Effect.mapError(written, accessFailed(path, "save a snapshot"))
    }
  )

  const positions = (name: string, version: number) =>
    Effect.andThen(closed, Effect.map(downwards(name, version), (found) => found.toReversed()))

  const at = Effect.fn("journal.snapshot.at")(
    function*(name: string, version: number, seq: number): Effect.fn.Return<Snapshot | null, ReadError> {
      yield* closed
      if (seq > log.seq) return null
      // It may be deleted while we look, and an unreadable one is as good as none.
      const bytes = yield* Effect.option(sidecar.read(prefixOf(name, version) + seq))
      const found = bytes._tag === "None" ? null : unwrap(bytes.value, seq, yield* hashAt(session, seq))
      return found === null ? null : { seq, bytes: found }
    }
  )

  const latest = Effect.fn("journal.snapshot.latest")(
    function*(name: string, version: number, atOrBefore = log.seq): Effect.fn.Return<Snapshot | null, ReadError> {
      yield* closed
      for (const seq of yield* downwards(name, version)) {
        const found = seq > atOrBefore ? null : yield* at(name, version, seq)
        if (found !== null) return found
      }
      return null
    }
  )

  const drop = Effect.fn("journal.snapshot.drop")(
    function*(name: string, version: number): Effect.fn.Return<void, ReadOnly | AccessFailed | Closed> {
      yield* closed
      if (!sidecars) return yield* new ReadOnly({ path })
      for (const seq of yield* downwards(name, version)) {
        const removed = sidecar.remove(prefixOf(name, version) + seq)
        yield* Effect.mapError(removed, accessFailed(path, "delete a snapshot"))
      }
    }
  )

  return { save, latest, positions, at, drop }
}

/** A name may hold anything; a file name may not. */
const prefixOf = (name: string, version: number): string => `snap-${encodeURIComponent(name)}-${version}-`

const positionIn = (text: string): ReadonlyArray<number> => /^\d{1,16}$/.test(text) ? [Number(text)] : []

/** Bytes that are bound to a position of a log. @internal */
export const wrap = (seq: number, hash: Uint8Array, bytes: Uint8Array): Uint8Array => {
  const whole = Buffer.alloc(PREFIX + bytes.length)
  whole.set(MAGIC)
  whole.writeBigUInt64LE(BigInt(seq), 8)
  whole.set(hash, 16)
  whole.set(bytes, PREFIX)
  whole.writeUInt32LE(crc32(whole.subarray(8)), 4)
  return whole
}

/** The bytes that were bound, when everything about them is right. @internal */
export const unwrap = (sidecar: Uint8Array, seq: number, hash: Uint8Array): Uint8Array | null => {
  const whole = Buffer.from(sidecar.buffer, sidecar.byteOffset, sidecar.byteLength)
  const sound = whole.length >= PREFIX && MAGIC.equals(whole.subarray(0, 4)) &&
    crc32(whole.subarray(8)) === whole.readUInt32LE(4) &&
    whole.readBigUInt64LE(8) === BigInt(seq) && whole.subarray(16, PREFIX).equals(hash)
  return sound ? sidecar.subarray(PREFIX) : null
}
