/**
 * `pfnscope export`: a log copied event by event, and with `--salvage` what can still be read of a damaged one.
 */
import { salvage, verify } from "@pfnscope/journal"
import type { Loss, NewEvent } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import type { Event } from "@pfnscope/protocol"
import { exportText } from "@pfnscope/render"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import { Refused, refused } from "../ended.ts"
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

export const exportCommand = Command.make(
  "export",
  {
    log: logArgument,
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("NEW"),
      Flag.withDescription("The log to write")
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
    const { log, output } = flags
    if (!flags.salvage) yield* refuseDamaged(log)
    const { events, head, lost } = yield* Effect.mapError(salvage(eventCodec, { from: log, to: output, note }), refused)
    const result = { output, events, head: head.hash, lost }
    yield* print(flags.json, () => result, () => exportText(log, result))
  })
).pipe(
  Command.withDescription(
    "Copies a log into a new one; --salvage: what can be read of a damaged one, and where something is lost"
  ),
  Command.withExamples([{
    command: "pfnscope export bad.log --salvage -o good.log",
    description: "All that is sound, behind the damage too"
  }])
)
