/**
 * The reference model: a small abstraction of the invalidation protocol whose exact state counts are known from several
 * independent tools. A yardstick for the engine, not the product's protocol, which is richer.
 *
 * vCPUs use caches and refresh them; invalidators invalidate ranges of pages. The five variants differ in where caches
 * are invalidated and in how a refresh decides to try again.
 *
 * @since 0.1.0
 */
import type { Branch, Goal, Model, Property, Symmetry } from "../model.ts"
import type { ReferenceConfig } from "./config.ts"
import { footprintOf } from "./footprint.ts"
import { forgetIn } from "./forget.ts"
import { invalidatorSteps } from "./invalidator.ts"
import { INVALIDATOR_AT, Machine, PFN, VCPU_AT } from "./machine.ts"
import type { Invalidator, Vcpu } from "./machine.ts"
import type { Step } from "./step.ts"
import { VARIANTS } from "./variant.ts"
import type { Variant, VariantLetter } from "./variant.ts"
import { vcpuSteps } from "./vcpu.ts"

const PROPERTIES: ReadonlyArray<Property> = [
  {
    name: "NoUseAfterFree",
    statement: "no vCPU dereferences a cache whose frame has been freed",
    exercisedBy: ({ step }) => step === "dereference"
  },
  {
    name: "NoMapInInvalidation",
    statement: "no cache is valid while an invalidation that covers it is between start and end",
    exercisedBy: ({ step }) => step === "zap page"
  },
  {
    name: "CountsSane",
    statement: "the count is the number of invalidations in flight",
    exercisedBy: ({ step }) => step === "start"
  },
  {
    name: "NoWarn",
    statement: "a cache that is being refreshed is not valid, and a valid cache has its flag up",
    exercisedBy: ({ step }) => step === "look up"
  }
]

/**
 * The model of a configuration under a variant. Threads: the vCPUs, then the invalidators.
 *
 * @category constructors
 * @since 0.1.0
 */
export const referenceModel = (config: ReferenceConfig, letter: VariantLetter): Model => {
  const variant = VARIANTS[letter]
  const machine = new Machine(config)
  const { invalidators, vcpus } = machine
  const vSteps = vcpuSteps(machine, variant, config.NV)
  const iSteps = invalidatorSteps(machine, variant, config.errg === 1)
  const threads = [...vcpus.map((_, v) => `vcpu/${v}`), ...invalidators.map((_, i) => `invalidator/${i}`)]
  const branches: Array<Branch> = []
  /** The first branch of each step of a thread. */
  const enter = <T>(thread: number, steps: ReadonlyArray<Step<T> | undefined>, reaches: (at: number) => boolean) =>
    Int32Array.from(steps, (step, at) => {
      const first = branches.length
      if (step === undefined || !reaches(at)) return first
      for (const outcome of step.outcomes) branches.push({ thread, step: step.label, outcome })
      return first
    })
  const firstBranch = [
    ...vcpus.map((v) => enter(v.id, vSteps, () => true)),
    ...invalidators.map((i) =>
      enter(vcpus.length + i.id, iSteps, (at) => at !== INVALIDATOR_AT.ginv || i.hits.length > 0)
    )
  ]
  const footprint = footprintOf(machine, config, variant)
  const { words } = machine
  const size = words.length
  return {
    name: `${config.name ?? "reference"} ${letter}`,
    threads,
    words: size,
    properties: PROPERTIES,
    branches,
    initials: 1,
    initial: () => machine.reset(),
    unpack: (from, at) => {
      for (let i = 0; i < size; i++) words[i] = from[at + i]
    },
    pack: (to, at) => {
      for (let i = 0; i < size; i++) to[at + i] = words[i]
    },
    ways: (thread) => {
      if (thread < vcpus.length) {
        const v = vcpus[thread]
        return vSteps[v.pc]!.isEnabled(v) ? 1 : 0
      }
      const i = invalidators[thread - vcpus.length]
      return iSteps[i.pc]!.isEnabled(i) ? 1 : 0
    },
    apply: (thread) => {
      if (thread < vcpus.length) {
        const v = vcpus[thread]
        const { pc } = v
        return firstBranch[thread][pc] + vSteps[pc]!.run(v)
      }
      const i = invalidators[thread - vcpus.length]
      const { pc } = i
      return firstBranch[thread][pc] + iSteps[pc]!.run(i)
    },
    brokenByStep: () => 0,
    brokenInState: judge(machine, variant),
    isDone: (thread) => {
      if (thread < vcpus.length) return vcpus[thread].uses === config.NV && vcpus[thread].pc === VCPU_AT.idle
      const i = invalidators[thread - vcpus.length]
      return i.pc === INVALIDATOR_AT.idle && !i.hasMore()
    },
    goals: [refreshesComplete(vcpus, config.NV)],
    ...(footprint === undefined ? {} : { footprint }),
    symmetry: symmetryOf(machine),
    forget: forgetIn(machine, config, variant)
  }
}

const refreshesComplete = (vcpus: ReadonlyArray<Vcpu>, uses: number): Goal => ({
  name: "RefreshesComplete",
  statement: "every vCPU makes all its uses at last",
  exercisedBy: ({ outcome, step }) => step === "begin" && outcome === "refresh",
  met: () => {
    for (let v = 0; v < vcpus.length; v++) if (vcpus[v].uses < uses) return false
    return true
  }
})

/** The state properties, as a set. */
const judge = ({ gpcs, invalidators, notifier, vcpus }: Machine, { snapshot, walk }: Variant) => (): number => {
  let broken = 0
  for (let k = 0; k < vcpus.length; k++) {
    const { gpc, pc } = vcpus[k]
    if (pc === VCPU_AT.deref && gpc.pfn === PFN.freed) broken |= 1
    if (pc >= VCPU_AT.lookup && gpc.valid === 1) broken |= 8
  }
  let active = 0
  for (let k = 0; k < invalidators.length; k++) {
    const { hits, pc } = invalidators[k]
    if (pc !== INVALIDATOR_AT.idle && (pc !== INVALIDATOR_AT.ginv || walk !== "after-count")) active++
    if (pc !== INVALIDATOR_AT.zap && pc !== INVALIDATOR_AT.end1) continue
    for (let h = 0; h < hits.length; h++) if (hits[h].valid === 1) broken |= 2
  }
  if (notifier.count !== active) broken |= 4
  if (snapshot === "flag") {
    for (let g = 0; g < gpcs.length; g++) if (gpcs[g].valid === 1 && gpcs[g].flag === 0) broken |= 8
  }
  return broken
}

/** vCPUs of one cache are alike, and so are invalidators of one range that stop after as many invalidations. */
const symmetryOf = ({ bytes, gpcs, invalidators, vcpus }: Machine): Symmetry => {
  const compareBytes = (a: number, b: number, size: number): number => {
    for (let k = 0; k < size; k++) if (bytes[a + k] !== bytes[b + k]) return bytes[a + k] - bytes[b + k]
    return 0
  }
  const exchangeBytes = (a: number, b: number, size: number): void => {
    for (let k = 0; k < size; k++) {
      const kept = bytes[a + k]
      bytes[a + k] = bytes[b + k]
      bytes[b + k] = kept
    }
  }
  const exchangeRefresher = (a: number, b: number): void => {
    for (let g = 0; g < gpcs.length; g++) {
      const { refresher } = gpcs[g]
      if (refresher === a + 1) gpcs[g].refresher = b + 1
      else if (refresher === b + 1) gpcs[g].refresher = a + 1
    }
  }
  const size = (thread: number) => thread < vcpus.length ? 4 : 3
  const at = (thread: number) => thread < vcpus.length ? vcpus[thread].at : invalidators[thread - vcpus.length].at
  const groups = [
    ...groupBy(vcpus, (v) => `${v.gpc.id}`),
    ...groupBy(invalidators, (i) => `${i.low} ${i.high} ${i.limit}`).map((group) => group.map((i) => i + vcpus.length))
  ]
  return {
    groups: groups.filter((group) => group.length > 1),
    // Of two vCPUs that agree in every byte neither holds a refresh lock: its holder stands where only one can.
    compare: (a, b) => compareBytes(at(a), at(b), size(a)),
    exchange: (a, b) => {
      exchangeBytes(at(a), at(b), size(a))
      if (a < vcpus.length) exchangeRefresher(a, b)
    }
  }
}

const groupBy = <T extends Vcpu | Invalidator>(threads: ReadonlyArray<T>, key: (thread: T) => string) => {
  const groups = new Map<string, Array<number>>()
  for (const thread of threads) {
    const group = groups.get(key(thread))
    if (group === undefined) groups.set(key(thread), [thread.id])
    else group.push(thread.id)
  }
  return [...groups.values()]
}
