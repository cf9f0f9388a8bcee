/**
 * Bookmarks: names of positions of a log, kept beside it.
 *
 * Each is a file of the layout of a snapshot that holds no bytes: the position, and the hash of the log after its batch. So a
 * bookmark is found again in the log that it was made in, and in no other.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Semaphore from "effect/Semaphore"
import {
  AccessFailed,
  accessFailed,
  BeyondHead,
  Closed,
  NoSuchBookmark,
  NotABookmark,
  type ReadError,
  ReadOnly,
  StaleBookmark
} from "./error.ts"
import { hashAt } from "./reader.ts"
import type { Session } from "./session.ts"
import { unwrap, wrap } from "./snapshot.ts"

/** A name, and the position that it is of; `null` where the log has no such position any more. @category models @since 0.1.0 */
export interface Bookmark {
  readonly name: string
  readonly seq: number | null
}

/**
 * Names of positions of one log. A name begins with a letter, and has up to 64 letters, digits, `_` and `-`. Positions are
 * 0 (before the first event) up to the last committed one.
 *
 * - `set` names a position; a name that there is moves there. A log that is read only may have bookmarks set if it was
 *   opened with `sidecars`.
 * - `find` gives the position of a name. It fails with `NoSuchBookmark`, or with `StaleBookmark` where the name is known but
 *   the log is not the one in which it was given, or was cut or rewritten since.
 * - `all` are those that there are, by position, stale ones last.
 * - `remove` fails with `NoSuchBookmark` where there is none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bookmarks {
  readonly set: (
    name: string,
    seq: number
  ) => Effect.Effect<void, NotABookmark | BeyondHead | ReadOnly | ReadError>
  readonly find: (name: string) => Effect.Effect<number, NoSuchBookmark | StaleBookmark | ReadError>
  readonly all: Effect.Effect<ReadonlyArray<Bookmark>, ReadError>
  readonly remove: (name: string) => Effect.Effect<void, NoSuchBookmark | ReadOnly | AccessFailed | Closed>
}

/** No `.` in it: what a write that was cut short leaves is no bookmark. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

const PREFIX = "mark-"

/** @internal */
export const bookmarksOf = (session: Session): Bookmarks => {
  const { log, sidecars, store: { path, sidecar } } = session
  // Two that set one name would write the same file on its way to that.
  const setting = Semaphore.makeUnsafe(1)
  const closed = Effect.suspend(() => session.closed ? Effect.fail(new Closed({ path })) : Effect.void)
  const writable = Effect.andThen(closed, sidecars ? Effect.void : Effect.fail(new ReadOnly({ path })))

  const names = Effect.map(
    Effect.mapError(sidecar.list(PREFIX), accessFailed(path, "list its bookmarks")),
    (found) => found.map((name) => name.slice(PREFIX.length)).filter((name) => NAME.test(name))
  )

  /** The position of a name; `null` where it is not one of this log. */
  const positionOf = Effect.fnUntraced(function*(name: string): Effect.fn.Return<
    number | null,
    NoSuchBookmark | ReadError
  > {
    const bytes = yield* Effect.mapError(sidecar.read(PREFIX + name), (error) => missing(path, name, error))
    const seq = positionIn(bytes)
    return seq > log.seq || unwrap(bytes, seq, yield* hashAt(session, seq)) === null ? null : seq
  })

  const noSuch = (name: string) =>
    Effect.flatMap(names, (known) => Effect.fail(new NoSuchBookmark({ path, name, known: known.toSorted() })))

  const find = Effect.fn("journal.bookmarks.find")(function*(name: string): Effect.fn.Return<
    number,
    NoSuchBookmark | StaleBookmark | ReadError
  > {
    yield* closed
    const seq = NAME.test(name)
      ? yield* Effect.catchTag(positionOf(name), "NoSuchBookmark", () => noSuch(name))
      : yield* noSuch(name)
    return seq ?? (yield* new StaleBookmark({ path, name }))
  })

  const set = Effect.fn("journal.bookmarks.set")(function*(name: string, seq: number): Effect.fn.Return<
    void,
    NotABookmark | BeyondHead | ReadOnly | ReadError
  > {
    yield* writable
    if (!NAME.test(name)) return yield* new NotABookmark({ name })
    if (seq > log.seq) return yield* new BeyondHead({ path, what: "bookmark", seq, head: log.seq })
    const bytes = wrap(seq, yield* hashAt(session, seq), new Uint8Array(0))
    const written = setting.withPermit(Effect.uninterruptible(sidecar.write(PREFIX + name, bytes)))
    yield* Effect.mapError(written, accessFailed(path, "set a bookmark"))
  })

  const all = Effect.gen(function*() {
    yield* closed
    const found = yield* Effect.forEach(
      yield* names,
      (name) =>
        Effect.map(positionOf(name), (seq): Bookmark => ({ name, seq })).pipe(
          // Somebody removed it meanwhile.
          Effect.catchTag("NoSuchBookmark", () => Effect.succeed(null))
        )
    )
    return found.filter((bookmark) => bookmark !== null).sort(byPosition)
  })

  const remove = Effect.fn("journal.bookmarks.remove")(function*(name: string): Effect.fn.Return<
    void,
    NoSuchBookmark | ReadOnly | AccessFailed | Closed
  > {
    yield* writable
    if (!(yield* names).includes(name)) return yield* noSuch(name)
    yield* Effect.mapError(sidecar.remove(PREFIX + name), accessFailed(path, "remove a bookmark"))
  })

  return { set, find, all, remove }
}

const missing = (path: string, name: string, error: PlatformError): NoSuchBookmark | AccessFailed =>
  error.reason._tag === "NotFound"
    ? new NoSuchBookmark({ path, name, known: [] })
    : accessFailed(path, "read a bookmark")(error)

/** By its own account; beyond every log where there is none. */
const positionIn = (bytes: Uint8Array): number => {
  const { buffer, byteLength, byteOffset } = bytes
  return byteLength < 16 ? Infinity : Number(new DataView(buffer, byteOffset, byteLength).getBigUint64(8, true))
}

const byPosition = (a: Bookmark, b: Bookmark): number =>
  (a.seq ?? Infinity) - (b.seq ?? Infinity) || (a.name < b.name ? -1 : 1)
