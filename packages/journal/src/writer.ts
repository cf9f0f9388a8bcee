/**
 * Appending: one writer at a time, whole batches or nothing.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Codec } from "./codec.ts"
import type { Appended, Head, NewEvent } from "./envelope.ts"
import {
  type AppendError,
  BatchOpen,
  BatchTooLarge,
  Closed,
  ReadOnly,
  reasonOf,
  RevisionConflict,
  WriteFailed
} from "./error.ts"
import { FRAME_PREFIX, FrameBuilder, LARGEST_PAYLOAD } from "./frame.ts"
import { admit, headOf, hex, revisionOf } from "./log.ts"
import { isFull, rollOver } from "./roll-over.ts"
import { committed, cutLeftovers, type Session } from "./session.ts"
import { placeOf, syncBytes, writeBytes } from "./store.ts"

/**
 * What an append asks for. `expected` gives the revisions at which streams must be, 0 for one that must not exist.
 * `key` names the append: when the log has one of that name, nothing is appended and its outcome returned, whatever
 * the events are; it is looked at before `expected`.
 *
 * @category models
 * @since 0.1.0
 */
export interface AppendOptions {
  readonly expected?: Readonly<Record<string, number>> | undefined
  readonly key?: string | undefined
}

/**
 * The open end of a log. Events get their positions at once and become durable and visible together, at `commit`.
 *
 * - `add` encodes an event and returns its position. It throws, and adds nothing, when the event is not one of the
 *   codec's, when its `cause` is not an earlier position, or when the batch is dead or closed.
 * - `size` and `bytes` are those of the events that are not committed (`bytes` without the batch's tables).
 * - `commit` writes them as one frame, at most 64 MiB. Events that are added while it writes belong to the next one.
 *   Without events it does nothing. When it fails the batch is dead: every later `commit` fails in the same way, and the
 *   log ends with the last commit.
 *
 * What is not committed when the scope closes is forgotten.
 *
 * @category models
 * @since 0.1.0
 */
export interface Batch<E> {
  readonly add: (event: NewEvent<E>) => number
  readonly size: number
  readonly bytes: number
  readonly commit: Effect.Effect<Head, AppendError>
}

/** @internal */
export const appendTo = <E>(session: Session, codec: Codec<E>) => {
  const builder = new FrameBuilder(codec, 1)
  const append = (events: ReadonlyArray<NewEvent<E>>, options: AppendOptions): Effect.Effect<Appended, AppendError> => {
    const { log, store: { path } } = session
    const refused = unwritable(session)
    if (refused !== null) return Effect.fail(refused)
    const earlier = options.key === undefined ? undefined : log.keys.get(options.key)
    if (earlier !== undefined) return Effect.succeed(earlier)
    for (const [stream, expected] of Object.entries(options.expected ?? {})) {
      const actual = revisionOf(log, stream)
      if (actual !== expected) return Effect.fail(new RevisionConflict({ path, stream, expected, actual }))
    }
    const first = log.seq + 1
    builder.reset(first)
    for (const event of events) builder.add(event)
    return Effect.map(
      builder.count === 0 ? Effect.void : write(session, builder, options.key ?? null),
      () => ({ first, last: log.seq, hash: hex(log.hash) })
    )
  }
  return Effect.fn("journal.append")(
    (events: ReadonlyArray<NewEvent<E>>, options: AppendOptions = {}): Effect.Effect<Appended, AppendError> =>
      alone(session, () => append(events, options))
  )
}

/** @internal */
export const batchOf = <E>(
  session: Session,
  codec: Codec<E>
): Effect.Effect<Batch<E>, BatchOpen | ReadOnly | Closed, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      alone(session, () => {
        const refused = unwritable(session)
        if (refused !== null) return Effect.fail(refused)
        session.batchOpen = true
        return Effect.succeed({ dead: null })
      }),
      (life: Life) =>
        session.writing.withPermit(Effect.sync(() => {
          session.batchOpen = false
          life.dead ??= new Closed({ path: session.store.path })
        }))
    ),
    (life) => batch(session, codec, life)
  )

/** What ended a batch, if something did. */
interface Life {
  dead: AppendError | null
}

const batch = <E>(session: Session, codec: Codec<E>, life: Life): Batch<E> => {
  const builder = new FrameBuilder(codec, session.log.seq + 1)
  return {
    add: (event) => {
      if (life.dead !== null) throw life.dead
      return builder.add(event)
    },
    get size() {
      return builder.count
    },
    get bytes() {
      return builder.bytes
    },
    commit: alone(session, () => {
      if (session.closed) life.dead ??= new Closed({ path: session.store.path })
      if (life.dead !== null) return Effect.fail(life.dead)
      if (builder.count === 0) return Effect.void
      // Dead before anybody else's turn: what was added after the batch that failed has no place any more.
      return Effect.tapError(write(session, builder, null), (error) => Effect.sync(() => void (life.dead = error)))
    }).pipe(Effect.map(() => headOf(session.log)))
  }
}

/** Waits for its turn, can be interrupted until then, and not after: a write is done or undone. */
const alone = <A, X>(session: Session, effect: () => Effect.Effect<A, X>): Effect.Effect<A, X> =>
  session.writing.withPermit(Effect.uninterruptible(Effect.suspend(effect)))

const unwritable = (session: Session): Closed | ReadOnly | BatchOpen | null => {
  const { path } = session.store
  if (session.closed) return new Closed({ path })
  if (!session.writable) return new ReadOnly({ path })
  return session.batchOpen ? new BatchOpen({ path }) : null
}

/**
 * Writes what the builder holds as the next frame, in the last segment or in a new one; the log changes when it is written,
 * and synced if that is asked for.
 */
const write = <E>(
  session: Session,
  builder: FrameBuilder<E>,
  key: string | null
): Effect.Effect<void, WriteFailed | BatchTooLarge> => {
  const { log, store } = session
  const { frame, head } = builder.seal(log.hash, key, (stream) => revisionOf(log, stream))
  const payload = frame.subarray(FRAME_PREFIX)
  if (payload.length > LARGEST_PAYLOAD) {
    return Effect.fail(new BatchTooLarge({ path: store.path, bytes: payload.length, limit: LARGEST_PAYLOAD }))
  }
  return cutLeftovers(session).pipe(
    Effect.andThen(Effect.suspend(() => isFull(store, log, frame.length) ? rollOver(store, log) : Effect.void)),
    Effect.andThen(Effect.suspend(() => writeBytes(store, log.end, frame))),
    Effect.andThen(Effect.suspend(() => syncBytes(store))),
    Effect.matchEffect({
      onSuccess: () =>
        Effect.sync(() => {
          admit(log, head, payload)
          committed(session)
        }),
      onFailure: (error) => {
        // When cutting it off fails too, it is tried again before the next write, and at the close.
        session.leftovers = true
        return Effect.andThen(
          Effect.ignore(cutLeftovers(session)),
          Effect.fail(
            new WriteFailed({ ...placeOf(store, log.end), events: head.count, reason: reasonOf(error), cause: error })
          )
        )
      }
    })
  )
}
