// A change that no policy says: mainline-6.12 with the two tests of mmu_notifier_retry_cache() the other way round, the
// sequence before the count. The steps of the policy are taken as they are, but for where three of them lead; the checker
// then looks at every interleaving of s1. Prints what is violated, and the shortest way to it.
import { ALL_REDUCTIONS, BOUNDED, protocolModel, replay, run, Search } from "@pfnscope/checker"
import { L, mainline612, programOf } from "@pfnscope/protocol"
import type { Program, Step } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** The step, going to `to` where it would go to `from`. */
const redirected = (step: Step, from: number, to: number): Step => ({
  ...step,
  to: (op) => step.to(op).map((label) => label === from ? to : label),
  run: (s, t, emit, choice) => {
    const next = step.run(s, t, emit, choice)
    return next === from ? to : next
  }
})

/** The step that tests the sequence: if it has moved, it decides, as before; if not, the count is still to be tested. */
const first = (step: Step): Step => ({
  ...step,
  to: () => [L["retry.decide"], L["retry.count"]],
  run: (s, t, emit, choice) => {
    const moved = s.kvm.seq !== t.snapshot
    const next = step.run(s, t, emit, choice)
    return moved ? next : L["retry.count"]
  }
})

const program: Program = programOf(mainline612).map((step) => {
  if (step.label === "retry.relock") return redirected(step, L["retry.count"], L["retry.seq"])
  if (step.label === "retry.seq") return first(step)
  if (step.label === "retry.count") return redirected(step, L["retry.seq"], L["retry.decide"])
  return step
})

const { world } = BOUNDED.find(({ name }) => name === "s1")!

const main = Effect.gen(function*() {
  const model = protocolModel(world, mainline612, program)
  const { verdicts } = yield* run(new Search(model, ALL_REDUCTIONS), { all: true })
  const violated = verdicts.filter((verdict) => verdict.outcome === "violated")
  yield* Console.log(`violated: ${violated.map(({ property }) => property.name).join(" ") || "nothing"}`)
  const lengthOf = ({ counterexample }: (typeof violated)[number]) => counterexample.moves.length
  const shortest = [...violated].sort((a, b) => lengthOf(a) - lengthOf(b)).at(0)
  if (shortest === undefined) return
  yield* Console.log(`${shortest.property.name}:`)
  for (const { branch, move } of replay(model, shortest.counterexample) ?? []) {
    yield* Console.log(`  ${model.threads[move.thread]} ${model.branches[branch]?.step}`)
  }
})

await Effect.runPromise(main)
