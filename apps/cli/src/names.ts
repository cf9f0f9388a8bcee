/**
 * Finding what a name means: scenarios, policies, and the nearest ones when there is none of that name.
 */
import { SCENARIOS } from "@pfnscope/machine"
import type { Scenario } from "@pfnscope/machine"
import { POLICIES, Policy } from "@pfnscope/protocol"
import { nearest } from "@pfnscope/trace"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { badInput } from "./ended.ts"
import type { Refused } from "./ended.ts"

const unknown = (what: string, name: string, names: ReadonlyArray<string>): Refused =>
  badInput(
    `no ${what} ${JSON.stringify(name)}; the nearest: ${nearest(name, names).join(", ")} (pfnscope list has all)`
  )

/** The scenario of that name. */
export const scenarioOf = (name: string): Effect.Effect<Scenario, Refused> => {
  const found = SCENARIOS.find((scenario) => scenario.name === name)
  return found === undefined
    ? Effect.fail(unknown("scenario", name, SCENARIOS.map((scenario) => scenario.name)))
    : Effect.succeed(found)
}

/** The policy of that name, or the one that the TypeScript file at that path exports by default. */
export const policyOf = (name: string): Effect.Effect<Policy, Refused> => {
  const found = POLICIES.find((policy) => policy.name === name)
  if (found !== undefined) return Effect.succeed(found)
  return /[./\\]/.test(name) && (/\.[cm]?[jt]s$/.test(name) || existsSync(name))
    ? policyFromFile(name)
    : Effect.fail(unknown("policy", name, POLICIES.map((policy) => policy.name)))
}

const policyFromFile = Effect.fnUntraced(function*(path: string) {
  if (!existsSync(path)) return yield* badInput(`${path}: no such policy file`)
  const module: unknown = yield* Effect.tryPromise({
    try: () => import(pathToFileURL(resolve(path)).href),
    catch: (error) => badInput(`${path}${placeOf(path, error)}: the policy file throws: ${messageOf(error)}`)
  })
  const exported = (module as { readonly default?: unknown }).default
  if (exported === undefined) return yield* badInput(`${path}: expected a policy as default export, found none`)
  return yield* Schema.decodeUnknownEffect(Policy)(exported).pipe(
    Effect.mapError((error) => badInput(`${path}: not a policy: ${error.message}`))
  )
})

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** Line and column in the file where it threw, if the stack says so. */
const placeOf = (path: string, error: unknown): string => {
  const stack = error instanceof Error ? error.stack ?? "" : ""
  const file = pathToFileURL(resolve(path)).href.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  const plain = resolve(path).replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  return new RegExp(`(?:${file}|${plain})(?:\\?[^:]*)?(:\\d+(?::\\d+)?)`).exec(stack)?.[1] ?? ""
}
