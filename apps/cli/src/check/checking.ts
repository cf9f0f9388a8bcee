/**
 * The check of one policy: the search, what it says on the way and when it is interrupted, and what it found.
 */
import { run, runLive, Search } from "@pfnscope/checker"
import type { Explorer, Limits, Model, NotCheckable, WorkerFailed } from "@pfnscope/checker"
import { OutOfFrames } from "@pfnscope/protocol"
import type { Checked } from "@pfnscope/render"
import * as Effect from "effect/Effect"
import { badInput } from "../ended.ts"
import { evidenceOf } from "./counterexample.ts"
import { checkpointPath, shellWord } from "./paths.ts"
import { clearProgress, showProgress } from "./progress.ts"
import { load, save } from "./saved.ts"
import { modelOf } from "./subject.ts"
import type { Subject } from "./subject.ts"
import { systemText } from "./system.ts"
import { explorerOf, wayText } from "./way.ts"
import type { Way } from "./way.ts"

/** What the flags ask for of every policy. */
export interface Plan {
  readonly config: string
  readonly way: Way
  readonly all: boolean
  readonly limits: Limits
  readonly folder: string | undefined
  readonly resumed: string | undefined
  /** The command, but for the policy and what to resume. */
  readonly command: string
}

/** Says a line on stderr. */
export const say = (line: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`pfnscope: ${line}\n`))

/** Saves a search that was interrupted, and says how to go on. */
const keep = Effect.fnUntraced(function*(explorer: Explorer, subject: Subject, plan: Plan) {
  if (!(explorer instanceof Search)) {
    return yield* say("interrupted; only a breadth-first search by one worker can be resumed")
  }
  const path = checkpointPath(plan.folder, plan.config, subject.policy)
  const again = `${plan.command} --policy ${shellWord(subject.given)} --resume ${shellWord(path)}`
  yield* save(explorer, path).pipe(
    Effect.andThen(say(`interrupted after ${explorer.count} states; to go on: ${again}`)),
    Effect.catch((error) =>
      say(
        `interrupted; ${path} cannot be written: ${error._tag === "PlatformError" ? systemText(error) : error.message}`
      )
    )
  )
})

const search = Effect.fnUntraced(function*(model: Model, subject: Subject, plan: Plan) {
  const { all, limits, resumed, way } = plan
  const explorer = resumed === undefined
    ? yield* explorerOf(way, model, subject)
    : yield* load(resumed, model, way.reductions)
  const options = { limits, onProgress: showProgress(subject.policy) }
  const searching: Effect.Effect<Pick<Checked, "report" | "verdicts">, NotCheckable | WorkerFailed> =
    way.live && explorer instanceof Search
      ? Effect.map(runLive(explorer, options), ({ goals, ...report }) => ({ report, verdicts: goals }))
      : Effect.map(run(explorer, { ...options, all }), ({ verdicts, ...report }) => ({ report, verdicts }))
  return yield* searching.pipe(
    Effect.ensuring(clearProgress),
    Effect.onInterrupt(() => keep(explorer, subject, plan)),
    Effect.mapError((error) => badInput(`${plan.config}: ${error.message}`))
  )
}, Effect.scoped)

const check = Effect.fnUntraced(function*(subject: Subject, plan: Plan) {
  const model = modelOf(subject)
  const { report, verdicts } = yield* search(model, subject, plan)
  const checked: Checked = {
    policy: subject.policy,
    isWhole: subject.properties.length === 0,
    searched: wayText(plan.way),
    threads: model.threads,
    branches: model.branches,
    report,
    verdicts,
    evidence: yield* evidenceOf(subject, model, verdicts, plan.folder)
  }
  return checked
})

/** Checks one policy. A world that is too small for what its threads do is an error in its configuration. */
export const checkOne = (subject: Subject, plan: Plan) =>
  Effect.catchDefect(
    check(subject, plan),
    (defect) =>
      defect instanceof OutOfFrames
        ? Effect.fail(badInput(`${plan.config}: spareFrames: expected more: ${defect.message}`))
        : Effect.die(defect)
  )
