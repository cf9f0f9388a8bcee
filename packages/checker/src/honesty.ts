/**
 * Test support: whether what a model says of itself for the reductions is true, state by state.
 *
 * The reductions believe the model. So each claim is put to the test in every reachable state: that steps whose
 * footprints do not meet commute, that forgotten cells make no difference, that alike threads are alike.
 *
 * @since 0.1.0
 */
import type { Model, Move } from "./model.ts"
import { enter, keyOf, search } from "./oracle.ts"
import { enabledMoves } from "./path.ts"

/** What can be seen of a step: its branch, what it breaks, and the state it leads to. */
interface Seen {
  readonly branch: number
  readonly broken: number
  readonly target: string
}

const take = (model: Model, { thread, way }: Move): Seen => {
  const branch = model.apply(thread, way)
  return { branch, broken: model.brokenByStep() | (model.brokenInState?.() ?? 0), target: keyOf(model) }
}

const taken = (model: Model, from: string, move: Move): Seen => {
  enter(model, from)
  return take(model, move)
}

const waysOf = (model: Model): ReadonlyArray<number> => model.threads.map((_, t) => model.ways(t))

/** The footprints, written over something else, as a search does. */
const printsOf = (model: Model): ReadonlyArray<Int32Array> =>
  model.threads.map((_, t) => {
    const print = new Int32Array(4).fill(0x55555555)
    model.footprint!(t, print, 0)
    return print
  })

const leavesGaps = (model: Model): boolean =>
  printsOf(model).some((print, t) => {
    const other = new Int32Array(4).fill(0x2aaaaaaa)
    model.footprint!(t, other, 0)
    return print.some((classes, k) => classes !== other[k])
  })

/** Whether one pair of reads and writes is part of another. Who may write a class conflicts with all that a reader does. */
const isWithin = (reads: number, writes: number, allReads: number, allWrites: number) =>
  (reads & ~(allReads | allWrites)) === 0 && (writes & ~allWrites) === 0

/** Whether two next steps conflict. */
const meet = (a: Int32Array, b: Int32Array) => ((a[0] | a[1]) & b[1]) !== 0 || (a[1] & b[0]) !== 0

/** The first thing a model says of itself that is not so, or undefined. */
export const lieOf = (model: Model): string | undefined => {
  for (const key of search(model).graph.keys()) {
    const lie = (model.footprint && footprintLie(model, key)) ??
      (model.forget && forgetLie(model, model.forget, key)) ??
      symmetryLie(model, key)
    if (lie !== undefined) return `${lie}, in state ${key}`
  }
  return undefined
}

const footprintLie = (model: Model, key: string): string | undefined => {
  enter(model, key)
  if (leavesGaps(model)) return "a footprint is not written whole"
  const before = printsOf(model)
  const ways = waysOf(model)
  const moves = enabledMoves(model)
  const own = before.findIndex(([reads, writes, allReads, allWrites]) => !isWithin(reads, writes, allReads, allWrites))
  if (own >= 0) return `the next step of thread ${own} is not among all its steps`
  for (const move of moves) {
    const first = taken(model, key, move)
    const after = printsOf(model)
    const nowWays = waysOf(model)
    for (let t = 0; t < after.length; t++) {
      if (!isWithin(after[t][2], after[t][3], before[t][2], before[t][3])) {
        return `thread ${t} is to touch more after a step of thread ${move.thread}`
      }
      if (t === move.thread || meet(before[t], before[move.thread])) continue
      if (!isWithin(after[t][0], after[t][1], before[t][0], before[t][1])) {
        return `the next step of thread ${t} touches more after a step of thread ${move.thread}`
      }
      if (nowWays[t] !== ways[t]) return `a step of thread ${move.thread} enables or disables thread ${t}`
      for (let way = 0; way < ways[t]; way++) {
        const lie = orderLie(model, key, first, move, { thread: t, way })
        if (lie !== undefined) return lie
      }
    }
  }
  return undefined
}

/** Two steps one way round and the other: the same branches, the same state, the same properties broken in all. */
const orderLie = (model: Model, key: string, first: Seen, a: Move, b: Move): string | undefined => {
  const start = brokenAt(model, key)
  const ab = taken(model, first.target, b)
  const second = taken(model, key, b)
  const ba = taken(model, second.target, a)
  const pair = `threads ${a.thread} and ${b.thread}`
  if (ab.target !== ba.target) return `the steps of ${pair} do not commute`
  if (ab.branch !== second.branch || ba.branch !== first.branch) return `${pair} decide otherwise the other way round`
  if ((start | first.broken | ab.broken) !== (start | second.broken | ba.broken)) {
    return `${pair} break otherwise the other way round`
  }
  return undefined
}

const brokenAt = (model: Model, key: string): number => {
  enter(model, key)
  return (model.brokenInState?.() ?? 0)
}

/** Everything that may depend on the state, but for the state itself. */
const facts = (model: Model): string =>
  JSON.stringify([
    waysOf(model),
    model.brokenInState?.() ?? 0,
    model.goals?.map(({ met }) => met()),
    model.footprint && printsOf(model).map((print) => [...print])
  ])

const forgetLie = (model: Model, forget: () => void, key: string): string | undefined => {
  enter(model, key)
  const moves = enabledMoves(model)
  const known = facts(model)
  forget()
  const forgotten = keyOf(model)
  if (facts(model) !== known) return "what is forgotten makes a difference"
  for (const move of moves) {
    const results = [key, forgotten].map((from) => {
      const { branch, broken } = taken(model, from, move)
      forget()
      return `${branch} ${broken} ${keyOf(model)}`
    })
    if (results[0] !== results[1]) return `what is forgotten makes a difference to thread ${move.thread}`
  }
  return undefined
}

const symmetryLie = (model: Model, key: string): string | undefined => {
  const { compare, exchange, groups } = model.symmetry ?? { groups: [], compare: () => 0, exchange: () => {} }
  for (const group of groups) {
    for (let k = 1; k < group.length; k++) {
      const [a, b] = [group[k - 1], group[k]]
      const other = (thread: number) => thread === a ? b : thread === b ? a : thread
      enter(model, key)
      const [ab, ba] = [compare(a, b), compare(b, a)]
      const [moves, broken] = [enabledMoves(model), model.brokenInState?.() ?? 0]
      exchange(a, b)
      const swapped = keyOf(model)
      if (Math.sign(ab) !== -Math.sign(ba)) return `threads ${a} and ${b} are in no order`
      if (ab === 0 && swapped !== key) return `threads ${a} and ${b} are not equal`
      if ((model.brokenInState?.() ?? 0) !== broken) return `a property tells threads ${a} and ${b} apart`
      if (enabledMoves(model).length !== moves.length) return `only one of threads ${a} and ${b} can go on`
      for (const { thread, way } of moves) {
        enter(model, swapped)
        if (way >= model.ways(other(thread))) return `only one of threads ${a} and ${b} can go on`
        const there = take(model, { thread: other(thread), way })
        enter(model, key)
        const here = take(model, { thread, way })
        exchange(a, b)
        if (keyOf(model) !== there.target || here.broken !== there.broken) {
          return `threads ${a} and ${b} do not do the same`
        }
      }
    }
  }
  return undefined
}
