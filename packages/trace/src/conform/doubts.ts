/**
 * Doubts: decisions that the trace leaves open as yet, because somebody who had gone ahead would have made them come out
 * otherwise.
 *
 * What comes later can settle them: where a later decision shows that he cannot have gone so far even then, he had not
 * before. A task that laps a thousand times for one invalidation in flight is in doubt about the last lap only.
 *
 * @since 0.1.0
 */
import type { Hypothesis } from "./hypothesis.ts"

/** Somebody who would have gone ahead: his thread, and how many steps he would have taken. */
interface Ahead {
  readonly thread: number
  readonly steps: number
}

/** A decision in doubt, with every order in which it would have come out otherwise. */
interface Doubt {
  orders: Array<ReadonlyArray<Ahead>>
  readonly settle: () => void
}

/** The doubts that later records can still settle. */
export class Doubts {
  private open: Array<Doubt> = []

  /** A decision came out in the states that are `possible`, and would have come out otherwise in those orders. */
  raise(possible: ReadonlyArray<Hypothesis>, otherwise: ReadonlyArray<Int32Array>, settle: () => void): void {
    const orders = otherwise.map((steps) => aheadOf(possible, steps))
    this.refute(orders)
    if (orders.every((order) => order.length > 0)) this.open.push({ orders, settle })
  }

  /** Orders are refuted: so is every older one in which the same thread would have gone as far or further. */
  private refute(refuted: ReadonlyArray<ReadonlyArray<Ahead>>): void {
    // Who would have had to go ahead together with others is not refuted alone.
    const alone = refuted.flatMap((order) => order.length === 1 ? order : [])
    if (alone.length === 0) return
    const isRefuted = ({ steps, thread }: Ahead) => alone.some((a) => a.thread === thread && a.steps <= steps)
    this.open = this.open.filter((doubt) => {
      doubt.orders = doubt.orders.filter((order) => !order.some(isRefuted))
      if (doubt.orders.length === 0) doubt.settle()
      return doubt.orders.length > 0
    })
  }

  /** A thread's own record comes: what it had done before, nothing settles any more. */
  leave(thread: number): void {
    if (this.open.length === 0) return
    this.open = this.open.filter((doubt) => !doubt.orders.some((order) => order.some((a) => a.thread === thread)))
  }
}

/** Who had taken more steps than in any state that is possible. */
const aheadOf = (possible: ReadonlyArray<Hypothesis>, steps: Int32Array): ReadonlyArray<Ahead> => {
  const ahead: Array<Ahead> = []
  for (const [thread, n] of steps.entries()) {
    if (possible.every((h) => h.steps[thread]! < n)) ahead.push({ thread, steps: n })
  }
  return ahead
}
