/**
 * The protocol as a model whose packed states are the whole array of cells: the very step objects that the fibers run,
 * over the very state.
 *
 * @since 0.1.0
 */
import { executeUnheard, isDone, L, PROPERTIES } from "@pfnscope/protocol"
import type { Cells, Label, Policy, Program, State, World } from "@pfnscope/protocol"
import type { Model } from "../model.ts"
import { branchesOf } from "./branches.ts"
import { canonicalise } from "./canonical.ts"
import type { Named } from "./canonical.ts"
import { narrowState } from "./cells.ts"
import type { Ground } from "./cells.ts"
import { footprintOf } from "./footprint.ts"
import { forgetDead } from "./forget.ts"
import { goalsOf } from "./progress.ts"
import { symmetryOf } from "./symmetry.ts"

/** The properties that an event can show violated: all but progress. */
const JUDGED = PROPERTIES.filter(({ id }) => id !== "P6" && id !== "P7")

/** The properties' bits. */
const BITS: Readonly<Record<string, number>> = Object.fromEntries(JUDGED.map(({ id }, i) => [id, 1 << i]))

/** The model, its working state, and what its packing takes. @category models @since 0.1.0 */
export interface Wide {
  readonly model: Model
  readonly state: State
  readonly ground: Ground
  /** Makes cells like those of the state. */
  readonly another: () => Ground
  /** Makes the working state canonical. */
  readonly settle: () => void
  /** Says that the working state is canonical: it was unpacked. */
  readonly unpacked: () => void
  /** Says which cells can name something, and where a canonical state lies. */
  readonly name: (named: Named, before: Cells) => void
}

/** The model of a world under a policy, of as many words as its state has. @category constructors @since 0.1.0 */
export const wideModel = (world: World, policy: Policy, program: Program): Wide => {
  const { another, ground, state } = narrowState(world)
  const { words } = ground
  const start = words.slice()
  const size = words.length
  const { threads } = state
  let violated = 0
  const run = executeUnheard(state, (property) => {
    violated |= BITS[property]
  })
  let canonical = canonicalise(state, policy)
  /** Steps since the working state was canonical: numbers must not grow out of their cells. */
  let stepped = 0
  const settle = () => {
    canonical()
    stepped = 0
  }
  const branches = branchesOf(state, program)
  const footprint = footprintOf(state, policy, program)
  const model: Model = {
    name: policy.name,
    threads: world.threads.map(({ name }) => name),
    words: size,
    properties: JUDGED.map(({ id, statement, testedBy }) => ({
      name: id,
      statement,
      exercisedBy: ({ step }) => testedBy.includes(step as Label)
    })),
    branches: branches.all,
    initials: 1,
    initial: () => {
      words.set(start)
      stepped = 0
    },
    unpack: (from, at) => {
      stepped = 0
      for (let i = 0; i < size; i++) words[i] = from[at + i]
    },
    pack: (to, at) => {
      settle()
      for (let i = 0; i < size; i++) to[at + i] = words[i]
    },
    ways: (t) => {
      const thread = threads[t]
      const { choices, guard } = program[thread.pc]
      if (guard !== undefined && !guard(state, thread)) return 0
      return choices === undefined ? 1 : choices(state, thread)
    },
    apply: (t, way) => {
      if (stepped++ > 0) canonical()
      violated = 0
      const thread = threads[t]
      const { pc } = thread
      run(program[pc], thread, way)
      return branches.taken(t, pc, thread.pc)
    },
    brokenByStep: () => violated,
    isDone: (t) => isDone(state, threads[t]),
    goals: goalsOf(state),
    // The kernel's spinlocks, rwlocks and mutexes are queued: who waits for one gets it.
    waitsInTurn: (t) => threads[t].pc !== L.idle && program[threads[t].pc].guard !== undefined,
    ...(footprint === undefined ? {} : { footprint }),
    symmetry: symmetryOf(state),
    forget: forgetDead(state, policy, program)
  }
  return {
    model,
    state,
    ground,
    another,
    settle,
    unpacked: () => {
      stepped = 0
    },
    name: (named, before) => {
      canonical = canonicalise(state, policy, named, before)
    }
  }
}
