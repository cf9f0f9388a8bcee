/**
 * A policy's program: its steps, by label.
 *
 * This is the one copy of the protocol. Fibers run it, the checker explores it, conformance compares with it.
 *
 * @since 0.1.0
 */
import { gpcSteps } from "./gpc.ts"
import { L, LABELS } from "./label.ts"
import type { LabelId } from "./label.ts"
import { memslotSteps } from "./memslot.ts"
import { mmuSteps } from "./mmu.ts"
import { notifierSteps } from "./notifier.ts"
import type { Policy } from "./policy.ts"
import { hasNext } from "./state.ts"
import type { State, Thread } from "./state.ts"
import type { Program, Steps } from "./step.ts"
import { entryOf, vcpuSteps } from "./vcpu.ts"

/**
 * The program of a policy. A label the policy never reaches has a step that fails loudly.
 *
 * @category constructors
 * @since 0.1.0
 */
export const programOf = (policy: Policy): Program => {
  const steps: Steps = {
    ...vcpuSteps,
    ...mmuSteps(policy),
    ...notifierSteps(policy),
    ...gpcSteps(policy),
    ...memslotSteps
  }
  return LABELS.map((label) => ({ label, ...(steps[label] ?? unreachable(policy.name, label)) }))
}

const unreachable = (policy: string, label: string) => ({
  actor: (): number => {
    throw new Error(`policy ${policy} has no step ${label}`)
  },
  to: (): ReadonlyArray<LabelId> => [],
  run: (): number => {
    throw new Error(`policy ${policy} has no step ${label}`)
  }
})

/**
 * The labels that a thread can come to in an operation from a label on (its entry, unless told), that one included.
 *
 * @category queries
 * @since 0.1.0
 */
export const labelsOf = (program: Program, op: number, from: LabelId = entryOf(op)): ReadonlyArray<LabelId> => {
  const labels = new Set([from])
  for (const label of labels) if (label !== L.idle) { for (const next of program[label].to(op)) labels.add(next) }
  return [...labels]
}

/**
 * Whether a thread has done all it was asked for.
 *
 * @category queries
 * @since 0.1.0
 */
export const isDone = (s: State, t: Thread): boolean => t.pc === L.idle && !hasNext(s.geo, t)

/**
 * Whether a thread's next step can run now.
 *
 * @category queries
 * @since 0.1.0
 */
export const isEnabled = (program: Program, s: State, t: Thread): boolean => {
  const { guard } = program[t.pc]
  return guard === undefined || guard(s, t)
}
