/**
 * `pfnscope whatif`: the same world under other protocols.
 */
import { POLICIES } from "@pfnscope/protocol"
import { whatIfJson, whatIfText } from "@pfnscope/render"
import { whatIf } from "@pfnscope/trace"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { clearProgress } from "../check/progress.ts"
import { Found } from "../ended.ts"
import { policyOf } from "../names.ts"
import { jsonFlag, print } from "../output.ts"
import { readingFlags } from "../reading.ts"
import { openRereadable, rereadableArgument } from "../rereadable.ts"

export const whatIfCommand = Command.make(
  "whatif",
  {
    file: rereadableArgument,
    policies: Flag.String("policy").pipe(
      Flag.withMetavar("P"),
      Flag.withDescription("A policy to replay under, one row each; by default every shipped one"),
      Flag.atLeast(0)
    ),
    kernel: Flag.String("kernel").pipe(
      Flag.withMetavar("P"),
      Flag.withDescription("The policy of the trace's own kernel, where the trace does not show it"),
      Flag.optional
    ),
    ...readingFlags,
    json: jsonFlag
  },
  Effect.fnUntraced(function*({ file, json, kernel: name, policies: names, ...reading }) {
    const policies = names.length === 0 ? POLICIES : yield* Effect.forEach(names, policyOf)
    const kernel = Option.isSome(name) ? yield* policyOf(name.value) : undefined
    const trace = yield* openRereadable(file, reading)
    const result = yield* Effect.ensuring(whatIf(trace, policies, kernel), clearProgress)
    yield* print(json, () => whatIfJson(result), () => whatIfText(result))
    const { recorded, replayed } = result
    if (recorded.refreshes.stalePublishes + replayed.violations.length > 0) return yield* new Found({ code: 1 })
    if (recorded.refreshes.started === 0 || result.off > result.tolerance) return yield* new Found({ code: 3 })
  })
).pipe(
  Command.withDescription("Replay what the world did in a kernel trace under other policies, in virtual time"),
  Command.withExamples([
    { command: "pfnscope whatif trace.txt", description: "Under every shipped policy" },
    {
      command: "pfnscope whatif trace.txt --policy mainline-6.12 --policy ./mine.ts",
      description: "Would my patch have helped on that host?"
    }
  ])
)
