/**
 * The simulation's record of one fiber, and the two collections it can be parked in.
 *
 * Hot: a step takes one entry out of the timers, puts it among the ready, and takes it out again.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Choice } from "./Strategy.ts"

/** One live fiber of a run. It is its own `Choice`. */
export interface SimFiber extends Choice {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  kind: Choice["kind"]
  since: number
  /** See `waitingFor`. */
  waitsFor: string | undefined
  /** Where it is parked, if it is. */
  parked: "no" | "ready" | "timer"
  /** When its timer comes, virtual ns; and its place in the heap. */
  due: number
  place: number
  /** Lets it go on, when it is parked. */
  resume: (effect: Effect.Effect<void>) => void
}

/** First index whose name is not below `name`. */
const lowerBound = (ready: ReadonlyArray<SimFiber>, name: string): number => {
  let low = 0
  let high = ready.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ready[middle]!.name < name) low = middle + 1
    else high = middle
  }
  return low
}

/** Below this many entries to move, a plain loop is faster than `splice`. */
const SHORT = 512

/** Adds to the ready, which are ordered by name: O(log n) comparisons and one move of memory. */
export const addReady = (ready: Array<SimFiber>, entry: SimFiber): void => {
  const last = ready.length - 1
  if (last < 0 || ready[last]!.name < entry.name) {
    ready.push(entry)
    return
  }
  const at = lowerBound(ready, entry.name)
  if (last - at > SHORT) {
    ready.splice(at, 0, entry)
    return
  }
  ready.push(ready[last]!)
  for (let i = last; i > at; i--) ready[i] = ready[i - 1]!
  ready[at] = entry
}

const byName = (a: SimFiber, b: SimFiber): number => a.name < b.name ? -1 : 1

/** Adds many to the ready at once. */
export const addAllReady = (ready: Array<SimFiber>, entries: Array<SimFiber>): void => {
  entries.sort(byName)
  let from = ready.length - 1
  let added = entries.length - 1
  for (const entry of entries) ready.push(entry)
  for (let at = ready.length - 1; added >= 0; at--) {
    ready[at] = from >= 0 && ready[from]!.name > entries[added]!.name ? ready[from--]! : entries[added--]!
  }
}

/** Takes the entry at an index out of the ready. */
export const removeReadyAt = (ready: Array<SimFiber>, index: number): void => {
  const last = ready.length - 1
  if (last - index > SHORT) {
    ready.splice(index, 1)
    return
  }
  for (let i = index; i < last; i++) ready[i] = ready[i + 1]!
  ready.pop()
}

/** Takes an entry out of the ready. */
export const removeReady = (ready: Array<SimFiber>, entry: SimFiber): void =>
  removeReadyAt(ready, lowerBound(ready, entry.name))

/**
 * Timers in a binary heap by `due`; every entry knows its place, so that an interrupted sleeper can leave. The times
 * are in an array of their own: comparing them touches no entry.
 */
export class TimerHeap {
  private readonly heap: Array<SimFiber> = []
  private readonly dues: Array<number> = []

  /** The entry whose time comes first. */
  get first(): SimFiber | undefined {
    return this.heap[0]
  }

  add(entry: SimFiber): void {
    this.heap.push(entry)
    this.dues.push(entry.due)
    this.up(entry, entry.due, this.heap.length - 1)
  }

  remove(entry: SimFiber): void {
    const last = this.heap.pop()!
    const due = this.dues.pop()!
    if (last === entry) return
    const { place } = entry
    if (place > 0 && due < this.dues[(place - 1) >> 1]!) this.up(last, due, place)
    else this.down(last, due, place)
  }

  private up(entry: SimFiber, due: number, from: number): void {
    const { dues } = this
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      if (dues[above]! <= due) break
      this.put(this.heap[above]!, dues[above]!, place)
      place = above
    }
    this.put(entry, due, place)
  }

  private down(entry: SimFiber, due: number, from: number): void {
    const { dues } = this
    const size = dues.length
    let place = from
    while (true) {
      let below = 2 * place + 1
      if (below >= size) break
      if (below + 1 < size && dues[below + 1]! < dues[below]!) below++
      if (due <= dues[below]!) break
      this.put(this.heap[below]!, dues[below]!, place)
      place = below
    }
    this.put(entry, due, place)
  }

  private put(entry: SimFiber, due: number, place: number): void {
    this.heap[place] = entry
    this.dues[place] = due
    entry.place = place
  }
}
