/**
 * Importing a trace: from a file or a stream of bytes to a stream of events, and the census when it has ended.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { TraceError } from "./error.ts"
import { bytesOfFile, textOf } from "./reading/bytes.ts"
import { Counter } from "./reading/census.ts"
import type { Census } from "./reading/census.ts"
import type { ImportProgress } from "./reading/progress.ts"
import { makeReader } from "./reading/reader.ts"
import type { Reader } from "./reading/reader.ts"
import { expectRecords, mapsOf, recognised } from "./reading/recognised.ts"
import type { Recognised } from "./reading/recognised.ts"

/** How a trace is imported. @category models @since 0.1.0 */
export interface ImportOptions {
  /**
   * What the recorder called things that this project knows by other names, theirs first: `myrefresh=refresh` for an
   * event, `myrefresh.cache=gpc` for a field of it.
   */
  readonly maps?: ReadonlyArray<string> | undefined
  /** Nanoseconds that are added to every time. */
  readonly offset?: number | undefined
  /** Whether the text is in a mail. Where it does not say so, the text's first lines tell. */
  readonly mail?: boolean | undefined
  /** Told from time to time how far the import is. `size` is the bytes of the file, or 0 where that is not known. */
  readonly progress?: ((progress: ImportProgress) => Effect.Effect<void>) | undefined
  readonly size?: number | undefined
}

/**
 * A trace being imported. `events` can be run once, in constant memory; `census` says what was read so far, and is
 * whole when `events` has ended.
 *
 * The events are in the order of the text. `cause` and `corr` are positions in this stream, counted from 1: whoever
 * appends it to a log that is not empty adds the log's head to both.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImportedTrace {
  readonly events: Stream.Stream<NewEvent<Event>, TraceError>
  readonly census: Effect.Effect<Census>
}

/**
 * Imports the trace in the file `path`: a text in one of the {@link FORMATS}, or one that gzip or zstd compressed.
 *
 * Fails with {@link TraceError}, before the first event or within the stream, where the file cannot be read or is no
 * such text, or an option cannot be understood. A line that cannot be read is no failure: the census counts it.
 *
 * @category importing
 * @since 0.1.0
 */
export const importTrace = Effect.fn("trace.importTrace")(function*(path: string, options: ImportOptions = {}) {
  const { bytes, size } = yield* bytesOfFile(path)
  return importBytes(path, bytes, { size, ...options })
})

/**
 * Imports a trace from a stream of bytes, such as stdin; `file` is its name in the events' sources.
 *
 * @category importing
 * @since 0.1.0
 */
export const importBytes = (
  file: string,
  bytes: Stream.Stream<Uint8Array, TraceError>,
  options: ImportOptions = {}
): ImportedTrace => {
  const counter = new Counter()
  let reader: Reader | undefined

  const open = ({ bareHex, format }: Recognised): Effect.Effect<Reader, TraceError> =>
    Effect.map(mapsOf(file, options.maps), (maps) => {
      reader = makeReader(file, format, counter, { maps, bareHex, offset: options.offset })
      return reader
    })

  return {
    events: textOf(file, bytes, [counter], options).pipe(readBy(file, open, options.mail)),
    census: Effect.sync(() => reader === undefined ? counter.take(file, []) : reader.census())
  }
}

/** Looks at the first bytes, then reads them and all that follow in the format they are in. */
const readBy =
  (file: string, open: (found: Recognised) => Effect.Effect<Reader, TraceError>, mail: boolean | undefined) =>
  (text: Stream.Stream<Uint8Array, TraceError>): Stream.Stream<NewEvent<Event>, TraceError> =>
    Stream.unwrap(Effect.gen(function*() {
      const { first, found, rest } = yield* recognised(file, text, mail)
      const reader = yield* open(found)
      return Stream.make(first).pipe(
        Stream.concat(rest),
        Stream.map((piece) => reader.push(piece)),
        Stream.concat(Stream.fromEffect(Effect.suspend(() => finish(file, reader)))),
        Stream.filter((events): events is readonly [NewEvent<Event>, ...Array<NewEvent<Event>>] => events.length > 0),
        Stream.flattenArray
      )
    }))

/** The bytes are at their end: they should have held a record. */
const finish = (file: string, reader: Reader): Effect.Effect<ReadonlyArray<NewEvent<Event>>, TraceError> => {
  const last = reader.end()
  return Effect.as(expectRecords(file, reader.census()), last)
}
