/**
 * Finding what to check: a configuration under policies.
 */
import { VARIANTS } from "@pfnscope/checker"
import type { Model, VariantLetter } from "@pfnscope/checker"
import { POLICIES } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { badInput } from "../ended.ts"
import type { Refused } from "../ended.ts"
import { policyOf } from "../names.ts"
import { readReferenceConfig, readWorld } from "./config.ts"
import { wholeModelOf } from "./subject.ts"
import type { Subject } from "./subject.ts"

/** The names given, each once, `all` spelled out; those meant when there are none. */
const spelledOut = (names: ReadonlyArray<string>, all: ReadonlyArray<string>, meant: ReadonlyArray<string>) => [
  ...new Set(names.length === 0 ? meant : names.flatMap((name) => name === "all" ? all : [name]))
]

const MAINLINE = "mainline-6.12"

const protocolSubjects = Effect.fnUntraced(function*(config: string, names: ReadonlyArray<string>) {
  const world = yield* readWorld(config)
  const wanted = spelledOut(names, POLICIES.map(({ name }) => name), [MAINLINE])
  return yield* Effect.forEach(wanted, (given) =>
    Effect.map(
      policyOf(given),
      (choices) => ({ kind: "protocol" as const, policy: choices.name, given, world, choices })
    ))
})

const isVariant = (name: string): name is VariantLetter => Object.hasOwn(VARIANTS, name)

const referenceSubjects = Effect.fnUntraced(function*(name: string, names: ReadonlyArray<string>) {
  const config = yield* readReferenceConfig(name)
  const letters = Object.keys(VARIANTS)
  const wanted = spelledOut(names, letters, letters)
  return yield* Effect.forEach(wanted, (letter) =>
    isVariant(letter)
      ? Effect.succeed({ kind: "reference" as const, policy: letter, given: letter, config, variant: letter })
      : Effect.fail(
        badInput(`the reference model has no variant ${JSON.stringify(letter)}, expected one of ${letters.join(", ")}`)
      ))
})

/** What to check: one subject a policy. A property must be one that is judged this way. */
export const subjectsOf = Effect.fnUntraced(function*(asked: {
  readonly model: "protocol" | "reference"
  readonly config: string
  readonly policies: ReadonlyArray<string>
  readonly properties: ReadonlyArray<string>
  readonly live: boolean
}) {
  const { live, properties } = asked
  const found = asked.model === "reference"
    ? yield* referenceSubjects(asked.config, asked.policies)
    : yield* protocolSubjects(asked.config, asked.policies)
  const subjects = found.map((subject): Subject => ({ ...subject, properties }))
  yield* expectProperties(wholeModelOf(subjects[0]!), properties, live)
  return subjects
})

const expectProperties = (
  { goals = [], properties }: Model,
  asked: ReadonlyArray<string>,
  live: boolean
): Effect.Effect<void, Refused> => {
  const judged = (live ? goals : properties).map(({ name }) => name)
  const others = (live ? properties : goals).map(({ name }) => name)
  const missing = asked.find((name) => !judged.includes(name))
  if (missing === undefined) {
    return judged.length > 0 ? Effect.void : Effect.fail(badInput("--live: this model says nothing about progress"))
  }
  return Effect.fail(badInput(
    others.includes(missing)
      ? `--property ${missing}: ${live ? "is not about progress: leave out --live" : "is about progress: add --live"}`
      : `--property ${missing}: expected one of ${judged.join(", ")}`
  ))
}
