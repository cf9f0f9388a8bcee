/**
 * Waits of refreshes for invalidations in flight: entered, and in vain.
 *
 * A wait begins when a refresh finds something pending, and is over when it looks again after a sleep or finds nothing
 * pending any more; the rounds of a spin are one wait. It is unrelated when no range that is counted holds the
 * refresh's address.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { countCovering, rangesOf } from "./in-flight.ts"
import type { InFlight } from "./in-flight.ts"
import type { Refreshes } from "./refreshes.ts"

/** What a `Waited` event was: `entered` a wait, another `round` of a spin, or nothing pending. @category models @since 0.1.0 */
export interface Wait {
  readonly kind: "entered" | "round" | "over"
  readonly related: boolean
}

/** @category models @since 0.1.0 */
export interface Waits {
  /** Waits entered by refreshes. */
  entered: number
  /** Threads that are in a wait. */
  readonly waiting: Set<number>
}

/** @category constructors @since 0.1.0 */
export const noWaits = (): Waits => ({ entered: 0, waiting: new Set() })

/**
 * Takes one event into account, and tells what wait it was about; `ranges` and `refreshes` have taken it already.
 *
 * @category folding
 * @since 0.1.0
 */
export const evolveWaits = (
  state: Waits,
  ranges: InFlight,
  refreshes: Refreshes,
  event: Envelope<Event>
): Wait | undefined => {
  const e = event.data
  if (e._tag !== "Waited") return undefined
  if (!e.pending) {
    state.waiting.delete(e.thread)
    return { kind: "over", related: false }
  }
  const uhva = refreshes.running.get(e.thread)?.uhva
  const related = uhva === undefined || countCovering(rangesOf(ranges, event.stream), uhva) > 0
  if (state.waiting.has(e.thread)) return { kind: "round", related }
  state.waiting.add(e.thread)
  state.entered++
  return { kind: "entered", related }
}
