/**
 * What a vCPU does: uses its cache, and refreshes it when it is not valid.
 *
 * @since 0.1.0
 */
import { PFN, VCPU_AT as AT, WRITER } from "./machine.ts"
import type { Machine, Vcpu } from "./machine.ts"
import { always, PLAIN } from "./step.ts"
import type { Step } from "./step.ts"
import type { Variant } from "./variant.ts"

const publish = (v: Vcpu): void => {
  v.gpc.valid = 1
  v.gpc.pfn = v.pfn
  v.gpc.refresher = 0
  v.pfn = PFN.none
  v.fresh = 0
  v.pc = AT.idle
}

/** The steps by where they stand; a variant has no step where it never comes to. */
export const vcpuSteps = (
  machine: Machine,
  variant: Variant,
  uses: number
): ReadonlyArray<Step<Vcpu> | undefined> => {
  const { notifier } = machine
  const { ranged, snapshot, wait } = variant
  const entry = wait === "before-lookup" ? AT.wait : AT.lookup

  /** Remembers what the decision will compare, and goes to look the page up. */
  const lap = (v: Vcpu): void => {
    if (snapshot === "seq") v.fresh = 1
    else v.gpc.flag = 1
    v.pfn = PFN.none
    v.pc = entry
  }

  const check: Step<Vcpu> = {
    label: "check",
    outcomes: ["valid", "invalid"],
    isEnabled: (v) => v.uses < uses && v.gpc.lock !== WRITER,
    run: (v) => {
      if (v.gpc.valid === 0) {
        v.pc = AT.begin
        return 1
      }
      v.gpc.lock++
      v.pc = AT.deref
      return 0
    }
  }
  const deref: Step<Vcpu> = {
    label: "dereference",
    outcomes: PLAIN,
    isEnabled: always,
    run: (v) => {
      v.gpc.lock--
      v.uses++
      v.pc = AT.idle
      return 0
    }
  }
  const begin: Step<Vcpu> = {
    label: "begin",
    outcomes: ["refresh", "valid by now"],
    isEnabled: (v) => v.gpc.refresher === 0 && v.gpc.lock === 0,
    run: (v) => {
      if (v.gpc.valid === 1) {
        v.pc = AT.idle
        return 1
      }
      v.gpc.refresher = v.id + 1
      lap(v)
      return 0
    }
  }
  const lookup: Step<Vcpu> = {
    label: "look up",
    outcomes: PLAIN,
    isEnabled: always,
    run: (v) => {
      machine.mapPage(v.gpc.page)
      v.pfn = PFN.live
      v.pc = AT.map
      return 0
    }
  }
  const afterMap = snapshot === "seq" ? AT.chk1 : wait === "after-map" ? AT.wait : AT.chk
  const map: Step<Vcpu> = {
    label: "map",
    outcomes: PLAIN,
    isEnabled: always,
    run: (v) => {
      v.pc = afterMap
      return 0
    }
  }
  const afterWait = wait === "after-map" ? AT.chk : AT.lookup
  const sleep: Step<Vcpu> = {
    label: "wait",
    outcomes: PLAIN,
    isEnabled: (v) => !notifier.isPending(v.gpc.page),
    run: (v) => {
      v.pc = afterWait
      return 0
    }
  }
  const readCount: Step<Vcpu> = {
    label: "read count",
    outcomes: ["quiet", "busy"],
    isEnabled: (v) => v.gpc.lock === 0,
    run: (v) => {
      if (ranged ? notifier.isPending(v.gpc.page) : notifier.count > 0) {
        lap(v)
        return 1
      }
      v.gpc.lock = WRITER
      v.pc = AT.chk2
      return 0
    }
  }
  const readSeq: Step<Vcpu> = {
    label: "read seq",
    outcomes: ["publish", "retry"],
    isEnabled: always,
    run: (v) => {
      v.gpc.lock = 0
      if (v.fresh === 0) {
        lap(v)
        return 1
      }
      publish(v)
      return 0
    }
  }
  const readFlag: Step<Vcpu> = {
    label: "read flag",
    outcomes: ["publish", "retry"],
    isEnabled: (v) => v.gpc.lock === 0,
    run: (v) => {
      if (v.gpc.flag === 0) {
        lap(v)
        return 1
      }
      publish(v)
      return 0
    }
  }

  const steps: Array<Step<Vcpu> | undefined> = [check, deref, begin, lookup, map]
  steps[AT.wait] = wait === "never" ? undefined : sleep
  steps[AT.chk1] = snapshot === "seq" ? readCount : undefined
  steps[AT.chk2] = snapshot === "seq" ? readSeq : undefined
  steps[AT.chk] = snapshot === "flag" ? readFlag : undefined
  return steps
}
