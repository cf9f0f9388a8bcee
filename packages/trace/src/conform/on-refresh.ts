/**
 * Records of refreshes: entry, the laps of hva_to_pfn_retry with the test at the end of each, and how it ended.
 *
 * @since 0.1.0
 */
import { INVALID_GPA, L, OP, RETRY_REASONS } from "@pfnscope/protocol"
import type { LabelId, RetryReason, State } from "@pfnscope/protocol"
import { pageOf } from "./facts.ts"
import type { Hypothesis } from "./hypothesis.ts"
import type { Operation } from "./operation.ts"
import type { Replay, Seen } from "./replay.ts"

const labels = (...ids: ReadonlyArray<LabelId>): ReadonlySet<LabelId> => new Set(ids)

const BEFORE_LOOKUP = labels(L["refresh.write"], L["refresh.slots"], L["refresh.decide"])
const TESTS = labels(L["retry.count"], L["retry.seq"], L["retry.decide"])
const IN_LAP = labels(L["retry.snapshot"], L["retry.unlock"], L["retry.put"], L["retry.wait"], L.gup)
const PUBLISHED = labels(L["refresh.put"], L["refresh.write_unlock"])
const LEFT = labels(L["srcu.leave"], L["use.enter"], L.return, L.idle)

/** The refresh has taken refresh_lock; it maps `gpa`, or where that is INVALID_GPA, `uhva`. */
export const refreshEntered = (r: Replay, event: Seen<"RefreshEntered">): void => {
  const { gpa, gpc, uhva } = event.data
  const activation = r.otherOf(event, "refresh")
  const op = activation?.activates === true ? activation : beginRefresh(r, event, gpa, gpc, uhva)
  op.seen = event.data._tag
  r.move(op, (_h, t) => t.pc === L["refresh.write"] ? "there" : "on", L["refresh.write"], (_s, t, evolve) => {
    evolve.RefreshEntered(t.id, gpc, gpa, uhva)
  })
}

const beginRefresh = (r: Replay, event: Seen<"RefreshEntered">, gpa: number, gpc: number, uhva: number): Operation => {
  r.leave(event)
  if (r.cacheKnown[gpc] === 0) r.belief.adopt((s) => supposeActive(s, gpc, gpa, uhva))
  const moves = r.belief.any.gpcs[gpc]!.gpa !== gpa
  const op = moves
    ? r.begin(event, "refresh", L["activate.lock"], { op: OP.gpc_activate, a: gpc, b: gpa }, gpc)
    : r.begin(event, "refresh", L["refresh.lock"], { op: OP.gpc_refresh, a: gpc, b: 0 }, gpc)
  r.enter(event, op)
  return op
}

/** A cache that nothing was known of is refreshed: so it is active. */
const supposeActive = (s: State, gpc: number, gpa: number, uhva: number): void => {
  const cache = s.gpcs[gpc]!
  cache.active = cache.listed = 1
  cache.gpa = gpa
  if (gpa === INVALID_GPA) cache.uhva = uhva
}

/** The cache takes an address: that is where the memslots have it. */
export const translated = (r: Replay, event: Seen<"Translated">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined) return
  r.place(event.data.gpa, event.data.uhva)
  op.seen = event.data._tag
}

/** `valid = false`: recorded with the snapshot that follows, under gpc->lock. */
export const validCleared = (r: Replay, event: Seen<"ValidCleared">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined) return
  if (op.seen !== "Translated") stayInPlace(r, op)
  op.seen = event.data._tag
}

/** A cache that took no new address is where it was. */
const stayInPlace = (r: Replay, op: Operation): void => {
  const { gpa, uhva } = r.belief.any.gpcs[op.gpc]!
  r.place(gpa, uhva)
}

/** The sequence that the lap notes; a guest's fault notes one too, and tells of it when it is tested. */
export const snapshotted = (r: Replay, event: Seen<"Snapshotted">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined || op.seen === "Called") {
    r.noted.set(event.data.thread, event.data.seq)
    return
  }
  const { of } = r.policy.snapshot
  const { seq } = event.data
  const known = seqIsKnown(r)
  if (!known) adoptSeq(r, seq)
  r.compare(
    event,
    op,
    { kind: "snapshot", known, actual: `${seq}` },
    (_h, t) => {
      if (PUBLISHED.has(t.pc)) return { instead: "to publish" }
      if (!IN_LAP.has(t.pc) || t.pc === L["retry.snapshot"]) return "on"
      return of === "none" || t.snapshot === seq ? "there" : { instead: `${t.snapshot}` }
    },
    (s, t) => {
      t.snapshot = seq
      t.reason = 0
      s.gpcs[op.gpc]!.valid = 0
      s.gpcs[op.gpc]!.writer = t.id + 1
      t.pc = L["retry.unlock"]
    }
  )
  op.seen = event.data._tag
}

/** The first sequence that is seen is the one that the trace begins with; bumps that are not recorded are not known. */
const adoptSeq = (r: Replay, seq: number): void => {
  const own = r.policy.snapshot.of === "gpc_invalidate_seq"
  r.belief.adopt((s) => {
    if (own) s.kvm.gpcSeq = seq
    else s.kvm.seq = seq
  })
  if (own) r.known.gpcSeq = r.facts.seesBumps
  else r.known.seq = r.facts.seesBumps
}

/** What the lookup gave: that is the primary MMU's, and recorded. */
export const pfnResolved = (r: Replay, event: Seen<"PfnResolved">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined) return
  const { hva, pfn } = event.data
  if (pfn <= 0) return
  r.move(
    op,
    (_h, t) => t.pc === L["retry.map"] || TESTS.has(t.pc) ? "there" : "on",
    L["retry.map"],
    (s, t, evolve) => evolve.PfnResolved(t.id, hva, s.mmu.pfn(s.geo.pageOf(pageOf(hva))))
  )
  op.seen = event.data._tag
}

/**
 * Just before the test, under gpc->lock: the count and the sequence as the probe read them, without their locks. They
 * tell which steps of others had been taken by then; what the test read, a moment later, its outcome tells. A second
 * record is on the path "the sequence has changed": the test of the count is over.
 */
export const retryTested = (r: Replay, event: Seen<"RetryTested">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined) return
  if (op.seen === "RetryTested") return sequenceChanged(r, op)
  r.move(op, (_h, t) => TESTS.has(t.pc) ? "there" : "on", L["retry.count"], (s, t) => {
    s.gpcs[op.gpc]!.writer = t.id + 1
  })
  op.seen = event.data._tag
  if (r.known.count && seqIsKnown(r)) {
    r.belief.read(op, wouldRetryBy(r, op), RETRY_REASONS.indexOf(event.data.reason))
  }
}

/** Why a retry would follow if the test were made at once: a place in RETRY_REASONS. */
const wouldRetryBy = (r: Replay, op: Operation) => ({ state }: Hypothesis): number => {
  if (state.kvm.count > 0) return COUNT
  const seq = r.policy.snapshot.of === "gpc_invalidate_seq" ? state.kvm.gpcSeq : state.kvm.seq
  return seq === state.threads[op.thread]!.snapshot ? NONE : SEQ
}

const NONE = RETRY_REASONS.indexOf("none")
const COUNT = RETRY_REASONS.indexOf("count")
const SEQ = RETRY_REASONS.indexOf("seq")

const sequenceChanged = (r: Replay, op: Operation): void => {
  const { before, otherwise, possible } = r.belief.try(op, (_h, t) => {
    if (t.pc !== L["retry.decide"]) return TESTS.has(t.pc) ? "on" : { instead: "to be past it" }
    return t.reason === SEQ ? "there" : { instead: "another path", alike: t.reason !== NONE }
  })
  op.doubtful = possible && otherwise.length > 0
  r.belief.recycle(before)
}

/** Whether what the retry test reads is known: the count, and if it is 0 the sequence. */
const testIsKnown = (r: Replay, reason: RetryReason): boolean =>
  r.known.count && (seqIsKnown(r) || reason === "count" || !r.policy.retry.includes("seq"))

const seqIsKnown = (r: Replay): boolean => r.policy.snapshot.of === "gpc_invalidate_seq" ? r.known.gpcSeq : r.known.seq

/** The lap is thrown away. */
export const retryDecided = (r: Replay, event: Seen<"RetryDecided">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined) return
  const { reason } = event.data
  r.compare(
    event,
    op,
    { kind: "retry-test", known: testIsKnown(r, reason), actual: `another lap, by ${reason}` },
    (h, t) => {
      if (PUBLISHED.has(t.pc)) return { instead: "to publish" }
      if (!IN_LAP.has(t.pc)) return "on"
      const why = lapReason(h.reasons[t.id]!)
      return why === reason ? "there" : { instead: `another lap, by ${why}`, alike: true }
    },
    (s, t) => {
      s.gpcs[op.gpc]!.valid = 0
      s.gpcs[op.gpc]!.writer = t.id + 1
      t.pc = L["retry.snapshot"]
      t.reason = 0
    }
  )
  op.seen = event.data._tag
}

/** A lap that none of the tests throws away is thrown away by the flag. */
const lapReason = (code: number): RetryReason => code === 0 ? "flag" : RETRY_REASONS[code]!

/** The mapping is about to become valid, under gpc->lock. */
export const published = (r: Replay, event: Seen<"Published">): void => {
  const op = r.otherOf(event, "refresh")
  const { gpc, uhva } = event.data
  if (op === undefined) return
  r.compare(
    event,
    op,
    { kind: "retry-test", known: testIsKnown(r, "none"), actual: "to publish" },
    (h, t) => {
      if (PUBLISHED.has(t.pc)) return "there"
      return IN_LAP.has(t.pc) ? { instead: `another lap, by ${lapReason(h.reasons[t.id]!)}` } : "on"
    },
    (s, t, evolve) => {
      evolve.Published(t.id, gpc, uhva, s.mmu.pfn(s.geo.pageOf(pageOf(uhva))))
      s.gpcs[gpc]!.writer = t.id + 1
      t.pc = L["refresh.write_unlock"]
    }
  )
  op.seen = event.data._tag
  r.cacheKnown[gpc] = 1
}

/** The mapping was still good. */
export const mappingKept = (r: Replay, event: Seen<"MappingKept">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined) return
  const { gpc } = event.data
  const known = r.cacheKnown[gpc] === 1
  if (op.seen !== "Translated") stayInPlace(r, op)
  if (!known) r.belief.adopt((s) => void (s.gpcs[gpc]!.valid = 1))
  r.compare(
    event,
    op,
    { kind: "keep", known, actual: "to keep the mapping" },
    (_h, t) => {
      if (t.pc === L["refresh.unlock"]) return "there"
      return BEFORE_LOOKUP.has(t.pc) ? "on" : { instead: "to look the page up" }
    },
    (s, t) => {
      s.gpcs[gpc]!.valid = 1
      t.pc = L["refresh.unlock"]
    }
  )
  op.seen = event.data._tag
}

/** The refresh failed: no memslot has the address, the lookup failed, or the cache is not active. None is a decision. */
export const refreshFailed = (r: Replay, event: Seen<"RefreshFailed">): void => {
  const op = r.otherOf(event, "refresh")
  if (op !== undefined) fail(r, op)
}

const fail = (r: Replay, op: Operation): void => {
  const t = r.belief.any.threads[op.thread]!
  if (BEFORE_LOOKUP.has(t.pc)) r.place(t.gpa, -1)
  else {
    r.move(op, (_h, u) => u.pc === L.gup ? "there" : "on", L.gup)
    r.belief.adopt((s, evolve) => {
      const u = s.threads[op.thread]!
      evolve.PfnResolved(u.id, u.hva, -1)
      u.pc = L["refresh.error"]
    })
  }
  op.seen = "RefreshFailed"
  r.move(
    op,
    (_h, u) => u.pc === L["refresh.unlock"] || LEFT.has(u.pc) ? "there" : "on",
    L["refresh.unlock"],
    (s) => void (s.gpcs[op.gpc]!.valid = 0)
  )
}

const ENDED = new Set(["Published", "MappingKept", "RefreshFailed"])

/** The refresh returns. */
export const refreshReturned = (r: Replay, event: Seen<"RefreshReturned">): void => {
  const op = r.otherOf(event, "refresh")
  if (op === undefined) return
  if (!ENDED.has(op.seen)) fail(r, op)
  r.move(op, (_h, t) => LEFT.has(t.pc) ? "there" : "on", L["srcu.leave"])
  r.leave(event)
}
