/**
 * Breadth first: every state in the order of its distance from the start, so that the first path to a violation is a
 * shortest one.
 *
 * @since 0.1.0
 */
import { Expander } from "./expander.ts"
import type { Explorer } from "./explorer.ts"
import type { Model } from "./model.ts"
import { Tracer } from "./path.ts"
import { mayLengthen, NO_REDUCTIONS, possible } from "./reduction.ts"
import type { Reductions } from "./reduction.ts"
import { StateSet } from "./states.ts"

/**
 * An exact breadth-first search. Of the reductions asked for it makes those that the model can do.
 *
 * @category models
 * @since 0.1.0
 */
export class Search implements Explorer {
  readonly model: Model
  readonly order = "breadth-first"
  readonly reductions: Reductions
  states: StateSet
  expander: Expander
  /** The first state of each level. */
  levels: Array<number> = [0]
  /** States expanded. */
  expanded = 0
  /** The first state that is not of the level under expansion. */
  levelEnd = 0
  /** Whether it has begun. */
  begun = false
  /** Whether it broke off in the middle of a slice, for lack of memory: then it is of no more use. */
  isTorn = false

  constructor(model: Model, reductions: Reductions = NO_REDUCTIONS) {
    this.model = model
    this.reductions = possible(model, reductions)
    this.states = new StateSet(model.words)
    this.expander = this.makeExpander()
  }

  private makeExpander(): Expander {
    return new Expander(this.model, this.states, this.reductions, (state) => state >= this.levelEnd)
  }

  restart(): void {
    this.states = new StateSet(this.model.words)
    this.expander = this.makeExpander()
    this.levels = [0]
    this.expanded = this.levelEnd = 0
    this.begun = this.isTorn = false
  }

  get isDone(): boolean {
    return this.begun && this.expanded === this.count
  }
  readonly isExhaustive = true
  get count(): number {
    return this.states.count
  }
  get steps(): number {
    return this.expander.steps
  }
  get frontier(): number {
    return this.count - this.expanded
  }
  get depth(): number {
    return this.levels.length - 1
  }
  get terminal(): number {
    return this.expander.terminal
  }
  get stuck(): number {
    return this.expander.stuck
  }
  get bytes(): number {
    return this.states.bytes
  }
  get taken(): Float64Array {
    return this.expander.taken
  }
  get broken(): number {
    return this.expander.broken
  }

  counterexample(property: number) {
    const breach = this.expander.breaches.find((breach) => breach.property === property)!
    const path = new Tracer(this.model, this.states, this.reductions).pathToBreach(breach)
    return { path, isShortest: !mayLengthen(this.reductions) }
  }

  /** Works within one level. */
  advance(most: number): void {
    if (this.isTorn) throw new RangeError("an allocation failed in this search before")
    this.isTorn = true
    if (this.begun) this.work(most)
    else this.begin()
    this.isTorn = false
  }

  private begin(): void {
    this.begun = true
    this.expander.begin()
    this.levelEnd = this.states.count
  }

  private work(most: number): void {
    const { expander, states } = this
    const { broken } = expander
    const stop = Math.min(this.levelEnd, this.expanded + most)
    while (this.expanded < stop && expander.broken === broken) expander.expand(this.expanded++)
    expander.flush()
    if (this.expanded < this.levelEnd || states.count === this.levelEnd) return
    this.levels.push(this.levelEnd)
    this.levelEnd = states.count
  }
}
