/**
 * The journal: an append-only log of events with one writer, dense positions and a hash chain.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Stream } from "effect/Stream"
import { type Bookmarks, bookmarksOf } from "./bookmark.ts"
import type { Codec } from "./codec.ts"
import type { Appended, Envelope, Head, Header, NewEvent } from "./envelope.ts"
import type { AppendError, BatchOpen, Closed, ReadError, ReadOnly } from "./error.ts"
import { headOf, revisionOf } from "./log.ts"
import { readFrom, type ReadOptions, type Unknown } from "./reader.ts"
import { close, type Session } from "./session.ts"
import { type Snapshots, snapshotsOf } from "./snapshot.ts"
import type { Tail } from "./tail.ts"
import { type AppendOptions, appendTo, type Batch, batchOf } from "./writer.ts"

/**
 * What opening found behind the last valid batch: the tail that a crash left. Opening for writing cut it off and kept it
 * in the file `kept`; opening for reading ignores it (`kept` is `null`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Recovered extends Tail {
  readonly kept: string | null
}

/**
 * A log of events of type `E`.
 *
 * - `header` is what it was created with, `recovered` what opening had to cut off.
 * - `head` is where it ends, `revision` the number of events of a stream (0 when there is none); both count what is
 *   committed.
 * - `append` adds events, all or none; it returns when they are written (and synced, with `sync: "batch"`).
 * - `batch` opens the end of the log for events that are added one by one; there is one at a time, and `append` is
 *   refused with `BatchOpen` while its scope is open.
 * - `read` streams what is committed when it starts, in order of position and in bounded memory. In a damaged log that
 *   was opened for reading it fails with `Damaged` after the last event before the damage.
 * - `follow` streams what is committed from position `from` (1 when not given) and then what gets committed, without a
 *   gap and without a duplicate, until the journal closes. Opened for reading, it ends with the log.
 * - Both take `unknown`, which says what becomes of events that the codec does not know.
 * - `snapshot` keeps folds of the log beside it, `bookmarks` names of its positions.
 *
 * @category models
 * @since 0.1.0
 */
export interface Journal<E> {
  readonly header: Header
  readonly recovered: Recovered | null
  readonly head: Effect.Effect<Head>
  readonly revision: (stream: string) => number
  readonly append: (
    events: ReadonlyArray<NewEvent<E>>,
    options?: AppendOptions
  ) => Effect.Effect<Appended, AppendError>
  readonly batch: Effect.Effect<Batch<E>, BatchOpen | ReadOnly | Closed, Scope.Scope>
  readonly read: (options?: ReadOptions) => Stream<Envelope<E>, ReadError>
  readonly follow: (
    from?: number,
    options?: { readonly unknown?: Unknown | undefined }
  ) => Stream<Envelope<E>, ReadError>
  readonly snapshot: Snapshots
  readonly bookmarks: Bookmarks
}

/** The journal of a session, which closes with the scope. @internal */
export const journalOf = <E>(
  session: Session,
  codec: Codec<E>,
  recovered: Recovered | null
): Effect.Effect<Journal<E>, never, Scope.Scope> =>
  Effect.as(Effect.addFinalizer(() => close(session)), {
    header: session.log.start.header,
    recovered,
    head: Effect.sync(() => headOf(session.log)),
    revision: (stream) => revisionOf(session.log, stream),
    append: appendTo(session, codec),
    batch: batchOf(session, codec),
    read: (options = {}) => readFrom(session, codec, options, false),
    follow: (from = 1, { unknown } = {}) => readFrom(session, codec, { from, unknown }, true),
    snapshot: snapshotsOf(session),
    bookmarks: bookmarksOf(session)
  })
