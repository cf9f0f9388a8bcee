/**
 * Threads that are alike: they are asked for the same operations as often.
 *
 * @since 0.1.0
 */
import { cellsOfThread, namesIn } from "@pfnscope/protocol"
import type { State } from "@pfnscope/protocol"
import type { Symmetry } from "../model.ts"

/** Which threads of a world are alike, and how they change places. @category constructors @since 0.1.0 */
export const symmetryOf = (state: State): Symmetry => {
  const { cells, geo, threads } = state
  const own = threads.map(({ id }) => cellsOfThread(state, id))
  const holders = namesIn(state).threads
  const alike = new Map<string, Array<number>>()
  geo.world.threads.forEach(({ ops, repeat }, thread) => {
    const key = JSON.stringify([ops, repeat])
    alike.set(key, [...alike.get(key) ?? [], thread])
  })
  return {
    groups: [...alike.values()].filter((group) => group.length > 1),
    compare: (a, b) => {
      for (let i = 0; i < own[a].length; i++) {
        const difference = cells[own[a][i]] - cells[own[b][i]]
        if (difference !== 0) return difference
      }
      return 0
    },
    exchange: (a, b) => {
      for (let i = 0; i < own[a].length; i++) {
        const kept = cells[own[a][i]]
        cells[own[a][i]] = cells[own[b][i]]
        cells[own[b][i]] = kept
      }
      for (const cell of holders) {
        if (cells[cell] === a + 1) cells[cell] = b + 1
        else if (cells[cell] === b + 1) cells[cell] = a + 1
      }
    }
  }
}
