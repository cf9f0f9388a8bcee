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
import { find, notFound } from "./evidence.ts"
import { inProgressForGood, outrun, stuckAtRest, SUSPECT_FAULTS } from "./fault-states.ts"
import { seesLookups } from "./refreshes.ts"

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
  "memslot-starved",
  "stuck-fault",
  "refresh-failed"
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

/** `inferred`: it rests on events that nobody saw, which others tell. @category models @since 0.1.0 */
export interface Verdict {
  readonly id: VerdictId
  readonly verdict: VerdictKind
  readonly count: number
  readonly evidence: ReadonlyArray<Sighting>
  readonly inferred: boolean
}

/**
 * What a diagnosis says: what was seen, whether it could have been seen, and whether it rests on an absence. `ranges`: it
 * rests on which ranges are in flight. `doubtful`: what was seen may have another reason.
 */
interface Opinion {
  readonly finding: Finding
  readonly visible: boolean
  readonly byAbsence: boolean
  readonly ranges?: true
  readonly doubtful?: boolean
}

/** Refreshes are recorded, or the log is a simulation's, which records everything. */
const seesRefreshes = (a: Activity): boolean => a.simulated || a.refreshes.completed + a.refreshes.running.size > 0

/** Ranges are recorded from end to end: not their starts only. */
const seesRanges = (a: Activity): boolean => a.simulated || a.invalidations.count > a.invalidations.startsOnly

const seesFaults = (a: Activity): boolean => a.simulated || a.memory.mapped + a.memory.stale > 0

const seesFaultStates = (a: Activity): boolean => a.faultStates.size > 0

/** Lookups are recorded: which retries there were. */
const seesLaps = (a: Activity): boolean => a.simulated || seesLookups(a.refreshes)

/** Why laps were thrown away is recorded, by the probes in the middle of a refresh. */
const seesReasons = (a: Activity): boolean =>
  seesLaps(a) && (a.simulated || a.refreshes.retries > (a.refreshes.retriesBy.get("none") ?? 0) || seesPublishes(a))

/** When caches become valid is recorded. Where it is not, whether they were is not known either. */
const seesPublishes = (a: Activity): boolean => a.simulated || a.refreshes.published > 0

/** Refreshes, if there are any, are seen well enough; or there are guest faults only. */
const seesAllOf = (a: Activity, wellEnough: (a: Activity) => boolean): boolean =>
  seesRefreshes(a) ? wellEnough(a) : seesFaults(a)

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
export const stalePublish = (a: Activity): Opinion => {
  const { doubtfulPublishes, stalePublishes } = a.refreshes
  const doubtful = stalePublishes.count === 0
  // Without the count nobody can say whether an invalidation was over: then none was seen.
  const seesCount = a.invalidations.counted > 0 || a.invalidations.count === 0
  return {
    finding: doubtful ? doubtfulPublishes : stalePublishes,
    visible: seesPublishes(a) && seesCount,
    byAbsence: false,
    ranges: true,
    doubtful
  }
}

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
  return {
    finding: add(...reasons.map((reason) => by.get(reason)!)),
    visible: seesRefreshes(a) && seesLaps(a),
    byAbsence: true,
    ranges: true
  }
}

/**
 * Something started an invalidation and never completed it, or the other way round: a thread returned from the call in
 * which it opened a range that is still open; a range is open at the end of the log, and has been for
 * {@link UNPAIRED_NS}; a range_end has no range_start; `mmu_invalidate_in_progress` went below 0, or never returns to 0
 * while a vCPU faults on and on. From then on every refresh waits for ever.
 *
 * A range of which only the start was seen may be over: then it is a question, not a finding.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const unpairedRange = (a: Activity): Opinion => {
  const { leftOpen, endsWithoutStart, negative, startsOnly } = a.invalidations
  const stays = inProgressForGood(a.faultStates)
  const certain = add(leftOpen, endsWithoutStart, negative, stays, recordsEnds(a) ? openTooLong(a) : notFound())
  const doubtful = certain.count === 0
  // One fault that meets an invalidation in progress is an everyday sight, and where the trace ends none can return to 0.
  const suspected = add(inProgressForGood(a.faultStates, 1), startsOnly > 0 ? openTooLong(a, true) : notFound())
  return {
    finding: doubtful ? suspected : certain,
    visible: seesFaultStates(a) || (seesRanges(a) && recordsEnds(a)),
    byAbsence: true,
    ranges: true,
    doubtful
  }
}

/** Where so many invalidations were started and none was ever ended, their ends are not recorded. */
const UNRECORDED_ENDS = 10

const recordsEnds = (a: Activity): boolean => a.invalidations.ends > 0 || a.invalidations.count < UNRECORDED_ENDS

/** The longest invalidation in the captures, of a task preempted inside one, took 0.14 s on an emulated CPU. */
export const UNPAIRED_NS = 1_000_000_000

const openTooLong = (a: Activity, startOnly = false): Finding => {
  const finding = notFound()
  const told = new Set(a.invalidations.leftOpen.evidence.map((sighting) => sighting.seq))
  for (const range of [...a.ranges.byThread.values()].flat()) {
    if (a.invalidations.startOnly.has(range) !== startOnly) continue
    if (a.to - range.started.t < UNPAIRED_NS || told.has(range.started.seq)) continue
    find(finding, { seq: range.started.seq, src: range.src })
  }
  return finding
}

/**
 * The primary MMU invalidates the very page so fast that nothing can get through: a refresh retried
 * {@link THRASH_RETRIES} times for invalidations that held its address, a vCPU faulted {@link THRASH_FAULTS} times in a
 * row for one frame, or the sequence count was another at every second fault of a vCPU or more, {@link OUTRUN_CHANGES}
 * times and more. The invalidators say who.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const thrash = (a: Activity): Opinion => ({
  finding: add(a.refreshes.thrashed, a.memory.thrashed, outrun(a.faultStates)),
  visible: seesAllOf(a, seesLaps) || seesFaultStates(a),
  byAbsence: false,
  ranges: true
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
  visible: seesRefreshes(a) && seesReasons(a),
  byAbsence: true,
  ranges: true
})

/**
 * A guest fault or a refresh tried again while its address lay in the union of the ranges in flight, and none of the
 * ranges held it: the one minimum and maximum grow while anything is in flight, and accumulate what is over. A retry that
 * looks at the union is of no use then; tracking several ranges would have let it through.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const accumulatedHull = (a: Activity): Opinion => ({
  finding: add(a.memory.hullOnly, a.refreshes.hullOnly),
  visible: seesAllOf(a, seesReasons),
  byAbsence: true,
  ranges: true
})

/**
 * A snapshot of the sequence count has all bits of its upper half set: it went through a 32-bit signed number, and
 * once the count passes 2^31 no comparison with it is ever equal. (In 6.1 before August 2023; fixed by accident in 6.3.)
 * Or, where only the count is seen: it has bit 31 set, and a vCPU faults {@link STUCK_FAULTS} times and more though it
 * does not change, and nothing is in progress.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const signExtendedSeq = (a: Activity): Opinion => {
  const certain = add(a.refreshes.signExtended, stuckAtRest(a.faultStates, true))
  const doubtful = certain.count === 0
  return {
    finding: doubtful ? stuckAtRest(a.faultStates, true, SUSPECT_FAULTS) : certain,
    visible: a.simulated || a.refreshes.snapshots > 0 || seesFaultStates(a),
    byAbsence: false,
    doubtful
  }
}

/**
 * A vCPU's fault is stale {@link THRASH_FAULTS} times in a row for one frame though the sequence count stays the same and
 * nothing that holds the frame is in progress; or, where only the state is seen, it faults {@link STUCK_FAULTS} times and
 * more while that stays the same, bit 31 of the count is clear, and nothing is in progress. No invalidation keeps it. What
 * else makes a fault stale is a root that is not the current one, and a memslot's generation; in the second case its guest
 * may just touch memory for the first time, page by page.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const stuckFault = (a: Activity): Opinion => ({
  finding: add(a.memory.stuck, stuckAtRest(a.faultStates, false)),
  visible: seesFaults(a) || seesFaultStates(a),
  byAbsence: false
})

/**
 * A refresh returned an error: its address is in no memslot, or its page cannot be had. No retry helps, and none is made.
 *
 * @category diagnoses
 * @since 0.1.0
 */
export const refreshFailed = (a: Activity): Opinion => ({
  finding: a.refreshes.failures,
  visible: seesRefreshes(a),
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
  const churns = seesLaps(a) && kept.count >= CHURN_KEPT && kept.count >= CHURN_PART * completed
  return { finding: churns ? kept : notFound(), visible: seesRefreshes(a) && seesLaps(a), byAbsence: false }
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
  "memslot-starved": memslotStarved,
  "stuck-fault": stuckFault,
  "refresh-failed": refreshFailed
}

/** P3: when range_start returns, no cache in its range is valid that was valid before the call. */
const startDrain = (a: Activity): Opinion => ({
  finding: seesPublishes(a) ? a.validity.validAtReturn : notFound(),
  visible: seesPublishes(a) && (a.simulated || a.validity.returns > 0),
  byAbsence: true,
  ranges: true
})

/** P4: no cache in a range becomes valid between the return of range_start and the call of range_end. */
const noNewMapping = (a: Activity): Opinion => ({
  finding: a.validity.publishedInRange,
  visible: seesPublishes(a) && (a.simulated || a.validity.returns > 0),
  byAbsence: true,
  ranges: true
})

/** P8: every start has its end, and the count in progress never goes below 0. */
const pairing = unpairedRange

/** P11: what is published is a page, and its cache is active. That it is not may be an activation that was lost. */
const structural = (a: Activity): Opinion => ({
  finding: add(a.refreshes.publishedNothing, a.validity.publishedInactive),
  visible: seesPublishes(a),
  byAbsence: a.refreshes.publishedNothing.count === 0
})

const verdictOf = (a: Activity, id: VerdictId, opinion: Opinion, kind: "violated" | "found"): Verdict => {
  const lossy = a.lost.count > 0 || a.clockSteps.count > 0
  const { byAbsence, doubtful = false, finding: { count, evidence }, visible } = opinion
  const certain = count > 0 ? !doubtful && !(lossy && byAbsence) : visible && !lossy
  const rangesInferred = opinion.ranges === true && a.invalidations.startsOnly > 0
  const inferred = rangesInferred || evidence.some((sighting) => sighting.inferred === true)
  return { id, verdict: !certain ? "unknown" : count > 0 ? kind : "holds", count, evidence, inferred }
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
