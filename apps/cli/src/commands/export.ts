/**
 * `pfnscope export`: a log copied event by event, with `--salvage` what can still be read of a damaged one, and a log as a
 * database of SQLite.
 */
import { salvage, verify } from "@pfnscope/journal"
import type { Loss, NewEvent } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import type { Event } from "@pfnscope/protocol"
import { databaseText, exportText, writeDatabase } from "@pfnscope/render"
import type { ExportProgress } from "@pfnscope/render"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import { clearProgress } from "../check/progress.ts"
import { badInput, Refused, refused } from "../ended.ts"
import { openLog } from "../logs.ts"
import { jsonFlag, print } from "../output.ts"
import { logArgument } from "./log.ts"

/** What a trace says when its tracer lost events, so that no verdict takes the rest for the whole. */
const note = ({ count }: Loss, t: number): NewEvent<Event> => ({
  stream: "audit/0",
  t,
  how: "inferred",
  data: { _tag: "EventsLost", thread: -1, cpu: -1, count: count ?? -1 }
})

const refuseDamaged = Effect.fnUntraced(function*(log: string): Effect.fn.Return<void, Refused, FileSystem> {
  const { damage, torn } = yield* Effect.mapError(verify(log, eventCodec), refused)
  if (damage === null && torn === null) return
  const what = damage === null
    ? `${torn!.segment}: torn at byte ${torn!.byte}`
    : `${damage.segment}: damaged at byte ${damage.byte}, event #${damage.seq}: ${damage.reason}`
  return yield* new Refused({ code: 4, message: `${what}; --salvage exports what can be read` })
})

const copyLog = Effect.fnUntraced(function*(log: string, output: string, json: boolean) {
  const { events, head, lost } = yield* Effect.mapError(salvage(eventCodec, { from: log, to: output, note }), refused)
  const result = { output, events, head: head.hash, lost }
  yield* print(json, () => result, () => exportText(log, result))
})

/** Shows how far an export is, on a terminal only. */
const showExport = ({ events, of }: ExportProgress): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!process.stderr.isTTY) return
    process.stderr.write(`\r\u001b[K${Math.round(events / 1000)} k of ${Math.round(of / 1000)} k events`)
  })

const toDatabase = Effect.fnUntraced(function*(log: string, output: string, json: boolean) {
  const opened = yield* openLog(log)
  const { hash, seq } = yield* writeDatabase(opened, { source: log, output, onProgress: showExport }).pipe(
    Effect.mapError(refused),
    Effect.ensuring(clearProgress)
  )
  const result = { output, events: seq, head: hash }
  yield* print(json, () => result, () => databaseText(log, result))
}, Effect.scoped)

export const exportCommand = Command.make(
  "export",
  {
    log: logArgument,
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("NEW"),
      Flag.withDescription("The log or the database to write")
    ),
    format: Flag.Literals("format", ["log", "sqlite"]).pipe(
      Flag.withAlias("f"),
      Flag.withDescription("A log, or a database of SQLite with views: docs/sql.md"),
      Flag.withDefault("log" as const)
    ),
    salvage: Flag.Boolean("salvage").pipe(
      Flag.withDescription(
        "Read on behind damage: what is sound is numbered anew, an EventsLost stands for what is not"
      ),
      Flag.withDefault(false)
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const { format, json, log, output } = flags
    if (format === "sqlite" && flags.salvage) {
      return yield* badInput("--salvage: writes a log; expected that first, and then -f sqlite of it")
    }
    if (!flags.salvage) yield* refuseDamaged(log)
    yield* format === "sqlite" ? toDatabase(log, output, json) : copyLog(log, output, json)
  })
).pipe(
  Command.withDescription(
    "Copies a log into a new one (--salvage: what can be read of a damaged one), or writes a database of SQLite"
  ),
  Command.withExamples([
    {
      command: "pfnscope export bad.log --salvage -o good.log",
      description: "All that is sound, behind the damage too"
    },
    { command: "pfnscope export run.log -f sqlite -o run.sqlite", description: "For sqlite3 run.sqlite" }
  ])
)
