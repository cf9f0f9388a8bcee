/**
 * The protocol as a model: the very step objects that the fibers run, over the very state.
 *
 * The world must be small: every cell of its state, in canonical form, fits a byte.
 *
 * @since 0.1.0
 */
import { execute, initialState, isDone, LABELS, programOf, PROPERTY_IDS } from "@pfnscope/protocol"
import type { Policy, Program, PropertyId, World } from "@pfnscope/protocol"
import type { Model } from "../model.ts"
import { canonicalise } from "./canonical.ts"

/** Added to a cell before it is packed, so that the small negative numbers fit. */
const BIAS = 16

/** The properties that an event can show violated: all but progress. */
const JUDGED: ReadonlyArray<PropertyId> = PROPERTY_IDS.filter((id) => id !== "P6" && id !== "P7")

/**
 * The model of a world under a policy; `program` where its steps are not those of the policy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const protocolModel = (world: World, policy: Policy, program: Program = programOf(policy)): Model => {
  const state = initialState(world, (length) => new Int16Array(length))
  const start = state.cells.slice() as Int16Array
  const cells = state.cells as Int16Array
  const words = (cells.length + 3) >> 2
  let violated = 0
  const executor = execute(state, {
    event: () => {},
    violated: (property) => {
      violated |= 1 << JUDGED.indexOf(property)
    }
  })
  const canonical = canonicalise(state, policy)
  return {
    name: policy.name,
    words,
    threads: world.threads.map(({ name }) => name),
    properties: JUDGED,
    labels: LABELS,
    start: () => cells.set(start),
    load: (packed, at) => {
      for (let i = 0; i < cells.length; i++) cells[i] = ((packed[at + (i >> 2)] >>> ((i & 3) << 3)) & 0xff) - BIAS
    },
    store: (packed, at) => {
      canonical()
      for (let w = 0; w < words; w++) packed[at + w] = 0
      for (let i = 0; i < cells.length; i++) {
        const byte = cells[i] + BIAS
        if ((byte & ~0xff) !== 0) {
          throw new RangeError(`cell ${i} of the state is ${cells[i]}: the world is too large to check`)
        }
        packed[at + (i >> 2)] |= byte << ((i & 3) << 3)
      }
    },
    label: (t) => state.threads[t].pc,
    ways: (t) => {
      const thread = state.threads[t]
      const { choices, guard } = program[thread.pc]
      if (guard !== undefined && !guard(state, thread)) return 0
      return choices === undefined ? 1 : choices(state, thread)
    },
    apply: (t, way) => {
      violated = 0
      const thread = state.threads[t]
      executor.step(program[thread.pc], thread, way)
      return violated
    },
    judge: () => 0,
    isDone: (t) => isDone(state, state.threads[t])
  }
}
