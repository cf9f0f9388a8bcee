/**
 * The invalidations in flight: which ranges are open, what the kernel's count says, and the hull it would keep.
 *
 * A range is open from the call of range_start to the return of range_end. It is *counted* between the increment and
 * the decrement of `mn_active_invalidate_count`: that is what a refresh can see. Start and end are matched within one
 * thread and VM, the newest range with the same addresses first, because core mm nests regions.
 *
 * @since 0.1.0
 */
import type { Envelope, NewEvent, Source } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import type { Projection } from "./projection.ts"

/** A moment: a position in the log and the time there, in ns. @category models @since 0.1.0 */
export interface Moment {
  readonly seq: number
  readonly t: number
}

/**
 * One invalidation, `[start, end)` in bytes of host virtual memory. `started` and `finished` are the call of
 * range_start and the return of range_end; `counted` and `uncounted` the changes of the count; `returned` and `ended`
 * the return of range_start and the call of range_end.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpenRange {
  readonly vm: string
  readonly thread: number
  readonly start: number
  readonly end: number
  readonly started: Moment
  readonly cause: number | undefined
  readonly src: Source | undefined
  counted: Moment | undefined
  returned: Moment | undefined
  ended: Moment | undefined
  uncounted: Moment | undefined
  finished: Moment | undefined
}

/**
 * The invalidations of one VM (one `mn/…` stream). The hull is the union that grows while the count is not 0, as
 * `mmu_invalidate_range_start/end` do.
 *
 * @category models
 * @since 0.1.0
 */
export interface VmRanges {
  readonly open: Array<OpenRange>
  /** Ranges that finished at the time of the last event: on a tie nobody can say that they were over. */
  readonly justFinished: Array<OpenRange>
  counted: number
  hullStart: number
  hullEnd: number
  maxInFlight: number
  /** The most ranges that were open at once: what is known where no probe told the count. */
  maxOpen: number
}

/** @category models @since 0.1.0 */
export interface InFlight {
  readonly vms: Map<string, VmRanges>
  readonly byThread: Map<number, Array<OpenRange>>
  /** The range that the last event was about, or undefined. */
  touched: OpenRange | undefined
  /** Ranges that were opened so far. */
  seen: number
  /** Events of range_end for which there was no range_start. */
  endsWithoutStart: number
  /** A tracer lost events at this position or before; ranges opened earlier may have ended unseen. */
  lostAt: number
}

/** No invalidation is in flight. @category constructors @since 0.1.0 */
export const noneInFlight = (): InFlight => ({
  vms: new Map(),
  byThread: new Map(),
  touched: undefined,
  seen: 0,
  endsWithoutStart: 0,
  lostAt: 0
})

/** The ranges of a VM, by the name of its notifier's stream. @category reading @since 0.1.0 */
export const rangesOf = (state: InFlight, vm: string): VmRanges => {
  const known = state.vms.get(vm)
  if (known !== undefined) return known
  const vmRanges: VmRanges = {
    open: [],
    justFinished: [],
    counted: 0,
    hullStart: 0,
    hullEnd: 0,
    maxInFlight: 0,
    maxOpen: 0
  }
  state.vms.set(vm, vmRanges)
  return vmRanges
}

/** Whether a range holds an address. @category reading @since 0.1.0 */
export const covers = (range: OpenRange, hva: number): boolean => range.start <= hva && hva < range.end

/** Whether the hull of the ranges that are counted holds an address. @category reading @since 0.1.0 */
export const isInHull = (ranges: VmRanges, hva: number): boolean =>
  ranges.counted > 0 && ranges.hullStart <= hva && hva < ranges.hullEnd

/** How many counted ranges of a VM hold an address. @category reading @since 0.1.0 */
export const countCovering = (ranges: VmRanges, hva: number): number => {
  let n = 0
  for (const range of ranges.open) if (isCounted(range) && covers(range, hva)) n++
  return n
}

/** Whether the kernel's count includes a range. @category reading @since 0.1.0 */
export const isCounted = (range: OpenRange): boolean => range.counted !== undefined && range.uncounted === undefined

/** The range of a thread that `fits`, the newest first. @category reading @since 0.1.0 */
export const newestOf = (
  state: InFlight,
  thread: number,
  fits: (range: OpenRange) => boolean
): OpenRange | undefined => {
  const stack = state.byThread.get(thread)
  if (stack === undefined) return undefined
  for (let i = stack.length - 1; i >= 0; i--) if (fits(stack[i]!)) return stack[i]
  return undefined
}

/**
 * Takes one event into account. It needs no envelope, so that an importer can ask what is in flight while it writes.
 *
 * @category folding
 * @since 0.1.0
 */
export const advance = (state: InFlight, seq: number, event: NewEvent<Event>): InFlight => {
  const e = event.data
  state.touched = undefined
  switch (e._tag) {
    case "RangeStartCalled":
      open(state, seq, event, e.start, e.end)
      break
    case "CountIncremented":
      increment(state, seq, event, e.thread, e.count)
      break
    case "StartReturned": {
      const range = newestOf(state, e.thread, (r) => r.returned === undefined && isThat(r, event.stream, e))
      if (range !== undefined) range.returned = { seq, t: event.t }
      state.touched = range
      break
    }
    case "EndCalled": {
      const range = newestOf(state, e.thread, (r) => r.ended === undefined && isThat(r, event.stream, e))
      if (range === undefined) state.endsWithoutStart++
      else range.ended = { seq, t: event.t }
      state.touched = range
      break
    }
    case "CountDecremented":
      decrement(state, seq, event, e.thread, e.count)
      break
    case "EndReturned": {
      const range = newestOf(state, e.thread, (r) => r.ended !== undefined && isThat(r, event.stream, e))
      if (range !== undefined) close(state, range, { seq, t: event.t })
      state.touched = range
      break
    }
    case "EventsLost":
      state.lostAt = seq
  }
  return state
}

/** Whether a range is the one that an event of a VM names: two VMs in one address space have the same ranges open. */
const isThat = (range: OpenRange, vm: string, bounds: { readonly start: number; readonly end: number }): boolean =>
  range.vm === vm && range.start === bounds.start && range.end === bounds.end

const open = (state: InFlight, seq: number, event: NewEvent<Event>, start: number, end: number): void => {
  const thread = event.data.thread
  const range: OpenRange = {
    vm: event.stream,
    thread,
    start,
    end,
    started: { seq, t: event.t },
    cause: event.cause,
    src: event.src,
    counted: undefined,
    returned: undefined,
    ended: undefined,
    uncounted: undefined,
    finished: undefined
  }
  const ranges = rangesOf(state, event.stream)
  state.seen++
  ranges.open.push(range)
  ranges.maxOpen = Math.max(ranges.maxOpen, ranges.open.length)
  const stack = state.byThread.get(thread)
  if (stack === undefined) state.byThread.set(thread, [range])
  else stack.push(range)
  state.touched = range
}

const increment = (state: InFlight, seq: number, event: NewEvent<Event>, thread: number, count: number): void => {
  const ranges = rangesOf(state, event.stream)
  const range = newestOf(state, thread, (r) => r.counted === undefined && r.vm === event.stream)
  if (range !== undefined) {
    range.counted = { seq, t: event.t }
    const alone = ranges.counted === 0
    ranges.hullStart = alone ? range.start : Math.min(ranges.hullStart, range.start)
    ranges.hullEnd = alone ? range.end : Math.max(ranges.hullEnd, range.end)
    ranges.counted++
  }
  settle(state, ranges, count)
  if (count > ranges.maxInFlight) ranges.maxInFlight = count
  state.touched = range
}

const decrement = (state: InFlight, seq: number, event: NewEvent<Event>, thread: number, count: number): void => {
  const ranges = rangesOf(state, event.stream)
  const range = newestOf(state, thread, (r) => r.ended !== undefined && isCounted(r) && r.vm === event.stream)
  if (range !== undefined) {
    range.uncounted = { seq, t: event.t }
    ranges.counted--
  }
  settle(state, ranges, count)
  state.touched = range
}

/** After a loss the kernel's own count tells how many ranges are really in flight: the oldest ended unseen. */
const settle = (state: InFlight, ranges: VmRanges, count: number): void => {
  while (ranges.counted > count) {
    const gone = ranges.open.find((range) => isCounted(range) && range.started.seq < state.lostAt)
    if (gone === undefined) return
    remove(state, ranges, gone)
    ranges.counted--
  }
}

const close = (state: InFlight, range: OpenRange, at: Moment): void => {
  const ranges = rangesOf(state, range.vm)
  if (isCounted(range)) ranges.counted--
  range.finished = at
  remove(state, ranges, range)
  if (ranges.justFinished.length > 0 && ranges.justFinished[0]!.finished!.t !== at.t) ranges.justFinished.length = 0
  ranges.justFinished.push(range)
}

const remove = (state: InFlight, ranges: VmRanges, range: OpenRange): void => {
  ranges.open.splice(ranges.open.indexOf(range), 1)
  const stack = state.byThread.get(range.thread)!
  stack.splice(stack.indexOf(range), 1)
}

/** The invalidations in flight, as a projection. @category projections @since 0.1.0 */
export const inFlight: Projection<InFlight> = {
  name: "in-flight",
  version: 1,
  init: noneInFlight,
  evolve: (state, event: Envelope<Event>) => advance(state, event.seq, event)
}
