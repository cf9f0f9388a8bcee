/**
 * `pfnscope report` and `pfnscope import`: kernel traces, read and judged.
 */
import { file as journalFile } from "@pfnscope/journal"
import type { NewEvent } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { combine, logFile, reportOf } from "@pfnscope/projections"
import type { Report } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import { reportJson, reportText } from "@pfnscope/render"
import { importTraces, reportOfTrace } from "@pfnscope/trace"
import type { Census, TraceError } from "@pfnscope/trace"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { clearProgress } from "../check/progress.ts"
import { badInput, Found, refused } from "../ended.ts"
import type { Refused } from "../ended.ts"
import { showImport } from "../import-progress.ts"
import { jsonFlag, print } from "../output.ts"
import { byFile, openTrace, readingFlags, signedNanos, STDIN } from "../reading.ts"
import type { Reading } from "../reading.ts"

/** The report on a log; undefined where the file is none. */
const reportOnLog = Effect.fnUntraced(function*(path: string) {
  const log = yield* journalFile(eventCodec, { path, mode: "read" }).pipe(
    Effect.catchTag("NotAJournal", () => Effect.succeed(undefined))
  )
  if (log === undefined) return undefined
  const { hash } = yield* log.head
  return yield* reportOf(log.read(), Effect.succeed(logFile(path, hash)))
}, Effect.scoped)

const reportOn = Effect.fnUntraced(function*(path: string, reading: Reading) {
  const onLog = path === STDIN ? undefined : yield* Effect.mapError(reportOnLog(path), refused)
  return onLog ?? (yield* Effect.mapError(Effect.flatMap(openTrace(path, reading), reportOfTrace), refused))
})

/** A report's exit code: a finding, evidence that is not enough, or neither. */
const judge = (report: Report): Effect.Effect<void, Found> => {
  const has = (kind: string) => report.verdicts.some(({ verdict }) => verdict === kind)
  if (has("violated") || has("found")) return Effect.fail(new Found({ code: 1 }))
  return has("unknown") ? Effect.fail(new Found({ code: 3 })) : Effect.void
}

export const reportCommand = Command.make(
  "report",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription(
        "Kernel traces (the text of ftrace, trace-cmd report, perf script, bpftrace, function_graph; also in a mail, by gzip or zstd) or logs; - is stdin"
      ),
      Argument.atLeast(1)
    ),
    ...readingFlags,
    verbose: Flag.Boolean("verbose").pipe(
      Flag.withAlias("v"),
      Flag.withDescription("All of it, not just what fits a screen"),
      Flag.withDefault(false)
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*({ files, json, mail, map, tsOffset, verbose }) {
    const offsets = yield* byFile("--ts-offset", tsOffset, files, signedNanos)
    const [first, ...more] = yield* Effect.ensuring(
      Effect.forEach(files, (path) => reportOn(path, { maps: map, offsets, mail })),
      clearProgress
    )
    if (first === undefined) return yield* badInput("expected a file")
    const report = combine(first, ...more)
    yield* print(json, () => reportJson(report), () => reportText(report, { verbose }))
    yield* judge(report)
  })
).pipe(
  Command.withDescription("What happened in a kernel trace or a log: the verdict first, the evidence after"),
  Command.withExamples([
    { command: "pfnscope report trace.txt", description: "A trace from /sys/kernel/tracing/trace" },
    { command: "cat trace_pipe.txt | pfnscope report -", description: "From a pipe" },
    {
      command: "pfnscope report perf.txt --map myrefresh=refresh --map myrefresh.cache=gpc",
      description: "With probes of one's own names"
    }
  ])
)

/** Events that are appended at once. */
const CHUNK = 4_096

/** What an import of one file or of several comes to. */
interface Importing {
  readonly events: Stream.Stream<NewEvent<Event>, TraceError>
  readonly censuses: Effect.Effect<ReadonlyArray<Census>>
}

/** One trace in the order of its text, or several in the order of their times. */
const openTraces = Effect.fnUntraced(function*(
  files: ReadonlyArray<string>,
  reading: Reading,
  hosts: ReadonlyMap<string, string>
): Effect.fn.Return<Importing, Refused, FileSystem.FileSystem | Stdio.Stdio> {
  const [only, ...more] = files
  if (only !== undefined && more.length === 0) {
    const { census, events } = yield* Effect.mapError(openTrace(only, reading), refused)
    return { events, censuses: Effect.map(census, (one) => [one]) }
  }
  if (files.includes(STDIN)) return yield* badInput("-: several files are read at once; stdin is none of them")
  const traces = files.map((path) => ({ path, offset: reading.offsets.get(path), host: hosts.get(path) }))
  return yield* Effect.mapError(
    importTraces(traces, { maps: reading.maps, mail: reading.mail, progress: showImport }),
    refused
  )
})

export const importCommand = Command.make(
  "import",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription("Kernel traces; several become one, in the order of their times; - is stdin"),
      Argument.atLeast(1)
    ),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("LOG"),
      Flag.withDescription("The log to write")
    ),
    ...readingFlags,
    host: Flag.String("host").pipe(
      Flag.withDescription(
        "The machine that a file is of, so that its tasks are not taken for those of others; can be repeated"
      ),
      Flag.withMetavar("FILE=NAME"),
      Flag.atLeast(0)
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const fs = yield* FileSystem.FileSystem
    const offsets = yield* byFile("--ts-offset", flags.tsOffset, flags.files, signedNanos)
    const hosts = yield* byFile("--host", flags.host, flags.files, Effect.succeed)
    const trace = yield* openTraces(flags.files, { maps: flags.map, offsets, mail: flags.mail }, hosts)
    const log = yield* Effect.mapError(
      journalFile(eventCodec, {
        path: flags.output,
        mode: "create",
        sync: "batch",
        meta: { kind: "import", file: flags.files.join(" ") }
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
      Effect.mapError(refused),
      Effect.ensuring(clearProgress)
    )
    const censuses = yield* trace.censuses
    const { hash, seq } = yield* log.head
    const [census, ...more] = censuses
    yield* print(
      flags.json,
      () => ({
        log: flags.output,
        events: seq,
        head: hash,
        ...(more.length === 0 ? census : { files: censuses })
      }),
      () => importText(flags.output, seq, censuses)
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Make a log of a kernel trace, or of several"),
  Command.withExamples([
    { command: "pfnscope import trace.txt -o trace.log", description: "Then log, at, why, race …" },
    {
      command: "pfnscope import host.txt guest.txt -o both.log --host guest.txt=guest --ts-offset guest.txt=+0.5s",
      description: "A host and its guest, whose clock is half a second behind"
    }
  ])
)

const importText = (log: string, events: number, censuses: ReadonlyArray<Census>): string => {
  const [only, ...more] = censuses
  const lines = censuses.map(({ file, lines, parsed }) => `${parsed} of ${lines} lines of ${file}`)
  const rejected = censuses.flatMap(({ file, rejected }) =>
    rejected.map(({ count, lines, reason }) => {
      const whose = file === only?.file && more.length === 0 ? "" : ` of ${file}`
      return `  ${count} lines${whose} rejected: ${reason} (first: ${lines.join(", ")})`
    })
  )
  return [`${log}: ${events} events from ${lines.join(" and ")}`, ...rejected].join("\n")
}
