/**
 * The replay of one VM: what its handlers share. Every record moves its task through the steps of the policy, and what
 * the task was seen to decide is compared with what its step decides.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { initialState, L, LABELS, programOf } from "@pfnscope/protocol"
import type { Event, EventOf, EventTag, LabelId, Policy, Program } from "@pfnscope/protocol"
import { Belief, releaseLocks } from "./belief.ts"
import type { Arrive, Settle, Take } from "./belief.ts"
import { noTally } from "./decision.ts"
import type { DecisionKind, Disagreement, Tally } from "./decision.ts"
import { Doubts } from "./doubts.ts"
import type { Facts } from "./facts.ts"
import { hypothesisOf, makeHypotheses } from "./hypothesis.ts"
import type { Hypothesis, Taken } from "./hypothesis.ts"
import { gatesOf, pinsOf } from "./operation.ts"
import type { Kind, Operation } from "./operation.ts"
import { placeSlot, showSlots } from "./slots.ts"
import { stateText } from "./state-text.ts"
import { worldOf } from "./world.ts"

/** An event of one kind, as a log gives it. */
export type Seen<K extends EventTag> = Envelope<Event> & { readonly data: EventOf<K> }

/** Disagreements that are kept one by one. */
const KEPT = 100

/** What a replay is of. */
export interface Replayed {
  readonly facts: Facts
  /** Number of caches in the trace. */
  readonly caches: number
  readonly policy: Policy
  /** The steps, where they are not those of the policy: a test injects a fault. */
  readonly program: Program | undefined
  /** Hears of every step in an order that explains the trace. */
  readonly onTaken?: ((step: Taken) => void) | undefined
}

/** What is known: before a record has shown it, what rests on it is not judged. */
interface Known {
  count: boolean
  /** `mmu_invalidate_seq`, and the caches' own. */
  seq: boolean
  gpcSeq: boolean
  inProgress: boolean
  generation: boolean
}

const NOTHING: Known = { count: false, seq: false, gpcSeq: false, inProgress: false, generation: false }

/** The steps that the others had taken: the operation's own are not what the doubt is about. */
const withoutOwn = (steps: Int32Array, op: Operation): Int32Array => {
  steps[op.thread] = 0
  return steps
}

/** The replay of one VM. */
export class Replay {
  readonly facts: Facts
  readonly policy: Policy
  readonly belief: Belief
  readonly operations = new Set<Operation>()
  /** The invalidations that each task has open, and what else it is in. */
  readonly ranges = new Map<number, Array<Operation>>()
  readonly others = new Map<number, Operation>()
  /** Of each task: the sequence that its fault noted, and the one that was current when the task was last seen. */
  readonly noted = new Map<number, number>()
  readonly current = new Map<number, number>()
  readonly known: Known = { ...NOTHING }
  readonly cacheKnown: Uint8Array
  readonly seenCaches = new Set<number>()
  /** Times that a record showed a task where no order leads. */
  misplaced = 0
  readonly tallies = new Map<DecisionKind, Tally>()
  readonly disagreements: Array<Disagreement> = []
  private readonly doubts = new Doubts()
  private readonly program: Program
  /** No memslot was ever overlapped, though it would have been seen. */
  private readonly nothingInProgress: boolean
  private readonly free: Array<number>
  /** The event that is being taken, and the one that opened the operation on each thread. */
  private event: Envelope<Event> | undefined
  private readonly opened: Array<number> = []

  constructor({ caches, facts, onTaken, policy, program }: Replayed) {
    this.facts = facts
    this.policy = policy
    this.program = program ?? programOf(policy)
    const world = worldOf(facts, caches)
    const first = hypothesisOf(initialState(world))
    const place = () => ({ event: this.event!, openedBy: (thread: number) => this.opened[thread]! })
    this.belief = new Belief(
      {
        program: this.program,
        hypotheses: makeHypotheses(first.state.geo, this.program, onTaken === undefined ? undefined : place),
        operations: this.operations,
        mayStep: gatesOf(facts.kinds),
        pinOf: pinsOf(facts.kinds)
      },
      first,
      onTaken ?? (() => {})
    )
    this.cacheKnown = new Uint8Array(caches)
    this.free = world.threads.map((_, thread) => thread)
    this.nothingInProgress = facts.seesBumps && !facts.kinds.has("SeqBumped")
    this.known.inProgress = this.nothingInProgress
  }

  // ---- decisions

  tallyOf(kind: DecisionKind): Tally {
    const tally = this.tallies.get(kind) ?? noTally()
    this.tallies.set(kind, tally)
    return tally
  }

  /**
   * Compares a decision of an operation, or a number that it shows. Where no order leads to it, the trace is believed:
   * `settle` makes the state what the record shows, so that one disagreement is not counted again and again.
   */
  compare(
    event: Envelope<Event>,
    op: Operation,
    what: { readonly kind: DecisionKind; readonly known: boolean; readonly actual: string },
    arrive: Arrive,
    settle: Settle,
    take?: Take
  ): void {
    this.doubts.leave(op.thread)
    const { before, instead, otherwise, possible } = this.belief.compare(op, arrive, take)
    const tally = this.tallyOf(what.kind)
    if (!what.known) tally.unknown++
    else if (!possible) tally.disagree++
    else if (otherwise.length > 0 || op.doubtful) tally.ambiguous++
    else tally.agree++
    if (what.known && possible && otherwise.length > 0 && !op.doubtful) {
      this.doubts.raise(this.belief.possible, otherwise.map((steps) => withoutOwn(steps, op)), () => {
        tally.ambiguous--
        tally.agree++
      })
    }
    op.doubtful = false
    if (possible) return this.belief.recycle(before)
    if (what.known) this.report(event, op, what.kind, [...instead].join(" or "), what.actual, before, op.gpc)
    this.belief.settle(before, op, settle)
  }

  /** Keeps a disagreement. */
  report(
    event: Envelope<Event>,
    op: Operation,
    kind: DecisionKind,
    expected: string,
    actual: string,
    { state }: Hypothesis,
    gpc: number
  ): void {
    if (this.disagreements.length >= KEPT) return
    const t = state.threads[op.thread]!
    this.disagreements.push({
      seq: event.seq,
      file: event.src?.file ?? "",
      line: event.src?.line ?? 0,
      kind,
      expected,
      actual,
      state: stateText(state, gpc, op),
      allowed: [...new Set(this.program[t.pc]!.to(t.op))].map((label) => LABELS[label]!)
    })
  }

  /** Moves an operation where a record says it is; where no order leads there, puts it there. */
  move(op: Operation, arrive: Arrive, to: LabelId, settle: Settle = () => {}): void {
    this.doubts.leave(op.thread)
    const { before, possible } = this.belief.compare(op, arrive)
    if (possible) return this.belief.recycle(before)
    this.misplaced++
    this.belief.settle(before, op, (s, t, evolve) => {
      settle(s, t, evolve)
      t.pc = to
    })
  }

  /** A record of a task comes. */
  at(event: Envelope<Event>): void {
    this.event = event
  }

  /** A record of a task was taken: what is current from now on its next fault may note. */
  seen(event: Envelope<Event>): void {
    // A fault's own records tell of it when it is over.
    if (event.data._tag === "Snapshotted" || event.data._tag === "RetryTested") return
    this.current.set(event.data.thread, this.belief.any.kvm.seq)
  }

  // ---- operations

  begin(
    event: Envelope<Event>,
    kind: Kind,
    at: LabelId,
    call: { readonly op: number; readonly a: number; readonly b: number },
    gpc = -1
  ): Operation {
    if (this.free.length === 0) this.end([...this.operations][0]!)
    const thread = this.free.pop()!
    const op: Operation = {
      kind,
      thread,
      task: event.data.thread,
      gpc,
      start: call.a,
      end: call.b,
      seen: event.data._tag,
      activates: event.data._tag === "Called" && kind === "refresh",
      overlap: undefined,
      doubtful: false,
      hits: []
    }
    this.operations.add(op)
    for (const h of this.belief.possible) h.steps[thread] = 0
    this.opened[thread] = event.seq
    this.belief.adopt((_s, evolve) => {
      evolve.Called(thread, call.op, call.a, call.b, 0)
      evolve.moved(thread, at)
    })
    return op
  }

  /** Ends an operation, wherever its thread stands: its task has left it. */
  end(op: Operation): void {
    this.operations.delete(op)
    if (this.others.get(op.task) === op) this.others.delete(op.task)
    const stack = this.ranges.get(op.task)
    if (stack?.includes(op) === true) stack.splice(stack.indexOf(op), 1)
    this.free.push(op.thread)
    this.belief.adopt((s, evolve) => {
      const t = s.threads[op.thread]!
      releaseLocks(s, op.thread)
      for (const cache of s.gpcs) if (cache.refreshLock === op.thread + 1) cache.refreshLock = 0
      if (s.kvm.slotsLock === op.thread + 1) s.kvm.slotsLock = 0
      if (s.kvm.sleeping(op.thread) !== 0) evolve.Woken(op.thread, op.thread)
      while (t.depth > 0) t.close()
      s.kvm.setOpen(op.thread, 0, 0, 0, 0)
      t.newPfn = t.newKhva = 0
      evolve.Returned(op.thread, 0)
      evolve.moved(op.thread, L.idle)
    })
    this.belief.merge()
  }

  /** The newest invalidation of a task that fits. */
  rangeOf(event: Envelope<Event>, fits: (op: Operation) => boolean): Operation | undefined {
    return this.ranges.get(event.data.thread)?.findLast(fits)
  }

  otherOf(event: Envelope<Event>, kind: Kind): Operation | undefined {
    const op = this.others.get(event.data.thread)
    return op?.kind === kind ? op : undefined
  }

  /** Puts a task into an operation; one that it was in is over. */
  enter(event: Envelope<Event>, op: Operation): void {
    this.leave(event)
    this.others.set(event.data.thread, op)
  }

  leave(event: Envelope<Event>): void {
    const op = this.others.get(event.data.thread)
    if (op !== undefined) this.end(op)
  }

  // ---- the world

  /** Lets steps of an invalidation find the memslots as the trace shows them. */
  withOverlap(op: Operation, overlap: boolean | undefined, work: () => void): void {
    const states = () => this.belief.possible.map(({ state }) => state)
    const restore = showSlots(states(), op, overlap)
    work()
    restore(states())
  }

  /** Lets a guest address be backed by `hva`, or by nothing. */
  place(gpa: number, hva: number): void {
    this.belief.adopt((s) => placeSlot(s, gpa, hva))
  }

  /** Nothing is known any more. */
  beginAnew(): void {
    for (const op of this.operations) this.end(op)
    Object.assign(this.known, NOTHING)
    this.known.inProgress = this.nothingInProgress
    this.cacheKnown.fill(0)
    this.seenCaches.clear()
    this.noted.clear()
    this.current.clear()
    this.belief.adopt((s) => {
      for (const cache of s.gpcs) cache.active = cache.listed = cache.valid = 0
      s.kvm.inProgress = 0
    })
  }

  /** Events were lost: nothing is known any more, and what disagreed before the marker may be due to the loss. */
  forget(): void {
    this.beginAnew()
    for (const tally of this.tallies.values()) {
      tally.unknown += tally.disagree
      tally.disagree = 0
    }
    this.disagreements.length = 0
  }
}
