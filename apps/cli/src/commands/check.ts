/**
 * `pfnscope check`: every interleaving of a bounded machine.
 */
import { BOUNDED, protocolModel, ReferenceConfig, referenceModel, search, VARIANTS } from "@pfnscope/checker"
import type { Found as SearchFound, Limits, Model, Progress } from "@pfnscope/checker"
import { EventLog, Machine, TIMING } from "@pfnscope/machine"
import { POLICIES, World } from "@pfnscope/protocol"
import type { Policy } from "@pfnscope/protocol"
import { CAVEAT, table } from "@pfnscope/render"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { nanosOf } from "../duration.ts"
import { badInput, Found, refused } from "../ended.ts"
import type { Refused } from "../ended.ts"
import { newLog } from "../logs.ts"
import { nearest, policyOf } from "../names.ts"
import { jsonFlag, print } from "../output.ts"

/** A model to search, and how to write a counterexample's log. */
interface Subject {
  readonly policy: string
  readonly model: () => Model
  readonly record:
    | ((path: string, moves: ReadonlyArray<Machine.Move>) => Effect.Effect<void, Refused, FileSystem.FileSystem>)
    | undefined
}

/** A property as a search leaves it; `length` in steps. */
interface Verdict {
  readonly id: string
  readonly holds: boolean | "unknown"
  readonly length: number | null
  readonly log: string | null
}

interface Row {
  readonly policy: string
  readonly found: SearchFound
  readonly verdicts: ReadonlyArray<Verdict>
}

const readJson = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(fs.readFileString(path), (error) => badInput(`${path}: ${error.message}`))
  return yield* Effect.try({
    try: () => JSON.parse(text) as unknown,
    catch: (error) => badInput(`${path}: not JSON: ${error instanceof Error ? error.message : String(error)}`)
  })
})

const decoded = <A>(path: string, schema: Schema.Codec<A>, json: unknown): Effect.Effect<A, Refused> =>
  Effect.mapError(Schema.decodeUnknownEffect(schema)(json), (error) => badInput(`${path}: ${error.message}`))

/** The world of a bounded scenario's name, or of a JSON file. */
const worldOf = Effect.fnUntraced(function*(config: string) {
  const known = BOUNDED.find(({ name }) => name === config)
  if (known !== undefined) return known.world
  if (!config.includes(".")) {
    const names = BOUNDED.map(({ name }) => name)
    return yield* badInput(
      `no configuration ${JSON.stringify(config)}; the nearest: ${nearest(config, names).join(", ")}, or a JSON file`
    )
  }
  return yield* decoded(config, World, yield* readJson(config))
})

const protocolSubject = (world: World, policy: Policy): Subject => ({
  policy: policy.name,
  model: () => protocolModel(world, policy),
  record: (path, moves) => {
    const header = { kind: "simulation" as const, scenario: "check", policy, seed: 0, until: 0, timing: TIMING, world }
    return Effect.scoped(Effect.gen(function*() {
      const log = yield* newLog(path, header)
      yield* Effect.mapError(Effect.provideService(Machine.record(header, moves), EventLog, log), refused)
    }))
  }
})

const protocolSubjects = Effect.fnUntraced(function*(config: string, names: ReadonlyArray<string>) {
  const world = yield* worldOf(config)
  const policies = names.includes("all")
    ? POLICIES
    : yield* Effect.forEach(names.length === 0 ? ["mainline-6.12"] : names, policyOf)
  return policies.map((policy) => protocolSubject(world, policy))
})

const referenceSubjects = Effect.fnUntraced(function*(path: string, names: ReadonlyArray<string>) {
  const config = yield* decoded(path, ReferenceConfig, yield* readJson(path))
  const wanted = names.length === 0 || names.includes("all") ? VARIANTS : names
  return yield* Effect.forEach(wanted, (name): Effect.Effect<Subject, Refused> => {
    const variant = VARIANTS.find((known) => known === name)
    return variant === undefined
      ? Effect.fail(
        badInput(`the reference model has no variant ${JSON.stringify(name)}, expected one of ${VARIANTS.join(", ")}`)
      )
      : Effect.succeed({ policy: variant, model: () => referenceModel(config, variant), record: undefined })
  })
})

/** A line on the terminal while it runs. */
const showProgress =
  (policy: string) => ({ bytes, depth, distinct, frontier, seconds }: Progress): Effect.Effect<void> =>
    Effect.sync(() => {
      if (!process.stderr.isTTY) return
      const rate = seconds === 0 ? 0 : Math.round(distinct / seconds / 1000)
      process.stderr.write(
        `\r\u001b[K${policy}: ${distinct} states, ${rate} k/s, frontier ${frontier}, depth ${depth}, ${
          Math.round(bytes / 1e6)
        } MB`
      )
    })

const clearProgress = Effect.sync(() => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
})

const checkOne = Effect.fnUntraced(
  function*(subject: Subject, limits: Limits, properties: ReadonlyArray<string>, folder: string | undefined) {
    const model = subject.model()
    const known = properties.find((id) => !model.properties.includes(id))
    if (known !== undefined) {
      return yield* badInput(
        `no property ${JSON.stringify(known)} is judged here, expected one of ${model.properties.join(", ")}`
      )
    }
    const found = yield* search(model, limits, showProgress(subject.policy))
    yield* clearProgress
    const verdicts: Array<Verdict> = []
    for (const id of model.properties) {
      if (properties.length > 0 && !properties.includes(id)) continue
      const counterexample = found.counterexamples.find(({ property }) => property === id)
      if (counterexample === undefined) {
        verdicts.push({ id, holds: found.complete ? true : "unknown", length: null, log: null })
        continue
      }
      const log = folder === undefined || subject.record === undefined ? null : `${folder}/${subject.policy}-${id}.log`
      if (log !== null) yield* subject.record!(log, counterexample.path)
      verdicts.push({ id, holds: false, length: counterexample.path.length, log })
    }
    const row: Row = { policy: subject.policy, found, verdicts }
    return row
  }
)

const STOPPED: Readonly<Record<SearchFound["stopped"], string>> = {
  complete: "complete",
  violation: "at a violation",
  states: "at --max-states",
  timeout: "at --timeout",
  memory: "at --memory"
}

const named = (verdicts: ReadonlyArray<Verdict>, holds: Verdict["holds"]): string =>
  verdicts.filter((verdict) => verdict.holds === holds).map(({ id, length }) =>
    length === null ? id : `${id}:${length}`
  ).join(" ") || "-"

const checkText = (config: string, rows: ReadonlyArray<Row>): string =>
  [
    config,
    "",
    table(
      ["policy", "states", "generated", "depth", "searched", "violated:steps", "not decided"],
      rows.map(({ found, policy, verdicts }) => [
        policy,
        found.distinct,
        found.generated,
        found.depth,
        STOPPED[found.stopped],
        named(verdicts, false),
        named(verdicts, "unknown")
      ])
    ),
    ...rows.flatMap(({ found, policy }) =>
      found.stuck === 0 ? [] : [`  ${policy}: ${found.stuck} states in which nobody can go on`]
    ),
    ...rows.flatMap(({ verdicts }) => verdicts.flatMap(({ log }) => log === null ? [] : [`  ${log}`])),
    "",
    "What is neither violated nor undecided holds in every interleaving. --all goes on after a violation.",
    CAVEAT
  ].join("\n")

const checkJson = (config: string, rows: ReadonlyArray<Row>): unknown => ({
  config,
  results: rows.map(({ found, policy, verdicts }) => ({
    policy,
    distinct: found.distinct,
    generated: found.generated,
    depth: found.depth,
    complete: found.complete,
    seconds: found.seconds,
    stuck: found.stuck,
    untaken: found.untaken,
    properties: verdicts
  }))
})

/** A bound that a flag gives: a positive number. */
const bound = (flag: string, value: Option.Option<number>): Effect.Effect<number | undefined, Refused> =>
  Option.isSome(value) && value.value <= 0
    ? Effect.fail(badInput(`--${flag} ${value.value}: expected a number above 0`))
    : Effect.succeed(Option.getOrUndefined(value))

export const checkCommand = Command.make(
  "check",
  {
    config: Argument.String("config").pipe(
      Argument.withDescription("s1 to s7, or a JSON file: a world, or a configuration of the reference model")
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
    maxStates: Flag.Int("max-states").pipe(Flag.withDescription("Give up after so many states"), Flag.optional),
    timeout: Flag.String("timeout").pipe(Flag.withDescription("Give up after so long: 90s, 500ms"), Flag.optional),
    memory: Flag.Int("memory").pipe(Flag.withDescription("Give up when the states take so many MB"), Flag.optional),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("DIR"),
      Flag.withDescription("Write counterexamples there, as logs"),
      Flag.optional
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const subjects = flags.model === "reference"
      ? yield* referenceSubjects(flags.config, flags.policies)
      : yield* protocolSubjects(flags.config, flags.policies)
    const memory = yield* bound("memory", flags.memory)
    const limits: Limits = {
      all: flags.all,
      maxStates: yield* bound("max-states", flags.maxStates),
      timeout: Option.isSome(flags.timeout) ? (yield* nanosOf(flags.timeout.value)) / 1e6 : undefined,
      memory: memory === undefined ? undefined : memory * 1e6
    }
    const folder = Option.getOrUndefined(flags.output)
    if (folder !== undefined) {
      const fs = yield* FileSystem.FileSystem
      yield* Effect.mapError(
        fs.makeDirectory(folder, { recursive: true }),
        (error) => badInput(`${folder}: ${error.message}`)
      )
    }
    const rows: Array<Row> = []
    for (const subject of subjects) rows.push(yield* checkOne(subject, limits, flags.properties, folder))
    yield* print(flags.json, () => checkJson(flags.config, rows), () => checkText(flags.config, rows))
    const verdicts = rows.flatMap((row) => row.verdicts)
    if (verdicts.some(({ holds }) => holds === false)) return yield* new Found({ code: 1 })
    if (verdicts.some(({ holds }) => holds === "unknown")) return yield* new Found({ code: 3 })
  })
).pipe(
  Command.withDescription("Every interleaving of a bounded machine: what holds, or a shortest counterexample"),
  Command.withExamples([{
    command: "pfnscope check s1 --policy ./mine.ts --all -o counterexamples",
    description: "Before you post the patch"
  }])
)
