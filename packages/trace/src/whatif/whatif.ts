/**
 * What if: the world of a trace under other protocols.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { quantile, runSummary, summaryOf } from "@pfnscope/projections"
import type { Durations, Refreshes, RefreshSummary } from "@pfnscope/projections"
import type { Event, Policy, PropertyId } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Rereadable } from "../conform/conform.ts"
import { busiestVm, learn, noFacts } from "../conform/facts.ts"
import type { Facts } from "../conform/facts.ts"
import type { Taken } from "../conform/hypothesis.ts"
import { kernelOf } from "../conform/kernel.ts"
import type { Replay } from "../conform/replay.ts"
import { replayOf, replaysOf, takeInto } from "../conform/replays.ts"
import type { Replays } from "../conform/replays.ts"
import { gather, noDoings, tellStep } from "./doings.ts"
import type { Doings } from "./doings.ts"
import { timesOf } from "./pace.ts"
import type { LapTimes } from "./pace.ts"
import { simulate } from "./simulation.ts"

/** How the refreshes of a row went; `latency` is from entry to return, of those that looked a page up, in ns. @category models @since 0.1.0 */
export interface WhatIfRefreshes extends RefreshSummary {
  /** Laps in all: lookups made. */
  readonly laps: number
  /** Time spent waiting for invalidations, in all, ns. */
  readonly waitNs: number
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
  /** Publishes of a page that had been invalidated completely since its lookup. */
  readonly stalePublishes: number
}

/** A row: a policy, and what came of it. @category models @since 0.1.0 */
export interface WhatIfRow {
  readonly policy: string
  readonly refreshes: WhatIfRefreshes
  readonly violations: ReadonlyArray<{ readonly property: PropertyId; readonly count: number; readonly t: number }>
}

/**
 * The rows of a trace. `recorded` is the trace itself, as its records have it; `replayed` the policy of its kernel on
 * the same world, which must come out as recorded; `off` by how much its laps do not, as a part of those recorded.
 *
 * @category models
 * @since 0.1.0
 */
export interface WhatIf {
  readonly kernel: string
  /** The VM that the rows are of, by the stream of its notifier, and how many there are. */
  readonly vm: string | null
  readonly vms: number
  readonly recorded: WhatIfRow
  readonly replayed: WhatIfRow
  readonly off: number
  /** How far it may be off, as a part of those recorded. */
  readonly tolerance: number
  readonly policies: ReadonlyArray<WhatIfRow>
}

/** The captures of three kernels come out exactly; a trace that lacks probes leaves more to chance. */
const TOLERANCE = 0.05

/** A row being made. */
interface Row {
  readonly summary: ReturnType<typeof runSummary.init>
  readonly waits: Map<number, number>
  readonly violated: Map<PropertyId, { count: number; readonly t: number }>
  waitNs: number
}

const noRow = (): Row => ({ summary: runSummary.init(), waits: new Map(), violated: new Map(), waitNs: 0 })

const observe = (row: Row, event: Envelope<Event>): Row => {
  runSummary.evolve(row.summary, event)
  const e = event.data
  if (e._tag === "Waited") {
    const since = row.waits.get(e.thread)
    if (e.pending) row.waits.set(e.thread, since ?? event.t)
    else if (since !== undefined) {
      row.waitNs += event.t - since
      row.waits.delete(e.thread)
    }
  } else if (e._tag === "PropertyViolated") {
    const known = row.violated.get(e.property)
    if (known === undefined) row.violated.set(e.property, { count: 1, t: event.t })
    else known.count++
  }
  return row
}

const lapsOf = (refreshes: Refreshes): number => {
  let laps = 0
  for (const [n, count] of refreshes.laps) laps += n * count
  for (const run of refreshes.running.values()) laps += run.kept || !run.looked ? 0 : run.retries + 1
  return laps
}

const latencyOf = (durations: Durations) => ({
  p50: quantile(durations, 0.5),
  p90: quantile(durations, 0.9),
  p99: quantile(durations, 0.99),
  max: durations.max
})

const rowOf = (policy: string, row: Row): WhatIfRow => {
  const { refreshes } = row.summary.verdicts
  return {
    policy,
    refreshes: {
      ...summaryOf(row.summary).refreshes,
      laps: lapsOf(refreshes),
      waitNs: row.waitNs,
      latency: latencyOf(refreshes.durations),
      stalePublishes: refreshes.stalePublishes.count
    },
    violations: [...row.violated].map(([property, { count, t }]) => ({ property, count, t }))
  }
}

/** The lap of the middle of all laps: for a refresh that made none in the trace. */
const typicalLap = (doings: Doings): LapTimes => {
  const laps = doings.all.flatMap((doing) =>
    doing.kind !== "refresh" ? [] : doing.laps.map((lap, i) => timesOf(lap, doing.laps[i + 1], doing.over))
  )
  const middle = (part: keyof LapTimes) => laps.map((lap) => lap[part]).sort((a, b) => a - b)[laps.length >> 1] ?? 0
  return { lookup: middle("lookup"), test: middle("test"), again: middle("again") }
}

const replay = (doings: Doings, facts: Facts, policy: Policy, typical: LapTimes): WhatIfRow => {
  const row = noRow()
  simulate(doings, facts, policy, typical, (event) => observe(row, event))
  return rowOf(policy.name, row)
}

/** The second reading: what was done, when each step of it was taken, and the row as it was recorded. */
interface Reading {
  readonly doings: Doings
  readonly vm: Replay | undefined
  readonly replays: Replays
  readonly row: Row
}

const begin = (facts: Facts, policy: Policy): Reading => {
  const doings = noDoings()
  const onTaken = (step: Taken) => tellStep(doings, step)
  const replays = replaysOf({ facts, policy, program: undefined, onTaken })
  return { doings, vm: replays.byVm.get(busiestVm(facts) ?? ""), replays, row: noRow() }
}

const read = (reading: Reading, event: Envelope<Event>): Reading => {
  if (replayOf(reading.replays, event) !== reading.vm) return reading
  gather(reading.doings, event)
  takeInto(reading.replays, event)
  observe(reading.row, event)
  return reading
}

/**
 * Replays the world of a trace under policies. The events are run twice, and must be the same both times.
 *
 * @category what-if
 * @since 0.1.0
 */
export const whatIf = Effect.fn("trace.whatIf")(function*<E, R>(
  { events, records }: Rereadable<E, R>,
  policies: ReadonlyArray<Policy>,
  given?: Policy
) {
  const facts = yield* Stream.runFold(events, noFacts, learn)
  const kernel = given ?? kernelOf(facts.kinds, yield* records).policy
  const { doings, row, vm } = yield* Stream.runFold(events, () => begin(facts, kernel), read)
  vm?.belief.tell()
  if (facts.seesOverlap) { for (const doing of doings.all) if (doing.kind === "invalidation") doing.overlap ??= false }
  const typical = typicalLap(doings)
  const recorded = rowOf("as recorded", row)
  const replayed = replay(doings, facts, kernel, typical)
  const off = Math.abs(replayed.refreshes.laps - recorded.refreshes.laps) / Math.max(1, recorded.refreshes.laps)
  const rows = yield* Effect.forEach(
    policies,
    (policy) => Effect.andThen(Effect.yieldNow, Effect.sync(() => replay(doings, facts, policy, typical)))
  )
  const vms = { vm: busiestVm(facts) ?? null, vms: facts.vms.size }
  const result: WhatIf = { kernel: kernel.name, ...vms, recorded, replayed, off, tolerance: TOLERANCE, policies: rows }
  return result
})
