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
import type { Event, Policy, Program } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { DECISIONS, noTally, READINGS } from "./decision.ts"
import type { DecisionKind, Disagreement, Tally } from "./decision.ts"
import { learn, noFacts } from "./facts.ts"
import { kernelOf } from "./kernel.ts"
import { replaysOf, takeInto } from "./replays.ts"
import type { Replays } from "./replays.ts"

/**
 * What a comparison found. `decisions` counts what could be compared (`agree`, `ambiguous`, `disagree`), `unknown` what
 * could not. `kinds` has every kind, also of the numbers that are read and not decided.
 *
 * `misplaced` counts records that show a task where no order of its steps leads (in a path that the model does not have);
 * the replay went on from there. `matched` is the longest prefix without a disagreement: its last event and the line of it. `orders` is the most states
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
  readonly misplaced: number
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

/** The comparison of a trace, event by event. */
interface Comparison {
  readonly replays: Replays
  /** The last event, and the last one of the line before its. */
  last: Envelope<Event> | undefined
  before: Envelope<Event> | undefined
  /** The last event before the line of the first disagreement. */
  matched: Envelope<Event> | undefined
  failed: boolean
}

const begin = (replays: Replays): Comparison => ({
  replays,
  last: undefined,
  before: undefined,
  matched: undefined,
  failed: false
})

const compare = (c: Comparison, event: Envelope<Event>): Comparison => {
  if (event.src === undefined || event.src.line !== c.last?.src?.line) c.before = c.last
  c.last = event
  const replay = takeInto(c.replays, event)
  if (replay !== undefined && replay.disagreements.length > 0 && !c.failed) {
    c.failed = true
    c.matched = c.before
  }
  return c
}

const ALL: ReadonlyArray<DecisionKind> = [...DECISIONS, ...READINGS]

const conclude = (c: Comparison, policy: Policy, found: string | undefined): Conformance => {
  const all = [...c.replays.byVm.values()]
  const kinds = Object.fromEntries(ALL.map((kind) => [kind, noTally()])) as Record<DecisionKind, Tally>
  for (const replay of all) {
    for (const [kind, tally] of replay.tallies) {
      for (const how of ["agree", "ambiguous", "disagree", "unknown"] as const) kinds[kind][how] += tally[how]
    }
  }
  const sum = (how: keyof Tally, of: ReadonlyArray<DecisionKind>) => of.reduce((n, kind) => n + kinds[kind][how], 0)
  const disagree = all.flatMap((replay) => replay.disagreements).sort((a, b) => a.seq - b.seq)
  const matched = disagree.length === 0 ? c.last : c.matched
  const [agree, ambiguous] = [sum("agree", DECISIONS), sum("ambiguous", DECISIONS)]
  return {
    policy: policy.name,
    found,
    events: c.last?.seq ?? 0,
    decisions: agree + ambiguous + sum("disagree", DECISIONS),
    agree,
    ambiguous,
    disagree,
    disagreements: sum("disagree", ALL),
    unknown: sum("unknown", DECISIONS),
    kinds,
    misplaced: all.reduce((n, replay) => n + replay.misplaced, 0),
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
  const { program } = options
  const comparison = yield* Stream.runFold(events, () => begin(replaysOf({ facts, policy, program })), compare)
  return conclude(comparison, policy, options.policy === undefined ? kernel.found : undefined)
})
