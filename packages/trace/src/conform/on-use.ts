/**
 * Records of those who use caches and guest memory, of a cache's life, and of memslot updates.
 *
 * @since 0.1.0
 */
import { L, OP, RETRY_REASONS } from "@pfnscope/protocol"
import type { RetryReason } from "@pfnscope/protocol"
import { PAGE_SIZE } from "./facts.ts"
import { countIs } from "./on-invalidation.ts"
import type { Operation } from "./operation.ts"
import type { Replay, Seen } from "./replay.ts"
import { UPDATED_SLOT } from "./world.ts"

const word = (success: boolean): string => success ? "to succeed" : "to fail"

/** kvm_gpc_check returned, with gpc->lock still held for reading. */
export const checked = (r: Replay, event: Seen<"Checked">): void => {
  const { gpc, ok } = event.data
  if (r.cacheKnown[gpc] === 0) {
    r.tallyOf("check").unknown++
    return
  }
  const op = r.begin(event, "use", L["use.enter"], { op: OP.gpc_read, a: gpc, b: 0 }, gpc)
  r.compare(
    event,
    op,
    { kind: "check", known: r.known.generation || !r.facts.kinds.has("MemslotsSwapped"), actual: word(ok) },
    (_h, t) => {
      if (t.pc !== L["use.access"] && t.pc !== L["srcu.leave"]) return "on"
      return (t.pc === L["use.access"]) === ok ? "there" : { instead: word(!ok) }
    },
    (s, t, evolve) => {
      s.gpcs[gpc]!.valid = ok ? 1 : 0
      s.gpcs[gpc]!.generation = s.kvm.generation
      t.pc = ok ? L["use.access"] : L["srcu.leave"]
      if (ok) evolve.ReaderEntered(t.id, gpc)
    }
  )
  // How long the reader stays is not recorded: it leaves at once, so that it keeps nobody waiting.
  r.belief.adopt((s, evolve) => {
    if (s.threads[op.thread]!.pc === L["use.access"]) evolve.ReaderLeft(op.thread, gpc)
  })
  r.end(op)
}

/** The fault of a guest page was judged, under mmu_lock: mapped (`none`), or stale. */
export const guestFaultJudged = (
  r: Replay,
  event: Seen<"GuestFaulted"> | Seen<"GuestFaultRetried">,
  reason: RetryReason
): void => {
  const { gfn, thread } = event.data
  const snap = r.noted.get(thread)
  if (snap === undefined) {
    r.tallyOf("guest-fault").unknown++
    return
  }
  const known = r.known.seq && r.known.inProgress
  if (!known && reason === "none") r.belief.adopt((s) => void (s.kvm.seq = snap))
  const oldest = r.current.get(thread) ?? 0
  const op = r.begin(event, "use", L["guest.stale"], { op: OP.guest_fault, a: gfn * PAGE_SIZE, b: 0 })
  // When the fault noted the sequence no record tells: at a moment when it was this one, since the task was seen last.
  r.belief.adopt((_s, evolve) => evolve.Snapshotted(op.thread, snap))
  r.compare(
    event,
    op,
    { kind: "guest-fault", known, actual: reason === "none" ? "to map the page" : `stale, by ${reason}` },
    (h, t) => {
      if (t.pc === L["guest.stale"]) return "on"
      if (snap > h.state.kvm.seq) return { instead: `a snapshot of at most ${h.state.kvm.seq}, not ${snap}` }
      if (snap < oldest) return { instead: `a snapshot of at least ${oldest}, not ${snap}` }
      const why = RETRY_REASONS[t.reason]!
      if (why === reason) return "there"
      return { instead: why === "none" ? "to map the page" : `stale, by ${why}` }
    },
    () => {}
  )
  r.end(op)
}

/** A cache is named; where it was before, it is that of another VM, of which nothing is known yet. */
export const gpcSeen = (r: Replay, event: Seen<"GpcSeen">): void => {
  const { gpc } = event.data
  if (r.seenCaches.has(gpc)) r.beginAnew()
  r.seenCaches.add(gpc)
}

/** A cache begins, inactive; it is put on the list at its activation, which says so only now. */
export const activated = (r: Replay, event: Seen<"Activated">): void => {
  const { gpc } = event.data
  r.cacheKnown[gpc] = 1
  r.belief.adopt((s) => {
    const cache = s.gpcs[gpc]!
    cache.active = cache.valid = cache.listed = 0
  })
}

/** The cache was deactivated, since the call. */
export const deactivated = (r: Replay, event: Seen<"Deactivated">): void => {
  const op = r.otherOf(event, "deactivation")
  if (op === undefined) return
  r.cacheKnown[op.gpc] = 1
  r.belief.adopt((s) => {
    const cache = s.gpcs[op.gpc]!
    if (cache.active === 0) cache.active = cache.listed = 1
  })
  r.move(op, (_h, t) => t.pc === L.return || t.pc === L.idle ? "there" : "on", L.return, (s) => {
    const cache = s.gpcs[op.gpc]!
    cache.active = cache.valid = cache.listed = 0
  })
}

/** A call that is an operation of the protocol; a syscall is not. */
export const called = (r: Replay, event: Seen<"Called">): void => {
  const { a, b, op } = event.data
  const begun = (kind: Operation["kind"], at: number, gpc: number, second: number) => {
    r.leave(event)
    r.enter(event, r.begin(event, kind, at, { op: OP[op], a: gpc < 0 ? UPDATED_SLOT : gpc, b: second }, gpc))
  }
  if (op === "set_memslot") begun("update", L["slots.lock"], -1, 0)
  else if (op === "gpc_deactivate") begun("deactivation", L["deactivate.lock"], a, 0)
  else if (op === "gpc_activate" || op === "gpc_activate_hva") begun("refresh", L["activate.lock"], a, b)
}

/** A call is over. */
export const returned = (r: Replay, event: Seen<"Returned">): void => {
  const op = r.others.get(event.data.thread)
  if (op === undefined || (op.kind === "refresh" && !op.activates)) return
  r.leave(event)
}

/** Noted of a thread that has looked at the count since its last record. */
const LOOKED = 127

/** A memslot update found invalidations in flight, under mn_invalidate_lock, and sleeps. */
export const swapWaited = (r: Replay, event: Seen<"SwapWaited">): void => {
  const op = r.otherOf(event, "update")
  if (op === undefined) return
  const { count } = event.data
  op.seen = event.data._tag
  for (const h of r.belief.possible) h.reasons[op.thread] = 0
  r.compare(
    event,
    op,
    { kind: "memslot-wait", known: r.known.count, actual: `to wait for ${count} in flight` },
    (h, t) => {
      if (t.pc === L["swap.srcu"]) return { instead: "to publish the memslots" }
      return t.pc === L["swap.sleep"] && h.reasons[t.id] === LOOKED ? countIs(h, count) : "on"
    },
    (s, t, evolve) => {
      s.kvm.count = count
      if (s.kvm.sleeping(t.id) === 0) evolve.SwapWaited(t.id, count)
      t.pc = L["swap.sleep"]
    },
    (h) => {
      r.belief.orders.hypotheses.step(h, op.thread)
      if (h.state.threads[op.thread]!.pc === L["swap.sleep"]) h.reasons[op.thread] = LOOKED
      return undefined
    }
  )
  op.seen = "Blocked"
}

/** The memslots are published, under mn_invalidate_lock. */
export const memslotsSwapped = (r: Replay, event: Seen<"MemslotsSwapped">): void => {
  const op = r.otherOf(event, "update")
  const { generation } = event.data
  if (op === undefined) return r.belief.adopt((s) => void (s.kvm.generation = generation))
  op.seen = event.data._tag
  r.belief.adopt((s) => void (s.kvm.generation = generation - 1))
  r.compare(
    event,
    op,
    { kind: "memslot-wait", known: r.known.count, actual: "to publish the memslots" },
    (h, t) => {
      if (t.pc === L["swap.srcu"]) return "there"
      return t.pc === L["swap.sleep"] && h.state.kvm.sleeping(t.id) === 1 && h.state.kvm.count > 0
        ? { instead: `to wait for ${h.state.kvm.count} in flight` }
        : "on"
    },
    (s, t) => {
      s.kvm.generation = generation
      t.pc = L["swap.srcu"]
    }
  )
  r.known.generation = true
}

/** The update is over; by how much the generation moves on is the number of the kernel's address spaces. */
export const generationChanged = (r: Replay, event: Seen<"GenerationChanged">): void => {
  const op = r.otherOf(event, "update")
  if (op !== undefined) {
    op.seen = event.data._tag
    r.move(op, (_h, t) => t.pc === L["slots.unlock"] ? "there" : "on", L["slots.unlock"])
  }
  r.belief.adopt((s) => void (s.kvm.generation = event.data.generation))
  r.known.generation = true
}
