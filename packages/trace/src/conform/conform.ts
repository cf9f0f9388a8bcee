/**
 * Conformance: does the kernel do what the model says? Every decision in a trace is compared with what the policy's own
 * steps decide in the state replayed so far.
 *
 * The trace is read twice: for the facts of its world, then for the replay. What a record shows is believed, decision or
 * not, so that each disagreement stands for itself.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, EventTag, Policy, Program } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { DECISIONS, noTally, READINGS } from "./decision.ts"
import type { DecisionKind, Disagreement, Tally } from "./decision.ts"
import { learn, noFacts } from "./facts.ts"
import type { Facts } from "./facts.ts"
import { kernelOf } from "./kernel.ts"
import * as invalidation from "./on-invalidation.ts"
import * as refresh from "./on-refresh.ts"
import * as use from "./on-use.ts"
import { Replay } from "./replay.ts"
import type { Seen } from "./replay.ts"

/**
 * What a comparison found. `decisions` counts what could be compared (`agree`, `ambiguous`, `disagree`), `unknown` what
 * could not. `kinds` has every kind, also of the numbers that are read and not decided.
 *
 * `matched` is the longest prefix without a disagreement: its last event and the line of it. `orders` is the most states
 * that the trace left possible at once, `overflows` how often there were more than are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Conformance {
  readonly policy: string
  /** How the policy was found, where it was not given. */
  readonly found: string | undefined
  readonly events: number
  readonly decisions: number
  readonly agree: number
  readonly ambiguous: number
  readonly disagree: ReadonlyArray<Disagreement>
  /** Disagreements, where there are more than are kept one by one. */
  readonly disagreements: number
  readonly unknown: number
  readonly kinds: Readonly<Record<DecisionKind, Tally>>
  readonly matched: { readonly seq: number; readonly line: number }
  readonly orders: number
  readonly overflows: number
}

/** How to compare. @category models @since 0.1.0 */
export interface ConformOptions {
  /** The policy to compare with; else that of the kernel that the trace shows. */
  readonly policy?: Policy | undefined
  /** The steps, where they are not those of the policy: a test injects a fault. */
  readonly program?: Program
}

type Handlers = { readonly [K in EventTag]?: (r: Replay, event: Seen<K>) => void }

const HANDLERS: Handlers = {
  RangeStartCalled: invalidation.rangeStartCalled,
  CountIncremented: invalidation.countIncremented,
  GpcInvalidated: invalidation.gpcInvalidated,
  WalkReturned: invalidation.walkReturned,
  MmuLockHeld: invalidation.mmuLockHeld,
  StartReturned: invalidation.startReturned,
  EndCalled: invalidation.endCalled,
  SeqBumped: invalidation.seqBumped,
  GpcSeqBumped: invalidation.gpcSeqBumped,
  CountDecremented: invalidation.countDecremented,
  EndReturned: invalidation.endReturned,
  RefreshEntered: refresh.refreshEntered,
  Translated: refresh.translated,
  ValidCleared: refresh.validCleared,
  Snapshotted: refresh.snapshotted,
  PfnResolved: refresh.pfnResolved,
  RetryTested: refresh.retryTested,
  RetryDecided: refresh.retryDecided,
  Published: refresh.published,
  MappingKept: refresh.mappingKept,
  RefreshFailed: refresh.refreshFailed,
  RefreshReturned: refresh.refreshReturned,
  Checked: use.checked,
  GuestFaulted: (r, event) => use.guestFaultJudged(r, event, "none"),
  GuestFaultRetried: (r, event) => use.guestFaultJudged(r, event, event.data.reason),
  Activated: use.activated,
  Deactivated: use.deactivated,
  Called: use.called,
  Returned: use.returned,
  SwapWaited: use.swapWaited,
  MemslotsSwapped: use.memslotsSwapped,
  GenerationChanged: use.generationChanged
}

/** The replays of a trace's VMs. */
interface Replays {
  readonly facts: Facts
  readonly byVm: ReadonlyMap<string, Replay>
  /** The VM that each task was seen with last. */
  readonly tasks: Map<number, Replay>
  /** The last event, and the last one of the line before its. */
  last: Envelope<Event> | undefined
  before: Envelope<Event> | undefined
  /** The last event before the line of the first disagreement. */
  matched: Envelope<Event> | undefined
  failed: boolean
}

const replaysOf = (facts: Facts, policy: Policy, program: Program | undefined): Replays => ({
  facts,
  byVm: new Map([...facts.vms].map((vm) => [vm, new Replay({ facts, caches: facts.caches, policy, program })])),
  tasks: new Map(),
  last: undefined,
  before: undefined,
  matched: undefined,
  failed: false
})

/** The replay that an event concerns: of the VM whose stream it is in, of the VM of its cache, or of its task's. */
const replayOf = (replays: Replays, event: Envelope<Event>): Replay | undefined => {
  const { stream } = event
  const gpc = "gpc" in event.data ? replays.facts.vmOf.get(event.data.gpc) : undefined
  const named = replays.byVm.get(stream) ?? (gpc === undefined ? undefined : replays.byVm.get(gpc))
  const replay = named ?? replays.tasks.get(event.data.thread) ?? replays.byVm.values().next().value
  if (replay !== undefined && named !== undefined) replays.tasks.set(event.data.thread, replay)
  return replay
}

const take = (replays: Replays, event: Envelope<Event>): Replays => {
  if (event.data._tag === "EventsLost") { for (const replay of replays.byVm.values()) replay.forget() }
  const replay = replayOf(replays, event)
  if (event.src === undefined || event.src.line !== replays.last?.src?.line) replays.before = replays.last
  replays.last = event
  const handler = HANDLERS[event.data._tag] as ((r: Replay, event: Envelope<Event>) => void) | undefined
  if (replay !== undefined && handler !== undefined) {
    const before = replay.disagreements.length
    handler(replay, event)
    replay.seen(event)
    if (replay.disagreements.length > before && !replays.failed) {
      replays.failed = true
      replays.matched = replays.before
    }
  }
  return replays
}

const ALL: ReadonlyArray<DecisionKind> = [...DECISIONS, ...READINGS]

const conclude = (replays: Replays, policy: Policy, found: string | undefined): Conformance => {
  const all = [...replays.byVm.values()]
  const kinds = Object.fromEntries(ALL.map((kind) => [kind, noTally()])) as Record<DecisionKind, Tally>
  for (const replay of all) {
    for (const [kind, tally] of replay.tallies) {
      for (const how of ["agree", "ambiguous", "disagree", "unknown"] as const) kinds[kind][how] += tally[how]
    }
  }
  const sum = (how: keyof Tally, of: ReadonlyArray<DecisionKind>) => of.reduce((n, kind) => n + kinds[kind][how], 0)
  const disagree = all.flatMap((replay) => replay.disagreements).sort((a, b) => a.seq - b.seq)
  const matched = disagree.length === 0 ? replays.last : replays.matched
  const [agree, ambiguous] = [sum("agree", DECISIONS), sum("ambiguous", DECISIONS)]
  return {
    policy: policy.name,
    found,
    events: replays.last?.seq ?? 0,
    decisions: agree + ambiguous + sum("disagree", DECISIONS),
    agree,
    ambiguous,
    disagree,
    disagreements: sum("disagree", ALL),
    unknown: sum("unknown", DECISIONS),
    kinds,
    matched: { seq: matched?.seq ?? 0, line: matched?.src?.line ?? 0 },
    orders: Math.max(1, ...all.map((replay) => replay.belief.widest)),
    overflows: all.reduce((n, replay) => n + replay.belief.overflows, 0)
  }
}

/** A trace that can be read again: its events, and the names of its records once they were read. @category models @since 0.1.0 */
export interface Rereadable<E, R> {
  readonly events: Stream.Stream<Envelope<Event>, E, R>
  readonly records: Effect.Effect<ReadonlyArray<string>>
}

/**
 * Compares every decision in a trace with the policy's. The events are run twice, and must be the same both times.
 *
 * @category conformance
 * @since 0.1.0
 */
export const conform = Effect.fn("trace.conform")(function*<E, R>(
  { events, records }: Rereadable<E, R>,
  options: ConformOptions = {}
) {
  const facts = yield* Stream.runFold(events, noFacts, learn)
  const kernel = kernelOf(facts.kinds, yield* records)
  const policy = options.policy ?? kernel.policy
  const replays = yield* Stream.runFold(events, () => replaysOf(facts, policy, options.program), take)
  return conclude(replays, policy, options.policy === undefined ? kernel.found : undefined)
})
