/**
 * Records put into the order of their times, within a window of constant size.
 *
 * bpftrace reads one buffer a CPU, so that its output is in order within a CPU and not across them (bpftrace#2646,
 * bcc#2299). A record waits until {@link WINDOW} later ones were read. One that is older than what was given already, or
 * than the newest by more than {@link SLACK_SECONDS}, was not late: the clock was set back, or another run begins. All
 * that came before it is given first.
 *
 * @since 0.1.0
 */

/** Records that wait: what the buffers of several CPUs hold between two polls, in a few MiB. */
export const WINDOW = 16_384

/** bpftrace polls its buffers ten times a second. */
const SLACK_SECONDS = 10

/** What has a time. `epoch` and `order` are set here: the run it belongs to, and its place in the text. */
export interface Timed {
  readonly seconds: number
  readonly nanos: number
  epoch: number
  order: number
}

export interface Reorder<A extends Timed> {
  readonly push: (item: A) => void
  /** An item whose turn it is; undefined where all that are left must wait. */
  readonly next: () => A | undefined
  /** Another run begins: whatever follows is later than all before. */
  readonly restart: () => void
  /** Nothing follows. */
  readonly end: () => void
  /** How many items came later than one that is newer: each of them is moved before it. */
  readonly moved: () => number
  /** The newest item of this run. */
  readonly newest: () => A | undefined
}

export const makeReorder = <A extends Timed>(size: number = WINDOW): Reorder<A> => {
  const heap: Array<A> = []
  let epoch = 0
  let order = 0
  let moved = 0
  let ended = false
  let newest: A | undefined
  let given: A | undefined

  const restart = (): void => {
    epoch++
    newest = given = undefined
  }

  const push = (item: A): void => {
    if (newest !== undefined && isEarlier(item, newest)) {
      const late = given === undefined || !isEarlier(item, given)
      if (late && newest.seconds - item.seconds <= SLACK_SECONDS) moved++
      else restart()
    }
    item.epoch = epoch
    item.order = order++
    if (newest === undefined || !isEarlier(item, newest)) newest = item
    heap.push(item)
    rise(heap, heap.length - 1)
  }

  const next = (): A | undefined => {
    const first = heap[0]
    if (first === undefined) return undefined
    if (!ended && heap.length <= size && first.epoch === epoch) return undefined
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      sink(heap)
    }
    if (first.epoch === epoch) given = first
    return first
  }

  return {
    push,
    next,
    restart,
    end: () => {
      ended = true
    },
    moved: () => moved,
    newest: () => newest
  }
}

const isEarlier = (a: Timed, b: Timed): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.nanos < b.nanos)

/** By run, then by time, then as they stood. */
const isBefore = (a: Timed, b: Timed): boolean =>
  a.epoch !== b.epoch ? a.epoch < b.epoch : isEarlier(a, b) || (!isEarlier(b, a) && a.order < b.order)

const rise = (heap: Array<Timed>, from: number): void => {
  const item = heap[from]!
  let i = from
  while (i > 0) {
    const parent = (i - 1) >> 1
    if (!isBefore(item, heap[parent]!)) break
    heap[i] = heap[parent]!
    i = parent
  }
  heap[i] = item
}

const sink = (heap: Array<Timed>): void => {
  const item = heap[0]!
  let i = 0
  for (;;) {
    let child = i * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(heap[child]!, item)) break
    heap[i] = heap[child]!
    i = child
  }
  heap[i] = item
}
