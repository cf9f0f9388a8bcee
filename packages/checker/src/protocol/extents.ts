/**
 * Which values the cells of a state take: found out from a sample of the states, so that they can be packed into few
 * bits. It is a guess, and whoever packs by it looks at every cell.
 *
 * @since 0.1.0
 */
import { cellsOfThread, namesIn, NO_PFN } from "@pfnscope/protocol"
import type { State } from "@pfnscope/protocol"
import type { Model } from "../model.ts"
import { enabledMoves } from "../path.ts"
import { NO_REDUCTIONS } from "../reduction.ts"
import { Search } from "../search.ts"
import { deadFrame } from "./canonical.ts"

/** The values that a cell was seen to take. @category models @since 0.1.0 */
export type Extents = ReadonlyArray<Set<number>>

/** States of the sample that are found breadth first: most of what there is, is near the start. */
const NEAR = 20_000

/** Walks that find what is far from it. */
const WALKS = 300
const WALK_STEPS = 400

/**
 * Samples the states of a model whose working state is `state`, as they are and with the dead cells forgotten.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sample = (model: Model, state: State): Extents => {
  const { cells } = state
  const extents = Array.from(cells, () => new Set<number>())
  const form = new Int32Array(model.words)
  const note = () => {
    for (let i = 0; i < cells.length; i++) extents[i].add(cells[i])
  }
  const observe = () => {
    model.pack(form, 0)
    note()
    model.forget?.()
    model.pack(form, 0)
    note()
  }
  const search = new Search(model, NO_REDUCTIONS)
  while (!search.isDone && search.count < NEAR) search.advance(NEAR)
  for (let state = 0; state < search.count; state++) {
    model.unpack(search.states.chunk(state), search.states.offset(state))
    observe()
  }
  if (!search.isDone) walk(model, observe)
  for (const group of model.symmetry?.groups ?? []) merge(group, state, extents)
  foresee(state, extents)
  return extents
}

/** Where a cell names a frame it may name any: the sample saw some orders only. */
const foresee = (state: State, extents: Extents): void => {
  const last = deadFrame(state.mmu.frames)
  for (const cell of namesIn(state).frames) {
    if ([...extents[cell]].every((pfn) => pfn <= NO_PFN)) continue
    for (let pfn = NO_PFN; pfn <= last; pfn++) extents[cell].add(pfn)
  }
}

/** Alike threads may stand for one another: what one's cells take, the others' may. */
const merge = (group: ReadonlyArray<number>, state: State, extents: Extents): void => {
  const own = group.map((thread) => cellsOfThread(state, thread))
  own[0].forEach((_, i) => {
    const values = new Set(own.flatMap((cells) => [...extents[cells[i]]]))
    for (const cells of own) for (const value of values) extents[cells[i]].add(value)
  })
  for (const cell of namesIn(state).threads) {
    if (group.some((thread) => extents[cell].has(thread + 1))) {
      for (const thread of group) extents[cell].add(thread + 1)
    }
  }
}

/** In how many of a hundred steps a walk stays with its thread: some orders come about only when others wait long. */
const STAYS = [0, 50, 80, 95]

const walk = (model: Model, observe: () => void): void => {
  const here = new Int32Array(model.words)
  let seed = 1
  const below = (n: number) => {
    seed = Math.imul(seed, 1_664_525) + 1_013_904_223 | 0
    return (seed >>> 8) % n
  }
  for (let n = 0; n < WALKS; n++) {
    model.initial(0)
    const stay = STAYS[n % STAYS.length]
    let last = -1
    for (let step = 0; step < WALK_STEPS; step++) {
      const moves = enabledMoves(model)
      if (moves.length === 0) break
      const own = moves.filter((move) => move.thread === last)
      const from = own.length > 0 && below(100) < stay ? own : moves
      const { thread, way } = from[below(from.length)]
      last = thread
      model.apply(thread, way)
      model.pack(here, 0)
      observe()
      model.unpack(here, 0)
    }
  }
}
