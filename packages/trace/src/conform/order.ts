/**
 * Orders: what the others may have done before a thread takes its step, as far as it makes a difference.
 *
 * A record says that its task has come to a point; it does not say when, between its last record and this one, each
 * step on the way was taken. So before a step the others may have gone ahead of their records. Two steps at different
 * actors commute, by the architecture of the protocol; of two at one actor both orders are tried, and where they lead to
 * the same state they are one. Steps that are recorded under one lock come in the order of their records.
 *
 * @since 0.1.0
 */
import { isEnabled, L } from "@pfnscope/protocol"
import type { Program } from "@pfnscope/protocol"
import { isSame } from "./hypothesis.ts"
import type { Hypotheses, Hypothesis } from "./hypothesis.ts"
import type { Operation, Pin } from "./operation.ts"

/** What a search for orders works with. */
export interface Orders {
  readonly program: Program
  readonly hypotheses: Hypotheses
  readonly operations: Iterable<Operation>
  readonly mayStep: (op: Operation, label: number) => boolean
  readonly pinOf: (op: Operation, label: number) => Pin
}

/** More steps than any operation takes between two of its records. */
const LONGEST = 10_000

const VISITS: ReadonlyArray<number> = [L["start.visit"], L["end.visit"]]
const HIT: ReadonlyArray<number> = [L["start.invalidate"], L["end.invalidate"]]

/** Lets a walk pass over the cache it has come to, which it was seen to mark already: as if that were not listed. */
const passOver = (hypotheses: Hypotheses, h: Hypothesis, thread: number): void => {
  const cache = h.state.gpcs[h.state.threads[thread]!.cursor]!
  const { listed, readers, writer } = cache
  cache.listed = cache.readers = cache.writer = 0
  hypotheses.step(h, thread)
  Object.assign(cache, { listed, readers, writer })
}

/** How a step of an operation went: taken, not possible now, or it would mark a cache, which a record must show. */
export type Went = "on" | "blocked" | "hit"

/** Takes the next step of an operation that no record shows. */
export const stepUnseen = (hypotheses: Hypotheses, h: Hypothesis, op: Operation): Went => {
  const t = h.state.threads[op.thread]!
  if (!VISITS.includes(t.pc)) return hypotheses.step(h, op.thread) ? "on" : "blocked"
  const { cursor } = t
  if (op.hits.includes(cursor)) {
    passOver(hypotheses, h, op.thread)
    return "on"
  }
  const cache = h.state.gpcs[cursor]!
  const { valid } = cache
  if (!hypotheses.step(h, op.thread)) return "blocked"
  return HIT.includes(t.pc) || cache.valid !== valid ? "hit" : "on"
}

/**
 * The states in which `op` can take its next step, one for each order that makes a difference: `h` itself, if it can in
 * it, and copies in which others went ahead.
 */
export const ordersBefore = (o: Orders, h: Hypothesis, op: Operation): Array<Hypothesis> => {
  const found: Array<Hypothesis> = []
  const add = (candidate: Hypothesis): void => {
    if (!found.some((other) => isSame(other, candidate))) found.push(candidate)
  }
  const others = [...o.operations].filter((other) => other !== op)
  catchUp(o, h, op, others)
  lookAhead(o, h, op, others, add)
  return found
}

/** Takes the steps whose record under the lock of the next step of `op` was seen already: they came before it. */
const catchUp = (o: Orders, h: Hypothesis, op: Operation, others: ReadonlyArray<Operation>): void => {
  const pin = o.pinOf(op, h.state.threads[op.thread]!.pc)
  if (pin !== "mmu_lock") return
  for (const other of others) {
    const { pc } = h.state.threads[other.thread]!
    if (pc === L["end.mmu"] && o.pinOf(other, pc) === pin && o.mayStep(other, pc)) o.hypotheses.step(h, other.thread)
  }
}

/**
 * The states that a bare read by `op`, just now, may have been made in: one for each value that others who went ahead
 * may have led to.
 */
export const momentsOf = (
  o: Orders,
  h: Hypothesis,
  op: Operation,
  value: (h: Hypothesis) => number
): ReadonlyArray<Hypothesis> => {
  const found: Array<Hypothesis> = [h]
  const visit = (from: Hypothesis, others: ReadonlyArray<Operation>): void => {
    for (const other of others) {
      let at = from
      for (let n = 0; n < LONGEST && o.mayStep(other, at.state.threads[other.thread]!.pc); n++) {
        const ahead = o.hypotheses.fork(at)
        if (stepUnseen(o.hypotheses, ahead, other) !== "on") break
        if (value(ahead) !== value(at) && !found.some((one) => isSame(one, ahead))) {
          found.push(ahead)
          visit(ahead, others.filter((one) => one !== other))
        }
        at = ahead
      }
    }
  }
  visit(h, [...o.operations].filter((other) => other !== op))
  return found
}

const lookAhead = (
  o: Orders,
  h: Hypothesis,
  op: Operation,
  others: ReadonlyArray<Operation>,
  add: (h: Hypothesis) => void
): void => {
  if (canStep(o, h, op)) add(h)
  for (const other of others) {
    goAhead(o, h, op, other, (ahead) => lookAhead(o, ahead, op, others.filter((one) => one !== other), add))
  }
}

const canStep = (o: Orders, h: Hypothesis, op: Operation): boolean =>
  isEnabled(o.program, h.state, h.state.threads[op.thread]!)

/** Lets `other` go ahead step by step, and tells of each state that matters to the next step of `op`. */
const goAhead = (
  o: Orders,
  from: Hypothesis,
  op: Operation,
  other: Operation,
  tell: (h: Hypothesis) => void
): void => {
  const pin = o.pinOf(op, from.state.threads[op.thread]!.pc)
  let h = from
  for (let n = 0; n < LONGEST; n++) {
    const { pc } = h.state.threads[other.thread]!
    if (!o.mayStep(other, pc) || (pin !== undefined && pin === o.pinOf(other, pc))) break
    const ahead = o.hypotheses.fork(h)
    if (stepUnseen(o.hypotheses, ahead, other) !== "on") {
      o.hypotheses.recycle(ahead)
      break
    }
    if (matters(o, h, ahead, op, other)) tell(o.hypotheses.fork(ahead))
    if (h !== from) o.hypotheses.recycle(h)
    h = ahead
  }
  if (h !== from) o.hypotheses.recycle(h)
}

/** Whether it makes a difference that `other` took the step from `h` to `ahead` before the next one of `op`. */
const matters = (o: Orders, h: Hypothesis, ahead: Hypothesis, op: Operation, other: Operation): boolean => {
  const { state } = h
  const mine = o.program[state.threads[op.thread]!.pc]!
  const theirs = o.program[state.threads[other.thread]!.pc]!
  if (mine.actor(state, state.threads[op.thread]!) !== theirs.actor(state, state.threads[other.thread]!)) return false
  const after = o.hypotheses.fork(ahead)
  const before = o.hypotheses.fork(h)
  const couldAfter = o.hypotheses.step(after, op.thread)
  const couldBefore = o.hypotheses.step(before, op.thread)
  const same = couldAfter === couldBefore &&
    (!couldAfter || (stepUnseen(o.hypotheses, before, other) === "on" && isSame(before, after)))
  o.hypotheses.recycle(after)
  o.hypotheses.recycle(before)
  return !same
}
