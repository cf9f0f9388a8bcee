/**
 * `pfnscope check`: every interleaving of a bounded machine.
 */
import type { Limits } from "@pfnscope/checker"
import { checkJson, checkText, isFound } from "@pfnscope/render"
import type { Checked } from "@pfnscope/render"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { checkOne, say } from "../check/checking.ts"
import type { Plan } from "../check/checking.ts"
import { prepareFolder } from "../check/counterexample.ts"
import { shellWord } from "../check/paths.ts"
import { modelOf } from "../check/subject.ts"
import type { Subject } from "../check/subject.ts"
import { subjectsOf } from "../check/subjects.ts"
import { wayOf } from "../check/way.ts"
import { nanosOf } from "../duration.ts"
import { badInput, Found } from "../ended.ts"
import type { Refused } from "../ended.ts"
import { jsonFlag, print } from "../output.ts"

/** Names the policies that an interruption left out. */
const sayLeft = (subjects: ReadonlyArray<Subject>): Effect.Effect<void> =>
  subjects.length === 0 ? Effect.void : say(`not begun: ${subjects.map(({ given }) => given).join(" ")}`)

/** How it ended: a finding, something that is not known, or neither. */
const judge = (results: ReadonlyArray<Checked>): Effect.Effect<void, Found> => {
  if (results.some(isFound)) return Effect.fail(new Found({ code: 1 }))
  const isUnknown = results.some(({ verdicts }) => verdicts.some(({ outcome }) => outcome === "unknown"))
  return isUnknown ? Effect.fail(new Found({ code: 3 })) : Effect.void
}

/** A number that a flag gives, from 1 on. */
const bounded = (
  flag: string,
  value: Option.Option<number>,
  most = Infinity
): Effect.Effect<number | undefined, Refused> => {
  const given = Option.getOrUndefined(value)
  if (given === undefined || (given >= 1 && given <= most)) return Effect.succeed(given)
  return Effect.fail(badInput(`--${flag} ${given}: expected at ${given < 1 ? "least 1" : `most ${most}`}`))
}

/** Threads that are worth starting on any machine of today. */
const MOST_WORKERS = 64

const limitsOf = Effect.fnUntraced(function*(flags: {
  readonly maxStates: Option.Option<number>
  readonly timeout: Option.Option<string>
  readonly memory: Option.Option<number>
}) {
  const memory = yield* bounded("memory", flags.memory)
  const limits: Limits = {
    states: yield* bounded("max-states", flags.maxStates),
    millis: Option.isSome(flags.timeout) ? (yield* nanosOf(flags.timeout.value, "--timeout")) / 1e6 : undefined,
    bytes: memory === undefined ? undefined : memory * 1e6
  }
  return limits
})

export const checkCommand = Command.make(
  "check",
  {
    config: Argument.String("config").pipe(
      Argument.withDescription("The name of a configuration (s1 to s7 …), or a JSON file; docs/configurations.md")
    ),
    policies: Flag.String("policy").pipe(
      Flag.withDescription(
        "A policy's name, all, or a TypeScript file; A to E of the reference model; can be repeated"
      ),
      Flag.withMetavar("P"),
      Flag.atLeast(0)
    ),
    properties: Flag.String("property").pipe(
      Flag.withMetavar("ID"),
      Flag.withDescription("Only this property; can be repeated"),
      Flag.atLeast(0)
    ),
    model: Flag.Literals("model", ["protocol", "reference"]).pipe(
      Flag.withDescription("What is checked"),
      Flag.withDefault("protocol" as const)
    ),
    all: Flag.Boolean("all").pipe(
      Flag.withDescription("Go on after the first violation, to decide every property"),
      Flag.withDefault(false)
    ),
    live: Flag.Boolean("live").pipe(
      Flag.withDescription("Progress: look for runs that go on for ever, fair to every thread, and get nowhere"),
      Flag.withDefault(false)
    ),
    reduction: Flag.Boolean("reduction").pipe(
      Flag.withDescription(
        "Leave out states that decide nothing, or (--no-reduction) none; of the reference model none, unless asked"
      ),
      Flag.optional
    ),
    order: Flag.Literals("order", ["breadth-first", "depth-first", "random"]).pipe(
      Flag.withDescription("Which interleavings come first; only breadth first finds shortest counterexamples"),
      Flag.optional
    ),
    seed: Flag.Int("seed").pipe(Flag.withDescription("Which random walks"), Flag.optional),
    bitstate: Flag.Int("bitstate").pipe(
      Flag.withMetavar("MB"),
      Flag.withDescription("Depth first, remembering a few bits of each state in so many MB: misses some"),
      Flag.optional
    ),
    workers: Flag.Int("workers").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Worker threads that share a breadth-first search"),
      Flag.optional
    ),
    maxStates: Flag.Int("max-states").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Give up after so many states"),
      Flag.optional
    ),
    timeout: Flag.String("timeout").pipe(
      Flag.withMetavar("T"),
      Flag.withDescription("Give up on a policy after so long: 90s, 500ms"),
      Flag.optional
    ),
    memory: Flag.Int("memory").pipe(
      Flag.withMetavar("MB"),
      Flag.withDescription("Give up when the states take so much; by default three quarters of what is free"),
      Flag.optional
    ),
    resume: Flag.String("resume").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Go on with a search that Ctrl-C saved"),
      Flag.optional
    ),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("DIR"),
      Flag.withDescription("Write counterexamples there, as logs"),
      Flag.optional
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const { config, live } = flags
    const resumed = Option.getOrUndefined(flags.resume)
    const folder = Option.getOrUndefined(flags.output)
    const way = yield* wayOf({
      order: Option.getOrUndefined(flags.order),
      live,
      reduces: Option.getOrElse(flags.reduction, () => flags.model === "protocol"),
      workers: yield* bounded("workers", flags.workers, MOST_WORKERS),
      seed: Option.getOrUndefined(flags.seed),
      bitstate: yield* bounded("bitstate", flags.bitstate),
      resume: resumed !== undefined
    })
    const limits = yield* limitsOf(flags)
    const subjects = yield* subjectsOf(flags)
    if (resumed !== undefined && subjects.length > 1) {
      return yield* badInput(`--resume ${resumed}: a checkpoint is of one policy: expected one --policy`)
    }
    if (folder !== undefined) {
      const { goals = [], properties } = modelOf(subjects[0]!)
      yield* prepareFolder(folder, subjects, (live ? goals : properties).map(({ name }) => name))
    }
    const plan: Plan = { config, way, all: flags.all, limits, folder, resumed, command: commandOf(flags) }
    const results: Array<Checked> = []
    const show = Effect.suspend(() =>
      print(flags.json, () => checkJson(config, results), () => checkText(config, results))
    )
    for (const [i, subject] of subjects.entries()) {
      results.push(
        yield* checkOne(subject, plan).pipe(
          Effect.onInterrupt(() =>
            Effect.andThen(results.length === 0 ? Effect.void : show, sayLeft(subjects.slice(i + 1)))
          )
        )
      )
    }
    yield* show
    yield* judge(results)
  })
).pipe(
  Command.withDescription("Every interleaving of a bounded machine: what holds, or a shortest counterexample"),
  Command.withExamples([
    {
      command: "pfnscope check s1 --policy ./mine.ts --all -o counterexamples",
      description: "Before you post the patch"
    },
    { command: "pfnscope check live-heap --policy mainline-6.12 --live", description: "Whether a refresh can starve" }
  ])
)

/** The command that a search was started with, for going on with it. */
const commandOf = (flags: {
  readonly config: string
  readonly model: string
  readonly properties: ReadonlyArray<string>
  readonly all: boolean
  readonly live: boolean
  readonly reduction: Option.Option<boolean>
  readonly output: Option.Option<string>
}): string =>
  [
    "pfnscope check",
    shellWord(flags.config),
    ...(flags.model === "protocol" ? [] : ["--model", flags.model]),
    ...flags.properties.flatMap((id) => ["--property", id]),
    ...(flags.all ? ["--all"] : []),
    ...(flags.live ? ["--live"] : []),
    ...(Option.isSome(flags.reduction) ? [flags.reduction.value ? "--reduction" : "--no-reduction"] : []),
    ...(Option.isSome(flags.output) ? ["-o", shellWord(flags.output.value)] : [])
  ].join(" ")
