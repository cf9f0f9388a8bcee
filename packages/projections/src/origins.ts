/**
 * Where things come from: a fold that links each event to the events that explain it.
 *
 * An envelope's `cause` says what let an event happen, which is mostly the thread's own last event. What explains it
 * is further away: a publish its lookup and the refresh it is of, an invalidation the range and the call that opened
 * it, a retry the ranges in flight, a violation the mapping it went through and whoever freed its page. Those links
 * are made here, as the events come; what nothing links to any more is forgotten, so that the fold is small.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { NO_PFN } from "@pfnscope/protocol"
import type { Event, State, World } from "@pfnscope/protocol"
import { obstacleOf } from "./holders.ts"
import type { Obstacle } from "./holders.ts"
import type { Projection } from "./projection.ts"
import { refreshes } from "./refreshes.ts"
import { traveller } from "./time-travel.ts"
import type { Traveller } from "./time-travel.ts"

/** An event and what explains it. Every chain of links ends at a `Called`, or at the first event known. @category models @since 0.1.0 */
export interface Origin {
  readonly envelope: Envelope<Event>
  readonly because: ReadonlyArray<Origin>
}

/** What is known of a thread: its operation, and what that has done so far. @category models @since 0.1.0 */
export interface ThreadOrigins {
  call: Origin | undefined
  refresh: Origin | undefined
  /** Invalidations that are open, the outermost first. */
  readonly open: Array<Origin>
  resolved: Origin | undefined
  published: Origin | undefined
  firstRetry: Origin | undefined
  lastRetry: Origin | undefined
  blocked: Origin | undefined
  /** The wait the thread is in. */
  waited: Origin | undefined
  /** The check that succeeded in the read section the thread is in. */
  checked: Origin | undefined
  /** The read section of a cache's lock that the thread is in, and the cache, or -1. */
  reader: Origin | undefined
  readsGpc: number
  srcu: Origin | undefined
  last: Origin | undefined
}

/** What is known of a cache: who made it what it is. @category models @since 0.1.0 */
export interface GpcOrigins {
  /** The last event that set or cleared `valid`. */
  valid: Origin | undefined
  /** The last invalidation. */
  invalidated: Origin | undefined
  /** The last event that stored a mapping. */
  mapping: Origin | undefined
}

type StateOf<P> = P extends Projection<infer S> ? S : never

/** @category models @since 0.1.0 */
export interface Origins {
  readonly at: Traveller
  /** The refreshes that run, their laps, and how many had a reason. */
  readonly progress: StateOf<typeof refreshes>
  readonly threads: ReadonlyArray<ThreadOrigins>
  readonly gpcs: ReadonlyArray<GpcOrigins>
  /** Who took each lock that is held, by name, cache and thread. */
  readonly locks: Map<string, Origin>
  /** The last change of each page table entry, by address. */
  readonly ptes: Map<number, Origin>
  /** What unmapped, and what freed, a frame that someone still had. */
  readonly unmapped: Map<number, Origin>
  readonly freed: Map<number, Origin>
  bumped: Origin | undefined
  /** The last change of the count. */
  counted: Origin | undefined
  slots: Origin | undefined
  /** The last event. */
  last: Origin | undefined
}

/** @category constructors @since 0.1.0 */
export const noOrigins = (world: World): Origins => ({
  at: traveller(world),
  progress: refreshes.init(),
  threads: world.threads.map(() => ({
    call: undefined,
    refresh: undefined,
    open: [],
    resolved: undefined,
    published: undefined,
    firstRetry: undefined,
    lastRetry: undefined,
    blocked: undefined,
    waited: undefined,
    checked: undefined,
    reader: undefined,
    readsGpc: -1,
    srcu: undefined,
    last: undefined
  })),
  gpcs: world.gpcs.map(() => ({ valid: undefined, invalidated: undefined, mapping: undefined })),
  locks: new Map(),
  ptes: new Map(),
  unmapped: new Map(),
  freed: new Map(),
  bumped: undefined,
  counted: undefined,
  slots: undefined,
  last: undefined
})

/** Takes one event into account. @category folding @since 0.1.0 */
export const advanceOrigins = (o: Origins, envelope: Envelope<Event>): void => {
  const e = envelope.data
  const t = o.threads[e.thread]
  if (t === undefined) return
  const before = unmappedBy(o.at.state, e)
  o.at.advance(envelope)
  refreshes.evolve(o.progress, envelope)
  const origin: Origin = { envelope, because: explain(o, t, e).filter((from) => from !== undefined) }
  note(o, t, e, origin)
  if (before !== NO_PFN) keep(o, o.unmapped, before, origin)
  if (e._tag !== "PropertyViolated") t.last = origin
  o.last = origin
}

/** The frame that an event is about to take out of a page table entry, or NO_PFN. */
const unmappedBy = (s: State, e: Event): number => {
  if (e._tag !== "PteChanged") return NO_PFN
  const page = s.geo.pageOf(e.hva)
  return page >= 0 && s.mmu.pfn(page) !== e.pfn ? s.mmu.pfn(page) : NO_PFN
}

/** Whether a cache or a refresh still has the frame. */
const isHeld = (s: State, pfn: number): boolean =>
  s.gpcs.some((gpc) => gpc.pfn === pfn || gpc.khva === pfn) ||
  s.threads.some((t) => t.newPfn === pfn || t.newKhva === pfn || t.khva === pfn)

/** Frames whose end is remembered before those that nobody has any more are forgotten. */
const REMEMBERED = 64

/** Remembers what became of a frame that someone still has. */
const keep = (o: Origins, frames: Map<number, Origin>, pfn: number, origin: Origin): void => {
  if (!isHeld(o.at.state, pfn)) return
  frames.set(pfn, origin)
  if (frames.size > REMEMBERED) { for (const old of frames.keys()) if (!isHeld(o.at.state, old)) frames.delete(old) }
}

type Maybe = Origin | undefined

/** What the thread is doing: its innermost invalidation, its refresh, its call. */
const openerOf = (t: ThreadOrigins): Maybe => t.open.at(-1) ?? t.refresh ?? t.call

/** The links of an event; `o` has its state already, but not its note. */
const explain = (o: Origins, t: ThreadOrigins, e: Event): ReadonlyArray<Maybe> => {
  switch (e._tag) {
    case "Called":
      return []
    case "RefreshEntered":
      return [t.call]
    case "Published":
    case "MappingStored":
      return [t.resolved, t.refresh]
    case "ValidCleared":
      return t.lastRetry !== undefined && t.last === t.lastRetry ? [t.lastRetry] : [openerOf(t)]
    case "RetryTested":
    case "RetryDecided":
    case "GuestFaultRetried":
      return [...retryCauses(o, e), openerOf(t)]
    case "Waited":
    case "SwapWaited":
      return e._tag === "SwapWaited" || e.pending ? [...inFlight(o), openerOf(t)] : [openerOf(t)]
    case "Blocked":
      return [...waitCauses(o, e.thread), openerOf(t)]
    case "Checked":
      return [o.gpcs[e.gpc]?.valid, t.call]
    case "KhvaAccessed":
      return [o.gpcs[e.gpc]?.mapping, o.unmapped.get(e.pfn), o.freed.get(e.pfn), t.call]
    case "PageFreed":
      return [o.unmapped.get(e.pfn), t.last]
    case "PropertyViolated":
      return explainViolation(o, t, e.property, e.gpc)
    default:
      return [openerOf(t)]
  }
}

/** Why a refresh or a fault tries again. */
const retryCauses = (o: Origins, e: Event): ReadonlyArray<Maybe> => {
  if (!("reason" in e)) return []
  switch (e.reason) {
    case "none":
      return []
    case "seq":
      return [o.bumped]
    case "flag":
      return ["gpc" in e ? o.gpcs[e.gpc]?.invalidated : undefined]
    default:
      return inFlight(o)
  }
}

/** The invalidations in flight. */
const inFlight = (o: Origins): ReadonlyArray<Origin> => o.threads.flatMap((t) => t.open)

/** The invalidations in flight whose range holds an address. */
const inFlightOver = (o: Origins, hva: number): ReadonlyArray<Origin> =>
  inFlight(o).filter(({ envelope: { data } }) =>
    data._tag === "RangeStartCalled" && data.start <= hva && hva < data.end
  )

/** How a lock's holder is remembered: its name without the mode, the cache, the thread. */
const lockKey = (lock: string, gpc: number, thread: number): string => `${lock.replace(/\(.*/, "")} ${gpc} ${thread}`

/** How threads came by what stands in a thread's way. @category queries @since 0.1.0 */
export const holdersOf = (o: Origins, obstacle: Obstacle): ReadonlyArray<Origin> => {
  const held = (of: (t: ThreadOrigins, thread: number) => Maybe) =>
    o.threads.map(of).filter((from) => from !== undefined)
  switch (obstacle.kind) {
    case "invalidations":
      return inFlight(o)
    case "srcu":
      return held((t) =>
        t.srcu?.envelope.data._tag === "SrcuEntered" && t.srcu.envelope.data.index === obstacle.index
          ? t.srcu
          : undefined
      )
    case "lock": {
      const { gpc, lock, write } = obstacle
      const reading = (t: ThreadOrigins) => write && lock === "gpc->lock" && t.readsGpc === gpc ? t.reader : undefined
      return held((t, thread) => o.locks.get(lockKey(lock, gpc, thread)) ?? reading(t))
    }
  }
}

/** What keeps a thread where it is. */
const waitCauses = (o: Origins, thread: number): ReadonlyArray<Origin> => {
  const obstacle = obstacleOf(o.at.state, thread)
  return obstacle === undefined ? [] : holdersOf(o, obstacle)
}

const explainViolation = (o: Origins, t: ThreadOrigins, property: string, gpc: number): ReadonlyArray<Maybe> => {
  const cache = o.gpcs[gpc]
  const uhva = o.at.state.gpcs[gpc]?.uhva ?? -1
  const page = o.at.state.geo.pageOf(uhva)
  const pte = page < 0 ? undefined : o.ptes.get(o.at.state.geo.hvaOf(page))
  switch (property) {
    case "P1":
      return [t.last]
    case "P2":
    case "P5":
      return [t.last, cache?.mapping, pte]
    case "P3":
      return [t.last, cache?.valid, ...o.threads.map((t) => t.readsGpc === gpc ? t.checked : undefined)]
    case "P4":
      return [t.last, ...inFlightOver(o, uhva)]
    case "P9":
      return [t.last, ...o.threads.map((sleeper) => sleeper.waited)]
    case "P10":
      return [t.last, o.locks.get(lockKey("gpc->lock", gpc, o.threads.indexOf(t)))]
    case "P11":
      return [t.last, cache?.valid, cache?.mapping]
    case "P12":
      return [t.last, o.slots]
    case "P13":
      return [t.last, t.resolved]
    default:
      return [t.last]
  }
}

/** Remembers what later events may be explained by. */
const note = (o: Origins, t: ThreadOrigins, e: Event, origin: Origin): void => {
  if (e._tag === "Blocked") t.blocked = origin
  else if (e._tag !== "PropertyViolated") t.blocked = undefined
  noteThread(t, e, origin)
  const gpc = "gpc" in e ? o.gpcs[e.gpc] : undefined
  switch (e._tag) {
    case "Locked":
      o.locks.set(lockKey(e.lock, e.gpc, e.thread), origin)
      break
    case "Unlocked":
      o.locks.delete(lockKey(e.lock, e.gpc, e.thread))
      break
    case "RefreshEntered":
      o.locks.set(lockKey("gpc->refresh_lock", e.gpc, e.thread), origin)
      break
    case "RefreshReturned":
      o.locks.delete(lockKey("gpc->refresh_lock", e.gpc, e.thread))
      break
    case "Published":
    case "MappingStored":
      gpc!.mapping = origin
      if (e._tag === "Published") gpc!.valid = origin
      break
    case "ValidSet":
    case "ValidCleared":
    case "GpcInvalidated":
    case "RefreshFailed":
    case "Deactivated":
      gpc!.valid = origin
      if (e._tag === "GpcInvalidated") gpc!.invalidated = origin
      break
    case "PteChanged":
    case "PageFaulted":
      if (o.at.state.geo.pageOf(e.hva) >= 0) o.ptes.set(e.hva, origin)
      break
    case "PageFreed":
      keep(o, o.freed, e.pfn, origin)
      break
    case "SeqBumped":
    case "GpcSeqBumped":
      o.bumped = origin
      break
    case "CountIncremented":
    case "CountDecremented":
      o.counted = origin
      break
    case "Woken": {
      const sleeper = o.threads[e.sleeper]
      if (sleeper !== undefined) sleeper.waited = undefined
      break
    }
    case "MemslotsSwapped":
    case "GenerationChanged":
      o.slots = origin
      break
    default:
  }
}

const noteThread = (t: ThreadOrigins, e: Event, origin: Origin): void => {
  switch (e._tag) {
    case "Called":
      t.call = origin
      break
    case "Returned":
      t.call =
        t.refresh =
        t.resolved =
        t.waited =
          undefined
      break
    case "RangeStartCalled":
      t.open.push(origin)
      break
    case "EndReturned":
      t.open.pop()
      break
    case "RefreshEntered":
      t.refresh = origin
      t.resolved =
        t.published =
        t.firstRetry =
        t.lastRetry =
          undefined
      break
    case "RefreshReturned":
      t.refresh = t.resolved = undefined
      break
    case "PfnResolved":
      t.resolved = origin
      break
    case "Published":
      t.published = origin
      break
    case "RetryDecided":
      t.firstRetry ??= origin
      t.lastRetry = origin
      break
    case "Waited":
      t.waited = e.pending ? origin : undefined
      break
    case "SwapWaited":
      t.waited = origin
      break
    case "MemslotsSwapped":
      t.waited = undefined
      break
    case "ReaderEntered":
      t.reader = origin
      t.readsGpc = e.gpc
      break
    case "Checked":
      t.checked = e.ok ? origin : undefined
      break
    case "ReaderLeft":
      t.reader = t.checked = undefined
      t.readsGpc = -1
      break
    case "SrcuEntered":
      t.srcu = origin
      break
    case "SrcuLeft":
      t.srcu = undefined
      break
    default:
  }
}

/**
 * Everything that explains some events, themselves included, the latest first.
 *
 * @category queries
 * @since 0.1.0
 */
export const explanationOf = (...of: ReadonlyArray<Maybe>): ReadonlyArray<Envelope<Event>> => {
  const found = new Map<number, Envelope<Event>>()
  const pending = of.filter((origin) => origin !== undefined)
  for (let origin = pending.pop(); origin !== undefined; origin = pending.pop()) {
    if (found.has(origin.envelope.seq)) continue
    found.set(origin.envelope.seq, origin.envelope)
    pending.push(...origin.because)
  }
  return [...found.values()].sort((a, b) => b.seq - a.seq)
}
