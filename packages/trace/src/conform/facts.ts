/**
 * What a trace tells of the world it was recorded in: which caches there are and where, which memslots, which kinds of
 * events were recorded at all, and how much went on at once.
 *
 * A first reading gathers it; the second, which replays, needs a world to begin with.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { advance, noneInFlight } from "@pfnscope/projections"
import type { InFlight } from "@pfnscope/projections"
import type { Event, EventTag } from "@pfnscope/protocol"

/** Bytes of a page, as the traced kernels have it. @category constants @since 0.1.0 */
export const PAGE_SIZE = 4096

/** A stretch of guest memory and what backs it, `[gpa, gpa + pages)`. @category models @since 0.1.0 */
export interface SlotFacts {
  readonly gpa: number
  readonly hva: number
  readonly pages: number
}

/** The facts of one trace; `mn/…` streams name the VMs. @category models @since 0.1.0 */
export interface Facts {
  /** Kinds of events that were recorded. */
  readonly kinds: Set<EventTag>
  /** Whether bumps of the sequence that refreshes note are recorded, or else there were none: it never changed. */
  seesBumps: boolean
  /** Whether invalidations that overlap a memslot can be told from those that do not. */
  seesOverlap: boolean
  /** The sequence that a refresh noted last. */
  noted: number | undefined
  changed: boolean
  /** The VM of each cache, as far as it was seen. */
  readonly vmOf: Map<number, string>
  readonly vms: Set<string>
  /** Laps of refreshes of each VM. */
  readonly laps: Map<string, number>
  /** Number of caches. */
  caches: number
  /** Pages, by their address, that caches map. */
  readonly pages: Set<number>
  /** By the distance of a guest address from its host address: from where to where it was seen. */
  readonly slots: Map<number, { from: number; to: number }>
  /** Operations of the protocol that were under way at once, at most. */
  busiest: number
  readonly ranges: InFlight
  /** What each task is in beside its invalidations: operations on caches and memslots. */
  readonly busy: Map<number, { ops: number; gpc: number }>
}

/** @category constructors @since 0.1.0 */
export const noFacts = (): Facts => ({
  kinds: new Set(),
  seesBumps: false,
  seesOverlap: false,
  noted: undefined,
  changed: false,
  vmOf: new Map(),
  vms: new Set(),
  laps: new Map(),
  caches: 0,
  pages: new Set(),
  slots: new Map(),
  busiest: 0,
  ranges: noneInFlight(),
  busy: new Map()
})

/** Takes one event into account. @category folding @since 0.1.0 */
export const learn = (facts: Facts, event: Envelope<Event>): Facts => {
  const e = event.data
  facts.kinds.add(e._tag)
  if (event.stream.startsWith("mn/")) facts.vms.add(event.stream)
  if ("gpc" in e && e.gpc >= facts.caches) facts.caches = e.gpc + 1
  advance(facts.ranges, event.seq, event)
  switch (e._tag) {
    case "RangeStartCalled":
    case "SwapWaited":
      keepBusiest(facts)
      break
    case "Called":
      if (e.op.startsWith("gpc_") || e.op === "set_memslot") enter(facts, e.thread, -1)
      break
    case "RefreshEntered":
      enter(facts, e.thread, e.gpc)
      break
    case "Snapshotted": {
      const gpc = facts.busy.get(e.thread)?.gpc ?? -1
      if (gpc < 0) break
      facts.vmOf.set(gpc, event.stream)
      facts.laps.set(event.stream, (facts.laps.get(event.stream) ?? 0) + 1)
      facts.changed ||= facts.noted !== undefined && facts.noted !== e.seq
      facts.noted = e.seq
      break
    }
    case "Translated":
      if (e.uhva >= 0) facts.pages.add(pageOf(e.uhva))
      if (e.gpa >= 0 && e.uhva >= 0) widen(facts, e.gpa - e.uhva, pageOf(e.gpa), pageOf(e.gpa) + PAGE_SIZE)
      break
    case "Published":
      if (e.uhva >= 0) facts.pages.add(pageOf(e.uhva))
      break
    case "GpcInvalidated": {
      const vm = facts.ranges.byThread.get(e.thread)?.at(-1)?.vm
      if (vm !== undefined) facts.vmOf.set(e.gpc, vm)
      break
    }
    case "MmuLockHeld":
      learnSlot(facts, e.thread, e)
      break
    case "RefreshReturned":
    case "Returned":
      facts.busy.delete(e.thread)
  }
  facts.seesBumps = facts.kinds.has("GpcSeqBumped") || facts.kinds.has("SeqBumped") ||
    (facts.noted !== undefined && !facts.changed)
  facts.seesOverlap = facts.kinds.has("MmuLockHeld") || facts.kinds.has("SeqBumped") || !facts.changed
  return facts
}

/** The address of the page that holds an address. @category queries @since 0.1.0 */
export const pageOf = (address: number): number => address - address % PAGE_SIZE

const enter = (facts: Facts, thread: number, gpc: number): void => {
  const known = facts.busy.get(thread)
  facts.busy.set(thread, { ops: (known?.ops ?? 0) + 1, gpc: gpc < 0 ? known?.gpc ?? -1 : gpc })
  keepBusiest(facts)
}

const keepBusiest = (facts: Facts): void => {
  let ops = 0
  for (const { open } of facts.ranges.vms.values()) ops += open.length
  for (const task of facts.busy.values()) ops += task.ops
  facts.busiest = Math.max(facts.busiest, ops)
}

/** An invalidation that is alone in progress shows where in the guest its whole range lies. */
const learnSlot = (facts: Facts, thread: number, held: { inProgress: number; start: number; end: number }): void => {
  const range = facts.ranges.byThread.get(thread)?.at(-1)
  if (range === undefined || held.inProgress !== 1) return
  const gpa = held.start * PAGE_SIZE
  if ((held.end - held.start) * PAGE_SIZE !== range.end - range.start) return
  widen(facts, gpa - range.start, gpa, held.end * PAGE_SIZE)
}

const widen = (facts: Facts, distance: number, from: number, to: number): void => {
  const known = facts.slots.get(distance)
  if (known === undefined) {
    facts.slots.set(distance, { from, to })
    return
  }
  known.from = Math.min(known.from, from)
  known.to = Math.max(known.to, to)
}

/** The memslots that the facts show, in the order of their first sight. @category queries @since 0.1.0 */
export const slotsOf = (facts: Facts): ReadonlyArray<SlotFacts> =>
  [...facts.slots].map(([distance, { from, to }]) => ({
    gpa: from,
    hva: from - distance,
    pages: (to - from) / PAGE_SIZE
  }))

/** The VM whose caches were refreshed most. @category queries @since 0.1.0 */
export const busiestVm = ({ laps, vms }: Facts): string | undefined =>
  [...vms].toSorted((a, b) => (laps.get(b) ?? 0) - (laps.get(a) ?? 0))[0]
