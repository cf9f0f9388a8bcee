/**
 * The protocol as a model: the very step objects that the fibers run, over the very state.
 *
 * @since 0.1.0
 */
import { namesIn, NO_PFN, programOf } from "@pfnscope/protocol"
import type { Policy, Program, World } from "@pfnscope/protocol"
import * as Schema from "effect/Schema"
import { Outgrown } from "../error.ts"
import { replacing } from "../model.ts"
import type { Model } from "../model.ts"
import { bitsOf } from "./bits.ts"
import type { Bits } from "./bits.ts"
import { sample } from "./extents.ts"
import type { Extents } from "./extents.ts"
import { wideModel } from "./wide.ts"

const toLists = (extents: Extents): ReadonlyArray<ReadonlyArray<number>> => extents.map((values) => [...values])

const isLayout = Schema.is(Schema.Array(Schema.NonEmptyArray(Schema.Finite)))

/**
 * The model of a world under a policy; `program` where its steps are not those of the policy.
 *
 * Its packed states take as few bits as a sample of them needs. A state that the sample did not foresee throws
 * {@link Outgrown} once, and the search begins again with wider ones.
 *
 * @category constructors
 * @since 0.1.0
 */
export const protocolModel = (world: World, policy: Policy, program: Program = programOf(policy)): Model => {
  const { another, ground, model, name, settle, state, unpacked } = wideModel(world, policy, program)
  const { frames, generations } = namesIn(state)
  let extents: Extents | undefined
  let adapted: Bits | undefined
  /** Samples the states, behind the back of whoever is at work. */
  const explore = (): Extents => {
    const working = ground.words.slice()
    const found = sample(model, state)
    ground.words.set(working)
    return found
  }
  const adapt = (): Bits => {
    const known = extents ??= explore()
    adapted = bitsOf(ground, another, known)
    const named = {
      frames: frames.filter((cell) => [...known[cell]].some((pfn) => pfn > NO_PFN)),
      generations: generations.filter((cell) => known[cell].size > 1)
    }
    name(named, adapted.unpacked)
    return adapted
  }
  /** Takes up a state that was not foreseen. */
  const widen = (to: Int32Array, at: number): never => {
    state.cells.forEach((value, cell) => extents![cell].add(value))
    // If its own bits refused what it has, it would begin again for ever.
    if (!adapt().pack(to, at)) throw new Error(`no packing of ${state.cells.join()}`)
    throw new Outgrown(toLists(extents!))
  }
  return replacing(model, {
    get words() {
      return (adapted ?? adapt()).words
    },
    layout: {
      save: () => toLists(extents ?? (adapt(), extents!)),
      load: (saved) => {
        if (!isLayout(saved) || saved.length !== state.cells.length) return false
        extents = saved.map((values) => new Set(values))
        adapt()
        return true
      }
    },
    unpack: (from, at) => {
      unpacked()
      const bits = adapted ?? adapt()
      bits.unpack(from, at)
    },
    pack: (to, at) => {
      settle()
      const bits = adapted ?? adapt()
      if (!bits.pack(to, at)) widen(to, at)
    }
  })
}
