/**
 * Depth first: follows one run as far as it goes before it tries another way. Finds deep violations early and needs no
 * queue; its counterexamples are not the shortest.
 *
 * @since 0.1.0
 */
import { canonical } from "./canonical.ts"
import type { Explorer } from "./explorer.ts"
import type { Model } from "./model.ts"
import { Tracer } from "./path.ts"
import type { Path } from "./path.ts"
import { NO_REDUCTIONS, possible } from "./reduction.ts"
import type { Reductions } from "./reduction.ts"
import { NO_STATE } from "./states.ts"
import { isSomebodyLeft, isStuck } from "./stuck.ts"
import { BitVisited, ExactVisited } from "./visited.ts"
import type { Visited } from "./visited.ts"

/** Steps tried for one state asked for: about what a state has. */
const STEPS = 4

/**
 * A depth-first search. Of the reductions it makes `symmetry` and `forget`; the provisos of the others are those of
 * breadth first.
 *
 * `bitstateBytes`: remembers bits instead of states, in a field of so many bytes. It may then miss states, and nothing
 * holds by it.
 *
 * @category models
 * @since 0.1.0
 */
export class DepthFirst implements Explorer {
  readonly model: Model
  readonly order = "depth-first"
  readonly reductions: Reductions
  steps = 0
  depth = 0
  terminal = 0
  stuck = 0
  broken = 0
  readonly taken: Float64Array
  private visited: Visited
  private readonly bitstateBytes: number | undefined
  private readonly normalise: () => void
  private readonly paths = new Map<number, Path>()
  /** The run under way: packed states, and of each the thread and way tried last. */
  private stack: Int32Array
  private threads: Array<number> = []
  private ways: Array<number> = []
  private initials = 0

  constructor(
    model: Model,
    reductions: Reductions = NO_REDUCTIONS,
    { bitstateBytes }: { readonly bitstateBytes?: number | undefined } = {}
  ) {
    this.model = model
    this.reductions = possible(model, { ...reductions, merge: false, partialOrder: false })
    this.normalise = canonical(model, this.reductions)
    this.bitstateBytes = bitstateBytes
    this.visited = this.makeVisited()
    this.taken = new Float64Array(model.branches.length)
    this.stack = new Int32Array(64 * model.words)
  }

  private makeVisited(): Visited {
    const { bitstateBytes, model: { words } } = this
    return bitstateBytes === undefined ? new ExactVisited(words) : new BitVisited(words, bitstateBytes)
  }

  restart(): void {
    this.visited = this.makeVisited()
    this.stack = new Int32Array(64 * this.model.words)
    this.threads = []
    this.ways = []
    this.initials =
      this.steps =
      this.depth =
      this.terminal =
      this.stuck =
      this.broken =
        0
    this.taken.fill(0)
    this.paths.clear()
  }

  get isDone(): boolean {
    return this.threads.length === 0 && this.initials === this.model.initials
  }
  get isExhaustive(): boolean {
    return this.visited.isExact
  }
  get count(): number {
    return this.visited.count
  }
  get frontier(): number {
    return this.threads.length
  }
  get bytes(): number {
    return this.visited.bytes + 4 * this.stack.length + 16 * this.threads.length
  }

  counterexample(property: number) {
    return { path: this.paths.get(property)!, isShortest: false }
  }

  advance(most: number): void {
    const { broken, model } = this
    for (let n = 0; n < most * STEPS && this.broken === broken; n++) {
      if (this.threads.length > 0) this.step()
      else if (this.initials < model.initials) {
        model.initial(this.initials++)
        this.enter()
      } else return
    }
  }

  /** Tries the next way on from the run's last state, or takes the state back. */
  private step(): void {
    const { model, threads, ways } = this
    const top = threads.length - 1
    const at = top * model.words
    model.unpack(this.stack, at)
    if (threads[top] < 0 && isStuck(model)) return this.end()
    let thread = Math.max(threads[top], 0)
    let way = ways[top] + 1
    while (thread < model.threads.length && way >= model.ways(thread)) {
      thread++
      way = 0
    }
    if (thread === model.threads.length) {
      threads.length = ways.length = top
      return
    }
    threads[top] = thread
    ways[top] = way
    this.taken[model.apply(thread, way)]++
    this.steps++
    const broken = model.brokenByStep() & ~this.broken
    this.enter()
    if (broken !== 0) this.breach(broken, top, true)
  }

  private end(): void {
    const { model, threads } = this
    const top = threads.length - 1
    this.terminal++
    if (isSomebodyLeft(model)) this.stuck++
    const broken = model.brokenAtEnd === undefined ? 0 : model.brokenAtEnd() & ~this.broken
    if (broken !== 0) this.breach(broken, top, false)
    threads.length = this.ways.length = top
  }

  /** Makes the working state the run's last, if it was not seen before. */
  private enter(): void {
    const { model, threads } = this
    const top = threads.length
    const at = top * model.words
    if (at + model.words > this.stack.length) {
      const stack = new Int32Array(2 * this.stack.length)
      stack.set(this.stack)
      this.stack = stack
    }
    this.normalise()
    model.pack(this.stack, at)
    if (!this.visited.add(this.stack, at)) return
    threads.push(-1)
    this.ways.push(-1)
    if (top > this.depth) this.depth = top
    const broken = (model.brokenInState?.() ?? 0) & ~this.broken
    if (broken !== 0) this.breach(broken, top, false)
  }

  /** Keeps the run as the path to where properties break: in its `last` state, or on the way from it. */
  private breach(broken: number, last: number, beyond: boolean): void {
    const { model, stack } = this
    this.broken |= broken
    const run = {
      chunk: () => stack,
      offset: (state: number) => state * model.words,
      parent: (state: number) => state === 0 ? NO_STATE : state - 1
    }
    const tracer = new Tracer(model, run, this.reductions)
    for (let property = 0; property < model.properties.length; property++) {
      if ((broken >>> property & 1) === 1) {
        this.paths.set(property, tracer.pathToBreach({ property, state: last, beyond }))
      }
    }
  }
}
