/**
 * A protocol variant is a plain record of choices. Nothing else may differ between variants.
 *
 * @since 0.1.0
 */

/**
 * The choices.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly name: string
  /** Where it comes from: a kernel version, or a mail and its date. */
  readonly source: string
  /** One line: what it does. */
  readonly summary: string
  /** How `range_start` walks the caches: `when`, and how each gpc->lock is taken. */
  readonly startWalk: {
    readonly when: "none" | "before-mmu-lock" | "under-mn"
    /** `write`: directly; `read-then-write`: a read-locked look first, then a re-check; `lockless`: an unlocked look first. */
    readonly look: "write" | "read-then-write" | "lockless"
  }
  /** Whether `range_end` walks the caches, and on which side of the decrement. */
  readonly endWalk: "none" | "after-decrement" | "before-decrement"
  /** Which caches a walk invalidates. */
  readonly hit: {
    readonly on: "valid" | "flag"
    /** `required`: a cache whose pfn is the error value is passed over. */
    readonly pfn: "required" | "ignored"
  }
  /** The ranges in flight, as far as they are tracked for the caches. */
  readonly hull: {
    readonly under: "none" | "mn" | "gpc_lock"
    /** When the hull is forgotten. `never` also means that it starts as [0, 0), not as the error value. */
    readonly reset: "never" | "on-zero" | "by-overwrite"
    /** 1: the smallest range that covers all; more: so many exact ranges, and a hull when they run out. */
    readonly ranges: number
  }
  /** What a refresh notes before the lookup, and whether under gpc->lock or just before `hva_to_pfn`. */
  readonly snapshot: {
    readonly of: "none" | "mmu_invalidate_seq" | "gpc_invalidate_seq"
    readonly when: "locked" | "before-lookup"
  }
  /** Whether a refresh marks the cache with a flag that the notifier clears. */
  readonly flag: boolean
  /** The tests of the retry condition, in order; `in-progress` is the hull test under mmu_lock of 5.17. */
  readonly retry: ReadonlyArray<"count" | "hull" | "seq" | "flag" | "in-progress">
  /** When `valid` becomes true: after the tests passed, before them, or already before the lookup. */
  readonly publish: "after-tests" | "before-tests" | "before-lookup"
  /** Whether a refresh waits for invalidations in flight over its address. */
  readonly wait: {
    readonly how: "none" | "spin" | "sleep"
    readonly when: "before-lookup" | "after-map"
    /** What is waited for: no invalidation at all, or none whose tracked range holds the address. */
    readonly for: "count" | "hull"
    readonly interruptible: boolean
    /** False: the waiter is never put on the queue (I-24), so that nobody wakes it. */
    readonly queued: boolean
    /** Where the refresh goes after it had to wait; `condition` and `relock` are the posted patches' `continue`. */
    readonly afterwards: "lookup" | "condition" | "relock"
  }
}

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
