/**
 * `pfnscope bisect`: the first position of a log where something is so.
 */
import { bisect, threadNames, wasViolated, worldOf } from "@pfnscope/projections"
import { initialState, PROPERTY_IDS } from "@pfnscope/protocol"
import { bisectJson, bisectText } from "@pfnscope/render"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { parseCondition } from "../condition.ts"
import { badInput, Found, refused } from "../ended.ts"
import { openForTravel } from "../logs.ts"
import { jsonFlag, print } from "../output.ts"
import { logArgument } from "./log.ts"

const propertyOf = (name: string) =>
  Effect.fromOption(Option.fromUndefinedOr(PROPERTY_IDS.find((id) => id === name))).pipe(
    Effect.mapError(() => badInput(`no property ${name}; there are ${PROPERTY_IDS.join(", ")}`))
  )

export const bisectCommand = Command.make(
  "bisect",
  {
    log: logArgument,
    property: Flag.String("property").pipe(
      Flag.withDescription("Where this property was violated first: P1 … P13"),
      Flag.optional
    ),
    where: Flag.String("where").pipe(
      Flag.withDescription("Where this was so first: gpc/0.valid==true, 'mn/0.mmu_invalidate_seq>=4', Published"),
      Flag.optional
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*({ json, log: path, property, where }) {
    if (Option.isSome(property) === Option.isSome(where)) {
      return yield* badInput("bisect: expected one of --property and --where")
    }
    const log = yield* openForTravel(path)
    const condition = Option.isSome(property)
      ? wasViolated(yield* propertyOf(property.value))
      : yield* parseCondition(
        Option.getOrElse(where, () => ""),
        initialState(yield* Effect.mapError(worldOf(log), refused))
      )
    const found = yield* Effect.mapError(bisect(log, condition), refused)
    yield* print(json, () => bisectJson(found), () => bisectText(found, threadNames(log)))
    if (found.seq !== undefined) return yield* new Found({ code: 1 })
  }, Effect.scoped)
).pipe(
  Command.withDescription("The first position where a property was violated, or an event or the state was such"),
  Command.withExamples([{
    command: "pfnscope bisect run.log --where 'mn/0.mn_active_invalidate_count==2'",
    description: "When two invalidations were in flight first"
  }])
)
