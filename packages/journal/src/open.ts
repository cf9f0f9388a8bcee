/**
 * Making, opening and recovering journals, in memory and in a file.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Codec } from "./codec.ts"
import { AccessFailed, accessFailed, CreationPending, type Damaged, JournalExists, type OpenError } from "./error.ts"
import { newHeader } from "./header.ts"
import { type Journal, journalOf, type Recovered } from "./journal.ts"
import { lock } from "./lock.ts"
import { emptyLog, type Log } from "./log.ts"
import { fileMedium, memoryMedium, syncDirectory } from "./medium.ts"
import { damaged } from "./reader.ts"
import { creatingPath, nameWhenWhole, rollingOver } from "./roll-over.ts"
import { isDamage, longestPrefix } from "./scan.ts"
import { laterSegments, logOfSegment, type Opened, openSegments, requireFile, segmentPath } from "./segments.ts"
import { session } from "./session.ts"
import { fileSidecar, memorySidecar } from "./sidecar.ts"
import { firstSegment, lastSegment, type Store, type Sync } from "./store.ts"
import { cutTail, type Tail, tailOf } from "./tail.ts"
import { keepWayIn, LONG, wayInto } from "./way-in.ts"

/** Bytes of a segment when nothing else is said: 256 MiB. */
const SEGMENT_BYTES = 1 << 28

/**
 * How to open a file. `create` refuses a path that exists and keeps `meta` in the header; `open` recovers and writes;
 * `read` never changes the file; with `sidecars` it keeps beside a long one how to find the way in, and may save
 * snapshots and set bookmarks. It then opens in the time that its last batch takes, and damage further ahead is found when it is read.
 * Who creates or opens one to write holds `PATH.lock` until the scope closes; others are refused with `Locked`, and may
 * read.
 *
 * A batch that would make a segment of the log larger than `segmentBytes` (256 MiB when not given) goes into a new one,
 * `PATH.seg-000002` …; only a single batch that is larger makes a segment larger.
 *
 * @category models
 * @since 0.1.0
 */
export type FileOptions =
  | (Writable & { readonly mode: "create"; readonly meta?: Json | undefined })
  | (Writable & { readonly mode: "open" })
  | { readonly path: string; readonly mode: "read"; readonly sidecars?: boolean | undefined }

interface Writable {
  readonly path: string
  readonly sync: Sync
  readonly segmentBytes?: number | undefined
}

/**
 * A new journal in memory: its bytes are those that a file would have.
 *
 * @category constructors
 * @since 0.1.0
 */
export const memory = Effect.fn("journal.memory")(function*<E>(
  codec: Codec<E>,
  options: { readonly meta?: Json | undefined } = {}
): Effect.fn.Return<Journal<E>, never, Scope.Scope> {
  const path = "memory"
  const medium = memoryMedium(path)
  const { bytes, start } = newHeader({ codec: codec.name, segment: 1, firstSeq: 1, meta: options.meta ?? null })
  yield* Effect.orDie(medium.write(0, bytes))
  const segments = [firstSegment(medium, start)]
  const store: Store = { path, segments, sidecar: memorySidecar(path), sync: "never", rollOver: null }
  return yield* journalOf(
    session(store, emptyLog(start), { writable: true, sidecars: true, damage: null }),
    codec,
    null
  )
})

/**
 * A journal in a file, closed with the scope.
 *
 * Opening for writing keeps the longest valid prefix. A torn tail is moved to `PATH.torn-BYTE`; damage with a sound
 * batch behind it is refused with `Damaged`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const file = Effect.fn("journal.file")(function*<E>(
  codec: Codec<E>,
  options: FileOptions
): Effect.fn.Return<Journal<E>, OpenError, FileSystem | Scope.Scope> {
  const fs = yield* FileSystem
  if (options.mode === "create") return yield* create(fs, codec, options, options.meta ?? null)
  return options.mode === "open"
    ? yield* openToWrite(fs, codec, options)
    : yield* openToRead(fs, codec, options.path, options.sidecars ?? false)
})

/** Opens a file for writing, or creates it when there is none. @internal */
export const openOrCreate = Effect.fnUntraced(function*<E>(
  codec: Codec<E>,
  options: Writable & { readonly meta?: Json | undefined }
): Effect.fn.Return<Journal<E>, OpenError, FileSystem | Scope.Scope> {
  const { path } = options
  const fs = yield* FileSystem
  const exists = yield* Effect.mapError(fs.exists(path), accessFailed(path, "open"))
  return yield* file(codec, { ...options, mode: exists ? "open" : "create" })
})

/** The `.creating` that must not exist keeps two creators apart. */
const create = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  codec: Codec<E>,
  options: Writable,
  meta: Json
): Effect.fn.Return<Journal<E>, OpenError, Scope.Scope> {
  const { path, sync } = options
  const failed = accessFailed(path, "create")
  yield* refuseExisting(fs, path)
  yield* lock(fs, path)
  const { bytes, start } = newHeader({ codec: codec.name, segment: 1, firstSeq: 1, meta })
  const medium = yield* fs.open(creatingPath(path), { flag: "wx+" }).pipe(
    Effect.mapError((error) => error.reason._tag === "AlreadyExists" ? new CreationPending({ path }) : failed(error)),
    Effect.map((handle) => fileMedium(path, handle)),
    Effect.tap((medium) =>
      Effect.mapError(
        nameWhenWhole(fs, medium, bytes, { synced: sync === "batch" }),
        (error) => error.reason._tag === "AlreadyExists" ? new JournalExists({ path }) : failed(error)
      )
    ),
    Effect.uninterruptible
  )
  const rollOver = yield* rollOverOf(fs, options)
  const store: Store = { path, segments: [firstSegment(medium, start)], sidecar: fileSidecar(fs, path), sync, rollOver }
  return yield* journalOf(
    session(store, emptyLog(start), { writable: true, sidecars: true, damage: null }),
    codec,
    null
  )
})

/** Nor may there be what would be a segment of the new log, or what is made be one of another log. */
const refuseExisting = Effect.fnUntraced(function*(
  fs: FileSystem,
  path: string
): Effect.fn.Return<void, JournalExists | AccessFailed> {
  const log = logOfSegment(path)
  if (log !== null) {
    const reason = `its name is that of a segment of ${log}`
    return yield* new AccessFailed({ path, doing: "create", reason, cause: reason })
  }
  if (yield* Effect.mapError(fs.exists(path), accessFailed(path, "create"))) return yield* new JournalExists({ path })
  const [later] = yield* laterSegments(fs, path)
  if (later !== undefined) return yield* new JournalExists({ path: segmentPath(path, later) })
})

const rollOverOf = (fs: FileSystem, { path, segmentBytes = SEGMENT_BYTES }: Writable) =>
  Effect.map(Scope.Scope, (scope) => rollingOver(fs, path, segmentBytes, scope))

const openToWrite = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  codec: Codec<E>,
  options: Writable
): Effect.fn.Return<Journal<E>, OpenError, Scope.Scope> {
  const { path, sync } = options
  yield* requireFile(fs, path)
  yield* lock(fs, path)
  const opened = yield* openSegments(fs, path, codec.name, { sync, rollOver: yield* rollOverOf(fs, options) })
  const { damage, log, tail } = yield* examine(opened)
  if (damage !== null) return yield* damage
  const { size, store } = opened
  const recovered = tail === null
    ? yield* syncFound(fs, store)
    : { ...tail, kept: yield* cutTail(fs, store, log.end, size) }
  return yield* journalOf(session(store, log, { writable: true, sidecars: true, damage: null }), codec, recovered)
})

/**
 * A writer that was killed between a write and its sync left a batch that the disk may not have, or a file whose name it
 * may not have. It counts as committed from now on, so the disk must have it before anybody is told of it.
 */
const syncFound = Effect.fnUntraced(function*(fs: FileSystem, store: Store) {
  if (store.sync === "never") return null
  const { medium } = lastSegment(store)
  yield* Effect.mapError(medium.sync, accessFailed(medium.path, "sync"))
  yield* syncDirectory(fs, store.path)
  return null
})

const openToRead = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  codec: Codec<E>,
  path: string,
  sidecars: boolean
): Effect.fn.Return<Journal<E>, OpenError, FileSystem | Scope.Scope> {
  const opened = yield* openSegments(fs, path, codec.name, null)
  const { damage, log, tail } = yield* examine(opened, sidecars)
  const recovered: Recovered | null = tail === null ? null : { ...tail, kept: null }
  return yield* journalOf(session(opened.store, log, { writable: false, sidecars, damage }), codec, recovered)
})

/** The longest valid prefix, and what is behind it: damage or a torn tail, if anything. */
interface Examined {
  readonly log: Log
  readonly damage: Damaged | null
  readonly tail: Tail | null
}

/** Reads the whole log, or what was added to it: where does it stop being one, and is that its end? */
const examine = Effect.fnUntraced(function*(
  { size, start, store }: Opened,
  sidecars = false
): Effect.fn.Return<Examined, AccessFailed> {
  const known = sidecars ? yield* wayInto(store, start, size) : Option.none()
  const kept = Option.isSome(known) ? known.value.seq : 0
  const { log, stop } = yield* longestPrefix(store, Option.getOrElse(known, () => emptyLog(start)), size)
  const isDamaged = stop !== null && (yield* isDamage(store, stop, size))
  if (sidecars && !isDamaged && log.end >= LONG && log.seq > kept) yield* keepWayIn(store, log)
  return {
    log,
    damage: stop !== null && isDamaged ? damaged(store, stop) : null,
    tail: stop !== null && !isDamaged ? tailOf(store, stop.at, size) : null
  }
})
