/**
 * An open log: its bytes, what is known of them, and who is waiting for more.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Semaphore from "effect/Semaphore"
import { Closed, type Damaged } from "./error.ts"
import type { Log } from "./log.ts"
import { type Store, truncateBytes } from "./store.ts"

/** As many as will ever read at once. */
const READERS = 1 << 30

/** @internal */
export interface Session {
  readonly store: Store
  readonly log: Log
  readonly writable: boolean
  /** Whether files may be kept beside the log. */
  readonly sidecars: boolean
  /** What stops a reader at the end of the log, in a log that was opened for reading. */
  readonly damage: Damaged | null
  /** Whoever writes holds it. */
  readonly writing: Semaphore.Semaphore
  /** Whoever reads holds one permit, closing takes them all: no read meets a file that took the closed one's number. */
  readonly reading: Semaphore.Semaphore
  batchOpen: boolean
  closed: boolean
  /** A write failed and what it left behind the end of the log could not be cut off. */
  leftovers: boolean
  /** Done at the next commit; there only when somebody waits. */
  commit: Deferred.Deferred<void> | null
}

/** @internal */
export const session = (
  store: Store,
  log: Log,
  access: { readonly writable: boolean; readonly sidecars: boolean; readonly damage: Damaged | null }
): Session => ({
  store,
  log,
  ...access,
  writing: Semaphore.makeUnsafe(1),
  reading: Semaphore.makeUnsafe(READERS),
  batchOpen: false,
  closed: false,
  leftovers: false,
  commit: null
})

/** Waits until more is committed or the journal closes. @internal */
export const nextCommit = (session: Session): Effect.Effect<void> =>
  Effect.suspend(() => Deferred.await(session.commit ??= Deferred.makeUnsafe<void>()))

/** Wakes whoever waits. @internal */
export const committed = (session: Session): void => {
  const waiting = session.commit
  session.commit = null
  if (waiting !== null) Deferred.doneUnsafe(waiting, Effect.void)
}

/** Reads from the store, which stays open until that is done, interrupted or not. @internal */
export const whileOpen = <A, X>(session: Session, read: () => Effect.Effect<A, X>): Effect.Effect<A, X | Closed> =>
  session.reading.withPermit(
    Effect.uninterruptible(
      Effect.suspend((): Effect.Effect<A, X | Closed> =>
        session.closed ? Effect.fail(new Closed({ path: session.store.path })) : read()
      )
    )
  )

/** Cuts off what a failed write left behind the end of the log. @internal */
export const cutLeftovers = (session: Session): Effect.Effect<void, PlatformError> =>
  Effect.suspend(() =>
    !session.leftovers ? Effect.void : Effect.andThen(
      truncateBytes(session.store, session.log.end),
      Effect.sync(() => void (session.leftovers = false))
    )
  )

/** No more reads or writes; those under way are finished first. A last try to leave nothing that failed. @internal */
export const close = (session: Session): Effect.Effect<void> =>
  Effect.sync(() => {
    session.closed = true
    committed(session)
  }).pipe(
    Effect.andThen(Effect.ignore(cutLeftovers(session))),
    session.reading.withPermits(READERS),
    session.writing.withPermit
  )
