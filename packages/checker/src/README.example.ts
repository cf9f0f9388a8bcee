import { replay, run, runLive, Search } from "@pfnscope/checker"
import type { Branch, Model } from "@pfnscope/checker"
import * as Effect from "effect/Effect"

const [IDLE, TESTED, INSIDE] = [0, 1, 2]
const STEPS = ["test", "set", "leave"]

/** Two threads and a lock that is tested in one step and set in the next. */
const brokenLock = (): Model => {
  const state = new Int32Array(3) // where each thread stands, and whether the lock is held
  const branches: Array<Branch> = [0, 1].flatMap((thread) => STEPS.map((step) => ({ thread, step, outcome: "" })))
  return {
    name: "broken lock",
    threads: ["alice", "bob"],
    words: 3,
    properties: [{ name: "Exclusion", statement: "at most one thread is inside" }],
    branches,
    initials: 1,
    initial: () => state.fill(0),
    unpack: (words, at) => state.set(words.subarray(at, at + 3)),
    pack: (words, at) => words.set(state, at),
    ways: (thread) => state[thread] === IDLE && state[2] === 1 ? 0 : 1,
    apply: (thread) => {
      const at = state[thread]!
      if (at === TESTED) state[2] = 1
      if (at === INSIDE) state[2] = 0
      state[thread] = (at + 1) % 3
      return 3 * thread + at
    },
    brokenByStep: () => 0,
    brokenInState: () => state[0] === INSIDE && state[1] === INSIDE ? 1 : 0,
    goals: [{ name: "Turn", statement: "bob is inside again and again", met: () => state[1] === INSIDE }]
  }
}

/** The shortest way for both to be inside, and a fair run in which bob never is. */
export const example = Effect.gen(function*() {
  const model = brokenLock()
  const safety = yield* run(new Search(model))
  const [verdict] = safety.verdicts
  const steps = verdict?.outcome === "violated" ? replay(model, verdict.counterexample) : undefined
  const live = yield* runLive(new Search(model))
  const [goal] = live.goals
  return {
    states: live.distinct,
    both: steps?.map(({ branch }) =>
      `${model.threads[model.branches[branch]!.thread]} ${model.branches[branch]!.step}`
    ),
    starves: goal?.outcome === "violated" ? goal.fairness : undefined
  }
})
