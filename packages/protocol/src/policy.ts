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
 * Whether a refresh waits for invalidations in flight: how, on which side of the lookup, and for what (no invalidation
 * at all, or none whose tracked range holds the address). `queued` false: the waiter is never put on the queue, so that
 * nobody wakes it (I-24). `afterwards`: where the refresh goes after it had to wait; `condition` and `relock` are the
 * posted patches' `continue`. `interruptible` says what a signal would do; no signals are modelled.
 */
const Wait = Schema.Struct({
  how: Schema.Literals(["none", "spin", "sleep"]),
  when: Schema.Literals(["before-lookup", "after-map"]),
  for: Schema.Literals(["count", "hull"]),
  interruptible: Schema.Boolean,
  queued: Schema.Boolean,
  afterwards: Schema.Literals(["lookup", "condition", "relock"])
})

/**
 * The choices. `source` is where a variant comes from (a kernel version, or a mail and its date), `summary` one line;
 * `endWalk` whether `range_end` walks the caches, and on which side of the decrement; `flag` whether a refresh marks
 * the cache with a flag that the notifier clears; `retry` the tests of the retry condition in order (`in-progress` is
 * the hull test under mmu_lock of 5.17); `publish` when `valid` becomes true.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Policy = Schema.Struct({
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
