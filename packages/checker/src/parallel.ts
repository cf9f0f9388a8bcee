/**
 * Breadth first on several threads: level by level, each worker expanding units of the level over shared states.
 *
 * The coordinator gives orders in rounds and waits for all answers; between rounds the workers rest, and memory can grow.
 * Counts are those of one worker. Which of several equally short counterexamples is found depends on the race.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Colleague } from "./colleague.ts"
import { NotCheckable, Outgrown } from "./error.ts"
import type { Breach } from "./expander.ts"
import type { Explorer } from "./explorer.ts"
import type { Model } from "./model.ts"
import { Tracer } from "./path.ts"
import { mayLengthen, NO_REDUCTIONS, possible } from "./reduction.ts"
import type { Reductions } from "./reduction.ts"
import { allocate, CONTROL, enlarge, SharedStates } from "./shared-states.ts"
import { UNIT } from "./worker.ts"
import type { Answer, Order, WorkerStart } from "./worker.ts"

/** Rounds are made longer than the slices of one worker, for what it costs to come together. */
const ROUND = 16

/**
 * `entry` is a module that calls `serveWorker`; what it makes of `config` must be the same model as `model`. `config`
 * must be plain data.
 *
 * @category models
 * @since 0.1.0
 */
export interface ParallelOptions {
  readonly model: Model
  readonly entry: URL
  readonly config: unknown
  readonly workers: number
  readonly reductions?: Reductions | undefined
}

/**
 * A breadth-first search on several worker threads, which end with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parallelSearch = Effect.fn("checker.parallelSearch")(function*(options: ParallelOptions) {
  const { model, workers } = options
  if (!Number.isInteger(workers) || workers < 1) {
    return yield* new NotCheckable({ model: model.name, reason: `${workers} workers, and it takes at least one` })
  }
  const search = new ParallelSearch(options)
  yield* Effect.addFinalizer(() => Effect.promise(() => search.close()))
  return search
})

/** See {@link parallelSearch}. @category models @since 0.1.0 */
export class ParallelSearch implements Explorer {
  readonly model: Model
  readonly order = "breadth-first"
  readonly reductions: Reductions
  readonly isExhaustive = true
  isDone = false
  depth = 0
  broken = 0
  private readonly options: ParallelOptions
  private workers: ReadonlyArray<Colleague>
  private states: SharedStates
  private breaches: Array<Breach> = []
  private answers: ReadonlyArray<Answer> = []
  private begun = false

  constructor(options: ParallelOptions) {
    const { model, reductions = NO_REDUCTIONS } = options
    this.options = options
    this.model = model
    this.reductions = possible(model, reductions)
    this.states = this.makeStates()
    this.workers = this.startWorkers()
  }

  private makeStates(): SharedStates {
    const { model, workers } = this.options
    return new SharedStates(allocate(model.words, workers, model.initials), workers)
  }

  private startWorkers(): ReadonlyArray<Colleague> {
    const { model, options: { config, entry, workers }, reductions, states: { memory } } = this
    const workerData: WorkerStart = { config, layout: model.layout?.save(), memory, reductions, workers }
    return Array.from({ length: workers }, (_, w) => new Colleague(w, entry, workerData))
  }

  async restart(): Promise<void> {
    await this.close()
    this.states = this.makeStates()
    this.workers = this.startWorkers()
    this.breaches = []
    this.answers = []
    this.isDone = this.begun = false
    this.depth = this.broken = 0
  }

  get count(): number {
    return this.sum((answer) => answer.added)
  }
  get steps(): number {
    return this.sum((answer) => answer.steps)
  }
  get frontier(): number {
    return this.sum((answer) => answer.added - answer.expanded)
  }
  get terminal(): number {
    return this.sum((answer) => answer.terminal)
  }
  get stuck(): number {
    return this.sum((answer) => answer.stuck)
  }
  get bytes(): number {
    return this.states.bytes
  }
  get taken(): Float64Array {
    return Float64Array.from(this.model.branches, (_, i) => this.sum((answer) => answer.taken[i] ?? 0))
  }

  counterexample(property: number) {
    const breach = this.breaches.find((breach) => breach.property === property)!
    const path = new Tracer(this.model, this.states, this.reductions).pathToBreach(breach)
    return { path, isShortest: !mayLengthen(this.reductions) }
  }

  /** A round of orders. */
  async advance(most: number): Promise<void> {
    const { control } = this.states.memory
    if (!this.begun) {
      this.begun = true
      await this.tell(this.workers.slice(0, 1), { task: "begin" })
      await this.nextLevel()
      return
    }
    if (this.states.isTight) await this.grow()
    control[CONTROL.budget] = Math.max(1, Math.ceil(most * ROUND / UNIT))
    await this.tell(this.workers, { task: "expand" })
    if (this.answers.every((answer) => answer.isIdle)) await this.nextLevel()
  }

  /** Ends the worker threads. */
  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.end()))
  }

  private async nextLevel(): Promise<void> {
    const { control } = this.states.memory
    if (control[CONTROL.nextBlock] === control[CONTROL.endBlock]) {
      this.isDone = true
      return
    }
    if (control[CONTROL.endBlock] > 0) this.depth++
    control[CONTROL.firstBlock] = control[CONTROL.endBlock]
    control[CONTROL.endBlock] = control[CONTROL.nextBlock]
    control[CONTROL.cursor] = 0
    await this.tell(this.workers, { task: "level" })
  }

  private async grow(): Promise<void> {
    const memory = enlarge(this.states.memory, this.workers.length)
    this.states.memory = memory
    // Meanwhile the cursor counts stretches of the old table.
    const cursor = memory.control[CONTROL.cursor]
    memory.control[CONTROL.cursor] = 0
    await this.tell(this.workers, { task: "enlarge", memory })
    memory.control[CONTROL.cursor] = cursor
  }

  private async tell(workers: ReadonlyArray<Colleague>, order: Order): Promise<void> {
    const answers = await Promise.all(workers.map((worker) => worker.ask(order))).catch((failure: unknown) => {
      if (failure instanceof Outgrown) this.model.layout?.load(failure.layout)
      throw failure
    })
    this.answers = this.workers.map((_, w) => answers[w] ?? NOTHING)
    for (const { breaches } of answers) {
      for (const breach of breaches) {
        if ((this.broken >>> breach.property & 1) === 1) continue
        this.broken |= 1 << breach.property
        this.breaches.push(breach)
      }
    }
  }

  private sum(of: (answer: Answer) => number): number {
    return this.answers.reduce((total, answer) => total + of(answer), 0)
  }
}

const NOTHING: Answer = {
  added: 0,
  expanded: 0,
  steps: 0,
  terminal: 0,
  stuck: 0,
  taken: new Float64Array(),
  breaches: [],
  isIdle: true
}
