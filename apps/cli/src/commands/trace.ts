/**
 * `pfnscope report` and `pfnscope import`: kernel traces, read and judged.
 */
import { file as journalFile } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { combine, logFile, reportOf } from "@pfnscope/projections"
import type { Report } from "@pfnscope/projections"
import { reportJson, reportText } from "@pfnscope/render"
import { importBytes, importTrace, reportOfTrace, TraceError } from "@pfnscope/trace"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { badInput, Found, refused } from "../ended.ts"
import { jsonFlag, print } from "../output.ts"

const STDIN = "-"

const openTrace = Effect.fnUntraced(function*(path: string, mail: boolean) {
  // Without the flag the text itself tells.
  const options = mail ? { mail } : {}
  if (path !== STDIN) return yield* importTrace(path, options)
  const stdio = yield* Stdio.Stdio
  const bytes = Stream.mapError(
    stdio.stdin,
    (error) => new TraceError({ file: "stdin", problem: "unreadable", expected: `bytes: ${error.message}` })
  )
  return importBytes("stdin", bytes, options)
})

/** The report on a log; undefined where the file is none. */
const reportOnLog = Effect.fnUntraced(function*(path: string) {
  const log = yield* journalFile(eventCodec, { path, mode: "read" }).pipe(
    Effect.catchTag("NotAJournal", () => Effect.succeed(undefined))
  )
  if (log === undefined) return undefined
  const { hash } = yield* log.head
  return yield* reportOf(log.read(), Effect.succeed(logFile(path, hash)))
}, Effect.scoped)

const reportOn = Effect.fnUntraced(function*(path: string, mail: boolean) {
  const onLog = path === STDIN ? undefined : yield* Effect.mapError(reportOnLog(path), refused)
  return onLog ?? (yield* Effect.mapError(Effect.flatMap(openTrace(path, mail), reportOfTrace), refused))
})

/** A report's exit code: a finding, evidence that is not enough, or neither. */
const judge = (report: Report): Effect.Effect<void, Found> => {
  const has = (kind: string) => report.verdicts.some(({ verdict }) => verdict === kind)
  if (has("violated") || has("found")) return Effect.fail(new Found({ code: 1 }))
  return has("unknown") ? Effect.fail(new Found({ code: 3 })) : Effect.void
}

const mailFlag = Flag.Boolean("mail").pipe(
  Flag.withDescription("The trace is in a mail, quoted or wrapped; without this its first 64 KiB tell"),
  Flag.withDefault(false)
)

export const reportCommand = Command.make(
  "report",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription("Kernel traces (ftrace text, also gzipped) or logs; - is stdin"),
      Argument.atLeast(1)
    ),
    verbose: Flag.Boolean("verbose").pipe(
      Flag.withAlias("v"),
      Flag.withDescription("All of it, not just what fits a screen"),
      Flag.withDefault(false)
    ),
    mail: mailFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(function*({ files, json, mail, verbose }) {
    const [first, ...more] = yield* Effect.forEach(files, (file) => reportOn(file, mail))
    if (first === undefined) return yield* badInput("expected a file")
    const report = combine(first, ...more)
    yield* print(json, () => reportJson(report), () => reportText(report, { verbose }))
    yield* judge(report)
  })
).pipe(
  Command.withDescription("What happened in a kernel trace or a log: the verdict first, the evidence after"),
  Command.withExamples([
    { command: "pfnscope report trace.txt", description: "A trace from /sys/kernel/tracing/trace" },
    { command: "cat trace_pipe.txt | pfnscope report -", description: "From a pipe" }
  ])
)

/** Events that are appended at once. */
const CHUNK = 4_096

export const importCommand = Command.make(
  "import",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A kernel trace; - is stdin")),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("LOG"),
      Flag.withDescription("The log to write")
    ),
    mail: mailFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const fs = yield* FileSystem.FileSystem
    const trace = yield* Effect.mapError(openTrace(flags.file, flags.mail), refused)
    const log = yield* Effect.mapError(
      journalFile(eventCodec, {
        path: flags.output,
        mode: "create",
        sync: "batch",
        meta: { kind: "import", file: flags.file }
      }),
      refused
    )
    yield* trace.events.pipe(
      Stream.grouped(CHUNK),
      Stream.runForEach((events) => log.append(events)),
      // A trace that turns out to be none leaves no log behind.
      Effect.tapError(() =>
        Effect.flatMap(log.head, ({ seq }) => seq === 0 ? Effect.ignore(fs.remove(flags.output)) : Effect.void)
      ),
      Effect.mapError(refused)
    )
    const census = yield* trace.census
    const { hash, seq } = yield* log.head
    yield* print(
      flags.json,
      () => ({ log: flags.output, events: seq, head: hash, ...census }),
      () => importText(flags.output, seq, census)
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Make a log of a kernel trace"),
  Command.withExamples([{
    command: "pfnscope import trace.txt -o trace.log",
    description: "Then log, at, why, race …"
  }])
)

const importText = (
  log: string,
  events: number,
  census: {
    readonly file: string
    readonly lines: number
    readonly parsed: number
    readonly rejected: ReadonlyArray<
      { readonly reason: string; readonly count: number; readonly lines: ReadonlyArray<number> }
    >
  }
): string =>
  [
    `${log}: ${events} events from ${census.parsed} of ${census.lines} lines of ${census.file}`,
    ...census.rejected.map(({ count, lines, reason }) =>
      `  ${count} lines rejected: ${reason} (first: ${lines.join(", ")})`
    )
  ].join("\n")
