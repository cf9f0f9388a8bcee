/**
 * `pfnscope run`: a scenario under one or several policies, one row each.
 */
import type { Journal } from "@pfnscope/journal"
import { EventLog, Machine, runHeader } from "@pfnscope/machine"
import type { Knobs, Scenario } from "@pfnscope/machine"
import { fold, runSummary, summaryOf } from "@pfnscope/projections"
import type { RunSummary } from "@pfnscope/projections"
import { POLICIES } from "@pfnscope/protocol"
import type { Event, Policy } from "@pfnscope/protocol"
import { runJson, runTable } from "@pfnscope/render"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { parse as parsePath } from "node:path"
import { nanosOf } from "../duration.ts"
import { badInput, Found, refused } from "../ended.ts"
import type { Refused } from "../ended.ts"
import { newLog } from "../logs.ts"
import { nearest, policyOf, scenarioOf } from "../names.ts"
import { jsonFlag, print } from "../output.ts"

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
  const outcome = yield* Effect.mapError(machine.run, refused)
  const state = yield* Effect.mapError(fold(runSummary, log.read()), refused)
  const row: Row = { policy: options.policy.name, outcome, summary: summaryOf(state), log: options.path ?? null }
  return row
}, Effect.scoped)

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

export const runCommand = Command.make(
  "run",
  {
    scenario: Argument.String("scenario").pipe(
      Argument.withDescription("The scenario; pfnscope list scenarios has them")
    ),
    policies: Flag.String("policy").pipe(
      Flag.withDescription("A policy's name, all, or a TypeScript file that exports one by default; can be repeated"),
      Flag.withMetavar("P"),
      Flag.atLeast(0)
    ),
    seed: Flag.Int("seed").pipe(Flag.withDescription("What chooses the interleaving"), Flag.withDefault(1)),
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
    const scenario = yield* scenarioOf(flags.scenario)
    const policies = yield* policiesOf(flags.policies)
    const knobs = yield* knobsOf(scenario, flags.set)
    const until = Option.isSome(flags.until) ? yield* nanosOf(flags.until.value) : undefined
    const output = Option.getOrUndefined(flags.output)
    const rows: Array<Row> = []
    for (const policy of policies) {
      const path = pathFor(output, policy, policies.length)
      rows.push(yield* runOne({ scenario, policy, seed: flags.seed, knobs, until, live: flags.live, path }))
    }
    yield* print(
      flags.json,
      () => runJson(scenario.name, flags.seed, rows),
      () => runTable(scenario.name, flags.seed, rows)
    )
    if (rows.some(isFinding)) return yield* new Found({ code: 1 })
  })
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
