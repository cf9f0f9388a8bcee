import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { checkpoint, resume } from "./checkpoint.ts"
import { isFair, replayLasso } from "./lasso.ts"
import { runLive } from "./live.ts"
import type { Model } from "./model.ts"
import * as oracle from "./oracle.ts"
import { programModel, programs } from "./programs.ts"
import type { Instruction } from "./programs.ts"
import { NO_REDUCTIONS } from "./reduction.ts"
import { configs, variants } from "./reference/arbitrary.ts"
import { REFERENCE_CONFIGS } from "./reference/configs.ts"
import { referenceModel } from "./reference/model.ts"
import type { VariantLetter } from "./reference/variant.ts"
import { run } from "./run.ts"
import { Search } from "./search.ts"

const live = (model: Model, forget = false) => Effect.runSync(runLive(new Search(model, { ...NO_REDUCTIONS, forget })))

const outcomeOf = (model: Model, forget = false) => {
  const [verdict] = live(model, forget).goals
  if (verdict.outcome === "violated") {
    const fairness = replayLasso({ model }, verdict.property, verdict.lasso)
    assert.deepStrictEqual(fairness, verdict.fairness)
    assert.isTrue(isFair(model, fairness!))
  }
  return verdict.outcome
}

/** Every set of the threads there are. */
const subsets = (threads: number): ReadonlyArray<ReadonlySet<number>> =>
  Array.from(
    { length: 2 ** threads },
    (_, bits) => new Set(Array.from({ length: threads }, (_, t) => t).filter((t) => (bits >>> t & 1) === 1))
  )

/**
 * Whether a fair run can stay off the goal: by reachability from every state, without components. Each choice of the
 * threads that wait for their turn in vain is tried: they are disabled in every state of the run.
 */
const canStarve = (model: Model): boolean => {
  const { graph } = oracle.search(model)
  const waits = (t: number) => model.waitsInTurn?.(t) ?? false
  const facts = new Map([...graph.keys()].map((key) => {
    oracle.enter(model, key)
    const inTurn = new Set(model.threads.map((_, t) => t).filter(waits))
    return [key, { inTurn, met: model.goals![0].met() }] as const
  }))
  const disabled = (key: string, t: number) => graph.get(key)!.every(({ thread }) => thread !== t)
  const starvesWith = (inVain: ReadonlySet<number>): boolean => {
    const off = [...graph.keys()].filter((key) =>
      !facts.get(key)!.met && [...inVain].every((t) => facts.get(key)!.inTurn.has(t) && disabled(key, t))
    )
    const stays = new Set(off)
    const reach = new Map(off.map((key) => {
      const seen = new Set<string>()
      const from = [key]
      while (from.length > 0) {
        for (const { target } of graph.get(from.pop()!)!) {
          if (!stays.has(target) || seen.has(target)) continue
          seen.add(target)
          from.push(target)
        }
      }
      return [key, seen] as const
    }))
    const isFairPart = (part: ReadonlyArray<string>) =>
      model.threads.every((_, t) =>
        inVain.has(t) || model.isFair?.(t) === false ||
        part.some((member) =>
          (disabled(member, t) && !facts.get(member)!.inTurn.has(t)) ||
          graph.get(member)!.some(({ target, thread }) => thread === t && part.includes(target))
        )
      )
    return off.some((key) => {
      const isEnd = graph.get(key)!.length === 0
      if (!isEnd && !reach.get(key)!.has(key)) return false
      return isFairPart(
        off.filter((other) => other === key || (reach.get(key)!.has(other) && reach.get(other)!.has(key)))
      )
    })
  }
  return subsets(model.threads.length).some(starvesWith)
}

const forever: ReadonlyArray<Instruction> = [{ op: "add", cell: 0 }, { op: "jump", to: 0 }]

/** Sets cell 0 to each of some values, for ever. */
const toggle = (values: ReadonlyArray<number>): ReadonlyArray<Instruction> => [
  ...values.map((value) => ({ op: "set" as const, cell: 0, value })),
  { op: "jump", to: 0 }
]

describe("a check of progress", () => {
  const table = [
    ["live-heap", "A"],
    ["live-slot", "AB"],
    ["live-sides", "ABDE"],
    ["live-own", "A"]
  ] as const
  const cells = table.flatMap(([config, starving]) =>
    [..."ABCDE"].map((variant) => ({ config, variant: variant as VariantLetter, starves: starving.includes(variant) }))
  )
  it.each(cells)("finds what Spin found: $config $variant, starves: $starves", ({ config, starves, variant }) => {
    const model = referenceModel(REFERENCE_CONFIGS[config], variant)
    for (const forget of [false, true]) assert.strictEqual(outcomeOf(model, forget), starves ? "violated" : "holds")
  })

  it("agrees with reachability in small programs", () =>
    fc.assert(
      fc.property(programs, (given) => {
        const model = programModel(given)
        assert.strictEqual(outcomeOf(model), canStarve(model) ? "violated" : "holds")
      }),
      { numRuns: 300 }
    ))

  it("agrees with reachability where some wait in turn", () =>
    fc.assert(
      fc.property(programs, (given) => {
        const model = programModel({ ...given, inTurn: true })
        fc.pre(oracle.search(model).distinct < 400)
        assert.strictEqual(outcomeOf(model), canStarve(model) ? "violated" : "holds")
      }),
      { numRuns: 300 }
    ))

  it("lets who waits in turn have what is free again and again, but not what never is", () => {
    const waiter: ReadonlyArray<Instruction> = [{ op: "await", cell: 0, value: 1 }]
    const outcomes = [[0, 1], [2, 3]].flatMap((values) =>
      [false, true].map((inTurn) => {
        const model = programModel({ cells: 1, threads: [toggle(values), waiter], inTurn })
        const words = new Int32Array(1)
        const met = () => {
          model.pack(words, 0)
          return (words[0] >> 16 & 255) === 1
        }
        return outcomeOf({ ...model, goals: [{ name: "Got", statement: "the waiter gets it", met }] })
      })
    )
    assert.deepStrictEqual(outcomes, ["violated", "holds", "violated", "violated"])
  })

  it("agrees with reachability in the reference model", () =>
    fc.assert(
      fc.property(configs, variants, (config, variant) => {
        fc.pre(config.V * config.I < 4)
        const model = referenceModel({ ...config, NV: 1, ni: config.ni.map((_, i) => i) }, variant)
        fc.pre(oracle.search(model).distinct < 1500)
        assert.strictEqual(outcomeOf(model, true) === "violated", canStarve(model))
      }),
      { numRuns: 40 }
    ))

  it("does not blame a run that a fair scheduler would not make", () => {
    const threads = [forever, [{ op: "set", cell: 1, value: 1 }]] as const
    const goal = { name: "Set", statement: "cell 1 is set at last", met: () => false }
    const model = programModel({ cells: 2, threads })
    const words = new Int32Array(1)
    const met = () => {
      model.pack(words, 0)
      return (words[0] >> 8 & 255) === 1
    }
    assert.strictEqual(outcomeOf({ ...model, goals: [{ ...goal, met }] }), "holds")
    const unfair = programModel({ cells: 2, threads, unfair: [1] })
    const metUnfair = () => {
      unfair.pack(words, 0)
      return (words[0] >> 8 & 255) === 1
    }
    const [verdict] = live({ ...unfair, goals: [{ ...goal, met: metUnfair }] }).goals
    if (verdict.outcome !== "violated") return assert.fail(verdict.outcome)
    assert.deepStrictEqual(verdict.fairness, ["moves", "not owed"])
    assert.strictEqual(verdict.lasso.cycle.length, 8)
  })

  it("shows where everything stops as a stem with an empty cycle", () => {
    const model = programModel({
      cells: 1,
      threads: [[{ op: "add", cell: 0 }, { op: "await", cell: 0, value: 0 }]]
    })
    const [verdict] = live(model).goals
    if (verdict.outcome !== "violated") return assert.fail(verdict.outcome)
    assert.deepStrictEqual(verdict.lasso, { stem: { initial: 0, moves: [{ thread: 0, way: 0 }] }, cycle: [] })
    assert.deepStrictEqual(verdict.fairness, ["disabled"])
  })

  it("refuses a lasso that does not close, is not enabled, or meets the goal", () => {
    const model = programModel({ cells: 1, threads: [forever] })
    const search = { model }
    const stem = { initial: 0, moves: [] }
    const round = Array.from({ length: 8 }, () => ({ thread: 0, way: 0 }))
    const never = { name: "Never", statement: "nothing", met: () => false }
    assert.deepStrictEqual(replayLasso(search, never, { stem, cycle: round }), ["moves"])
    assert.isUndefined(replayLasso(search, never, { stem, cycle: round.slice(1) }))
    assert.isUndefined(replayLasso(search, never, { stem, cycle: [] }))
    assert.isUndefined(replayLasso(search, never, { stem, cycle: [{ thread: 0, way: 1 }] }))
    assert.isUndefined(replayLasso(search, { ...never, met: () => true }, { stem, cycle: round }))
  })

  it("says of a goal that nothing put to the test that it was not exercised", () => {
    const model = referenceModel({ ...REFERENCE_CONFIGS["tiny"], NV: 0 }, "A")
    const report = live(model)
    assert.strictEqual(report.goals[0].outcome, "not exercised")
    assert.strictEqual(report.outcome, "unknown")
  })

  it.effect("goes round a cycle until the very same state comes back", () =>
    Effect.gen(function*() {
      // A light that is written for ever and never read: forgotten, one round is a cycle; in truth, two are.
      const state = new Int32Array(1)
      const model: Model = {
        name: "blink",
        threads: ["blinker"],
        words: 1,
        properties: [],
        branches: [{ thread: 0, step: "blink", outcome: "" }],
        initials: 1,
        initial: () => state.fill(0),
        unpack: (words, at) => state.set(words.subarray(at, at + 1)),
        pack: (words, at) => words.set(state, at),
        ways: () => 1,
        apply: () => {
          state[0] = 1 - state[0]
          return 0
        },
        brokenByStep: () => 0,
        brokenInState: () => 0,
        goals: [{ name: "Rest", statement: "it stops", met: () => false }],
        forget: () => state.fill(0)
      }
      const report = yield* runLive(new Search(model, { ...NO_REDUCTIONS, forget: true }))
      const [verdict] = report.goals
      if (verdict.outcome !== "violated") return assert.fail(verdict.outcome)
      assert.strictEqual(report.distinct, 1)
      assert.strictEqual(verdict.lasso.cycle.length, 2)
    }))

  it.effect("is the same of a search that was saved and taken up again", () =>
    Effect.gen(function*() {
      for (const variant of ["A", "B", "D"] as const) {
        const model = () => referenceModel(REFERENCE_CONFIGS["live-sides"], variant)
        const { bytes: _, millis: __, ...whole } = yield* runLive(new Search(model()))
        const search = new Search(model())
        yield* run(search, { limits: { states: 1000 } })
        const resumed = yield* resume(model(), yield* checkpoint(search))
        assert.isFalse(resumed.isDone)
        const { bytes: ___, millis: ____, ...rest } = yield* runLive(resumed)
        assert.strictEqual(JSON.stringify(rest), JSON.stringify(whole))
        assert.notStrictEqual(rest.goals[0].outcome, "unknown")
      }
    }))

  it.effect("is unknown when the analysis of a finished search runs into a limit", () =>
    Effect.gen(function*() {
      const search = new Search(referenceModel(REFERENCE_CONFIGS["live-own"], "A"))
      yield* run(search)
      assert.isTrue(search.isDone)
      const report = yield* runLive(search, { limits: { bytes: search.bytes + 1000 } })
      assert.deepInclude(report, { outcome: "unknown", stopped: "memory" })
    }))

  it.effect("knows nothing of a goal when the search did not end", () =>
    Effect.gen(function*() {
      const search = new Search(referenceModel(REFERENCE_CONFIGS["live-own"], "A"))
      const report = yield* runLive(search, { limits: { states: 500 } })
      assert.deepInclude(report, { outcome: "unknown", stopped: "states", isComplete: false })
      assert.strictEqual(report.goals[0].outcome, "unknown")
    }))
})
