/**
 * `pfnscope conform`: does the kernel do what the model says?
 */
import { conformJson, conformText } from "@pfnscope/render"
import { conform } from "@pfnscope/trace"
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

export const conformCommand = Command.make(
  "conform",
  {
    file: rereadableArgument,
    policy: Flag.String("policy").pipe(
      Flag.withMetavar("P"),
      Flag.withDescription("The policy to compare with; else that of the trace's kernel"),
      Flag.optional
    ),
    verbose: Flag.Boolean("verbose").pipe(
      Flag.withAlias("v"),
      Flag.withDescription("Every disagreement that is kept, not just the first"),
      Flag.withDefault(false)
    ),
    ...readingFlags,
    json: jsonFlag
  },
  Effect.fnUntraced(function*({ file, json, policy: name, verbose, ...reading }) {
    const policy = Option.isSome(name) ? yield* policyOf(name.value) : undefined
    const trace = yield* openRereadable(file, reading)
    const result = yield* Effect.ensuring(conform(trace, { policy }), clearProgress)
    yield* print(json, () => conformJson(result), () => conformText(result, { verbose }))
    if (result.disagreements > 0) return yield* new Found({ code: 1 })
    if (result.decisions === 0) return yield* new Found({ code: 3 })
  })
).pipe(
  Command.withDescription("Compare every decision that a kernel trace records with what the policy's steps decide"),
  Command.withExamples([
    { command: "pfnscope conform trace.txt", description: "Under the policy of the trace's own kernel" },
    { command: "pfnscope conform trace.txt --policy ./mine.ts", description: "Does my kernel do what my model says?" }
  ])
)
