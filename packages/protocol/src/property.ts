/**
 * The properties P1 to P13: what each says, and where it is judged.
 *
 * A judge sees the whole state just after an event; it reads what no single actor could. P6 and P7 speak of progress:
 * they are judged over a whole run or with fairness, not at an event.
 *
 * @since 0.1.0
 */
import { INVALID_GPA, NO_PFN } from "./address.ts"
import type { EmittedTag, PropertyId } from "./event.ts"
import { REF } from "./evolve.ts"
import { L, LABELS } from "./label.ts"
import type { Label } from "./label.ts"
import { OPEN, OPEN_RANGES } from "./state.ts"
import type { Gpc, State } from "./state.ts"

/** A property: its id, short name and statement, and the steps that put it to the test. @category models @since 0.1.0 */
export interface Property {
  readonly id: PropertyId
  readonly name: string
  readonly statement: string
  readonly testedBy: ReadonlyArray<Label>
}

/** The steps that take gpc->lock for writing. */
const WRITE_LOCKING: ReadonlyArray<Label> = [
  "refresh.write",
  "refresh.error",
  "retry.relock",
  "retry.relock_inner",
  "activate.active",
  "deactivate.clear"
]

/** The steps of a walk that take it. A lookup that has to copy announces a range, and its own thread walks. */
const WALKING: ReadonlyArray<Label> = ["start.visit", "start.invalidate", "end.visit", "end.invalidate"]

/** Every property. @category properties @since 0.1.0 */
export const PROPERTIES: ReadonlyArray<Property> = [
  {
    id: "P1",
    name: "NoUAF",
    statement: "no access through khva touches a page that has been freed",
    testedBy: ["use.access"]
  },
  {
    id: "P2",
    name: "Alias",
    statement: "every access through khva touches the page that is mapped at uhva at that moment",
    testedBy: ["use.access"]
  },
  {
    id: "P3",
    name: "StartDrain",
    statement:
      "when range_start returns, no cache in the range is valid and no reader that saw it valid is still inside",
    testedBy: ["start.mmu"]
  },
  {
    id: "P4",
    name: "NoNewMapping",
    statement: "no cache becomes valid between the return of range_start and the call of range_end over its uhva",
    testedBy: ["retry.relock", "retry.decide"]
  },
  {
    id: "P5",
    name: "QuiescentFresh",
    statement: "with no invalidation in flight, a valid cache holds the page that is mapped at its uhva",
    testedBy: ["retry.relock", "retry.decide", "end.count", "end.gpc_unlock", "end.wake"]
  },
  {
    id: "P6",
    name: "ProgressUnrelated",
    statement: "a refresh ends after a bounded number of laps while only ranges off its uhva are invalidated",
    testedBy: ["gup"]
  },
  {
    id: "P7",
    name: "ProgressRelated",
    statement: "a refresh ends within bounded time after the last invalidation over its uhva",
    testedBy: ["gup"]
  },
  {
    id: "P8",
    name: "Pairing",
    statement: "start and end of an invalidation agree on memslot overlap; mmu_invalidate_in_progress returns to 0",
    testedBy: ["end.mmu", "end.count"]
  },
  {
    id: "P9",
    name: "Wakeup",
    statement: "whoever sleeps is woken",
    testedBy: ["retry.sleep", "swap.sleep"]
  },
  {
    id: "P10",
    name: "LockSanity",
    statement: "no thread waits for a lock that it holds",
    testedBy: [...WRITE_LOCKING, ...WALKING]
  },
  {
    id: "P11",
    name: "Structural",
    statement: "a cache that is seen valid is active, has a pfn and a kernel mapping",
    testedBy: ["use.check", "refresh.decide", "retry.relock", "retry.decide"]
  },
  {
    id: "P12",
    name: "Generation",
    statement: "a check that succeeds saw the generation of the active memslots",
    testedBy: ["use.slots"]
  },
  {
    id: "P13",
    name: "RefBalance",
    statement: "every reference that a lookup took is put exactly once",
    testedBy: ["refresh.unlock", "refresh.put", "retry.put"]
  }
]

/** Tells of a violation: the property and the cache it concerns, or -1. @category models @since 0.1.0 */
export type Report = (property: PropertyId, gpc: number) => void

/**
 * Judges one event in the state it led to; the arguments are the event's positional form.
 *
 * @category models
 * @since 0.1.0
 */
export type Judge = (s: State, report: Report, thread: number, a: number, b: number, c: number, d: number) => void

/** Whether the cache holds the page that is mapped at its address; memory that is not modelled is given the benefit. */
const isFresh = (s: State, gpc: Gpc): boolean => {
  const page = s.geo.pageOf(gpc.uhva)
  return page < 0 || s.mmu.pfn(page) === gpc.pfn
}

const isQuiescent = (s: State): boolean => {
  if (s.kvm.count > 0) return false
  for (let t = 0; t < s.threads.length; t++) if (s.threads[t].depth > 0) return false
  return true
}

/** P1, P2 at the access. */
const accessed: Judge = (s, report, _t, gpc, pfn) => {
  const cache = s.gpcs[gpc]
  if (pfn <= NO_PFN) return report("P11", gpc)
  if (s.mmu.frame(pfn) < 0) report("P1", gpc)
  const page = s.geo.pageOf(cache.uhva)
  if (page >= 0 && s.mmu.pfn(page) !== pfn) report("P2", gpc)
}

/** P3 when range_start returns. */
const started: Judge = (s, report, _t, start, end) => {
  for (let g = 0; g < s.gpcs.length; g++) {
    const gpc = s.gpcs[g]
    if (gpc.uhva < start || gpc.uhva >= end) continue
    if (gpc.valid === 1 || hasOpenReader(s, g)) report("P3", g)
  }
}

/** Whether a reader that saw the cache valid is still inside. */
const hasOpenReader = (s: State, g: number): boolean => {
  if (s.gpcs[g].readers === 0) return false
  for (let t = 0; t < s.threads.length; t++) {
    const { a, pc } = s.threads[t]
    if (a === g && (pc === L["use.access"] || pc === L["use.leave"])) return true
  }
  return false
}

const isMapped = (gpc: Gpc): boolean => gpc.active === 1 && gpc.pfn > NO_PFN && gpc.khva > NO_PFN

/** P4, P5 and P11 when a mapping becomes valid. */
const published: Judge = (s, report, _t, g) => {
  const gpc = s.gpcs[g]
  if (gpc.valid === 0) return
  if (!isMapped(gpc)) report("P11", g)
  for (let t = 0; t < s.threads.length; t++) {
    for (let depth = 0; depth < OPEN_RANGES; depth++) {
      if (s.kvm.openPhase(t, depth) !== OPEN.started) continue
      if (s.kvm.openStart(t, depth) <= gpc.uhva && gpc.uhva < s.kvm.openEnd(t, depth)) report("P4", g)
    }
  }
  if (isQuiescent(s) && !isFresh(s, gpc)) report("P5", g)
}

/** P5 and P9 when the last invalidation is over. */
const ended: Judge = (s, report) => {
  if (!isQuiescent(s)) return
  for (let g = 0; g < s.gpcs.length; g++) if (s.gpcs[g].valid === 1 && !isFresh(s, s.gpcs[g])) report("P5", g)
  if (s.kvm.sleepers > 0) report("P9", -1)
}

/** P8 at the end's own decision. */
const bumped: Judge = (s, report, t, _seq, inProgress) => {
  if (inProgress < 0 || s.threads[t].overlap === 0) report("P8", -1)
}

/** P8 when the count is back at 0. */
const decremented: Judge = (s, report, _t, count) => {
  if (count < 0 || (count === 0 && s.kvm.inProgress !== 0)) report("P8", -1)
}

/** P11 where valid is set ahead of the mapping; a tentative valid is seen by nobody who would use it. */
const madeValid: Judge = (s, report, _t, g, tentative) => {
  if (tentative === 0 && !isMapped(s.gpcs[g])) report("P11", g)
}

/** P11 and P12 at a check that succeeds. */
const checked: Judge = (s, report, t, g, ok) => {
  if (ok === 0) return
  const gpc = s.gpcs[g]
  if (!isMapped(gpc)) report("P11", g)
  if (gpc.gpa !== INVALID_GPA && gpc.generation !== s.threads[t].generation) report("P12", g)
}

/** P13 when a refresh is over. */
const returned: Judge = (s, report, t, g) => {
  if (s.threads[t].newPfn > NO_PFN) report("P13", g)
}

/** P13 at a put. */
const put: Judge = (s, report, _t, pfn, reference) => {
  const at = s.mmu.frame(pfn)
  if (reference === REF.gup && at >= 0 && s.mmu.gup(at) < 0) report("P13", -1)
}

/**
 * The judges, by the event they judge at.
 *
 * @category properties
 * @since 0.1.0
 */
export const JUDGES: { readonly [K in EmittedTag]?: Judge } = {
  KhvaAccessed: accessed,
  StartReturned: started,
  Published: published,
  MappingStored: published,
  ValidSet: madeValid,
  EndReturned: ended,
  SeqBumped: bumped,
  CountDecremented: decremented,
  Checked: checked,
  RefreshReturned: returned,
  RefPut: put
}

const takesWriteLock = LABELS.map((label) => WRITE_LOCKING.includes(label))
const walks = LABELS.map((label) => WALKING.includes(label))

/**
 * Judges P10 when a thread has moved to a label.
 *
 * @category properties
 * @since 0.1.0
 */
export const judgeMove = (s: State, report: Report, thread: number): void => {
  const t = s.threads[thread]
  if (takesWriteLock[t.pc] && s.gpcs[t.a].writer === thread + 1) report("P10", t.a)
  if (walks[t.pc] && s.gpcs[t.cursor].writer === thread + 1) report("P10", t.cursor)
}
