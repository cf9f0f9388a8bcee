/**
 * A log to look into: its events in order.
 *
 * @since 0.1.0
 */
import { NoSuchBookmark } from "@pfnscope/journal"
import type { Envelope, Journal, ReadError, StaleBookmark } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { checkpointsOf, START } from "./checkpoint.ts"
import type { CheckpointOptions, Checkpoints, Place } from "./checkpoint.ts"
import { atSeq, parsePosition } from "./position.ts"
import type { NotAPosition, Position } from "./position.ts"
import { rememberingReads } from "./recent.ts"

/**
 * Where events come from; a `Journal<Event>` is one. `read` gives the events from `from` (1 when not given) to `to`
 * (the end), both inclusive, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Log<E = ReadError> {
  readonly header: { readonly meta: unknown }
  readonly read: (
    options?: { readonly from?: number; readonly to?: number }
  ) => Stream.Stream<Envelope<Event>, E>
  /** What folds of it have come to, if that is kept. */
  readonly checkpoints?: Checkpoints<E>
  /** The names of its positions. */
  readonly bookmarks?: {
    readonly find: (name: string) => Effect.Effect<number, NoSuchBookmark | StaleBookmark | E>
  }
}

/** A journal that keeps what folds of it come to, beside itself. @category constructors @since 0.1.0 */
export const withCheckpoints = (
  { bookmarks, header, read, snapshot }: Pick<Journal<Event>, "bookmarks" | "header" | "read" | "snapshot">,
  options?: CheckpointOptions
): Log & Pick<Journal<Event>, "bookmarks"> => ({
  header,
  read: rememberingReads(read),
  checkpoints: checkpointsOf(snapshot, options),
  bookmarks
})

/** A log of events that are at hand, or can be streamed again and again. @category constructors @since 0.1.0 */
export const logOf = <E = never>(
  meta: unknown,
  events: ReadonlyArray<Envelope<Event>> | Stream.Stream<Envelope<Event>, E>
): Log<E> => {
  const all: Stream.Stream<Envelope<Event>, E> = Stream.isStream(events) ? events : Stream.fromIterable(events)
  return {
    header: { meta },
    read: ({ from = 1, to = Infinity } = {}) =>
      all.pipe(Stream.takeWhile((event) => event.seq <= to), Stream.filter((event) => event.seq >= from))
  }
}

const Threads = Schema.Struct({
  world: Schema.Struct({ threads: Schema.Array(Schema.Struct({ name: Schema.String })) })
})

/** The names of the threads, as far as the log's header tells them. @category queries @since 0.1.0 */
export const threadNames = ({ header }: Pick<Log, "header">): ReadonlyArray<string> =>
  Option.match(Schema.decodeUnknownOption(Threads)(header.meta), {
    onNone: () => [],
    onSome: ({ world }) => world.threads.map(({ name }) => name)
  })

/**
 * The events behind a place (the start when not given) up to a position, that one included.
 *
 * @category queries
 * @since 0.1.0
 */
export const readUpTo = <E>(
  log: Log<E>,
  position: Position,
  { first, seq }: Place = START
): Stream.Stream<Envelope<Event>, E> => {
  const from = seq + 1
  switch (position._tag) {
    case "Seq":
      return from > position.seq ? Stream.empty : log.read({ from, to: position.seq })
    case "Time":
      return Stream.takeWhile(readOn(log, from), (event) => event.t <= position.nanos)
    case "Elapsed":
      return Stream.suspend(() => {
        let origin = seq === 0 ? undefined : first
        return Stream.takeWhile(readOn(log, from), (event) => event.t <= (origin ??= event.t) + position.nanos)
      })
    case "End":
      return log.read({ from })
  }
}

/** Events that are read at first where nobody knows how far it is: from a checkpoint it is not far. */
const NEAR = 256

/** Reads on, in strides that grow: what is beyond the last event that is wanted is read for nothing. */
const readOn = <E>(log: Log<E>, from: number, stride = NEAR): Stream.Stream<Envelope<Event>, E> =>
  Stream.suspend(() => {
    const to = from + stride - 1
    let last = 0
    const near = Stream.mapArray(log.read({ from, to }), (chunk) => {
      last = chunk.at(-1)!.seq
      return chunk
    })
    return Stream.concat(near, Stream.suspend(() => last < to ? Stream.empty : readOn(log, to + 1, 2 * stride)))
  })

/** The event at a position, or none. @category queries @since 0.1.0 */
export const eventAt = <E>(log: Log<E>, seq: number): Effect.Effect<Option.Option<Envelope<Event>>, E> =>
  Stream.runHead(log.read({ from: seq, to: seq }))

/**
 * A position of a log from its text: what {@link parsePosition} reads, or the name of a bookmark.
 *
 * @category queries
 * @since 0.1.0
 */
export const positionIn = Effect.fn("projections.positionIn")(function*<E>(
  { bookmarks }: Pick<Log<E>, "bookmarks">,
  text: string
): Effect.fn.Return<Position, E | NotAPosition | NoSuchBookmark | StaleBookmark> {
  const written = parsePosition(text)
  if (Result.isSuccess(written)) return written.success
  if (bookmarks === undefined || !/^[a-z]/i.test(text)) return yield* written.failure
  return yield* bookmarks.find(text).pipe(
    Effect.map(atSeq),
    Effect.catchIf(isNoneAtAll, () => Effect.fail(written.failure))
  )
})

/** No name is known: the text may have been meant for anything. */
const isNoneAtAll = (error: unknown): boolean => error instanceof NoSuchBookmark && error.known.length === 0
