/**
 * What is believed of the machine: the states that it may be in, and how a record narrows them.
 *
 * @since 0.1.0
 */
import { Evolve, LABELS } from "@pfnscope/protocol"
import type { State, Thread } from "@pfnscope/protocol"
import { isSame } from "./hypothesis.ts"
import type { Hypothesis, Taken } from "./hypothesis.ts"
import type { Operation } from "./operation.ts"
import { momentsOf, ordersBefore } from "./order.ts"
import type { Orders } from "./order.ts"

/**
 * Whether a thread has come to where a record says it is, must go on, or cannot be there: what it would do instead.
 * `alike`: it would decide the same, for another reason.
 */
export type Arrival = "there" | "on" | { readonly instead: string; readonly alike?: boolean }

/** Where a record says that a thread is. */
export type Arrive = (h: Hypothesis, t: Thread) => Arrival

/** Takes a step of an operation, which can be taken; what the thread would do instead, if the record says otherwise. */
export type Take = (h: Hypothesis) => string | undefined

/** Makes the state what a record shows. */
export type Settle = (s: State, t: Thread, evolve: Evolve) => void

/** States that are kept at once. */
const MOST = 256

/**
 * How a record compares: what the thread would have done in orders that do not lead to it; whether any does; and the
 * orders in which it would have decided otherwise, each as the number of steps that every thread had taken.
 */
export interface Compared {
  readonly instead: ReadonlySet<string>
  readonly possible: boolean
  readonly otherwise: ReadonlyArray<Int32Array>
  /** A state from before the record. */
  readonly before: Hypothesis
}

/** A way to a record: where it leads, and what came of it. */
interface Way {
  readonly arrive: Arrive
  readonly take: Take
  readonly arrived: Array<Hypothesis>
  readonly instead: Set<string>
  readonly otherwise: Array<Int32Array>
}

/** The states that are possible, and what was to be seen of their number. */
export class Belief {
  readonly orders: Orders
  possible: Array<Hypothesis>
  /** Most states at once, and how often there were more than are kept. */
  widest = 1
  overflows = 0

  private readonly onTaken: (step: Taken) => void

  constructor(orders: Orders, first: Hypothesis, onTaken: (step: Taken) => void) {
    this.orders = orders
    this.onTaken = onTaken
    this.possible = [first]
  }

  /** Any one of the states: for what is the same in all. */
  get any(): State {
    return this.possible[0]!.state
  }

  /** Makes every state what the world is known to be. */
  adopt(change: (s: State, evolve: Evolve) => void): void {
    for (const h of this.possible) change(h.state, new Evolve(h.state))
  }

  /** Forgets the differences between states that are none any more. */
  merge(): void {
    this.keep(this.possible)
  }

  /** Moves the thread of an operation to where a record says it is, in every order that leads there. */
  compare(op: Operation, arrive: Arrive, take: Take = (h) => this.take(h, op)): Compared {
    const before = this.orders.hypotheses.fork(this.possible[0]!)
    const arrived: Array<Hypothesis> = []
    const way: Way = { arrive, take, arrived, instead: new Set(), otherwise: [] }
    for (const h of this.possible) this.advance(h, op, way)
    if (arrived.length > 0) this.keep(arrived)
    return { instead: way.instead, possible: arrived.length > 0, otherwise: way.otherwise, before }
  }

  /**
   * Takes a bare read by an operation into account, whose value a record shows: it tells which steps of others had been
   * taken by then. A value that no order explains is left aside; it is no decision.
   */
  read(op: Operation, value: (h: Hypothesis) => number, shown: number): void {
    const moments = this.possible.flatMap((h) => momentsOf(this.orders, h, op, value))
    const fitting = moments.filter((h) => value(h) === shown)
    if (fitting.length > 0) this.keep(fitting)
  }

  /** Moves the thread of an operation to where a record says it is, unless no order leads there: then nothing moves. */
  try(op: Operation, arrive: Arrive): Compared {
    const saved = this.possible.map((h) => this.orders.hypotheses.fork(h))
    const compared = this.compare(op, arrive)
    if (compared.possible) { for (const h of saved) this.recycle(h) }
    else this.possible = saved
    return compared
  }

  private take(h: Hypothesis, op: Operation): undefined {
    this.orders.hypotheses.step(h, op.thread)
  }

  /** Believes a record that no order leads to: from now on the state is what it shows. */
  settle(before: Hypothesis, op: Operation, settle: Settle): void {
    const { state } = before
    releaseLocks(state, op.thread)
    settle(state, state.threads[op.thread]!, new Evolve(state))
    this.possible = [before]
  }

  recycle(h: Hypothesis): void {
    this.orders.hypotheses.recycle(h)
  }

  private advance(h: Hypothesis, op: Operation, way: Way): void {
    const t = h.state.threads[op.thread]!
    const at = way.arrive(h, t)
    if (at === "there") {
      way.arrived.push(h)
      return
    }
    if (at !== "on") {
      way.instead.add(at.instead)
      if (at.alike !== true) way.otherwise.push(h.steps.slice())
      return this.recycle(h)
    }
    const allowed = this.orders.mayStep(op, t.pc)
    const next = allowed ? ordersBefore(this.orders, h, op) : []
    if (next.length === 0) {
      way.instead.add(`${allowed ? "to wait" : "to stay"} at ${LABELS[t.pc]}`)
      way.otherwise.push(h.steps.slice())
    }
    if (!next.includes(h)) this.recycle(h)
    for (const one of next) {
      const instead = way.take(one)
      if (instead === undefined) this.advance(one, op, way)
      else {
        way.instead.add(instead)
        way.otherwise.push(one.steps.slice())
        this.recycle(one)
      }
    }
  }

  private keep(states: ReadonlyArray<Hypothesis>): void {
    const different: Array<Hypothesis> = []
    for (const h of states) {
      if (different.some((other) => isSame(other, h))) this.recycle(h)
      else different.push(h)
    }
    if (different.length > MOST) {
      this.overflows++
      different.length = MOST
    }
    this.widest = Math.max(this.widest, different.length)
    this.possible = different
    if (different.length === 1) this.tell()
  }

  /** Tells of the steps that led to what is believed, in their order; of several possible orders, of one. */
  tell(): void {
    const h = this.possible[0]!
    const steps: Array<Taken> = []
    for (let step = h.taken; step !== undefined; step = step.before) steps.push(step)
    h.taken = undefined
    for (const step of steps.toReversed()) this.onTaken(step)
  }
}

/** Drops the locks that a thread holds from one step to the next. */
export const releaseLocks = (s: State, thread: number): void => {
  for (const cache of s.gpcs) if (cache.writer === thread + 1) cache.writer = 0
  if (s.kvm.gpcLock === thread + 1) s.kvm.gpcLock = 0
  if (s.kvm.mnLock === thread + 1) s.kvm.mnLock = 0
}
