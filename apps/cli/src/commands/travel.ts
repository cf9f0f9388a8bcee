/**
 * `pfnscope at`, `diff`, `why` and `race`: time travel.
 */
import { diff, race, stateAt, why } from "@pfnscope/projections"
import { atJson, atText, diffJson, diffText, raceJson, raceText, whyJson, whyText } from "@pfnscope/render"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { refused } from "../ended.ts"
import { openForTravel } from "../logs.ts"
import { jsonFlag, print } from "../output.ts"
import { logArgument, positionOf } from "./log.ts"

const position = (name: string) =>
  Argument.String(name).pipe(
    Argument.withDescription("A position: #1234, 12.345678 (s), +1.2ms after the start, end, a bookmark")
  )

const atFlag = Flag.String("at").pipe(
  Flag.withDescription("The position to look from: #1234, 12.345678 (s), +1.2ms after the start, end, a bookmark"),
  Flag.withDefault("end")
)

export const atCommand = Command.make(
  "at",
  { log: logArgument, seq: position("seq"), json: jsonFlag },
  Effect.fnUntraced(
    function*(flags) {
      const log = yield* openForTravel(flags.log)
      const at = yield* Effect.mapError(stateAt(log, yield* positionOf(log, flags.seq)), refused)
      yield* print(flags.json, () => atJson(at), () => atText(at))
    },
    Effect.scoped
  )
).pipe(
  Command.withDescription("The whole machine's state at a position of a log"),
  Command.withExamples([{ command: "pfnscope at run.log '#80'", description: "After event #80" }])
)

export const diffCommand = Command.make(
  "diff",
  {
    log: logArgument,
    a: position("a"),
    b: position("b"),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const log = yield* openForTravel(flags.log)
    const changes = yield* Effect.mapError(
      diff(log, yield* positionOf(log, flags.a), yield* positionOf(log, flags.b)),
      refused
    )
    yield* print(flags.json, () => diffJson(changes), () => diffText(changes))
  }, Effect.scoped)
).pipe(
  Command.withDescription("What changed between two positions, and the event that changed it last"),
  Command.withExamples([{ command: "pfnscope diff run.log '#40' '#80'", description: "Between two events" }])
)

export const whyCommand = Command.make(
  "why",
  {
    log: logArgument,
    subject: Argument.String("subject").pipe(
      Argument.withDescription("gpc/0, vcpu/3, mn/0, gpc/0.valid, #1234 or P1@#1234")
    ),
    at: atFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const log = yield* openForTravel(flags.log)
    const answer = yield* Effect.mapError(why(log, flags.subject, yield* positionOf(log, flags.at)), refused)
    yield* print(flags.json, () => whyJson(answer), () => whyText(answer))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Why something is as it is: a sentence, and the chain of events behind it"),
  Command.withExamples([{
    command: "pfnscope why run.log gpc/0 --at '#80'",
    description: "Why the cache is (in)valid"
  }])
)

export const raceCommand = Command.make(
  "race",
  { log: logArgument, at: atFlag, json: jsonFlag },
  Effect.fnUntraced(
    function*(flags) {
      const log = yield* openForTravel(flags.log)
      const at = flags.at === "end" ? undefined : yield* positionOf(log, flags.at)
      const table = yield* Effect.mapError(race(log, at), refused)
      yield* print(flags.json, () => raceJson(table), () => raceText(table))
    },
    Effect.scoped
  )
).pipe(
  Command.withDescription("The threads of a finding side by side, at most 72 columns, to paste in a mail"),
  Command.withExamples([{ command: "pfnscope race run.log", description: "Around the first violation" }])
)
