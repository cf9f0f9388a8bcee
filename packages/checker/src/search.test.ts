import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type { Model } from "./model.ts"
import * as oracle from "./oracle.ts"
import { replay } from "./path.ts"
import { programModel, programs } from "./programs.ts"
import { ALL_REDUCTIONS, NO_REDUCTIONS } from "./reduction.ts"
import type { Reductions } from "./reduction.ts"
import { configs, variants } from "./reference/arbitrary.ts"
import { referenceModel } from "./reference/model.ts"
import { run } from "./run.ts"
import { Search } from "./search.ts"
import { CHUNK, MOST_CHUNKS } from "./states.ts"

const explore = (model: Model, reductions?: Reductions) =>
  Effect.runSync(run(new Search(model, reductions), { all: true }))

/** The properties broken, each with the length of its counterexample. */
const violations = (report: ReturnType<typeof explore>) =>
  report.verdicts.flatMap((verdict, i) =>
    verdict.outcome === "violated" ? [[i, verdict.counterexample.moves.length]] : []
  )

const REDUCTIONS: ReadonlyArray<Reductions> = [
  NO_REDUCTIONS,
  { ...NO_REDUCTIONS, partialOrder: true },
  { ...NO_REDUCTIONS, symmetry: true },
  { ...NO_REDUCTIONS, merge: true },
  { ...NO_REDUCTIONS, forget: true },
  { ...ALL_REDUCTIONS, merge: false },
  { ...ALL_REDUCTIONS, partialOrder: false },
  ALL_REDUCTIONS
]

/** Branches that no thread took; where alike threads are not told apart, that no thread alike took. */
const untaken = (model: Model, seen: oracle.Seen, { symmetry }: Reductions) => {
  const groups = symmetry ? model.symmetry?.groups ?? [] : []
  const keyOf = (i: number) => {
    const { outcome, step, thread } = model.branches[i]
    return `${groups.find((group) => group.includes(thread))?.[0] ?? thread} ${step} ${outcome}`
  }
  const taken = new Set([...seen.taken].map(keyOf))
  return model.branches.filter((_, i) => !taken.has(keyOf(i)))
}

/** What every search must say of a model, whatever its reductions. */
const expected = (model: Model, seen: oracle.Seen, reductions: Reductions) => ({
  isComplete: true,
  violations: [...seen.shortest].sort(([a], [b]) => a - b),
  allShortest: true,
  unreached: untaken(model, seen, reductions),
  ends: seen.terminal > 0,
  isStuck: seen.stuck > 0,
  isSmaller: true,
  counts: reductions === NO_REDUCTIONS ? [seen.distinct, seen.generated, seen.depth, seen.terminal, seen.stuck] : []
})

/** What a search says. */
const said = (model: Model, seen: oracle.Seen, reductions: Reductions) => {
  const report = explore(model, reductions)
  const { depth, distinct, generated, isComplete, stuck, terminal, unreached, verdicts } = report
  return {
    isComplete,
    violations: violations(report),
    allShortest: verdicts.every((verdict) => verdict.outcome !== "violated" || verdict.counterexample.isShortest),
    unreached,
    ends: terminal > 0,
    isStuck: stuck > 0,
    isSmaller: distinct <= seen.distinct,
    counts: reductions === NO_REDUCTIONS ? [distinct, generated, depth, terminal, stuck] : []
  }
}

describe("a breadth-first search", () => {
  it("sees what a plain search sees, whatever the reductions, in small programs", () =>
    fc.assert(
      fc.property(programs, (given) => {
        const model = programModel(given)
        const seen = oracle.search(model)
        for (const reductions of REDUCTIONS) {
          assert.deepStrictEqual(said(model, seen, reductions), expected(model, seen, reductions))
        }
      }),
      { numRuns: 400 }
    ))

  it("sees what a plain search sees, whatever the reductions, in the reference model", () =>
    fc.assert(
      fc.property(configs, variants, (config, variant) => {
        const model = referenceModel(config, variant)
        const seen = oracle.search(model)
        for (const reductions of REDUCTIONS) {
          assert.deepStrictEqual(said(model, seen, reductions), expected(model, seen, reductions))
        }
      }),
      { numRuns: 60 }
    ))

  it("reports a path that can be replayed and branched from after any prefix", () => {
    const model = programModel({
      cells: 2,
      threads: [[{ op: "add", cell: 0 }, { op: "jump", to: 0 }], [{ op: "assert-not", cell: 0, value: 3 }]]
    })
    const [verdict] = explore(model).verdicts
    if (verdict.outcome !== "violated") return assert.fail(verdict.outcome)
    const { counterexample } = verdict
    assert.deepStrictEqual(counterexample.moves.map(({ thread }) => thread), [0, 0, 0, 0, 0, 1])
    assert.deepStrictEqual(replay(model, counterexample)!.map(({ broken }) => broken), [0, 0, 0, 0, 0, 1])
    for (let n = 0; n < counterexample.moves.length; n++) {
      const prefix = { initial: 0, moves: counterexample.moves.slice(0, n) }
      assert.strictEqual(
        replay(model, { ...prefix, moves: [...prefix.moves, { thread: 1, way: 0 }] })?.at(-1)?.branch,
        2
      )
    }
    assert.isUndefined(replay(model, { initial: 0, moves: [{ thread: 1, way: 0 }, { thread: 1, way: 0 }] }))
  })

  it("says of a property that nothing put to the test that it was not exercised, not that it holds", () => {
    const model = programModel({ cells: 1, threads: [[{ op: "await", cell: 0, value: 1 }, { op: "add", cell: 0 }]] })
    const tested = {
      ...model,
      properties: model.properties.map((property, i) =>
        i === 0 ? { ...property, exercisedBy: ({ step }: { readonly step: string }) => step === "1 add" } : property
      )
    }
    const report = explore(tested)
    assert.deepStrictEqual(report.verdicts.map(({ outcome }) => outcome), ["not exercised", "holds", "violated"])
    assert.deepStrictEqual(report.unreached.map(({ step }) => step), ["0 await", "1 add"])
  })

  it("breaks off with a shortest path, not a later one", () =>
    fc.assert(
      fc.property(programs, (given) => {
        const model = programModel(given)
        const { shortest } = oracle.search(model)
        const report = Effect.runSync(run(new Search(model)))
        assert.strictEqual(report.outcome === "violated", shortest.size > 0)
        for (const [property, length] of violations(report)) assert.strictEqual(length, shortest.get(property))
      }),
      { numRuns: 300 }
    ))

  it("finds the shorter of two ways to break a property, by a step and by standing still", () => {
    const plain = programModel({
      cells: 1,
      threads: [[{ op: "choose", cell: 0 }, { op: "await", cell: 0, value: 0 }]]
    })
    let broken = 0
    const model: Model = {
      ...plain,
      apply: (thread, way) => {
        const branch = plain.apply(thread, way)
        broken = plain.branches[branch].step === "1 await" ? 4 : 0
        return branch
      },
      brokenByStep: () => broken
    }
    for (const all of [true, false]) {
      const report = Effect.runSync(run(new Search(model), { all }))
      assert.deepStrictEqual(violations(report), [[2, 1]])
      assert.strictEqual(report.stuck, all ? 1 : 0)
    }
  })

  it("counts what was put to the test by one of two alike threads for the other", () => {
    const twice = [{ op: "add", cell: 0 }] as const
    const model = programModel({ cells: 1, threads: [twice, twice] })
    const properties = [{
      ...model.properties[0],
      exercisedBy: ({ thread }: { readonly thread: number }) => thread === 1
    }]
    for (const reductions of [NO_REDUCTIONS, { ...NO_REDUCTIONS, symmetry: true }]) {
      assert.strictEqual(explore({ ...model, properties }, reductions).verdicts[0].outcome, "holds")
    }
  })

  it("is made without partial order when there are more threads than a set of them has room for", () => {
    const thread = [{ op: "set", cell: 0, value: 1 }] as const
    const idle: ReadonlyArray<never> = []
    for (const [count, reduces] of [[30, true], [31, false], [40, false]] as const) {
      const threads = [...Array.from({ length: count - 2 }, () => idle), thread, thread]
      const model = { ...programModel({ cells: 1, threads: threads.slice(-4) }) }
      const wide: Model = {
        ...model,
        threads: threads.map((_, t) => `thread/${t}`),
        ways: (t) => t < count - 4 ? 0 : model.ways(t - count + 4),
        apply: (t, way) => model.apply(t - count + 4, way),
        isDone: (t) => t < count - 4 || model.isDone!(t - count + 4),
        footprint: (t, into, at) => t < count - 4 ? into.fill(0, at, at + 4) : model.footprint!(t - count + 4, into, at)
      }
      const partialOrder = explore(wide, { ...NO_REDUCTIONS, partialOrder: true })
      assert.strictEqual(partialOrder.reductions.partialOrder, reduces)
      assert.deepInclude(partialOrder, { outcome: "holds", isComplete: true })
      assert.deepInclude(explore(wide), { outcome: "holds", distinct: 4, terminal: 1, stuck: 0 })
    }
  })

  it("refuses more properties than a set of them has room for", () => {
    const model = programModel({ cells: 1, threads: [[{ op: "add", cell: 0 }]] })
    const many = (n: number): Model => ({
      ...model,
      properties: Array.from({ length: n }, (_, i) => ({ name: `P${i}`, statement: "" })),
      brokenInState: () => 1 << n - 1,
      brokenAtEnd: () => 0
    })
    assert.deepStrictEqual(violations(explore(many(31))), [[30, 0]])
    const error = Effect.runSync(Effect.flip(run(new Search(many(32)))))
    assert.strictEqual(error.message, "programs: 32 properties, of which a set has room for 31")
  })

  it("refuses a model without an initial state, of which everything would hold", () => {
    const model = programModel({ cells: 1, threads: [[{ op: "add", cell: 0 }]] })
    const error = Effect.runSync(Effect.flip(run(new Search({ ...model, initials: 0 }))))
    assert.strictEqual(error.message, "programs: no initial state, so nothing to check")
  })

  it("is unknown when no numbers are left for states", () => {
    const search = new Search(programModel({ cells: 1, threads: [[{ op: "add", cell: 0 }]] }))
    search.states.chunks.length = MOST_CHUNKS
    search.states.count = MOST_CHUNKS * CHUNK
    assert.deepInclude(Effect.runSync(run(search)), { outcome: "unknown", stopped: "memory" })
  })

  it("finds a violation in an initial state, with an empty path", () => {
    const model = programModel({ cells: 1, threads: [[{ op: "add", cell: 0 }]] })
    const report = explore({ ...model, brokenInState: () => 2 })
    assert.deepStrictEqual(violations(report), [[1, 0]])
  })

  it("takes a set of initial states, each once", () => {
    const model = programModel({ cells: 2, threads: [[{ op: "add", cell: 0 }]] })
    const put = (k: number) => {
      model.initial(0)
      model.unpack(Int32Array.of(k < 2 ? 0 : k), 0)
    }
    const report = explore({ ...model, initials: 4, initial: put })
    assert.deepInclude(report, { distinct: 6, generated: 7, depth: 1, terminal: 3 })
  })
})
