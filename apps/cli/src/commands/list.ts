/**
 * `pfnscope list`: what there is, one line each with its source.
 */
import { SCENARIOS } from "@pfnscope/machine"
import { POLICIES, PROPERTIES } from "@pfnscope/protocol"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { jsonFlag, print } from "../output.ts"

const KINDS = ["policies", "scenarios", "properties"] as const

interface Entry {
  readonly name: string
  readonly summary: string
  readonly source: string
}

const entries = (kind: (typeof KINDS)[number]): ReadonlyArray<Entry> => {
  switch (kind) {
    case "policies":
      return POLICIES.map(({ name, source, summary }) => ({ name, summary, source }))
    case "scenarios":
      return SCENARIOS.map(({ knobs, name, source, summary }) => ({
        name,
        summary: `${summary} (${Object.entries(knobs).map(([knob, value]) => `${knob}=${value}`).join(" ")})`,
        source
      }))
    case "properties":
      return PROPERTIES.map(({ id, name, statement }) => ({ name: `${id} ${name}`, summary: statement, source: "" }))
  }
}

const lines = (kind: (typeof KINDS)[number]): string => {
  const all = entries(kind)
  const width = Math.max(...all.map(({ name }) => name.length))
  const rows = all.map(({ name, source, summary }) =>
    `  ${name.padEnd(width)}  ${summary}${source === "" ? "" : `  [${source}]`}`
  )
  return [`${kind}:`, ...rows].join("\n")
}

export const listCommand = Command.make("list", {
  what: Argument.Literals("what", KINDS).pipe(
    Argument.withDescription("Only the policies, scenarios or properties"),
    Argument.variadic()
  ),
  json: jsonFlag
}, ({ json, what }) => {
  const kinds = what.length === 0 ? KINDS : what
  return print(
    json,
    () => Object.fromEntries(kinds.map((kind) => [kind, entries(kind)])),
    () => kinds.map(lines).join("\n\n")
  ).pipe(Effect.asVoid)
}).pipe(
  Command.withDescription("What there is, one line each with its source"),
  Command.withExamples([{
    command: "pfnscope list policies",
    description: "Every protocol variant and where it comes from"
  }])
)
