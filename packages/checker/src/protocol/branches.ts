/**
 * What could be taken in a checked world: for each thread, every step that its operations can come to, and every label
 * that such a step can lead to.
 *
 * @since 0.1.0
 */
import { L, LABELS, labelsOf } from "@pfnscope/protocol"
import type { LabelId, Program, State } from "@pfnscope/protocol"
import type { Branch } from "../model.ts"

/** The branches, and where among them a thread's move from a label to another is. @category models @since 0.1.0 */
export interface Branches {
  readonly all: ReadonlyArray<Branch>
  readonly taken: (thread: number, from: LabelId, to: LabelId) => number
}

const keyOf = (thread: number, from: LabelId, to: LabelId): number =>
  (thread * LABELS.length + from) * LABELS.length + to

/** The branches of a world under a program. @category constructors @since 0.1.0 */
export const branchesOf = ({ geo, threads }: State, program: Program): Branches => {
  const all: Array<Branch> = []
  const places = new Map<number, number>()
  const put = (thread: number, from: LabelId, to: LabelId) => {
    const key = keyOf(thread, from, to)
    if (places.has(key)) return
    places.set(key, all.length)
    all.push({ thread, step: LABELS[from], outcome: LABELS[to] })
  }
  for (const { id } of threads) {
    for (const { op } of geo.scripts[id]) {
      for (const to of program[L.idle].to(op)) put(id, L.idle, to)
      for (const from of labelsOf(program, op)) {
        if (from !== L.idle) { for (const to of program[from].to(op)) put(id, from, to) }
      }
    }
  }
  const table = new Int32Array(threads.length * LABELS.length ** 2).fill(-1)
  for (const [key, place] of places) table[key] = place
  return {
    all,
    taken: (thread, from, to) => {
      const place = table[keyOf(thread, from, to)]
      if (place < 0) throw new Error(`step ${LABELS[from]} leads to ${LABELS[to]}, which its \`to\` does not say`)
      return place
    }
  }
}
