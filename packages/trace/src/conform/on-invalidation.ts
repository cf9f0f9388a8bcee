/**
 * Records of invalidations: the count, the walk over the caches, the page fault side's sequence and hull.
 *
 * @since 0.1.0
 */
import { L, OP } from "@pfnscope/protocol"
import type { State, Thread } from "@pfnscope/protocol"
import type { Arrival, Arrive, Take } from "./belief.ts"
import type { Hypothesis } from "./hypothesis.ts"
import type { Operation } from "./operation.ts"
import { stepUnseen } from "./order.ts"
import type { Replay, Seen } from "./replay.ts"

/** range_start is called. The model's thread makes no change to the page table: what was made is not recorded. */
export const rangeStartCalled = (r: Replay, event: Seen<"RangeStartCalled">): void => {
  const { end, start, thread } = event.data
  const op = r.begin(event, "invalidation", L["start.count"], { op: OP.thp_split, a: start, b: end })
  const stack = r.ranges.get(thread)
  if (stack === undefined) r.ranges.set(thread, [op])
  else stack.push(op)
}

/** Under mn_invalidate_lock: the count is exact. */
export const countIncremented = (r: Replay, event: Seen<"CountIncremented">): void => {
  const { count } = event.data
  const op = r.rangeOf(event, (o) => o.seen === "RangeStartCalled")
  if (op === undefined) return learnCount(r, count)
  op.seen = event.data._tag
  if (!r.known.count) r.belief.adopt((s) => void (s.kvm.count = count - 1))
  r.compare(
    event,
    op,
    { kind: "count", known: r.known.count, actual: `${count}` },
    (h, t) => t.pc === L["start.count"] ? "on" : countIs(h, count),
    (s, t) => {
      s.kvm.count = count
      t.pc = L["start.gpc_lock"]
    }
  )
  r.known.count = true
}

/** Whether the count is what a record under its lock shows. */
export const countIs = (h: Hypothesis, count: number): Arrival =>
  h.state.kvm.count === count ? "there" : { instead: `${h.state.kvm.count}` }

/** The count was changed by an invalidation that began before the trace. */
const learnCount = (r: Replay, count: number): void => {
  r.belief.adopt((s) => void (s.kvm.count = count))
  r.known.count = true
}

const isWalking = (op: Operation): boolean => op.seen === "CountIncremented" || op.seen === "GpcInvalidated"

/**
 * The walk has marked a cache. The steps at it are taken out of turn: the order in which a walk meets the caches is that
 * of `kvm->gpc_list`, and no record shows it.
 */
export const gpcInvalidated = (r: Replay, event: Seen<"GpcInvalidated">): void => {
  const { gpc } = event.data
  const op = r.rangeOf(event, isWalking)
  if (op === undefined) return r.belief.adopt((s) => void (s.gpcs[gpc]!.valid = 0))
  op.seen = event.data._tag
  const known = r.cacheKnown[gpc] === 1
  if (!known) r.belief.adopt((s) => supposeValid(s, gpc, op))
  r.move(op, (_h, t) => isInWalk(t) ? "there" : "on", L["start.visit"])
  walkTo(r, op, gpc)
  const name = `gpc/${gpc}`
  r.compare(event, op, { kind: "walk", known, actual: `to mark ${name}` }, marks(gpc), (s, t) => {
    s.gpcs[gpc]!.valid = 0
    s.kvm.gpcLock = t.id + 1
  })
  walkTo(r, op, 0)
  op.hits.push(gpc)
}

const isInWalk = (t: Thread): boolean => t.pc === L["start.visit"] || t.pc === L["start.gpc_unlock"]

const walkTo = (r: Replay, op: Operation, gpc: number): void =>
  r.belief.adopt((s) => {
    const t = s.threads[op.thread]!
    t.pc = L["start.visit"]
    t.cursor = gpc
  })

const marks = (gpc: number): Arrive => (h, t) => {
  const { valid } = h.state.gpcs[gpc]!
  if (t.cursor === gpc) return valid === 0 ? { instead: `to pass over gpc/${gpc}: it is invalid` } : "on"
  return valid === 0 ? "there" : { instead: `to pass over gpc/${gpc}: its address is not in the range` }
}

/** A cache that nothing was known of is marked: so it was valid, and in the range. */
const supposeValid = (s: State, gpc: number, op: Operation): void => {
  const cache = s.gpcs[gpc]!
  cache.active = cache.listed = cache.valid = 1
  cache.uhva = op.start
  cache.pfn = Math.max(1, cache.pfn)
}

/** The walk is over: every cache that it was not seen to mark, it passed over. */
export const walkReturned = (r: Replay, event: Seen<"WalkReturned">): void => {
  const op = r.rangeOf(event, isWalking)
  if (op === undefined) return
  const caches = r.belief.any.gpcs.filter((gpc) => gpc.listed === 1 && !op.hits.includes(gpc.id))
  const unknown = caches.filter((gpc) => r.cacheKnown[gpc.id] === 0).length
  const marked = new Set<number>()
  const { before, possible } = r.belief.compare(
    op,
    (_h, t) => t.pc === L["start.mmu"] ? "there" : "on",
    passOver(r, op, marked)
  )
  op.seen = event.data._tag
  const tally = r.tallyOf("walk")
  tally.unknown += unknown
  const doubtful = [...marked].filter((gpc) => r.cacheKnown[gpc] === 1)
  tally.agree += caches.length - unknown - doubtful.length
  if (possible) {
    tally.ambiguous += doubtful.length
    return r.belief.recycle(before)
  }
  tally.disagree += doubtful.length
  for (const gpc of doubtful) r.report(event, op, "walk", `to mark gpc/${gpc}`, `to pass over gpc/${gpc}`, before, gpc)
  r.belief.settle(before, op, (_s, t) => {
    t.pc = L["start.mmu"]
    t.cursor = 0
  })
}

/** Goes on from cache to cache; `marked` collects those that it would have marked. */
const passOver = (r: Replay, op: Operation, marked: Set<number>): Take => (h) => {
  const gpc = h.state.threads[op.thread]!.cursor
  if (stepUnseen(r.belief.orders.hypotheses, h, op) !== "hit") return undefined
  marked.add(gpc)
  return `to mark gpc/${gpc}`
}

/** kvm_mmu_invalidate_begin and the zap, under mmu_lock: a memslot overlaps. */
export const mmuLockHeld = (r: Replay, event: Seen<"MmuLockHeld">): void => {
  const op = r.rangeOf(event, (o) => o.seen === "WalkReturned" || isWalking(o))
  const { end, inProgress, start } = event.data
  if (op === undefined) return
  op.seen = event.data._tag
  op.overlap = true
  if (!r.known.inProgress) r.belief.adopt((s) => void (s.kvm.inProgress = inProgress - 1))
  r.withOverlap(op, true, () =>
    r.compare(
      event,
      op,
      { kind: "in-progress", known: r.known.inProgress, actual: `${inProgress}` },
      (h, t) => {
        if (t.pc !== L["end.mmu"]) return "on"
        return h.state.kvm.inProgress === inProgress ? "there" : { instead: `${h.state.kvm.inProgress}` }
      },
      (s, t) => {
        s.kvm.inProgress = inProgress
        t.pc = L["end.mmu"]
      }
    ))
  r.known.inProgress = true
  // The hull as the kernel has it: the memslots, and with them the guest frames of a range, are known in part only.
  r.belief.adopt((s) => {
    s.kvm.rangeStart = start
    s.kvm.rangeEnd = end
  })
}

const isThat = (event: Seen<"StartReturned" | "EndCalled" | "EndReturned">) => (op: Operation): boolean =>
  op.start === event.data.start && op.end === event.data.end

const ENDING = new Set(["EndCalled", "SeqBumped", "CountDecremented"])

/** range_start returns; where no memslot was seen to overlap, none does. */
export const startReturned = (r: Replay, event: Seen<"StartReturned">): void => {
  const op = r.rangeOf(event, (o) => isThat(event)(o) && !ENDING.has(o.seen))
  if (op === undefined) return
  const overlaps = op.seen === "MmuLockHeld"
  op.seen = event.data._tag
  if (overlaps) return
  op.overlap = r.facts.seesOverlap ? false : undefined
  r.withOverlap(op, op.overlap, () => r.move(op, toTheEnd, L["end.mmu"]))
}

const toTheEnd: Arrive = (_h, t) => t.pc === L["end.mmu"] ? "there" : "on"

/** range_end is called. */
export const endCalled = (r: Replay, event: Seen<"EndCalled">): void => {
  const op = r.rangeOf(event, (o) => isThat(event)(o) && !ENDING.has(o.seen))
  if (op === undefined) return
  op.seen = event.data._tag
  r.withOverlap(op, op.overlap, () => r.move(op, toTheEnd, L["end.mmu"]))
}

/** Just before kvm_mmu_invalidate_end, under mmu_lock; the event shows what it leads to. */
export const seqBumped = (r: Replay, event: Seen<"SeqBumped">): void => {
  const { inProgress, seq } = event.data
  if (!r.known.seq) r.belief.adopt((s) => void (s.kvm.seq = seq - 1))
  if (!r.known.inProgress) r.belief.adopt((s) => void (s.kvm.inProgress = inProgress + 1))
  r.known.seq = r.known.inProgress = true
  const op = r.rangeOf(event, (o) => o.seen === "EndCalled")
  if (op !== undefined) {
    op.seen = event.data._tag
    op.overlap = true
    return
  }
  r.belief.adopt((s) => {
    s.kvm.seq = seq
    s.kvm.inProgress = inProgress
  })
}

/** The caches' own sequence, bumped under mn_invalidate_lock just before the decrement, which is recorded with it. */
export const gpcSeqBumped = (r: Replay, event: Seen<"GpcSeqBumped">): void => {
  if (!r.known.gpcSeq) r.belief.adopt((s) => void (s.kvm.gpcSeq = event.data.seq - 1))
  r.known.gpcSeq = true
}

/** Under mn_invalidate_lock: the count is exact. */
export const countDecremented = (r: Replay, event: Seen<"CountDecremented">): void => {
  const { count } = event.data
  const op = r.rangeOf(event, (o) => o.seen === "EndCalled" || o.seen === "SeqBumped")
  if (op === undefined) return learnCount(r, count)
  if (op.overlap === undefined && r.facts.seesOverlap) op.overlap = op.seen === "SeqBumped"
  op.seen = event.data._tag
  if (!r.known.count) r.belief.adopt((s) => void (s.kvm.count = count + 1))
  r.withOverlap(op, op.overlap, () =>
    r.compare(
      event,
      op,
      { kind: "count", known: r.known.count, actual: `${count}` },
      (h, t) => t.pc === L["end.wake"] || t.pc === L.finish ? countIs(h, count) : "on",
      (s, t) => {
        s.kvm.count = count
        t.pc = L.finish
      }
    ))
  r.known.count = true
}

/** range_end returns: sleepers are awake by now. */
export const endReturned = (r: Replay, event: Seen<"EndReturned">): void => {
  const op = r.rangeOf(event, (o) => isThat(event)(o) && o.seen === "CountDecremented")
  if (op === undefined) return
  r.move(op, (_h, t) => t.pc === L.idle ? "there" : "on", L.idle)
  r.end(op)
}
