/**
 * One search in a process of its own, as a user's is: what ran before in the same process changes
 * how fast the next model runs. Its argument is a {@link Job}, and it prints a {@link Done}.
 *
 * @since 0.1.0
 */
import {
  ALL_REDUCTIONS,
  BOUNDED,
  NO_REDUCTIONS,
  parallelSearch,
  PROTOCOL_WORKER,
  protocolModel,
  REFERENCE_CONFIGS,
  REFERENCE_WORKER,
  referenceModel,
  run,
  Search
} from "@pfnscope/checker"
import type { ParallelOptions, VariantLetter } from "@pfnscope/checker"
import { POLICIES } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import type { Figure } from "./figures.ts"

/** What to search: the reference model, or the protocol in a bounded scenario. */
export type Job =
  & {
    readonly reduced: boolean
    /** Absent: no worker threads. */
    readonly workers?: number
  }
  & (
    | { readonly config: string; readonly variant: VariantLetter }
    | { readonly scenario: string; readonly policy: string }
  )

export interface Done extends Figure {
  /** Seconds of processor time, over all threads. */
  readonly work: number
  readonly isComplete: boolean
  readonly generated: number
  readonly depth: number
  readonly stuck: number
  /** Each property that is violated, with the length of its counterexample. */
  readonly shortest: { readonly [property: string]: number }
}

/** Does a job in a process of its own. */
export const done = (job: Job): Done => {
  const child = spawnSync(process.execPath, [...process.execArgv, import.meta.filename, JSON.stringify(job)], {
    encoding: "utf8"
  })
  if (child.status !== 0) throw new Error(`${JSON.stringify(job)}: ${child.stderr}`)
  return JSON.parse(child.stdout)
}

/** The model of a job, and how a worker is told of it. */
const subjectOf = (job: Job): Pick<ParallelOptions, "model" | "entry" | "config"> => {
  if ("config" in job) {
    const config = REFERENCE_CONFIGS[job.config]!
    const { variant } = job
    return { model: referenceModel(config, variant), entry: REFERENCE_WORKER, config: { config, variant } }
  }
  const { world } = BOUNDED.find(({ name }) => name === job.scenario)!
  const policy = POLICIES.find(({ name }) => name === job.policy)!
  return { model: protocolModel(world, policy), entry: PROTOCOL_WORKER, config: { policy, world } }
}

const work = Effect.fnUntraced(function*(job: Job) {
  const subject = subjectOf(job)
  const reductions = job.reduced ? ALL_REDUCTIONS : NO_REDUCTIONS
  const explorer = job.workers === undefined
    ? new Search(subject.model, reductions)
    : yield* parallelSearch({ ...subject, workers: job.workers, reductions })
  const from = performance.now()
  const before = process.cpuUsage()
  const report = yield* run(explorer, { all: true })
  const { system, user } = process.cpuUsage(before)
  const result: Done = {
    states: report.distinct,
    seconds: (performance.now() - from) / 1000,
    work: (user + system) / 1e6,
    bytes: report.bytes,
    isComplete: report.isComplete,
    generated: report.generated,
    depth: report.depth,
    stuck: report.stuck,
    shortest: Object.fromEntries(
      report.verdicts.flatMap((verdict) =>
        verdict.outcome === "violated" ? [[verdict.property.name, verdict.counterexample.moves.length]] : []
      )
    )
  }
  yield* Console.log(JSON.stringify(result))
})

if (process.argv[1] === import.meta.filename) {
  await Effect.runPromise(Effect.scoped(work(JSON.parse(process.argv[2]!))))
}
