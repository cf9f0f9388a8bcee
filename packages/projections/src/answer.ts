/**
 * Why something is as it is, in one sentence, and the events that the sentence is about.
 *
 * @since 0.1.0
 */
import { LABELS, OPERATIONS, PROPERTIES } from "@pfnscope/protocol"
import type { Event, EventOf, PropertyId } from "@pfnscope/protocol"
import { callOf, callText, fieldText, hvaText, pfnText, rangeText } from "./event-text.ts"
import { obstacleOf } from "./holders.ts"
import type { Obstacle } from "./holders.ts"
import { holdersOf } from "./origins.ts"
import type { Origin, Origins } from "./origins.ts"
import { threadName } from "./state-view.ts"
import type { Value } from "./state-view.ts"

/** A sentence, and the events from which its explanation starts. @category models @since 0.1.0 */
export interface Answer {
  readonly text: string
  readonly from: ReadonlyArray<Origin | undefined>
}

/** A duration, `1.23 us`. @category text @since 0.1.0 */
export const durationText = (ns: number): string => {
  if (ns < 1_000) return `${ns} ns`
  if (ns < 1_000_000) return `${(ns / 1e3).toFixed(1)} us`
  return ns < 1_000_000_000 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(1)} s`
}

/** As of when an answer is. */
type AsOf = Pick<Origins, "at">

const nameOf = (o: AsOf, thread: number): string => threadName(o.at.state, thread)

/** `#77 (1.2 us ago)`. */
const since = (o: AsOf, { envelope }: Origin): string =>
  envelope.seq === o.at.seq
    ? `#${envelope.seq} (just now)`
    : `#${envelope.seq} (${durationText(Math.max(0, o.at.t - envelope.t))} ago)`

const by = (o: AsOf, origin: Origin): string => nameOf(o, origin.envelope.data.thread)

/** The events of one kind among what explains an event. */
const among = <K extends Event["_tag"]>(origin: Origin | undefined, tag: K): EventOf<K> | undefined => {
  const found = origin?.because.find(({ envelope }) => envelope.data._tag === tag)?.envelope.data
  return found as EventOf<K> | undefined
}

/** The range of an event's invalidation, and the operation it is of: `[0x…, 0x…) (madvise)`. */
const rangeOf = (origin: Origin | undefined): string => {
  const own = origin?.envelope.data
  const opened = own?._tag === "RangeStartCalled" ?
    origin :
    origin?.because.find((from) => from.envelope.data._tag === "RangeStartCalled")
  const range = opened?.envelope.data
  if (range?._tag !== "RangeStartCalled") return "a range that the log does not show"
  const call = among(opened, "Called")
  return rangeText(range.start, range.end) + (call === undefined ? "" : ` (${call.op})`)
}

// ---- caches

/** Why a cache is valid, or is not. @category queries @since 0.1.0 */
export const whyValid = (o: Origins, g: number): Answer => {
  const gpc = o.at.state.gpcs[g]!
  const { mapping, valid } = o.gpcs[g]!
  const name = `gpc/${g}`
  if (gpc.valid !== 0) return whyIsValid(o, g, valid, mapping)
  const refresher = o.threads.findIndex((t) => gpcOf(t.refresh) === g)
  const running = refresher < 0
    ? undefined
    : isStopped(o, refresher)
    ? whereThread(o, refresher)
    : whereRefresh(o, refresher)
  const also = running === undefined ? "" : `; ${running.text}`
  const from = [valid, ...(running?.from ?? [])]
  if (valid === undefined) return { text: `${name} is invalid: nothing in this log has made it valid${also}`, from }
  const { data } = valid.envelope
  const what = data._tag === "GpcInvalidated"
    ? `${by(o, valid)} invalidated ${rangeOf(valid)}, which holds its uhva ${hvaText(gpc.uhva)}`
    : data._tag === "ValidCleared"
    ? `the refresh by ${by(o, valid)} cleared it before looking the page up`
    : data._tag === "RefreshFailed"
    ? `the refresh by ${by(o, valid)} failed (${data.ret})`
    : data._tag === "Deactivated"
    ? `${by(o, valid)} deactivated it`
    : `${by(o, valid)}: ${data._tag}`
  return { text: `${name} is invalid since ${since(o, valid)}: ${what}${also}`, from }
}

const isStopped = (o: Origins, thread: number): boolean =>
  o.at.state.kvm.sleeping(thread) !== 0 || o.at.state.threads[thread]!.blocked === 1

const gpcOf = (refresh: Origin | undefined): number =>
  refresh?.envelope.data._tag === "RefreshEntered" ? refresh.envelope.data.gpc : -1

const whyIsValid = (o: Origins, g: number, valid: Origin | undefined, mapping: Origin | undefined): Answer => {
  const { geo, mmu } = o.at.state
  const gpc = o.at.state.gpcs[g]!
  if (valid === undefined) return { text: `gpc/${g} is valid: it has been so from the start of this log`, from: [] }
  const looked = mapping?.because.find(({ envelope }) => envelope.data._tag === "PfnResolved")
  const lookup = looked === undefined ? "" : `, looked up at #${looked.envelope.seq}`
  const page = geo.pageOf(gpc.uhva)
  const isStale = page >= 0 && gpc.pfn > 0 && mmu.pfn(page) !== gpc.pfn
  const gone = isStale ? o.freed.get(gpc.pfn) ?? o.unmapped.get(gpc.pfn) : undefined
  const lost = isStale && mmu.frame(gpc.pfn) < 0 ? "freed" : "unmapped"
  const but = !isStale ? "" : `; but that page has been ${lost}${gone === undefined ? "" : ` at #${gone.envelope.seq}`}`
  const how = valid.envelope.data._tag === "Published" ? "published" : "marked it valid, with"
  return {
    text: `gpc/${g} is valid since ${since(o, valid)}: ${by(o, valid)} ${how} pfn ${pfnText(gpc.pfn)}${lookup}${but}`,
    from: [valid, mapping, gone, isStale ? o.unmapped.get(gpc.pfn) : undefined]
  }
}

// ---- threads

/** Where a thread's refresh stands: its laps, and why the last one was thrown away. */
const whereRefresh = (o: Origins, thread: number): Answer | undefined => {
  const { lastRetry, published, refresh } = o.threads[thread]!
  if (refresh === undefined) return undefined
  const { retries = 0, unrelated = 0 } = o.progress.refreshes.running.get(thread) ?? {}
  const name = nameOf(o, thread)
  const where = `lap ${retries + 1} of a refresh of gpc/${gpcOf(refresh)} that began at ${since(o, refresh)}`
  if (published !== undefined) return { text: `${name} has published, in ${where}`, from: [published] }
  if (lastRetry === undefined) return { text: `${name} is in ${where}`, from: [refresh] }
  const share = `${unrelated} of ${retries} laps were thrown away for nothing that touched its page`
  return { text: `${name} is in ${where}: ${whyRetry(o, lastRetry)} (${share})`, from: [lastRetry] }
}

/** Why a lap was thrown away. */
const whyRetry = (o: Origins, retry: Origin): string => {
  const e = retry.envelope.data
  if (e._tag !== "RetryDecided") return `it retried at #${retry.envelope.seq}`
  const at = `the last one was thrown away at #${retry.envelope.seq}`
  const moved = among(retry, "SeqBumped") ?? among(retry, "GpcSeqBumped")
  switch (e.reason) {
    case "seq":
      return `${at} because the sequence had moved${moved === undefined ? "" : ` (${nameOf(o, moved.thread)})`}`
    case "flag":
      return `${at} because the cache had been marked invalid meanwhile`
    case "hull":
      return `${at} because the tracked range held its address, with ${inFlightText(e.inFlight, e.covering)}`
    default:
      return `${at} because ${inFlightText(e.inFlight, e.covering)}`
  }
}

const inFlightText = (inFlight: number, covering: number): string => {
  // The kernel saw one a moment before the probes did.
  if (inFlight === 0) return "an invalidation was in flight that was over when the probes looked"
  const held = covering === 0 ? "none of them" : covering === inFlight ? "all of them" : `${covering} of them`
  if (inFlight === 1) return `1 invalidation was in flight, ${covering === 0 ? "not " : ""}over the page`
  return `${inFlight} invalidations were in flight, ${held} over the page`
}

/** Where a thread is, what it waits for, and who waits for it. @category queries @since 0.1.0 */
export const whyThread = (o: Origins, thread: number): Answer => {
  const where = whereThread(o, thread)
  const waiting = waitersFor(o, thread)
  return {
    text: [where.text, ...waiting.map(({ text }) => text)].join("; "),
    from: [...where.from, ...waiting.flatMap(({ from }) => from)]
  }
}

/** What a thread has that another one waits for. */
const HELD = {
  lock: ({ text }: Obstacle) => `its hold of ${text}`,
  invalidations: () => "its invalidation",
  srcu: () => "its read section of kvm->srcu"
}

/** The threads that cannot go on for what a thread has. */
const waitersFor = (o: Origins, thread: number): ReadonlyArray<Answer> =>
  o.threads.flatMap((waiter, id): ReadonlyArray<Answer> => {
    const obstacle = id !== thread && isStopped(o, id) ? obstacleOf(o.at.state, id) : undefined
    const mine = obstacle === undefined
      ? []
      : holdersOf(o, obstacle).filter(({ envelope }) => envelope.data.thread === thread)
    if (obstacle === undefined || mine.length === 0) return []
    const began = o.at.state.kvm.sleeping(id) !== 0 ? waiter.waited : waiter.blocked
    const what = `${nameOf(o, id)} waits for ${HELD[obstacle.kind](obstacle)}`
    return [{ text: began === undefined ? what : `${what} since ${since(o, began)}`, from: [began, ...mine] }]
  })

const whereThread = (o: Origins, thread: number): Answer => {
  const { geo, kvm } = o.at.state
  const cells = o.at.state.threads[thread]!
  const t = o.threads[thread]!
  const name = nameOf(o, thread)
  const label = LABELS[cells.pc]!
  if (kvm.sleeping(thread) !== 0) return whySleeps(o, thread)
  if (cells.blocked === 1) return whyBlocked(o, thread)
  // A trace shows no labels.
  const next = label === "idle" ? "" : `its next step is ${label}`
  const refresh = whereRefresh(o, thread)
  if (refresh !== undefined) {
    return { text: [refresh.text, next].filter((part) => part !== "").join("; "), from: [t.last, ...refresh.from] }
  }
  const range = t.open.at(-1)
  if (t.call === undefined && range === undefined) {
    const { ops, repeat } = geo.world.threads[thread]!
    const done = ops.length > 0 && repeat > 0 && cells.round >= repeat
    return { text: `${name} is between operations${done ? ": it has done all it was asked for" : ""}`, from: [t.last] }
  }
  const call = callText(OPERATIONS[cells.op]!, cells.a, cells.b, cells.d)
  const inside = range === undefined ? call : `its invalidation of ${rangeOf(range)}`
  const free = next === "" ? "" : `; nothing keeps it from its next step, ${label}`
  return { text: `${name} is in ${inside}${free}`, from: [t.last, range] }
}

const whyBlocked = (o: Origins, thread: number): Answer => {
  const obstacle = obstacleOf(o.at.state, thread)
  const holders = obstacle === undefined ? [] : holdersOf(o, obstacle)
  const { blocked } = o.threads[thread]!
  const from = [blocked, ...holders, ...holders.map((holder) => o.threads[holder.envelope.data.thread]!.blocked)]
  const began = blocked === undefined ? "" : ` since ${since(o, blocked)}`
  const names = holders.map((holder) =>
    holder.envelope.data.thread === thread ? `it holds it itself (#${holder.envelope.seq})` : heldBy(o, holder)
  )
  const held = names.length === 0 ? "" : `, ${names.join(", ")}`
  return { text: `${nameOf(o, thread)} waits${began} for ${obstacle?.text ?? "its guard"}${held}`, from }
}

const heldBy = (o: Origins, holder: Origin): string => {
  const name = by(o, holder)
  const { blocked } = o.at.state.threads[holder.envelope.data.thread]!
  return `held by ${name} since #${holder.envelope.seq}${blocked === 1 ? ` (which waits itself)` : ""}`
}

const whySleeps = (o: Origins, thread: number): Answer => {
  const { kvm } = o.at.state
  const { waited } = o.threads[thread]!
  const began = waited === undefined ? "" : ` since ${since(o, waited)}`
  const open = o.threads.flatMap((t) => t.open)
  const lost = kvm.sleeping(thread) === 2 ? "; it is on no queue, so nobody will wake it" : ""
  const flight = open.length === 0
    ? "none is left, and nobody has woken it"
    : `in flight: ${open.map((range) => `${by(o, range)} ${rangeOf(range)}`).join(", ")}`
  return {
    text: `${nameOf(o, thread)} sleeps${began} until invalidations in flight are over; ${flight}${lost}`,
    from: [waited, ...open]
  }
}

// ---- the notifier

/** Why the count of invalidations in flight is what it is. @category queries @since 0.1.0 */
export const whyCount = (o: Origins): Answer => {
  const { kvm } = o.at.state
  const open = o.threads.flatMap((t) => t.open)
  if (kvm.count === 0) {
    return { text: "mn_active_invalidate_count is 0: no invalidation is in flight", from: [o.counted] }
  }
  const openers = open.map((range) => `${by(o, range)} since ${since(o, range)} over ${rangeOf(range)}`)
  const known = openers.length === 0 ? "the log does not show who opened them" : openers.join("; ")
  return { text: `mn_active_invalidate_count is ${kvm.count}: ${known}`, from: open }
}

// ---- a field, an event

/** Why a field has its value: the event that changed it last; of a lock, also who waits for it. @category queries @since 0.1.0 */
export const whyField = (
  o: AsOf,
  path: string,
  value: Value | undefined,
  changed: Origin | undefined
): Answer => {
  const is = value === undefined ? "means nothing here" : `is ${String(value)}`
  const waiting = waitersForLock(o, path).map((name) => `; ${name} waits for it`).join("")
  if (changed === undefined) return { text: `${path} ${is}: no event up to here has changed it${waiting}`, from: [] }
  const how = `${by(o, changed)}: ${changed.envelope.data._tag} ${fieldText(changed.envelope.data)}`.trimEnd()
  return { text: `${path} ${is} since ${since(o, changed)}: ${how}${waiting}`, from: [changed] }
}

/** The fields that tell who has a lock: the cache, where it is one of a cache, and the lock's name. */
const LOCK_FIELD = /^(?:mmu\/0|mn\/0|gpc\/(\d+))\.((?:mmap_|refresh_|mn_invalidate_|gpc_|slots_)?lock)(?:\.\w+)?$/

/** The threads that wait for the lock that a field is of. */
const waitersForLock = (o: AsOf, path: string): ReadonlyArray<string> => {
  const { state } = o.at
  const [, cache, name] = LOCK_FIELD.exec(path) ?? []
  const gpc = cache === undefined ? -1 : Number(cache)
  const lock = cache === undefined ? name : `gpc->${name}`
  const waits = (thread: number): boolean => {
    const obstacle = state.threads[thread]!.blocked === 1 ? obstacleOf(state, thread) : undefined
    return obstacle?.kind === "lock" && obstacle.lock === lock && obstacle.gpc === gpc
  }
  return state.threads.filter(({ id }) => waits(id)).map(({ id }) => nameOf(o, id))
}

/** The events that open what others happen in. */
const OPENERS: ReadonlySet<string> = new Set(["Called", "RefreshEntered", "RangeStartCalled"])

/** Why an event happened. @category queries @since 0.1.0 */
export const whyEvent = (o: Origins, origin: Origin): Answer => {
  const e = origin.envelope.data
  const name = nameOf(o, e.thread)
  const from = [origin]
  if (e._tag === "PropertyViolated") return { text: whyViolated(o, e.property, e.gpc, origin), from }
  if (e._tag === "RetryDecided") return { text: `${name} retries: ${whyRetry(o, origin)}`, from }
  if (e._tag === "Blocked") return { text: whyBlocked(o, e.thread).text, from }
  const what = `${name}: ${e._tag} ${fieldText(e)}`.trimEnd()
  const opener = origin.because.findLast(({ envelope }) => OPENERS.has(envelope.data._tag))
  if (opener === undefined) return { text: what, from }
  const inside = opener.envelope.data._tag === "Called"
    ? callOf(opener.envelope.data)
    : opener.envelope.data._tag === "RangeStartCalled"
    ? `its invalidation of ${rangeOf(opener)}`
    : `its refresh of gpc/${gpcOf(opener)} (#${opener.envelope.seq})`
  return { text: `${what}, in ${inside}`, from }
}

const whyViolated = (o: Origins, id: PropertyId, gpc: number, origin: Origin): string => {
  const property = PROPERTIES.find((known) => known.id === id)!
  const [last] = origin.because
  const e = last?.envelope.data
  const head = `${id} ${property.name} is violated${gpc < 0 ? "" : ` by gpc/${gpc}`}: ${property.statement}`
  if (last === undefined || e === undefined) return head
  if (e._tag === "KhvaAccessed") return `${head}; ${whyAccess(o, last, e)}`
  return `${head}; judged at #${last.envelope.seq}, ${by(o, last)}: ${e._tag} ${fieldText(e)}`.trimEnd()
}

/** What is said of an event in the life of a frame. */
const LIFE: Readonly<Record<string, string>> = {
  PfnResolved: "looked up",
  PteChanged: "unmapped",
  Published: "published",
  MappingStored: "stored",
  PageFreed: "freed",
  KhvaAccessed: "used through khva"
}

/** The life of the frame that an access went to, in the order of its events. */
const whyAccess = (o: Origins, access: Origin, e: EventOf<"KhvaAccessed">): string => {
  const lookups = access.because.flatMap((mapping) =>
    mapping.because.filter(({ envelope }) => envelope.data._tag === "PfnResolved")
  )
  const life = [access, ...access.because, ...lookups]
    .filter(({ envelope }) => envelope.data._tag in LIFE)
    .sort((a, b) => a.envelope.seq - b.envelope.seq)
    .map((origin) => `${LIFE[origin.envelope.data._tag]} by ${by(o, origin)} at #${origin.envelope.seq}`)
  return `pfn ${pfnText(e.pfn)} was ${life.join(", ")}`
}
