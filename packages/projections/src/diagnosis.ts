/**
 * Diagnoses: what the activity in a log says about the protocol, one named function for each.
 *
 * The first six put the decision table that KVM's maintainer works by when a guest is stuck into words: what keeps
 * changing, what stands still, and whether it concerns the page that waits.
 *
 * A diagnosis that was not found `holds` only where the log could have shown it. Where events were lost, or the clock
 * went back, nothing `holds`, and what rests on the absence of an event is `unknown` even if it was found.
 *
 * @since 0.1.0
 */
import type { PropertyId } from "@pfnscope/protocol"
import type { Activity } from "./activity.ts"
import type { Finding, Sighting } from "./evidence.ts"
import { notFound } from "./evidence.ts"

/** @category models @since 0.1.0 */
export const DIAGNOSES = [
  "stale-publish",
  "pessimistic-retry",
  "unpaired-range",
  "thrash",
  "unranged-seq",
  "accumulated-hull",
  "sign-extended-seq",
  "generation-churn",
  "memslot-starved"
] as const

/** @category models @since 0.1.0 */
export type DiagnosisId = (typeof DIAGNOSES)[number]

/** @category models @since 0.1.0 */
export type VerdictId = PropertyId | DiagnosisId

/**
 * `violated`: a property does not hold. `found`: a diagnosis applies. `holds`: neither, and the log could have shown
 * it. `unknown`: the log cannot tell.
 *
 * @category models
 * @since 0.1.0
 */
export type VerdictKind = "violated" | "found" | "holds" | "unknown"

/** @category models @since 0.1.0 */
export interface Verdict {
  readonly id: VerdictId
  readonly verdict: VerdictKind
  readonly count: number
  readonly evidence: ReadonlyArray<Sighting>
}

/** What a diagnosis says: what was seen, whether it could have been seen, and whether it rests on an absence. */
interface Opinion {
  readonly finding: Finding
  readonly visible: boolean
  readonly byAbsence: boolean
}

/** Refreshes are recorded, or the log is a simulation's, which records everything. */
const seesRefreshes = (a: Activity): boolean => a.simulated || a.refreshes.completed + a.refreshes.running.size > 0

const seesRanges = (a: Activity): boolean => a.simulated || a.invalidations.count > 0

const seesFaults = (a: Activity): boolean => a.simulated || a.memory.mapped + a.memory.stale > 0

const add = (...findings: ReadonlyArray<Finding>): Finding => ({
  count: findings.reduce((sum, finding) => sum + finding.count, 0),
  evidence: findings.flatMap((finding) => finding.evidence)
})

/**
 * A refresh published a pfn whose page was invalidated, from the count's increment to its decrement, between the lookup
 * and the retry test, and nobody marked the cache: the mapping is valid and its page is gone. Needs a page outside
 * every memslot, or a sequence count that the invalidation does not bump.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const stalePublish = (a: Activity): Opinion => ({
  finding: a.refreshes.stalePublishes,
  visible: a.simulated || a.refreshes.published > 0,
  byAbsence: false
})

/**
 * A refresh did another lap because invalidations were in flight, and none that was open in the lap held its address:
 * a retry that looked at ranges would have published at once. Found at the first such retry; its price is the laps.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const pessimisticRetry = (a: Activity): Opinion => {
  const by = a.refreshes.unrelatedBy
  const reasons = [...by.keys()].filter((reason) => reason !== "seq" && reason !== "hull")
  return { finding: add(...reasons.map((reason) => by.get(reason)!)), visible: seesRefreshes(a), byAbsence: true }
}

/**
 * Something started an invalidation and never completed it, or the other way round: a thread returned from the call in
 * which it opened a range that is still open; a range is open at the end of the log, and has been for
 * {@link UNPAIRED_NS}; a range_end has no range_start; `mmu_invalidate_in_progress` went below 0. From then on every
 * refresh waits for ever.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const unpairedRange = (a: Activity): Opinion => {
  const { leftOpen, endsWithoutStart, negative } = a.invalidations
  const finding = add(leftOpen, endsWithoutStart, negative, openTooLong(a))
  return { finding, visible: seesRanges(a), byAbsence: true }
}

/** The longest invalidation in the captures, of a task preempted inside one, took 0.14 s on an emulated CPU. */
export const UNPAIRED_NS = 1_000_000_000

const openTooLong = (a: Activity): Finding => {
  const finding = notFound()
  const told = new Set(a.invalidations.leftOpen.evidence.map((sighting) => sighting.seq))
  for (const range of [...a.ranges.byThread.values()].flat()) {
    if (a.to - range.started.t < UNPAIRED_NS || told.has(range.started.seq)) continue
    finding.count++
    finding.evidence.push({ seq: range.started.seq, src: range.src })
  }
  return finding
}

/**
 * The primary MMU invalidates the very page so fast that nothing can get through: a refresh retried
 * {@link THRASH_RETRIES} times for invalidations that held its address, or a vCPU faulted {@link THRASH_FAULTS} times
 * in a row for one frame. The invalidators say who.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const thrash = (a: Activity): Opinion => ({
  finding: add(a.refreshes.thrashed, a.memory.thrashed),
  visible: seesRefreshes(a) || seesFaults(a),
  byAbsence: false
})

/**
 * A refresh did another lap because the sequence count had moved, and no invalidation in the lap held its address: the
 * count knows no ranges. One retry for each invalidation that completes elsewhere.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const unrangedSeq = (a: Activity): Opinion => ({
  finding: add(a.refreshes.unrelatedBy.get("seq") ?? notFound()),
  visible: seesRefreshes(a),
  byAbsence: true
})

/**
 * A guest fault or a refresh had to try again because its address lay in the union of the ranges in flight, and none of
 * the ranges held it: the one minimum and maximum grow while anything is in flight. Tracking several ranges would have
 * let it through.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const accumulatedHull = (a: Activity): Opinion => ({
  finding: add(a.memory.hullOnly, a.refreshes.hullOnly),
  visible: seesFaults(a) || a.refreshes.retriesBy.has("hull"),
  byAbsence: true
})

/**
 * A snapshot of the sequence count has all bits of its upper half set: it went through a 32-bit signed number, and
 * once the count passes 2^31 no comparison with it is ever equal. (In 6.1 before August 2023; fixed by accident in 6.3.)
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const signExtendedSeq = (a: Activity): Opinion => ({
  finding: a.refreshes.signExtended,
  visible: a.simulated || a.refreshes.snapshots > 0,
  byAbsence: false
})

/**
 * Refreshes that looked nothing up, only because the memslots' generation had changed: found where they are
 * {@link CHURN_KEPT} or more and {@link CHURN_PART} of all. Each costs a failed check and a way through the slow path.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const generationChurn = (a: Activity): Opinion => {
  const { kept, completed } = a.refreshes
  const churns = kept.count >= CHURN_KEPT && kept.count >= CHURN_PART * completed
  return { finding: churns ? kept : notFound(), visible: seesRefreshes(a), byAbsence: false }
}

/** The setting up of a guest's memslots alone makes a handful. */
export const CHURN_KEPT = 10

/** Below this the failed checks of ordinary invalidations are the greater part by far. */
export const CHURN_PART = 0.1

/**
 * A memslot update slept for the count to reach 0, was woken, and found it raised again; or it slept, and took a
 * millisecond and more. Meanwhile KVM_SET_USER_MEMORY_REGION does not return.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const memslotStarved = (a: Activity): Opinion => ({
  finding: a.memory.starved,
  visible: a.simulated || a.memory.swaps > 0,
  byAbsence: false
})

const diagnoses: { readonly [K in DiagnosisId]: (a: Activity) => Opinion } = {
  "stale-publish": stalePublish,
  "pessimistic-retry": pessimisticRetry,
  "unpaired-range": unpairedRange,
  thrash,
  "unranged-seq": unrangedSeq,
  "accumulated-hull": accumulatedHull,
  "sign-extended-seq": signExtendedSeq,
  "generation-churn": generationChurn,
  "memslot-starved": memslotStarved
}

/** P3: when range_start returns, no cache in its range is valid that was valid before the call. */
const startDrain = (a: Activity): Opinion => ({
  finding: a.validity.validAtReturn,
  visible: a.simulated || (a.validity.returns > 0 && a.refreshes.published > 0),
  byAbsence: true
})

/** P4: no cache in a range becomes valid between the return of range_start and the call of range_end. */
const noNewMapping = (a: Activity): Opinion => ({
  finding: a.validity.publishedInRange,
  visible: a.simulated || (a.validity.returns > 0 && a.refreshes.published > 0),
  byAbsence: true
})

/** P8: every start has its end, and the count in progress never goes below 0. */
const pairing = unpairedRange

/** P11: what is published is a page, and its cache is active. */
const structural = (a: Activity): Opinion => ({
  finding: add(a.refreshes.publishedNothing, a.validity.publishedInactive),
  visible: a.simulated || a.refreshes.published > 0,
  byAbsence: false
})

const verdictOf = (a: Activity, id: VerdictId, opinion: Opinion, kind: "violated" | "found"): Verdict => {
  const doubtful = a.lost.count > 0 || a.clockSteps.count > 0
  const { count, evidence } = opinion.finding
  const certain = count > 0 ? !(doubtful && opinion.byAbsence) : opinion.visible && !doubtful
  return { id, verdict: !certain ? "unknown" : count > 0 ? kind : "holds", count, evidence }
}

/**
 * What the activity says, in a fixed order: the diagnoses, then the properties that can be judged from outside (P3, P4,
 * P8, P11), then P5 where a stale publish shows it violated, and whatever an auditor wrote into the log.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const diagnose = (a: Activity): ReadonlyArray<Verdict> => {
  const properties = new Map<PropertyId, Opinion>([
    ["P3", startDrain(a)],
    ["P4", noNewMapping(a)],
    ["P8", pairing(a)],
    ["P11", structural(a)]
  ])
  if (a.refreshes.stalePublishes.count > 0) properties.set("P5", stalePublish(a))
  for (const [id, finding] of a.violated) properties.set(id, { finding, visible: true, byAbsence: false })
  return [
    ...DIAGNOSES.map((id) => verdictOf(a, id, diagnoses[id](a), "found")),
    ...[...properties].map(([id, opinion]) => verdictOf(a, id, opinion, "violated"))
  ]
}
