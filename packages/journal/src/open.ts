/**
 * Making, opening and recovering journals, in memory and in a file.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { type File, FileSystem } from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import type { Json } from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Codec } from "./codec.ts"
import {
  AccessFailed,
  accessFailed,
  CodecMismatch,
  CreationPending,
  Damaged,
  JournalExists,
  JournalMissing,
  NotAJournal,
  type OpenError
} from "./error.ts"
import { newHeader, readHeader } from "./header.ts"
import { type Journal, journalOf, type Recovered } from "./journal.ts"
import { lock } from "./lock.ts"
import { emptyLog } from "./log.ts"
import { longestPrefix, nextSound, type Prefix } from "./scan.ts"
import { session } from "./session.ts"
import { fileStore, memoryStore, type Store, syncDirectory } from "./store.ts"
import { keepWayIn, LONG, wayInto } from "./way-in.ts"

/**
 * When an append returns: once the operating system has it (`never`: it outlives the process, not a power loss) or once
 * the disk has it (`batch`).
 *
 * @category models
 * @since 0.1.0
 */
export type Sync = "never" | "batch"

/**
 * How to open a file. `create` refuses a path that exists and keeps `meta` in the header; `open` recovers and writes;
 * `read` never changes the file; with `sidecars` it keeps beside a long one how to find the way in, and may save
 * snapshots. It then opens in the time that its last batch takes, and damage further ahead is found when it is read.
 * Who creates or opens one to write holds `PATH.lock` until the scope closes; others are refused with `Locked`, and may
 * read.
 *
 * @category models
 * @since 0.1.0
 */
export type FileOptions =
  | { readonly path: string; readonly mode: "create"; readonly sync: Sync; readonly meta?: Json | undefined }
  | { readonly path: string; readonly mode: "open"; readonly sync: Sync }
  | { readonly path: string; readonly mode: "read"; readonly sidecars?: boolean | undefined }

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
  const store = memoryStore("memory")
  const { bytes, start } = newHeader(codec.name, options.meta ?? null)
  yield* Effect.orDie(store.write(0, bytes))
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
  if (options.mode === "create") return yield* create(fs, codec, options.path, options.sync, options.meta ?? null)
  return options.mode === "open"
    ? yield* openToWrite(fs, codec, options.path, options.sync)
    : yield* openToRead(fs, codec, options.path, options.sidecars ?? false)
})

/** Opens a file for writing, or creates it when there is none. @internal */
export const openOrCreate = Effect.fnUntraced(function*<E>(
  codec: Codec<E>,
  options: { readonly path: string; readonly sync: Sync; readonly meta?: Json | undefined }
): Effect.fn.Return<Journal<E>, OpenError, FileSystem | Scope.Scope> {
  const { path } = options
  const fs = yield* FileSystem
  const exists = yield* Effect.mapError(fs.exists(path), accessFailed(path, "open"))
  return yield* file(codec, { ...options, mode: exists ? "open" : "create" })
})

/**
 * The header goes to `PATH.creating`, which gets its name when it is whole: there is never half a journal under a
 * journal's name. The file that must not exist also keeps two creators apart.
 */
const create = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  codec: Codec<E>,
  path: string,
  sync: Sync,
  meta: Json
): Effect.fn.Return<Journal<E>, OpenError, Scope.Scope> {
  const creating = `${path}.creating`
  const failed = accessFailed(path, "create")
  const refuseExisting = Effect.flatMap(
    Effect.mapError(fs.exists(path), failed),
    (exists) => exists ? Effect.fail(new JournalExists({ path })) : Effect.void
  )
  const { bytes, start } = newHeader(codec.name, meta)
  const writeHeader = (store: Store) =>
    refuseExisting.pipe(
      Effect.andThen(Effect.mapError(store.write(0, bytes), failed)),
      Effect.andThen(Effect.mapError(store.sync, failed)),
      Effect.andThen(Effect.mapError(fs.rename(creating, path), failed)),
      Effect.tapError(() => Effect.ignore(fs.remove(creating)))
    )
  yield* refuseExisting
  yield* lock(fs, path)
  const store = yield* fs.open(creating, { flag: "wx+" }).pipe(
    Effect.mapError((error) => error.reason._tag === "AlreadyExists" ? new CreationPending({ path }) : failed(error)),
    Effect.map((handle) => fileStore(fs, path, handle, sync)),
    Effect.tap(writeHeader),
    Effect.uninterruptible
  )
  if (sync === "batch") yield* syncDirectory(fs, path)
  return yield* journalOf(
    session(store, emptyLog(start), { writable: true, sidecars: true, damage: null }),
    codec,
    null
  )
})

const openToWrite = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  codec: Codec<E>,
  path: string,
  sync: Sync
): Effect.fn.Return<Journal<E>, OpenError, Scope.Scope> {
  const handle = yield* openFile(fs, path, "r+")
  yield* lock(fs, path)
  const store = fileStore(fs, path, handle, sync)
  const { damage, prefix: { log }, size } = yield* examine(codec.name, store)
  if (damage !== null) return yield* damage
  const recovered = log.end === size ? yield* syncFound(fs, store, sync) : yield* cutTail(fs, store, log.end, size)
  return yield* journalOf(session(store, log, { writable: true, sidecars: true, damage: null }), codec, recovered)
})

/**
 * A writer that was killed between a write and its sync left a batch that the disk may not have, or a file whose name it
 * may not have. It counts as committed from now on, so the disk must have it before anybody is told of it.
 */
const syncFound = Effect.fnUntraced(function*(fs: FileSystem, store: Store, sync: Sync) {
  yield* Effect.mapError(store.sync, accessFailed(store.path, "sync"))
  if (sync === "batch") yield* syncDirectory(fs, store.path)
  return null
})

const openToRead = Effect.fnUntraced(function*<E>(
  fs: FileSystem,
  codec: Codec<E>,
  path: string,
  sidecars: boolean
): Effect.fn.Return<Journal<E>, OpenError, FileSystem | Scope.Scope> {
  const store = fileStore(fs, path, yield* openFile(fs, path, "r"), "never")
  const { damage, prefix: { log }, size } = yield* examine(codec.name, store, sidecars)
  const torn = damage === null && log.end < size ? { byte: log.end, bytes: size - log.end, kept: null } : null
  return yield* journalOf(session(store, log, { writable: false, sidecars, damage }), codec, torn)
})

/**
 * Opens what must be a file.
 *
 * @internal
 */
export const openFile = Effect.fnUntraced(function*(
  fs: FileSystem,
  path: string,
  flag: "r" | "r+"
): Effect.fn.Return<File, JournalMissing | NotAJournal | AccessFailed, Scope.Scope> {
  const failed = accessFailed(path, "open")
  const info = yield* Effect.catch(
    fs.stat(path),
    (error) =>
      error.reason._tag !== "NotFound" ? Effect.fail(failed(error)) : Effect.flatMap(
        Effect.mapError(fs.exists(`${path}.creating`), failed),
        (interrupted) => Effect.fail(new JournalMissing({ path, interrupted }))
      )
  )
  if (info.type !== "File") return yield* new NotAJournal({ path, reason: `it is a ${info.type}` })
  return yield* Effect.mapError(fs.open(path, { flag }), failed)
})

interface Examined {
  readonly prefix: Prefix
  readonly size: number
  /** When there is a sound batch behind the longest valid prefix, so that what follows it is no torn tail. */
  readonly damage: Damaged | null
}

/** Reads the whole file, or what was added to it: where does it stop being a journal of this codec, and is that its end? */
const examine = (codec: string, store: Store, sidecars = false): Effect.Effect<Examined, OpenError> =>
  Effect.gen(function*() {
    const { path } = store
    const size = yield* store.size
    const start = yield* readHeader(store, size)
    if (start.header.codec !== codec) {
      return yield* new CodecMismatch({ path, found: start.header.codec, expected: codec })
    }
    const known = sidecars ? yield* wayInto(store, start, size) : Option.none()
    const log = Option.getOrElse(known, () => emptyLog(start))
    const kept = Option.isSome(known) ? log.end : 0
    const prefix = yield* longestPrefix(store, log, size, () => null)
    const damage = yield* damageIn(store, prefix, size)
    if (sidecars && damage === null && log.end >= LONG && log.end > kept) yield* keepWayIn(store, log)
    return { prefix, size, damage }
  }).pipe(Effect.catchTag("PlatformError", (error) => Effect.fail(accessFailed(store.path, "read")(error))))

/**
 * Damage, as opposed to a tail that a crash tore: there is a sound batch behind it.
 *
 * @internal
 */
export const damageIn = (store: Store, prefix: Prefix, size: number): Effect.Effect<Damaged | null, PlatformError> => {
  const { stop } = prefix
  if (stop === null) return Effect.succeed(null)
  const damage = new Damaged({ path: store.path, byte: stop.at, seq: stop.seq, reason: stop.reason })
  return Effect.map(nextSound(store, stop.at, size), (sound) => sound === null ? null : damage)
}

/** Bytes that are copied at a time. */
const COPY = 1 << 20

/** Copies the bytes `[byte, size)` beside the log, and cuts them off only when they are safe there. */
const cutTail = (fs: FileSystem, store: Store, byte: number, size: number): Effect.Effect<Recovered, AccessFailed> =>
  Effect.gen(function*() {
    const { handle, path: kept } = yield* freshFile(fs, `${store.path}.torn-${byte}`)
    const copied = copyTail(store, fileStore(fs, kept, handle, "batch"), byte, size)
    yield* Effect.tapError(copied, () => Effect.ignore(fs.remove(kept)))
    yield* syncDirectory(fs, kept)
    yield* store.truncate(byte)
    yield* store.sync
    return { byte, bytes: size - byte, kept }
  }).pipe(Effect.scoped, Effect.mapError(accessFailed(store.path, `cut off the torn tail at byte ${byte}`)))

const copyTail = Effect.fnUntraced(function*(store: Store, copy: Store, byte: number, size: number) {
  for (let at = byte; at < size; at += COPY) {
    yield* copy.write(at - byte, yield* store.read(at, Math.min(COPY, size - at)))
  }
  yield* copy.sync
})

/** Creates `path`, or `path-2`, `path-3` … when there is one: nothing that was kept is ever overwritten. */
const freshFile = (
  fs: FileSystem,
  path: string,
  attempt = 1
): Effect.Effect<{ readonly handle: File; readonly path: string }, PlatformError, Scope.Scope> => {
  const name = attempt === 1 ? path : `${path}-${attempt}`
  return fs.open(name, { flag: "wx" }).pipe(
    Effect.map((handle) => ({ handle, path: name })),
    Effect.catch((error) =>
      error.reason._tag === "AlreadyExists" ? freshFile(fs, path, attempt + 1) : Effect.fail(error)
    )
  )
}
