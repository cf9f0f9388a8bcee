/**
 * What an invalidator does: counts itself in, visits the caches, unmaps and frees its pages, counts itself out.
 *
 * @since 0.1.0
 */
import { INVALIDATOR_AT as AT, PFN } from "./machine.ts"
import type { Gpc, Invalidator, Machine } from "./machine.ts"
import { always, PLAIN } from "./step.ts"
import type { Step } from "./step.ts"
import type { Variant } from "./variant.ts"

const goWalk = (i: Invalidator): void => {
  i.pc = AT.ginv
  i.cursor = i.hits[0].id
}

const goZap = (i: Invalidator): void => {
  i.pc = AT.zap
  i.cursor = i.low
}

const goEnd2 = (i: Invalidator): void => {
  i.pc = AT.end2
  i.cursor = 0
}

const finish = (i: Invalidator): void => {
  i.pc = AT.idle
  i.cursor = 0
  if (i.limit > 0) i.done++
}

/** The steps by where they stand. `requirePfn`: a walk leaves a cache alone that has no pfn yet. */
export const invalidatorSteps = (
  machine: Machine,
  variant: Variant,
  requirePfn: boolean
): ReadonlyArray<Step<Invalidator>> => {
  const { ranged, snapshot, walk } = variant
  const { gpcs, notifier } = machine

  const afterWalk = walk === "start" ? goZap : walk === "before-count" ? goEnd2 : finish

  const start: Step<Invalidator> = {
    label: "start",
    outcomes: PLAIN,
    isEnabled: (i) => i.limit === 0 || i.done < i.limit,
    run: (i) => {
      notifier.count++
      if (ranged) {
        const first = notifier.count === 1
        if (first || i.low < notifier.low) notifier.low = i.low
        if (first || i.high > notifier.high) notifier.high = i.high
      }
      if (walk === "start" && i.hits.length > 0) goWalk(i)
      else goZap(i)
      return 0
    }
  }
  const applies = (gpc: Gpc): boolean => snapshot === "seq" || (gpc.flag === 1 && (!requirePfn || gpc.pfn !== PFN.none))
  const visit: Step<Invalidator> = {
    label: "invalidate cache",
    outcomes: snapshot === "seq" ? PLAIN : ["invalidated", "left alone"],
    isEnabled: (i) => gpcs[i.cursor].lock === 0,
    run: (i) => {
      const gpc = gpcs[i.cursor]
      const outcome = applies(gpc) ? 0 : 1
      if (outcome === 0) gpc.valid = gpc.flag = 0
      const { hits } = i
      let k = 0
      while (k < hits.length && hits[k].id <= gpc.id) k++
      if (k < hits.length) i.cursor = hits[k].id
      else afterWalk(i)
      return outcome
    }
  }
  const zap: Step<Invalidator> = {
    label: "zap page",
    outcomes: PLAIN,
    isEnabled: always,
    run: (i) => {
      machine.freePage(i.cursor)
      if (i.cursor + 1 < i.high) {
        i.cursor++
        return 0
      }
      i.pc = AT.end1
      i.cursor = 0
      return 0
    }
  }
  const end1: Step<Invalidator> = {
    label: "end",
    outcomes: PLAIN,
    isEnabled: always,
    run: (i) => {
      if (i.slotted) machine.bumpSeq()
      if (walk === "before-count" && i.hits.length > 0) goWalk(i)
      else i.pc = AT.end2
      return 0
    }
  }
  const end2: Step<Invalidator> = {
    label: "lower count",
    outcomes: PLAIN,
    isEnabled: always,
    run: (i) => {
      notifier.count--
      if (ranged && notifier.count === 0) notifier.low = notifier.high = 0
      if (walk === "after-count" && i.hits.length > 0) goWalk(i)
      else finish(i)
      return 0
    }
  }
  return [start, visit, zap, end1, end2]
}
