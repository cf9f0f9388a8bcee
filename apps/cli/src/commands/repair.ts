/**
 * `pfnscope repair`: the tail that a crash tore off its log, kept beside it.
 */
import { file, verify } from "@pfnscope/journal"
import type { Tail } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { repairText } from "@pfnscope/render"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import { Refused, refused } from "../ended.ts"
import { jsonFlag, print } from "../output.ts"
import { logArgument } from "./log.ts"

/** What a repair did, or would do: nothing when there is no torn tail. */
interface Repair {
  readonly events: number
  readonly torn: Tail | null
  readonly kept: string | null
}

/** What a repair would do. Damage in the middle is none of its business, as when it is done. */
const plan = Effect.fnUntraced(function*(log: string): Effect.fn.Return<Repair, Refused, FileSystem> {
  const { damage, events, torn } = yield* Effect.mapError(verify(log, eventCodec), refused)
  if (damage === null) return { events, torn, kept: null }
  const { byte, reason, segment, seq } = damage
  return yield* notRepairable(`${segment}: damaged at byte ${byte}, event #${seq}: ${reason}`)
})

/** Opening a log to write repairs it. */
const carryOut = (log: string): Effect.Effect<Repair, Refused, FileSystem> =>
  file(eventCodec, { path: log, mode: "open", sync: "batch" }).pipe(
    Effect.flatMap(({ head, recovered }) =>
      Effect.map(head, ({ seq }): Repair => {
        if (recovered === null) return { events: seq, torn: null, kept: null }
        const { kept, ...torn } = recovered
        return { events: seq, torn, kept }
      })
    ),
    Effect.scoped,
    Effect.mapError((error) =>
      error._tag === "Damaged" && error.seq > 0 ? notRepairable(error.message) : refused(error)
    )
  )

const notRepairable = (damage: string): Refused =>
  new Refused({ code: 4, message: `${damage}; repair cuts off torn tails, export --salvage reads on behind this` })

export const repairCommand = Command.make(
  "repair",
  {
    log: logArgument,
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Say what would be cut off, and change nothing"),
      Flag.withDefault(false)
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*({ dryRun, json, log }) {
    const repair = { dryRun, ...yield* (dryRun ? plan(log) : carryOut(log)) }
    yield* print(json, () => repair, () => repairText(log, repair))
  })
).pipe(
  Command.withDescription(
    "Cuts off the torn tail that a crash left behind the last batch, and keeps it beside the log"
  ),
  Command.withExamples([{ command: "pfnscope repair run.log --dry-run", description: "What would be cut off" }])
)
