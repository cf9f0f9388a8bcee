/**
 * What a crash left behind the last valid batch: half a batch, or half a header. It is kept before it is cut off.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { File, FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { type AccessFailed, accessFailed } from "./error.ts"
import { fileMedium, type Medium, syncDirectory } from "./medium.ts"
import { openMedium } from "./segments.ts"
import { lastSegment, type Segment, type Store } from "./store.ts"

/**
 * The last `bytes` of a log, from `byte` of the file `segment` on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tail {
  readonly segment: string
  readonly byte: number
  readonly bytes: number
}

/** The bytes `[at, size)` of the log, which are those of its last segment. @internal */
export const tailOf = (store: Store, at: number, size: number): Tail => {
  const { base, medium } = lastSegment(store)
  return { segment: medium.path, byte: at - base, bytes: size - at }
}

/**
 * Cuts off the bytes `[at, size)` of the log when they are safe in another file, which it names. A segment of which
 * nothing is left is none any more.
 *
 * @internal
 */
export const cutTail = (
  fs: FileSystem,
  store: Store,
  at: number,
  size: number
): Effect.Effect<string, AccessFailed, Scope.Scope> => {
  const { byte, segment } = tailOf(store, at, size)
  const last = lastSegment(store)
  const cut = at === last.base ? moveAside(fs, store) : cutOff(fs, last, byte, size - last.base)
  const failed = accessFailed(segment, `cut off the torn tail at byte ${byte}`)
  return Effect.catchTag(cut, "PlatformError", (error) => Effect.fail(failed(error)))
}

/** Copies the bytes `[byte, size)` of a segment beside it, and cuts them off only when they are safe there. */
const cutOff = (fs: FileSystem, { medium }: Segment, byte: number, size: number) =>
  Effect.gen(function*() {
    const { handle, path: kept } = yield* freshFile(fs, `${medium.path}.torn-${byte}`)
    const copied = copyTail(medium, fileMedium(kept, handle), byte, size)
    yield* Effect.tapError(copied, () => Effect.ignore(fs.remove(kept)))
    yield* syncDirectory(fs, kept)
    yield* medium.truncate(byte)
    yield* medium.sync
    return kept
  }).pipe(Effect.scoped)

/** Bytes that are copied at a time. */
const COPY = 1 << 20

const copyTail = Effect.fnUntraced(function*(medium: Medium, copy: Medium, byte: number, size: number) {
  for (let at = byte; at < size; at += COPY) {
    yield* copy.write(at - byte, yield* medium.read(at, Math.min(COPY, size - at)))
  }
  yield* copy.sync
})

/** Gives the file of the last segment, which has no header, another name; the log goes on in the one before. */
const moveAside = Effect.fnUntraced(function*(fs: FileSystem, store: Store) {
  const { medium } = lastSegment(store)
  const { path: kept } = yield* Effect.scoped(freshFile(fs, `${medium.path}.torn-0`))
  const moved = Effect.andThen(medium.sync, fs.rename(medium.path, kept))
  yield* Effect.tapError(moved, () => Effect.ignore(fs.remove(kept)))
  yield* syncDirectory(fs, kept)
  store.segments.pop()
  const before = store.segments.pop()!
  store.segments.push({ ...before, medium: yield* openMedium(fs, before.medium.path, "r+") })
  return kept
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
