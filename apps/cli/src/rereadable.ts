/**
 * A trace or a log that a command reads more than once. What comes from stdin is kept, since it comes only once.
 */
import { file as journalFile } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { envelopesOf, importBytes, importTrace, TraceError } from "@pfnscope/trace"
import type { ImportedTrace, Rereadable } from "@pfnscope/trace"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { refused } from "./ended.ts"
import type { Refused } from "./ended.ts"

const STDIN = "-"

/** A text that is opened anew for each reading; the names of its records are those of the last one. */
const ofText = <R>(open: Effect.Effect<ImportedTrace, TraceError, R>): Rereadable<Refused, R> => {
  let records: Effect.Effect<ReadonlyArray<string>> = Effect.succeed([])
  const events = Stream.unwrap(Effect.map(open, (trace) => {
    records = Effect.map(trace.census, (census) => Object.keys(census.records))
    return envelopesOf(trace)
  }))
  return { events: Stream.mapError(events, refused), records: Effect.suspend(() => records) }
}

const ofStdin = Effect.gen(function*() {
  const stdio = yield* Stdio.Stdio
  const pieces = yield* Stream.runCollect(stdio.stdin).pipe(
    Effect.mapError((error) =>
      refused(new TraceError({ file: "stdin", problem: "unreadable", expected: `bytes: ${error.message}` }))
    )
  )
  return ofText(Effect.sync(() => importBytes("stdin", Stream.fromIterable(pieces))))
})

/** Opens a trace's text (`-`: stdin) or a log. */
export const openRereadable = Effect.fnUntraced(function*(
  path: string
): Effect.fn.Return<Rereadable<Refused, FileSystem.FileSystem>, Refused, FileSystem.FileSystem | Stdio.Stdio> {
  if (path === STDIN) return yield* ofStdin
  const isLog = yield* journalFile(eventCodec, { path, mode: "read" }).pipe(
    Effect.as(true),
    Effect.catchTag("NotAJournal", () => Effect.succeed(false)),
    Effect.mapError(refused),
    Effect.scoped
  )
  if (!isLog) return ofText(importTrace(path))
  const events = Stream.unwrap(Effect.map(journalFile(eventCodec, { path, mode: "read" }), (log) => log.read()))
  return { events: Stream.mapError(Stream.scoped(events), refused), records: Effect.succeed([]) }
})
