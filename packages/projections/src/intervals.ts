/**
 * Validity intervals: from where to where each cache could be used, and for which frame.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import type { Point } from "./lifetimes.ts"
import type { Projection } from "./projection.ts"

/**
 * A cache was valid for `pfn` from the event `from` (that one included) to the event `to` (excluded); undefined: still.
 *
 * @category models
 * @since 0.1.0
 */
export interface ValidInterval {
  readonly pfn: number
  readonly from: Point
  readonly to: Point | undefined
}

/** The intervals of each cache, in order. @category models @since 0.1.0 */
export type ValidIntervals = Map<number, Array<ValidInterval>>

const close = (state: ValidIntervals, gpc: number, to: Point): void => {
  const intervals = state.get(gpc)
  const last = intervals?.at(-1)
  if (last !== undefined && last.to === undefined) intervals![intervals!.length - 1] = { ...last, to }
}

const open = (state: ValidIntervals, gpc: number, pfn: number, from: Point): void => {
  close(state, gpc, from)
  const intervals = state.get(gpc) ?? []
  intervals.push({ pfn, from, to: undefined })
  state.set(gpc, intervals)
}

/**
 * Validity intervals, as a projection. A cache that was valid before the log began is seen from its next publish on.
 *
 * @category projections
 * @since 0.1.0
 */
export const validIntervals: Projection<ValidIntervals> = {
  name: "valid-intervals",
  version: 1,
  init: () => new Map(),
  evolve: (state, { data: e, seq, t }: Envelope<Event>) => {
    const at = { seq, t }
    switch (e._tag) {
      case "Published":
        open(state, e.gpc, e.pfn, at)
        break
      case "ValidSet":
        if (!e.tentative) open(state, e.gpc, -1, at)
        break
      case "MappingStored": {
        const last = state.get(e.gpc)?.at(-1)
        if (last !== undefined && last.to === undefined) open(state, e.gpc, e.pfn, at)
        break
      }
      case "GpcInvalidated":
      case "ValidCleared":
      case "RefreshFailed":
      case "Deactivated":
        close(state, e.gpc, at)
        break
      default:
    }
    return state
  }
}
