/**
 * The coordinator's side of one worker thread: gives it orders, waits for its answers, and knows when it has failed.
 *
 * @since 0.1.0
 */
import { Worker } from "node:worker_threads"
import { Outgrown, WorkerFailed } from "./error.ts"
import type { Answer, GaveUp, Order, WorkerStart } from "./worker.ts"

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (failure: WorkerFailed | Outgrown) => void
}

/**
 * A worker thread. It can fail while nobody waits for it (its module may not load before the first order): then the
 * failure is kept, and is the answer to the next order.
 *
 * @category models
 * @since 0.1.0
 */
export class Colleague {
  private readonly thread: Worker
  private failure: WorkerFailed | undefined
  private waiting: Waiting | undefined

  constructor(worker: number, entry: URL, workerData: WorkerStart) {
    const fail = (reason: string) => {
      this.failure ??= new WorkerFailed({ worker, reason })
      this.waiting?.reject(this.failure)
      this.waiting = undefined
    }
    this.thread = new Worker(entry, { workerData })
    this.thread.on("error", (error) => fail(error instanceof Error ? error.message : String(error)))
    this.thread.on("exit", (code) => fail(`ended with code ${code}`))
    this.thread.on("message", (answer: Answer | GaveUp) => {
      if ("layout" in answer) this.waiting?.reject(new Outgrown(answer.layout))
      else this.waiting?.resolve(answer)
      this.waiting = undefined
    })
  }

  /** Gives the worker an order and waits for its answer; one order at a time. */
  ask(order: Order): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure)
      this.waiting = { resolve, reject }
      this.thread.postMessage(order, [])
    })
  }

  /** Ends the thread. */
  async end(): Promise<void> {
    await this.thread.terminate()
  }
}
