/**
 * Opening logs from the command line.
 */
import { file, memory } from "@pfnscope/journal"
import type { Journal } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { withCheckpoints } from "@pfnscope/projections"
import type { Log } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { Json } from "effect/Schema"
import type * as Scope from "effect/Scope"
import { clearProgress } from "./check/progress.ts"
import { refused } from "./ended.ts"
import type { Refused } from "./ended.ts"
import { showFold } from "./fold-progress.ts"

/** An existing log, for reading. */
export const openLog = (path: string): Effect.Effect<Journal<Event>, Refused, FileSystem | Scope.Scope> =>
  Effect.mapError(file(eventCodec, { path, mode: "read" }), refused)

/** An existing log, to look into at any position: beside a long one is kept what the next look begins with. */
export const openForTravel = (
  path: string
): Effect.Effect<Log & Pick<Journal<Event>, "bookmarks">, Refused, FileSystem | Scope.Scope> =>
  file(eventCodec, { path, mode: "read", sidecars: true }).pipe(
    Effect.flatMap((journal) =>
      Effect.map(journal.head, ({ seq }) => withCheckpoints(journal, { progress: showFold(seq) }))
    ),
    Effect.tap(Effect.addFinalizer(() => clearProgress)),
    Effect.mapError(refused)
  )

/** A new log at `path`, or in memory when there is none. */
export const newLog = (
  path: string | undefined,
  meta: unknown
): Effect.Effect<Journal<Event>, Refused, FileSystem | Scope.Scope> => {
  // Plain data, by its Schema: what JSON leaves out is not there.
  const json = JSON.parse(JSON.stringify(meta)) as Json
  return path === undefined
    ? memory(eventCodec, { meta: json })
    : Effect.mapError(file(eventCodec, { path, mode: "create", sync: "batch", meta: json }), refused)
}
