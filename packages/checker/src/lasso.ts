/**
 * A run that never meets its goal: a stem, and a cycle that can go on for ever and is fair.
 *
 * @since 0.1.0
 */
import { owedFairness } from "./fairness.ts"
import type { Edges, FairPart } from "./fairness.ts"
import type { Goal, Model, Move } from "./model.ts"
import { enabledMoves, replay, Tracer } from "./path.ts"
import type { Path } from "./path.ts"
import type { Search } from "./search.ts"

/**
 * The steps of `cycle` lead from where `stem` ends back to there. An empty cycle: nothing can move any more.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lasso {
  readonly stem: Path
  readonly cycle: ReadonlyArray<Move>
}

/**
 * Why a cycle is fair to a thread: it `moves` in it, it is somewhere `disabled` (everywhere, if it waits for its turn), or
 * nobody owes it fairness. `starved`: it is not fair.
 *
 * @category models
 * @since 0.1.0
 */
export type Fairness = "moves" | "disabled" | "not owed" | "starved"

/**
 * A walk through a fair part: from its entry past a witness of fairness for each thread, and back.
 *
 * @category constructors
 * @since 0.1.0
 */
export const lassoIn = (search: Search, part: FairPart, edges: Edges): Lasso => {
  const { model } = search
  const { entry } = part
  const stem = new Tracer(model, search.states, search.reductions).pathTo(entry)
  const owed = owedFairness(model)
  /** Whether being disabled is enough: who waits for its turn must move, unless it never can. */
  const isPaid = (thread: number): boolean =>
    model.ways(thread) === 0 && (part.still.has(thread) || !(model.waitsInTurn?.(thread) ?? false))
  const payAt = (state: number) => {
    edges.enter(state)
    for (const thread of owed) if (isPaid(thread)) owed.delete(thread)
  }
  const cycle: Array<Move> = []
  let here = entry
  /** Goes the shortest way to an edge that `isWanted`. */
  const go = (isWanted: (thread: number, target: number) => boolean): boolean => {
    const route = shortest(edges, part, here, isWanted)
    if (route === undefined) return false
    for (const { target, thread, way } of route) {
      cycle.push({ thread, way })
      owed.delete(thread)
      payAt(target)
      here = target
    }
    return true
  }
  payAt(entry)
  while (owed.size > 0) {
    go((thread, target) => {
      if (owed.has(thread)) return true
      edges.enter(target)
      return [...owed].some(isPaid)
    })
  }
  if (here !== entry || cycle.length === 0) go((_, target) => target === entry)
  return close(model, { stem, cycle })
}

/** Goes round until the very same state comes back: what was forgotten may differ after the first time. */
const close = (model: Model, { cycle, stem: { initial, moves } }: Lasso): Lasso => {
  replay(model, { initial, moves })
  const seen = new Map<string, number>()
  const times = (n: number) => Array.from({ length: n }, () => cycle).flat()
  for (let n = 0;; n++) {
    const first = seen.get(formOf(model))
    if (first !== undefined) return { stem: { initial, moves: [...moves, ...times(first)] }, cycle: times(n - first) }
    seen.set(formOf(model), n)
    for (const { thread, way } of cycle) model.apply(thread, way)
  }
}

/** The working state as a key. */
const formOf = (model: Model): string => {
  const words = new Int32Array(model.words)
  model.pack(words, 0)
  return words.join()
}

interface Edge {
  readonly thread: number
  readonly way: number
  readonly target: number
}

/** Breadth first within a part: the edges up to and with the first that is wanted. */
const shortest = (
  edges: Edges,
  part: FairPart,
  from: number,
  isWanted: (thread: number, target: number) => boolean
): ReadonlyArray<Edge> | undefined => {
  const before = new Map<number, (Edge & { readonly source: number }) | undefined>([[from, undefined]])
  const back = (state: number): ReadonlyArray<Edge> => {
    const route: Array<Edge> = []
    for (let edge = before.get(state); edge !== undefined; edge = before.get(edge.source)) route.unshift(edge)
    return route
  }
  for (const source of before.keys()) {
    const out: Array<Edge> = []
    edges.each(source, (thread, way, target) => {
      if (part.has(target)) out.push({ thread, way, target })
    })
    const wanted = out.find(({ target, thread }) => isWanted(thread, target))
    if (wanted !== undefined) return [...back(source), wanted]
    for (const edge of out) if (!before.has(edge.target)) before.set(edge.target, { ...edge, source })
  }
  return undefined
}

/**
 * Replays a lasso: how it is fair to each thread, or undefined when it is no lasso of the goal: a step is not enabled,
 * the cycle does not lead back to the very same state, it is empty where something can move, or the goal is met on it.
 *
 * @category queries
 * @since 0.1.0
 */
export const replayLasso = (
  { model }: Pick<Search, "model">,
  goal: Goal,
  { cycle, stem }: Lasso
): ReadonlyArray<Fairness> | undefined => {
  if (replay(model, stem) === undefined || goal.met()) return undefined
  const owed = owedFairness(model)
  const fairness: Array<Fairness> = model.threads.map((_, t) => owed.has(t) ? "starved" : "not owed")
  const passedOver = new Set<number>()
  const look = (): void =>
    model.threads.forEach((_, t) => {
      if (model.ways(t) > 0) passedOver.add(t)
      else if (fairness[t] === "starved") fairness[t] = "disabled"
    })
  const start = formOf(model)
  look()
  if (cycle.length === 0 && enabledMoves(model).length > 0) return undefined
  for (const { thread, way } of cycle) {
    if (way >= model.ways(thread)) return undefined
    model.apply(thread, way)
    if (goal.met()) return undefined
    if (fairness[thread] !== "not owed") fairness[thread] = "moves"
    look()
  }
  if (formOf(model) !== start) return undefined
  return fairness.map((why, t) =>
    why === "disabled" && passedOver.has(t) && (model.waitsInTurn?.(t) ?? false) ? "starved" : why
  )
}

/** Whether a replayed lasso is fair to every thread. @category queries @since 0.1.0 */
export const isFair = (model: Model, fairness: ReadonlyArray<Fairness>): boolean =>
  fairness.length === model.threads.length && !fairness.includes("starved")
