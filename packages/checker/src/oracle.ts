/**
 * Test support: a search written the plainest way, to compare the engine with: a Map of strings, one state at a time.
 *
 * @since 0.1.0
 */
import type { Model, Move } from "./model.ts"
import { enabledMoves } from "./path.ts"

/** What the plain search saw. */
export interface Seen {
  readonly distinct: number
  readonly generated: number
  readonly depth: number
  readonly terminal: number
  readonly stuck: number
  /** The fewest steps after which each property is broken, by its place. */
  readonly shortest: ReadonlyMap<number, number>
  readonly taken: ReadonlySet<number>
  /** Every state with its edges, in the order found. */
  readonly graph: ReadonlyMap<string, ReadonlyArray<Move & { readonly target: string }>>
}

/** Makes the working state the one that a key was made of. */
export const enter = (model: Model, key: string): void => model.unpack(Int32Array.from(key.split(","), Number), 0)

/** The working state as a key. */
export const keyOf = (model: Model): string => {
  const words = new Int32Array(model.words)
  model.pack(words, 0)
  return words.join()
}

/** Searches a model. */
export const search = (model: Model): Seen => {
  const depths = new Map<string, number>()
  const graph = new Map<string, Array<Move & { readonly target: string }>>()
  const shortest = new Map<number, number>()
  const taken = new Set<number>()
  let generated = 0
  let terminal = 0
  let stuck = 0
  const judge = (broken: number, depth: number) =>
    model.properties.forEach((_, i) => {
      if ((broken >>> i & 1) === 1) shortest.set(i, Math.min(depth, shortest.get(i) ?? Infinity))
    })
  const find = (depth: number): string => {
    const key = keyOf(model)
    generated++
    if (!depths.has(key)) {
      depths.set(key, depth)
      judge(model.brokenInState?.() ?? 0, depth)
    }
    return key
  }
  for (let k = 0; k < model.initials; k++) {
    model.initial(k)
    find(0)
  }
  for (const [key, depth] of depths) {
    enter(model, key)
    const moves = enabledMoves(model)
    if (moves.length === 0) {
      terminal++
      if (model.isDone !== undefined && !model.threads.every((_, t) => model.isDone!(t))) stuck++
      judge(model.brokenAtEnd?.() ?? 0, depth)
    }
    graph.set(
      key,
      moves.map((move) => {
        enter(model, key)
        taken.add(model.apply(move.thread, move.way))
        judge(model.brokenByStep(), depth + 1)
        return { ...move, target: find(depth + 1) }
      })
    )
  }
  return {
    distinct: depths.size,
    generated,
    depth: [...depths.values()].at(-1) ?? 0,
    terminal,
    stuck,
    shortest,
    taken,
    graph
  }
}
