/**
 * A protocol variant is a plain record of choices. Nothing else may differ between variants.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { TRACKED_RANGES } from "./state.ts"

/**
 * How `range_start` walks the caches: when, and how each gpc->lock is taken. `write`: directly; `read-then-write`: a
 * read-locked look first, then a re-check; `lockless`: an unlocked look first.
 */
const StartWalk = Schema.Struct({
  when: Schema.Literals(["none", "before-mmu-lock", "under-mn"]),
  look: Schema.Literals(["write", "read-then-write", "lockless"])
})

/** Which caches a walk invalidates. `pfn` `required`: a cache whose pfn is the error value is passed over. */
const Hit = Schema.Struct({
  on: Schema.Literals(["valid", "flag"]),
  pfn: Schema.Literals(["required", "ignored"])
})

/**
 * The ranges in flight, as far as they are tracked for the caches. `reset` `never` also means that the hull starts as
 * [0, 0), not as the error value. `ranges` 1: the smallest range that covers all; more: so many exact ranges, and a
 * hull when they run out.
 */
const Hull = Schema.Struct({
  under: Schema.Literals(["none", "mn", "gpc_lock"]),
  reset: Schema.Literals(["never", "on-zero", "by-overwrite"]),
  ranges: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: TRACKED_RANGES }))
})

/** What a refresh notes before the lookup: under gpc->lock, or just before `hva_to_pfn`. */
const Snapshot = Schema.Struct({
  of: Schema.Literals(["none", "mmu_invalidate_seq", "gpc_invalidate_seq"]),
  when: Schema.Literals(["locked", "before-lookup"])
})

/**
 * Whether a refresh waits for invalidations in flight: how, on which side of the lookup (`before-put`: of the put of
 * the last lap's page, too, as v3 2/5 and 3/5), and for what (no invalidation at all, or none whose tracked range holds
 * the address). `queued` false: the waiter is never put on the queue, so that
 * nobody wakes it (I-24). `afterwards`: where the refresh goes after it had to wait; `condition` and `relock` are the
 * posted patches' `continue`. `interruptible` says what a signal would do; no signals are modelled.
 */
const Wait = Schema.Struct({
  how: Schema.Literals(["none", "spin", "sleep"]),
  when: Schema.Literals(["before-put", "before-lookup", "after-map"]),
  for: Schema.Literals(["count", "hull"]),
  interruptible: Schema.Boolean,
  queued: Schema.Boolean,
  afterwards: Schema.Literals(["lookup", "condition", "relock"])
})

const Choices = Schema.Struct({
  name: Schema.NonEmptyString,
  source: Schema.String,
  summary: Schema.String,
  startWalk: StartWalk,
  endWalk: Schema.Literals(["none", "after-decrement", "before-decrement"]),
  hit: Hit,
  hull: Hull,
  snapshot: Snapshot,
  flag: Schema.Boolean,
  retry: Schema.Array(Schema.Literals(["count", "hull", "seq", "flag", "in-progress"])),
  publish: Schema.Literals(["after-tests", "before-tests", "before-lookup"]),
  wait: Wait
})

/** Where a choice asks for what another does not give, or would not be looked at. */
const misfits = ({ flag, hit, hull, publish, retry, snapshot, startWalk, wait }: typeof Choices.Type) => {
  const issues: Array<Schema.FilterIssue> = []
  const expect = (fits: boolean, path: ReadonlyArray<PropertyKey>, issue: string) => {
    if (!fits) issues.push({ path, issue })
  }
  const tracks = hull.under !== "none"
  const waits = wait.how !== "none"
  const ofRange = retry.filter((test) => test === "count" || test === "hull" || test === "in-progress")
  expect(ofRange.length <= 1, ["retry"], "expected at most one of count, hull and in-progress")
  retry.forEach((test, i) => {
    const at = ["retry", i]
    expect(retry.indexOf(test) === i, at, "expected each test once")
    expect(test !== "hull" || tracks, at, "expected hull.under to name a lock, for there to be a hull to test")
    expect(test !== "seq" || snapshot.of !== "none", at, "expected snapshot.of to name a sequence to compare with")
    expect(test !== "flag" || flag, at, "expected flag to be true, for there to be a flag to test")
  })
  expect(hit.on !== "flag" || flag, ["hit", "on"], "expected valid, or flag to be true")
  expect(tracks || hull.ranges === 0, ["hull", "ranges"], "expected 0 where hull.under is none")
  expect(!tracks || hull.ranges > 0, ["hull", "ranges"], "expected 1 or more, or hull.under to be none")
  const inWalk = hull.under === "gpc_lock"
  expect(!inWalk || startWalk.when !== "none", ["hull", "under"], "expected mn or none without a walk at range_start")
  const exact = hull.ranges > 1
  expect(!exact || hull.reset === "on-zero", ["hull", "reset"], "expected on-zero: an exact range ends with its user")
  if (publish === "before-lookup") {
    // The laps of 5.17 begin with the put: what others do when they drop gpc->lock again is not done.
    expect(!flag, ["flag"], "expected false with publish before-lookup, which marks a cache once only")
    expect(!waits, ["wait", "how"], "expected none with publish before-lookup")
    const isTaken = snapshot.of === "none" || snapshot.when === "before-lookup"
    expect(isTaken, ["snapshot", "when"], "expected before-lookup with publish before-lookup")
  }
  expect(!waits || wait.for === "count" || tracks, ["wait", "for"], "expected count, or a hull to wait for")
  const needs = wait.afterwards === "relock" ? "spin" : wait.afterwards === "condition" ? "sleep" : wait.how
  expect(wait.how === needs, ["wait", "afterwards"], `expected lookup, or wait.how to be ${needs}`)
  expect(wait.queued || wait.how === "sleep", ["wait", "queued"], "expected true where nobody sleeps")
  return issues
}

/**
 * The choices. `source` is where a variant comes from (a kernel version, or a mail and its date), `summary` one line;
 * `endWalk` whether `range_end` walks the caches, and on which side of the decrement; `flag` whether a refresh marks
 * the cache with a flag that the notifier clears; `publish` when `valid` becomes true.
 *
 * `retry` is the set of tests of the retry condition. They run in one order whatever that of the list: first the count
 * or a hull (`in-progress` is the hull test under mmu_lock of 5.17), of which there can be one; then the sequence; then
 * the flag. Choices that cannot go together are refused.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Policy = Choices.check(Schema.makeFilter(misfits))

/** A protocol variant. @category models @since 0.1.0 */
export type Policy = typeof Policy.Type

/** The `wait` of a policy that does not wait. @category constants @since 0.1.0 */
export const NO_WAIT: Policy["wait"] = {
  how: "none",
  when: "before-lookup",
  for: "hull",
  interruptible: false,
  queued: true,
  afterwards: "lookup"
}

/** The `hull` of a policy that tracks no ranges. @category constants @since 0.1.0 */
export const NO_HULL: Policy["hull"] = { under: "none", reset: "on-zero", ranges: 0 }

/** The `snapshot` of a policy that notes no sequence. @category constants @since 0.1.0 */
export const NO_SNAPSHOT: Policy["snapshot"] = { of: "none", when: "locked" }
