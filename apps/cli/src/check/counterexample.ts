/**
 * Counterexamples as evidence: written as logs, read back as races; step by step where a model has no events.
 */
import { replay } from "@pfnscope/checker"
import type { GoalVerdict, Model, Move, Verdict } from "@pfnscope/checker"
import { EventLog, Machine, TIMING } from "@pfnscope/machine"
import { atSeq, END, race, wholeRace } from "@pfnscope/projections"
import { runOf } from "@pfnscope/render"
import type { Evidence } from "@pfnscope/render"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import { badInput, refused } from "../ended.ts"
import { newLog } from "../logs.ts"
import { logPath } from "./paths.ts"
import type { Subject } from "./subject.ts"
import { systemText } from "./system.ts"

/** Makes the folder for logs. One that is there already is refused before the search, not after it. */
export const prepareFolder = Effect.fnUntraced(
  function*(folder: string, subjects: ReadonlyArray<Subject>, ids: ReadonlyArray<string>) {
    const fs = yield* FileSystem.FileSystem
    yield* Effect.mapError(
      fs.makeDirectory(folder, { recursive: true }),
      (error) => badInput(`${folder}: expected a folder to write to: ${systemText(error)}`)
    )
    const paths = subjects.flatMap(({ policy }) => ids.map((id) => logPath(folder, policy, id)))
    const taken = paths.find((path) => existsSync(path))
    if (taken !== undefined) return yield* badInput(`${taken}: exists already`)
  }
)

/** A run that violates, and the properties that it violates. */
interface Found {
  readonly ids: ReadonlyArray<string>
  readonly initial: number
  readonly stem: ReadonlyArray<Move>
  readonly cycle: ReadonlyArray<Move> | undefined
}

/** The runs of the verdicts, the shortest first; properties that break on one and the same run share it. */
const runsOf = (verdicts: ReadonlyArray<Verdict | GoalVerdict>): ReadonlyArray<Found> => {
  const runs = new Map<string, Found>()
  for (const verdict of verdicts) {
    const run = runOf(verdict)
    if (run === undefined) continue
    const key = JSON.stringify([run.initial, run.moves, run.cycle])
    const ids = [...runs.get(key)?.ids ?? [], verdict.property.name]
    runs.set(key, { ids, initial: run.initial, stem: run.moves, cycle: run.cycle })
  }
  return [...runs.values()].sort((a, b) => a.stem.length - b.stem.length)
}

/** The evidence for every violation. The logs are written when there is a folder for them. */
export const evidenceOf = (
  subject: Subject,
  model: Model,
  verdicts: ReadonlyArray<Verdict | GoalVerdict>,
  folder: string | undefined
) =>
  Effect.forEach(
    runsOf(verdicts),
    (found) => subject.kind === "protocol" ? raceOf(subject, found, folder) : Effect.succeed(stepsOf(model, found))
  )

const stepsOf = (model: Model, { cycle, ids, initial, stem }: Found): Evidence => {
  const steps = replay(model, { initial, moves: [...stem, ...cycle ?? []] })!
  return {
    ids,
    logs: [],
    shown: {
      as: "steps",
      steps: steps.map(({ branch }) => model.branches[branch]!),
      cycleAt: cycle === undefined ? undefined : stem.length
    }
  }
}

const record = Effect.fnUntraced(
  function*(
    subject: Extract<Subject, { readonly kind: "protocol" }>,
    moves: ReadonlyArray<Move>,
    out?: { readonly path: string; readonly id: string }
  ) {
    const { choices, world } = subject
    const header = {
      kind: "simulation" as const,
      scenario: out === undefined ? "check" : `check ${out.id}`,
      policy: choices,
      seed: 0,
      until: 0,
      timing: TIMING,
      world
    }
    const log = yield* newLog(out?.path, header)
    yield* Effect.mapError(Effect.provideService(Machine.record(header, moves), EventLog, log), refused)
    return log
  }
)

const raceOf = Effect.fnUntraced(
  function*(
    subject: Extract<Subject, { readonly kind: "protocol" }>,
    { cycle, ids, stem }: Found,
    folder: string | undefined
  ) {
    const moves = [...stem, ...cycle ?? []]
    const outs = folder === undefined ? [] : ids.map((id) => ({ id, path: logPath(folder, subject.policy, id) }))
    for (const out of outs) yield* Effect.scoped(record(subject, moves, out))
    const logs = outs.map(({ path }) => path)
    const log = yield* record(subject, moves)
    if (cycle !== undefined) {
      const stemEvents = (yield* (yield* record(subject, stem)).head).seq
      const table = yield* Effect.mapError(wholeRace(log), refused)
      return { ids, logs, shown: { as: "race", race: table, cycleAt: stemEvents + 1 } } satisfies Evidence
    }
    const events = yield* Effect.mapError(Stream.runCollect(log.read()), refused)
    const violated = events.find(({ data }) => data._tag === "PropertyViolated" && ids.includes(data.property))
    const table = yield* Effect.mapError(race(log, violated === undefined ? END : atSeq(violated.seq)), refused)
    return { ids, logs, shown: { as: "race", race: table, cycleAt: undefined } } satisfies Evidence
  },
  Effect.scoped
)
