/**
 * Finds fair runs that never meet a goal again: strongly connected parts of the states that do not meet it (Tarjan
 * 1972), in which every fair thread moves, or is somewhere disabled; everywhere, if it waits for its turn.
 *
 * That is exact. A run that stays in such a part and visits all of it for ever is fair to every thread. If some fair
 * thread is enabled everywhere in a part and never moves within it, no run that stays there is fair. If one that waits
 * for its turn is enabled in some states of it only, a fair run can do without these, and what is left of the part is
 * taken apart again (Emerson and Lei 1987).
 *
 * @since 0.1.0
 */
import { canonical } from "./canonical.ts"
import { hashWords } from "./hash.ts"
import type { Goal, Model } from "./model.ts"
import type { Search } from "./search.ts"

/** Numbers that grow at the end. */
class Stack {
  length = 0
  private cells = new Int32Array(1024)
  get bytes(): number {
    return 4 * this.cells.length
  }
  push(x: number): void {
    if (this.length === this.cells.length) {
      const cells = new Int32Array(2 * this.length)
      cells.set(this.cells)
      this.cells = cells
    }
    this.cells[this.length++] = x
  }
  at(i: number): number {
    return this.cells[i]
  }
  set(i: number, x: number): void {
    this.cells[i] = x
  }
}

/** The edges out of a state: thread, way and target, three numbers each. */
export class Edges {
  private readonly model: Model
  private readonly search: Search
  private readonly normalise: () => void
  private readonly words: Int32Array

  constructor(search: Search) {
    this.model = search.model
    this.search = search
    this.normalise = canonical(search.model, search.reductions)
    this.words = new Int32Array(search.model.words)
  }

  /** Calls `visit` for each edge. */
  each(state: number, visit: (thread: number, way: number, target: number) => void): void {
    const { model, search: { states }, words } = this
    const chunk = states.chunk(state)
    const at = states.offset(state)
    for (let thread = 0; thread < model.threads.length; thread++) {
      model.unpack(chunk, at)
      const ways = model.ways(thread)
      for (let way = 0; way < ways; way++) {
        model.unpack(chunk, at)
        model.apply(thread, way)
        this.normalise()
        model.pack(words, 0)
        visit(thread, way, states.find(words, 0, hashWords(words, 0, words.length)))
      }
    }
  }

  /** Makes the working state a recorded one. */
  enter(state: number): void {
    this.model.unpack(this.search.states.chunk(state), this.search.states.offset(state))
  }
}

/** Threads and states of the part that is nearest to the start. */
export interface FairPart {
  /** Its first state in breadth-first order. */
  readonly entry: number
  readonly has: (state: number) => boolean
  /** Threads that never move within it. */
  readonly still: ReadonlySet<number>
}

/** The threads that a run has to be fair to. */
export const owedFairness = (model: Model): Set<number> =>
  new Set(Array.from(model.threads, (_, thread) => thread).filter((thread) => model.isFair?.(thread) ?? true))

const UNSEEN = 0
const NOWHERE = -1
const MET = -1

/**
 * The analysis of one goal over a finished search, in slices. The search must keep threads apart and leave out no step:
 * of the reductions only `forget`.
 *
 * @category models
 * @since 0.1.0
 */
export class FairCycles {
  readonly edges: Edges
  private readonly search: Search
  private readonly goal: Goal
  /** When a state was first visited, from 1; {@link UNSEEN}, or {@link MET} where the goal is met. */
  private order = new Int32Array()
  private low = new Int32Array()
  /** The part a state belongs to, from 1, once it is known. */
  private part = new Int32Array()
  /** What a state is searched together with: 0 for all at first; states taken out of a part are in {@link NOWHERE}. */
  private region = new Int32Array()
  private regions = 0
  /** States of parts that are to be taken apart again. */
  private again: Array<number> = []
  /** Targets of the edges out of the states in `path`, and where those of each begin and have come to. */
  private readonly targets = new Stack()
  private readonly path = new Stack()
  private readonly first = new Stack()
  private readonly next = new Stack()
  private readonly open = new Stack()
  private visited = 0
  private parts = 0
  private root = 0
  private best: { readonly part: number; readonly entry: number; readonly still: ReadonlySet<number> } | undefined

  constructor(search: Search, goal: Goal) {
    this.search = search
    this.goal = goal
    this.edges = new Edges(search)
  }

  get isDone(): boolean {
    return this.path.length === 0 && this.again.length === 0 && this.root === this.search.count
  }

  /** Bytes that the analysis takes beside the search. */
  get bytes(): number {
    const { first, next, open, path, targets } = this
    return 16 * this.search.count + [first, next, open, path, targets].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** The part found nearest to the start. */
  get found(): FairPart | undefined {
    const { best, part } = this
    return best && { entry: best.entry, has: (state) => part[state] === best.part, still: best.still }
  }

  advance(most: number): void {
    if (this.order.length === 0) this.allocate()
    for (let n = 0; n < most && !this.isDone; n++) {
      if (this.path.length > 0) this.step()
      else this.start(this.again.pop() ?? this.root++)
    }
  }

  private allocate(): void {
    const { count } = this.search
    this.low = new Int32Array(count)
    this.part = new Int32Array(count)
    this.region = new Int32Array(count)
    this.order = new Int32Array(count)
  }

  private start(state: number): void {
    if (this.order[state] === UNSEEN) this.visit(state)
  }

  private visit(state: number): void {
    this.edges.enter(state)
    if (this.goal.met()) {
      this.order[state] = MET
      return
    }
    this.order[state] = this.low[state] = ++this.visited
    this.path.push(state)
    this.open.push(state)
    this.first.push(this.targets.length)
    this.next.push(this.targets.length)
    this.edges.each(state, this.pushTarget)
  }

  private readonly pushTarget = (_thread: number, _way: number, target: number): void => this.targets.push(target)

  /** Follows the next edge of the path's last state, or leaves it. */
  private step(): void {
    const { low, next, order, path, targets } = this
    const top = path.length - 1
    const state = path.at(top)
    const edge = next.at(top)
    if (edge === targets.length) return this.leave(state)
    next.set(top, edge + 1)
    const target = targets.at(edge)
    if (this.region[target] !== this.region[state]) return
    if (order[target] === UNSEEN) this.visit(target)
    else if (order[target] > 0 && this.part[target] === 0 && order[target] < low[state]) low[state] = order[target]
  }

  private leave(state: number): void {
    const { first, low, next, open, order, path, targets } = this
    const from = first.at(path.length - 1)
    let isCycle = targets.length === from
    for (let i = from; i < targets.length; i++) isCycle ||= targets.at(i) === state
    targets.length = from
    path.length = first.length = next.length = path.length - 1
    if (path.length > 0) {
      const before = path.at(path.length - 1)
      if (low[state] < low[before]) low[before] = low[state]
    }
    if (low[state] !== order[state]) return
    const part = ++this.parts
    const members: Array<number> = []
    for (let member = -1; member !== state;) {
      member = open.at(--open.length)
      this.part[member] = part
      members.push(member)
    }
    if (members.length > 1 || isCycle) this.judge(part, members)
  }

  /** Keeps the part if a fair run can stay in it and none nearer is known. */
  private judge(part: number, members: ReadonlyArray<number>): void {
    let entry = members[0]
    for (const member of members) if (member < entry) entry = member
    if (this.best !== undefined && this.best.entry < entry) return
    const { model } = this.search
    const still = this.still(part, members)
    this.edges.enter(entry)
    // A thread that never moves stands where it stands in every state of the part.
    const inTurn = new Set([...still.keys()].filter((thread) => model.waitsInTurn?.(thread) ?? false))
    const passedOver = [...still].filter(([thread, enabled]) =>
      inTurn.has(thread) ? enabled > 0 : enabled === members.length
    )
    if (passedOver.length === 0) this.best = { part, entry, still: new Set(still.keys()) }
    else if (passedOver.every(([, enabled]) => enabled < members.length)) {
      this.takeApart(members, passedOver.map(([thread]) => thread))
    }
  }

  /** The threads owed fairness that never move within a part, and in how many of its states they could. */
  private still(part: number, members: ReadonlyArray<number>): Map<number, number> {
    const { model } = this.search
    const still = new Map([...owedFairness(model)].map((thread) => [thread, 0]))
    for (const member of members) {
      this.edges.enter(member)
      for (const [thread, enabled] of still) if (model.ways(thread) > 0) still.set(thread, enabled + 1)
      this.edges.each(member, (thread, _way, target) => {
        if (this.part[target] === part) still.delete(thread)
      })
    }
    return still
  }

  /** Searches a part again without the states in which one of the threads could move. */
  private takeApart(members: ReadonlyArray<number>, threads: ReadonlyArray<number>): void {
    const { model } = this.search
    const region = ++this.regions
    for (const member of members) {
      this.edges.enter(member)
      const isLeftOut = threads.some((thread) => model.ways(thread) > 0)
      this.region[member] = isLeftOut ? NOWHERE : region
      if (isLeftOut) continue
      this.order[member] = UNSEEN
      this.part[member] = 0
      this.again.push(member)
    }
  }
}
