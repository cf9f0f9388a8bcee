/**
 * `pfnscope log` and `pfnscope verify`: the events of a log, and whether it is what was written.
 */
import { verify } from "@pfnscope/journal"
import type { Envelope } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { positionIn, readBetween, readUpTo, threadNames } from "@pfnscope/projections"
import type { Log, Position } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import { eventJson, eventText, verifyText } from "@pfnscope/render"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { clearProgress } from "../check/progress.ts"
import { badInput, Refused, refused } from "../ended.ts"
import { parseFilter } from "../filter.ts"
import { openForTravel, openLog } from "../logs.ts"
import { jsonFlag, print } from "../output.ts"
import { showVerified } from "../verify-progress.ts"

/** The log, which every command here reads. */
export const logArgument = Argument.String("log").pipe(
  Argument.withDescription("A log, as run -o or import -o wrote it")
)

/** A position of a log, from its text. */
export const positionOf = (log: Pick<Log, "bookmarks">, text: string): Effect.Effect<Position, Refused> =>
  Effect.mapError(positionIn(log, text), refused)

export const logCommand = Command.make(
  "log",
  {
    log: logArgument,
    filter: Flag.String("filter").pipe(
      Flag.withAlias("F"),
      Flag.withDescription(
        "Only events that match: Published, gpc==0, 'RetryDecided && reason==count', type!=GpcVisited"
      ),
      Flag.optional
    ),
    from: Flag.String("from").pipe(
      Flag.withDescription("From this position: #12, +1.2ms, 12.345678, a bookmark"),
      Flag.optional
    ),
    to: Flag.String("to").pipe(Flag.withDescription("Up to this position, that one included"), Flag.optional),
    stream: Flag.String("stream").pipe(Flag.withDescription("Only this stream: gpc/0, mn/0, vcpu/3"), Flag.optional),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const matches = Option.isSome(flags.filter) ? yield* parseFilter(flags.filter.value) : () => true
    const stream = Option.getOrUndefined(flags.stream)
    // Where it begins elsewhere, the way there is by the checkpoints.
    const log: Log = yield* Option.isSome(flags.from) ? openForTravel(flags.log) : openLog(flags.log)
    const to = yield* positionOf(log, Option.getOrElse(flags.to, () => "end"))
    const events = Option.isSome(flags.from)
      ? yield* Effect.mapError(readBetween(log, yield* positionOf(log, flags.from.value), to), refused)
      : readUpTo(log, to)
    const threads = threadNames(log)
    const wanted = (event: Envelope<Event>) => (stream === undefined || event.stream === stream) && matches(event)
    yield* events.pipe(
      Stream.filter(wanted),
      Stream.map((event) => flags.json ? JSON.stringify(eventJson(event)) : eventText(event, threads)),
      Stream.mapError(refused),
      Stream.runForEachArray((lines) => Console.log(lines.join("\n")))
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("The events of a log, one line each (--json: one object a line)"),
  Command.withExamples([{
    command: "pfnscope log run.log --stream gpc/0 --to #80",
    description: "What happened to a cache"
  }])
)

const wrongWith = (damaged: boolean, torn: boolean): string =>
  damaged ? "the log is damaged" : torn ? "the log ends in a torn batch" : "the log does not continue that head"

export const verifyCommand = Command.make(
  "verify",
  {
    log: logArgument,
    head: Flag.String("head").pipe(
      Flag.withDescription(
        "A head that verify printed of this log before: proves that up to there it was not rewritten, only appended to"
      ),
      Flag.optional
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const wanted = Option.getOrUndefined(flags.head)
    if (wanted !== undefined && !/^[0-9a-f]{64}$/i.test(wanted)) {
      return yield* badInput(`--head ${wanted}: expected the 64 hex digits that verify prints`)
    }
    const report = yield* verify(flags.log, eventCodec, { head: wanted, onProgress: showVerified(flags.log) }).pipe(
      Effect.mapError(refused),
      Effect.ensuring(clearProgress)
    )
    const { batches, continues, damage, events, head, torn } = report
    const asked = wanted === undefined ? {} : { asked: { head: wanted.toLowerCase(), seq: continues } }
    const rewritten = wanted !== undefined && continues === null
    const ok = damage === null && torn === null && !rewritten
    const result = { ok, events, batches, head: head.hash, damage, torn, ...asked }
    yield* print(flags.json, () => result, () => verifyText(flags.log, result))
    if (!ok) {
      return yield* new Refused({
        code: 4,
        message: `${flags.log}: ${wrongWith(damage !== null, torn !== null)}`
      })
    }
  })
).pipe(
  Command.withDescription(
    "The integrity of a log: frames, checksums, the hash chain; the first damage by file, byte and seq; a head kept from before"
  ),
  Command.withExamples([{ command: "pfnscope verify run.log", description: "Exit code 4 when it is damaged" }])
)
