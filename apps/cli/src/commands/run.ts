/**
 * `pfnscope run`: a scenario under one or several policies, one row each.
 */
import type { Journal } from "@pfnscope/journal"
import { EventLog, fork, forkHeader, Machine, runHeader, runHeaderOf } from "@pfnscope/machine"
import type { Knobs, Scenario } from "@pfnscope/machine"
import { fold, runSummary, stateAt, summaryOf } from "@pfnscope/projections"
import type { RunSummary } from "@pfnscope/projections"
import { POLICIES } from "@pfnscope/protocol"
import type { Event, Policy } from "@pfnscope/protocol"
import { runJson, runTable } from "@pfnscope/render"
import { nearest } from "@pfnscope/trace"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { parse as parsePath } from "node:path"
import { nanosOf } from "../duration.ts"
import { badInput, Found, refused } from "../ended.ts"
import type { Refused } from "../ended.ts"
import { newLog, openLog } from "../logs.ts"
import { policyOf, scenarioOf } from "../names.ts"
import { jsonFlag, print } from "../output.ts"
import { positionOf } from "./log.ts"

/** One run of a scenario: its policy, how it ended, and what its log says. */
export interface Row {
  readonly policy: string
  readonly outcome: Machine.Outcome
  readonly summary: RunSummary
  readonly log: string | null
}

/** Runs a scenario under a policy and reads its log. */
export const runOne = Effect.fnUntraced(function*(options: {
  readonly scenario: Scenario
  readonly policy: Policy
  readonly seed: number
  readonly knobs: Knobs
  readonly until: number | undefined
  readonly live: boolean
  readonly path: string | undefined
}) {
  const header = runHeader(options.scenario, options.policy, options)
  const log: Journal<Event> = yield* newLog(options.path, header)
  const machine = yield* Effect.provideService(Machine.make(header, { live: options.live }), EventLog, log).pipe(
    Effect.mapError(refused)
  )
  return yield* rowOf(machine, log, options)
}, Effect.scoped)

/** Goes on from a position of a log under a policy and reads the new log. */
const forkOne = Effect.fnUntraced(function*(options: {
  readonly source: Journal<Event>
  readonly name: string
  readonly seq: number
  readonly policy: Policy
  readonly until: number | undefined
  readonly live: boolean
  readonly path: string | undefined
}) {
  const header = yield* Effect.mapError(forkHeader(options.source, options), refused)
  const log: Journal<Event> = yield* newLog(options.path, header)
  const machine = yield* Effect.provideService(fork(options.source, header), EventLog, log).pipe(
    Effect.mapError(refused)
  )
  return yield* rowOf(machine, log, options)
}, Effect.scoped)

const rowOf = Effect.fnUntraced(function*(
  machine: Machine.Machine,
  log: Journal<Event>,
  { path, policy }: { readonly policy: Policy; readonly path: string | undefined }
) {
  const outcome = yield* Effect.mapError(machine.run, refused)
  const state = yield* Effect.mapError(fold(runSummary, log.read()), refused)
  const row: Row = { policy: policy.name, outcome, summary: summaryOf(state), log: path ?? null }
  return row
})

/** Whether a run has something to look at: a violation, or a refresh that got nowhere. */
export const isFinding = ({ summary }: Row): boolean =>
  summary.verdicts.some(({ verdict }) => verdict !== "holds" && verdict !== "unknown")

const knobsOf = Effect.fnUntraced(function*(scenario: Scenario, settings: ReadonlyArray<string>) {
  const knobs: Record<string, number> = {}
  for (const setting of settings) {
    const [, name = "", value = ""] = /^([a-z]+)=(\d+)$/i.exec(setting) ?? []
    if (name === "") return yield* badInput(`--set ${setting}: expected NAME=NUMBER, such as writers=8`)
    if (!(name in scenario.knobs)) {
      const known = nearest(name, Object.keys(scenario.knobs)).join(", ")
      return yield* badInput(`--set ${setting}: ${scenario.name} has no knob ${name}; the nearest: ${known}`)
    }
    knobs[name] = Number(value)
  }
  return knobs
})

/** Where a policy's log goes: `-o` itself for one policy, with the policy's name inside for several. */
const pathFor = (output: string | undefined, policy: Policy, policies: number): string | undefined => {
  if (output === undefined || policies === 1) return output
  const { dir, ext, name } = parsePath(output)
  return `${dir === "" ? "" : `${dir}/`}${name}.${policy.name}${ext}`
}

const policiesOf = (names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Policy>, Refused> =>
  names.length === 0
    ? policyOf("mainline-6.12").pipe(Effect.map((policy) => [policy]))
    : Effect.map(
      Effect.forEach(
        names,
        (name) => name === "all" ? Effect.succeed(POLICIES) : Effect.map(policyOf(name), (p) => [p])
      ),
      (lists) => [...new Set(lists.flat())]
    )

interface EachRun {
  readonly policy: Policy
  readonly until: number | undefined
  readonly live: boolean
  readonly path: string | undefined
}

/** What there is to run under each policy: a scenario, or the rest of a log. */
const whatToRun = Effect.fnUntraced(function*(flags: {
  readonly scenario: Option.Option<string>
  readonly from: Option.Option<string>
  readonly seed: Option.Option<number>
  readonly set: ReadonlyArray<string>
}) {
  if (Option.isSome(flags.from)) {
    if (Option.isSome(flags.scenario) || Option.isSome(flags.seed) || flags.set.length > 0) {
      return yield* badInput("run --from: the log has the scenario, its knobs and the seed; expected none beside it")
    }
    return yield* restOf(flags.from.value)
  }
  if (Option.isNone(flags.scenario)) return yield* badInput("run: expected a scenario, or --from LOG#SEQ")
  const scenario = yield* scenarioOf(flags.scenario.value)
  const knobs = yield* knobsOf(scenario, flags.set)
  const seed = Option.getOrElse(flags.seed, () => 1)
  return { name: scenario.name, seed, run: (each: EachRun) => runOne({ scenario, knobs, seed, ...each }) }
})

const restOf = Effect.fnUntraced(function*(text: string) {
  const [, path, where] = /^(.+)#([^#/]+)$/.exec(text) ?? []
  if (path === undefined) return yield* badInput(`--from ${text}: expected LOG#SEQ, such as run.log#1234`)
  const source = yield* openLog(path)
  const position = yield* positionOf(source, where!)
  const seq = position._tag === "Seq" ? position.seq : (yield* Effect.mapError(stateAt(source, position), refused)).seq
  const { base } = parsePath(path)
  const { scenario, seed } = yield* Effect.mapError(runHeaderOf(source), refused)
  return { name: scenario, seed, run: (each: EachRun) => forkOne({ source, name: base, seq, ...each }) }
})

export const runCommand = Command.make(
  "run",
  {
    scenario: Argument.String("scenario").pipe(
      Argument.withDescription("The scenario; pfnscope list scenarios has them"),
      Argument.optional
    ),
    from: Flag.String("from").pipe(
      Flag.withMetavar("LOG#SEQ"),
      Flag.withDescription(
        "Go on from a position (#1234, #+1.2ms, #NAME) of a run's log, under --policy; instead of a scenario"
      ),
      Flag.optional
    ),
    policies: Flag.String("policy").pipe(
      Flag.withDescription("A policy's name, all, or a TypeScript file that exports one by default; can be repeated"),
      Flag.withMetavar("P"),
      Flag.atLeast(0)
    ),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("What chooses the interleaving; 1 when not given"),
      Flag.optional
    ),
    until: Flag.String("until").pipe(Flag.withDescription("When to end at the latest: 2ms, 500us, 1s"), Flag.optional),
    set: Flag.String("set").pipe(
      Flag.withDescription("A knob of the scenario: NAME=NUMBER; can be repeated"),
      Flag.withMetavar("KNOB"),
      Flag.atLeast(0)
    ),
    live: Flag.Boolean("live").pipe(
      Flag.withDescription("On Effect's own scheduler and clock, in real time"),
      Flag.withDefault(false)
    ),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("LOG"),
      Flag.withDescription("Keep the log; with several policies, each one's name goes into the file's"),
      Flag.optional
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const policies = yield* policiesOf(flags.policies)
    const until = Option.isSome(flags.until) ? yield* nanosOf(flags.until.value) : undefined
    const output = Option.getOrUndefined(flags.output)
    const { name, run, seed } = yield* whatToRun(flags)
    const rows: Array<Row> = []
    for (const policy of policies) {
      rows.push(yield* run({ policy, until, live: flags.live, path: pathFor(output, policy, policies.length) }))
    }
    yield* print(flags.json, () => runJson(name, seed, rows), () => runTable(name, seed, rows))
    if (rows.some(isFinding)) return yield* new Found({ code: 1 })
  }, Effect.scoped)
).pipe(
  Command.withDescription("Run a scenario's actors under one or several policies: one row each"),
  Command.withExamples([
    {
      command: "pfnscope run madvise-storm --policy mainline-6.12 --policy flag-wait",
      description: "The seed's storm"
    },
    { command: "pfnscope run torture --policy ./mine.ts -o mine.log", description: "One's own policy, its log kept" }
  ])
)
