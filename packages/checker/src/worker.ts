/**
 * The worker's side of a search on several threads: expands its share of a level when told to.
 *
 * @since 0.1.0
 */
import { parentPort, workerData } from "node:worker_threads"
import { Outgrown } from "./error.ts"
import { Expander } from "./expander.ts"
import type { Breach } from "./expander.ts"
import type { Model } from "./model.ts"
import type { Reductions } from "./reduction.ts"
import { BLOCK, CONTROL, SharedStates } from "./shared-states.ts"
import type { SharedMemory } from "./shared-states.ts"

/** States that a worker takes at a time. @category constants @since 0.1.0 */
export const UNIT = 64
const UNITS = BLOCK / UNIT

/** What a worker is started with. @category models @since 0.1.0 */
export interface WorkerStart {
  readonly config: unknown
  /** How the coordinator's model packs states. */
  readonly layout: unknown
  readonly memory: SharedMemory
  readonly reductions: Reductions
  readonly workers: number
}

/**
 * What a worker is told: `begin` adds the initial states; `level` says that those found so far are a level, of which
 * `expand` does a share; `enlarge` takes over larger memory.
 *
 * @category models
 * @since 0.1.0
 */
export type Order =
  | { readonly task: "begin" | "level" | "expand" }
  | { readonly task: "enlarge"; readonly memory: SharedMemory }

/** What a worker says when its model has outgrown its words: how it packs states now. @category models @since 0.1.0 */
export interface GaveUp {
  readonly layout: unknown
}

/**
 * A worker's answer: totals since it was started, and whether nothing of the level is left to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly added: number
  readonly expanded: number
  readonly steps: number
  readonly terminal: number
  readonly stuck: number
  readonly taken: Float64Array
  readonly breaches: ReadonlyArray<Breach>
  readonly isIdle: boolean
}

/**
 * Makes the thread that it is called in a worker of a search; `makeModel` makes the model from the configuration that
 * the search was given. The entry file of a worker calls this, and nothing else.
 *
 * @category running
 * @since 0.1.0
 */
export const serveWorker = (makeModel: (config: unknown) => Model | Promise<Model>): void => {
  const port = parentPort!
  const start = workerData as WorkerStart
  const states = new SharedStates(start.memory, start.workers)
  const ready = Promise.resolve(makeModel(start.config)).then((model) => {
    model.layout?.load(start.layout)
    return new Share(model, states, start.reductions)
  })
  port.on("message", (order: Order) => {
    ready.then((share) => {
      if (order.task === "enlarge") states.enlarge(order.memory)
      else share[order.task]()
      states.note()
      port.postMessage(share.answer())
    }).catch((defect: unknown) => {
      if (!(defect instanceof Outgrown)) throw defect
      port.postMessage({ layout: defect.layout } satisfies GaveUp)
    })
  })
}

/** One worker's share of a search. */
class Share {
  private readonly states: SharedStates
  private readonly expander: Expander
  private expanded = 0
  /** What is left of the unit under way. */
  private next = 0
  private end = 0
  private isIdle = true

  constructor(model: Model, states: SharedStates, reductions: Reductions) {
    this.states = states
    this.expander = new Expander(model, states, reductions, (state) => states.isLater(state))
  }

  begin(): void {
    this.expander.begin()
  }

  level(): void {
    this.states.close()
    this.isIdle = false
  }

  expand(): void {
    const { expander, states } = this
    const { control } = states.memory
    const { broken } = expander
    while (expander.broken === broken && !states.isTight) {
      if (this.next === this.end && !this.take(control)) break
      this.expanded++
      expander.expand(this.next++)
    }
    expander.flush()
  }

  answer(): Answer {
    const { breaches, steps, stuck, taken, terminal } = this.expander
    const isIdle = this.isIdle && this.next === this.end
    return { added: this.states.added, expanded: this.expanded, steps, terminal, stuck, taken, breaches, isIdle }
  }

  /** Takes the next unit of the level; false when there is none, or this round has done enough. */
  private take(control: Int32Array): boolean {
    while (Atomics.sub(control, CONTROL.budget, 1) > 0) {
      const unit = Atomics.add(control, CONTROL.cursor, 1)
      const block = control[CONTROL.firstBlock] + Math.floor(unit / UNITS)
      if (block >= control[CONTROL.endBlock]) {
        this.isIdle = true
        return false
      }
      const from = unit % UNITS * UNIT
      const fill = this.states.memory.fills[block]
      if (from >= fill) continue
      this.next = block * BLOCK + from
      this.end = block * BLOCK + Math.min(from + UNIT, fill)
      return true
    }
    return false
  }
}
