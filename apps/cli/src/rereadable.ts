/**
 * A trace or a log that a command reads more than once. What comes from stdin is kept, since it comes only once.
 */
import { file as journalFile } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { envelopesOf } from "@pfnscope/trace"
import type { ImportedTrace, Rereadable, TraceError } from "@pfnscope/trace"
import * as Argument from "effect/cli/Argument"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { refused } from "./ended.ts"
import type { Refused } from "./ended.ts"
import { byFile, openTrace, signedNanos, STDIN } from "./reading.ts"

/** The one file of such a command. */
export const rereadableArgument = Argument.String("file").pipe(
  Argument.withDescription("A kernel trace, or a log made of one; - is stdin")
)

/** How a command was told to read its one file. */
interface ReadingGiven {
  readonly map: ReadonlyArray<string>
  readonly mail: boolean
  readonly tsOffset: ReadonlyArray<string>
}

/**
 * A text that is opened anew for each reading; the names of its records are those of the last one. One without records
 * has no events, which is for the command to judge.
 */
const ofText = <R>(open: Effect.Effect<ImportedTrace, TraceError, R>): Rereadable<Refused, R> => {
  let records: Effect.Effect<ReadonlyArray<string>> = Effect.succeed([])
  const events = Stream.unwrap(Effect.map(open, (trace) => {
    records = Effect.map(trace.census, (census) => Object.keys(census.records))
    return envelopesOf(trace)
  })).pipe(Stream.catchIf((error) => error.problem === "empty", () => Stream.empty))
  return { events: Stream.mapError(events, refused), records: Effect.suspend(() => records) }
}

/** Stdin, with what came from it kept for the next time. */
const kept = Effect.map(Stdio.Stdio, (stdio) => {
  const pieces: Array<Uint8Array> = []
  let whole = false
  const first = stdio.stdin.pipe(
    Stream.map((piece) => {
      pieces.push(piece)
      return piece
    }),
    Stream.onEnd(Effect.sync(() => {
      whole = true
    }))
  )
  return { ...stdio, stdin: Stream.suspend(() => whole ? Stream.fromIterable(pieces) : first) }
})

const isLog = (path: string) =>
  journalFile(eventCodec, { path, mode: "read" }).pipe(
    Effect.as(true),
    Effect.catchTag("NotAJournal", () => Effect.succeed(false)),
    Effect.mapError(refused),
    Effect.scoped
  )

/** Opens a trace's text (`-`: stdin) or a log. */
export const openRereadable = Effect.fnUntraced(function*(
  path: string,
  given: ReadingGiven
): Effect.fn.Return<
  Rereadable<Refused, FileSystem.FileSystem>,
  Refused,
  FileSystem.FileSystem | Stdio.Stdio
> {
  if (path !== STDIN && (yield* isLog(path))) {
    const log = Stream.unwrap(Effect.map(journalFile(eventCodec, { path, mode: "read" }), (opened) => opened.read()))
    return { events: Stream.mapError(Stream.scoped(log), refused), records: Effect.succeed([]) }
  }
  const offsets = yield* byFile("--ts-offset", given.tsOffset, [path], signedNanos)
  const open = openTrace(path, { maps: given.map, mail: given.mail, offsets })
  return ofText(Effect.provideService(open, Stdio.Stdio, yield* kept))
})
