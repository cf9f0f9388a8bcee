/**
 * Getting a new file for a log: its first, or the one that goes on where the last has become large enough.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { FileSystem } from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import * as Scope from "effect/Scope"
import { newHeader } from "./header.ts"
import { hex, type Log } from "./log.ts"
import { fileMedium, type Medium, syncDirectory } from "./medium.ts"
import { segmentPath } from "./segments.ts"
import { lastSegment, type RollOver, type Store } from "./store.ts"

/** What a file that becomes `path` is called on its way. @internal */
export const creatingPath = (path: string): string => `${path}.creating`

/**
 * Writes a header to a new file, `PATH.creating`, which gets its name when it is whole: there is never half a header
 * under a segment's name. Nothing is left when that fails, and nothing that has the name is replaced.
 *
 * @internal
 */
export const nameWhenWhole = (
  fs: FileSystem,
  medium: Medium,
  header: Uint8Array,
  { synced }: { readonly synced: boolean }
): Effect.Effect<void, PlatformError> => {
  const creating = creatingPath(medium.path)
  return Effect.flatMap(fs.exists(medium.path), (exists) => exists ? Effect.fail(taken(medium.path)) : Effect.void)
    .pipe(
      Effect.andThen(medium.write(0, header)),
      Effect.andThen(synced ? medium.sync : Effect.void),
      Effect.andThen(fs.rename(creating, medium.path)),
      Effect.tapError(() => Effect.ignore(fs.remove(creating))),
      Effect.andThen(synced ? syncDirectory(fs, medium.path) : Effect.void)
    )
}

const taken = (path: string): PlatformError =>
  systemError({
    _tag: "AlreadyExists",
    module: "journal",
    method: "create",
    pathOrDescriptor: path,
    description: `${path} exists already`
  })

/**
 * How the log at `path` gets a file more, which closes with `scope`. Whatever the log's appends wait for, a file that
 * others follow is on the disk before them: so a tear is only ever in the last.
 *
 * A `.creating` that an interrupted roll-over left is begun again: it holds no events, and who writes holds the lock.
 *
 * @internal
 */
export const rollingOver = (fs: FileSystem, path: string, bytes: number, scope: Scope.Scope): RollOver => ({
  bytes,
  begin: Effect.fnUntraced(function*(segment, header) {
    const name = segmentPath(path, segment)
    const own = yield* Scope.fork(scope)
    return yield* fs.open(creatingPath(name), { flag: "w+" }).pipe(
      Scope.provide(own),
      Effect.map((file) => fileMedium(name, file)),
      Effect.tap((medium) => nameWhenWhole(fs, medium, header, { synced: true })),
      Effect.tapError(() => Scope.close(own, Exit.void))
    )
  })
})

/** Whether a frame of so many bytes goes into a segment of its own: every segment holds at least one. @internal */
export const isFull = (store: Store, log: Log, bytes: number): boolean => {
  const { base, frames } = lastSegment(store)
  return store.rollOver !== null && log.end > frames && log.end + bytes - base > store.rollOver.bytes
}

/** Seals the last segment and begins the next one. When it fails, the log is as it was. @internal */
export const rollOver = Effect.fnUntraced(function*(
  store: Store,
  log: Log
): Effect.fn.Return<void, PlatformError> {
  const sealed = lastSegment(store)
  const segment = store.segments.length + 1
  const { codec, meta } = log.start.header
  const { bytes, start } = newHeader({ codec, meta, segment, firstSeq: log.seq + 1, previous: hex(log.hash) })
  yield* sealed.medium.sync
  const medium = yield* store.rollOver!.begin(segment, bytes)
  store.segments.push({ medium, base: log.end, frames: log.end + bytes.length, start, fault: null })
  log.end += bytes.length
})
