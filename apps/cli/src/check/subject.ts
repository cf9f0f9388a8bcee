/**
 * What is checked: plain data, so that a worker can be told it, and the model that it means.
 */
import { protocolModel, referenceModel, replacing } from "@pfnscope/checker"
import type { Model, ReferenceConfig, VariantLetter } from "@pfnscope/checker"
import type { Policy, World } from "@pfnscope/protocol"
import { createHash } from "node:crypto"
import { only } from "./only.ts"

/**
 * A model to search: `policy` is its name, `given` what it is called on the command line; `properties` are those asked
 * about (none: all).
 */
export type Subject =
  & { readonly policy: string; readonly given: string; readonly properties: ReadonlyArray<string> }
  & (
    | { readonly kind: "protocol"; readonly world: World; readonly choices: Policy }
    | { readonly kind: "reference"; readonly config: ReferenceConfig; readonly variant: VariantLetter }
  )

/** The model with every property. */
export const wholeModelOf = (subject: Subject): Model =>
  subject.kind === "protocol"
    ? protocolModel(subject.world, subject.choices)
    : referenceModel(subject.config, subject.variant)

/** The model of a subject. Its name tells apart what its states do not show: a policy's choices, what threads will do. */
export const modelOf = (subject: Subject): Model => {
  const { given: _, properties, ...meant } = subject
  const digest = createHash("sha256").update(JSON.stringify(meant)).digest("hex").slice(0, 8)
  return replacing(only(wholeModelOf(subject), properties), { name: `${subject.policy} ${digest}` })
}
