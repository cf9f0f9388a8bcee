/**
 * How long steps take: what makes a simulated run one interleaving rather than another.
 *
 * The durations are of the order that traces of real hosts show; the verdicts do not hang on them. Each step's own
 * duration is drawn from the seed and the thread's last position in the log, so that a machine that is rebuilt from a log goes on as
 * it would have.
 *
 * @since 0.1.0
 */
import { L, LABELS } from "@pfnscope/protocol"
import type { Label, Thread } from "@pfnscope/protocol"
import * as Schema from "effect/Schema"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/**
 * Durations in ns. A step takes between half of and one and a half times its duration; one step in `preemptEvery`
 * (0: none) is preempted before it runs, for up to `preemption`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Timing = Schema.Struct({
  step: Natural,
  lookup: Natural,
  map: Natural,
  page: Natural,
  gracePeriod: Natural,
  preemptEvery: Natural,
  preemption: Natural
})

/** Durations in ns. @category models @since 0.1.0 */
export type Timing = typeof Timing.Type

/** The durations that scenarios start from. @category constants @since 0.1.0 */
export const TIMING: Timing = {
  step: 60,
  lookup: 1500,
  map: 300,
  page: 200,
  gracePeriod: 20_000,
  preemptEvery: 200,
  preemption: 5_000
}

const baseOf = (timing: Timing): Float64Array => {
  const base = new Float64Array(LABELS.length).fill(timing.step)
  const set = (ns: number, ...labels: ReadonlyArray<Label>) => {
    for (const label of labels) base[L[label]] = ns
  }
  set(timing.lookup, "gup", "fault")
  set(timing.map, "retry.map")
  set(timing.page, "change", "flush", "finish")
  set(timing.gracePeriod, "swap.drain")
  return base
}

/**
 * Draws a number in [0, 2^32) from three; the same three give the same number.
 *
 * @category hashing
 * @since 0.1.0
 */
export const draw = (seed: number, position: number, salt: number): number => {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(position + 0x7f4a7c15, 0xc2b2ae35) ^
    Math.imul(salt + 1, 0x27d4eb2f)
  h ^= h >>> 16
  h = Math.imul(h, 0x7feb352d)
  h ^= h >>> 15
  h = Math.imul(h, 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}

/**
 * The time from a thread's last event, at `position` in the log, to its next step, in ns.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stepTime = (timing: Timing, seed: number): (thread: Thread, position: number) => number => {
  const base = baseOf(timing)
  return (thread, position) => {
    const random = draw(seed, position, thread.id)
    const ns = thread.pc === L.pause ? thread.a : base[thread.pc]!
    const time = ns / 2 + ns * (random / 0x1_0000_0000)
    if (timing.preemptEvery === 0 || random % timing.preemptEvery !== 0) return Math.round(time)
    return Math.round(time + timing.preemption * (draw(seed, position, ~thread.id) / 0x1_0000_0000))
  }
}
