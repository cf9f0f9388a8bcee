/**
 * Invalidators: who invalidates, by what call and along which call chain, and what it costs whom.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import { chainOf } from "./call-chain.ts"
import { newestOf } from "./in-flight.ts"
import type { InFlight, OpenRange } from "./in-flight.ts"

/**
 * A task that invalidates, and by what call: `none` where no call of it was open (a page fault, a kernel thread, or
 * calls that were not recorded). In a log without pids, `comm` is the thread's stream and `pid` its number. `chain` is
 * null where no call chain was recorded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invalidator {
  readonly comm: string
  readonly pid: number
  readonly call: string
  readonly chain: ReadonlyArray<string> | null
  /** Its ranges; those that held the address of a cache; and of which caches. */
  count: number
  overlapping: number
  readonly gpcs: Map<number, number>
  /** Invalidations of its that marked a cache. */
  hits: number
  /** Laps of refreshes, and guest faults, that were thrown away while it invalidated: see blame. */
  retries: number
  faultRetries: number
  /** Of both, those for a range of its that held the page of a cache, be it the one that tried again or another. */
  retriesOverPage: number
}

/** A thread: who it is, and the call that it is in. @category models @since 0.1.0 */
export interface Actor {
  comm: string
  pid: number
  call: string
  callSeq: number
}

/** @category models @since 0.1.0 */
export interface Invalidators {
  readonly actors: Map<number, Actor>
  readonly all: Map<string, Invalidator>
  /** Whose a range is, and the caches whose address it holds. */
  readonly ofRange: WeakMap<OpenRange, Invalidator>
  readonly gpcsOf: WeakMap<OpenRange, ReadonlyArray<number>>
}

/** @category constructors @since 0.1.0 */
export const noInvalidators = (): Invalidators => ({
  actors: new Map(),
  all: new Map(),
  ofRange: new WeakMap(),
  gpcsOf: new WeakMap()
})

/** The call of a thread that is in none. @category constants @since 0.1.0 */
export const NO_CALL = "none"

/** A thread, which is called as its stream is until a trace tells its name. @category reading @since 0.1.0 */
export const actorOf = (state: Invalidators, thread: number, stream: string): Actor => {
  const known = state.actors.get(thread)
  if (known !== undefined) return known
  const actor: Actor = { comm: stream, pid: thread, call: NO_CALL, callSeq: 0 }
  state.actors.set(thread, actor)
  return actor
}

const invalidatorOf = (
  state: Invalidators,
  { call, comm, pid }: Pick<Invalidator, "comm" | "pid" | "call">,
  chain: ReadonlyArray<string> | null
): Invalidator => {
  const key = `${pid} ${call} ${comm}\n${chain?.join(" ") ?? ""}`
  const known = state.all.get(key)
  if (known !== undefined) return known
  const invalidator: Invalidator = {
    comm,
    pid,
    call,
    chain,
    count: 0,
    overlapping: 0,
    gpcs: new Map(),
    hits: 0,
    retries: 0,
    faultRetries: 0,
    retriesOverPage: 0
  }
  state.all.set(key, invalidator)
  return invalidator
}

/** Whose the newest range of a thread is; the thread itself where it has none open. @category reading @since 0.1.0 */
export const invalidatorNow = (state: Invalidators, ranges: InFlight, thread: number): Invalidator => {
  const range = newestOf(ranges, thread, () => true)
  return (range === undefined ? undefined : state.ofRange.get(range)) ??
    invalidatorOf(state, actorOf(state, thread, `thread ${thread}`), null)
}

/** Counts a range that is opened; `gpcs` are the caches whose address it holds. @category folding @since 0.1.0 */
export const addRange = (state: Invalidators, range: OpenRange, gpcs: ReadonlyArray<number>): void => {
  const invalidator = invalidatorOf(state, actorOf(state, range.thread, `thread ${range.thread}`), null)
  state.ofRange.set(range, invalidator)
  count(invalidator, gpcs, 1)
  state.gpcsOf.set(range, gpcs)
}

const count = (invalidator: Invalidator, gpcs: ReadonlyArray<number>, by: 1 | -1): void => {
  invalidator.count += by
  if (gpcs.length > 0) invalidator.overlapping += by
  for (const gpc of gpcs) invalidator.gpcs.set(gpc, (invalidator.gpcs.get(gpc) ?? 0) + by)
}

/**
 * Counts a cache that a range turns out to hold while it is open. Gives whether it is the first.
 *
 * @category folding
 * @since 0.1.0
 */
export const addGpc = (state: Invalidators, range: OpenRange, gpc: number): boolean => {
  const invalidator = state.ofRange.get(range)
  const known = state.gpcsOf.get(range) ?? []
  if (invalidator === undefined || known.includes(gpc)) return false
  state.gpcsOf.set(range, [...known, gpc])
  invalidator.gpcs.set(gpc, (invalidator.gpcs.get(gpc) ?? 0) + 1)
  if (known.length === 0) invalidator.overlapping++
  return known.length === 0
}

/**
 * Takes the call chain of a range into account. It is told after the range: the range is then its task's, by this chain.
 *
 * @category folding
 * @since 0.1.0
 */
export const addChain = (state: Invalidators, ranges: InFlight, event: Envelope<Event>, frames: string): void => {
  const { cause } = event
  const range = newestOf(ranges, event.data.thread, (r) => r.started.seq === cause || r.counted?.seq === cause)
  const before = range === undefined ? undefined : state.ofRange.get(range)
  if (range === undefined || before === undefined || before.chain !== null) return
  const invalidator = invalidatorOf(state, before, chainOf(frames))
  if (invalidator === before) return
  const gpcs = state.gpcsOf.get(range) ?? []
  count(before, gpcs, -1)
  count(invalidator, gpcs, 1)
  state.ofRange.set(range, invalidator)
}
