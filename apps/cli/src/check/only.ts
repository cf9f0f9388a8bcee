/**
 * A model with only some of its properties: those asked about are the only ones to end a search.
 */
import { replacing } from "@pfnscope/checker"
import type { Model } from "@pfnscope/checker"

/** The model with the properties and goals of these names, all of them when there are none. */
export const only = (model: Model, names: ReadonlyArray<string>): Model => {
  if (names.length === 0) return model
  const kept = model.properties.flatMap(({ name }, bit) => names.includes(name) ? [bit] : [])
  const pick = (set: number): number =>
    set === 0 ? 0 : kept.reduce((picked, bit, i) => picked | (set >>> bit & 1) << i, 0)
  const { brokenAtEnd, brokenInState } = model
  return replacing(model, {
    properties: kept.map((bit) => model.properties[bit]!),
    brokenByStep: () => pick(model.brokenByStep()),
    ...(brokenInState === undefined ? {} : { brokenInState: () => pick(brokenInState()) }),
    ...(brokenAtEnd === undefined ? {} : { brokenAtEnd: () => pick(brokenAtEnd()) }),
    ...(model.goals === undefined ? {} : { goals: model.goals.filter(({ name }) => names.includes(name)) })
  })
}
