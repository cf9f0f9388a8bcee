import { assert, describe, it } from "@effect/vitest"
import { endValidating } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { parallelSearch } from "./parallel.ts"
import { PROTOCOL_WORKER } from "./protocol/entry.ts"
import { protocolModel } from "./protocol/model.ts"
import { BOUNDED } from "./protocol/scenarios.ts"
import { ALL_REDUCTIONS, NO_REDUCTIONS } from "./reduction.ts"
import type { Reductions } from "./reduction.ts"
import { REFERENCE_CONFIGS } from "./reference/configs.ts"
import { referenceModel } from "./reference/model.ts"
import type { VariantLetter } from "./reference/variant.ts"
import type { Report } from "./report.ts"
import { run } from "./run.ts"
import type { RunOptions } from "./run.ts"
import { Search } from "./search.ts"
import { allocate, SharedStates } from "./shared-states.ts"

const entry = new URL("./reference/worker.ts", import.meta.url)

const search = (
  name: string,
  variant: VariantLetter,
  workers: number,
  { reductions, ...options }: RunOptions & { readonly reductions?: Reductions } = {}
) =>
  Effect.gen(function*() {
    const config = REFERENCE_CONFIGS[name]
    const model = referenceModel(config, variant)
    const explorer = yield* parallelSearch({ model, entry, config: { config, variant }, workers, reductions })
    return yield* run(explorer, options)
  }).pipe(Effect.scoped)

const facts = (report: Report) => {
  const { depth, distinct, generated, isComplete, outcome, stuck, terminal, unreached, verdicts } = report
  const found = verdicts.map((verdict) => [
    verdict.outcome,
    verdict.outcome === "violated" ? verdict.counterexample.moves.length : 0
  ])
  return { depth, distinct, generated, isComplete, outcome, terminal, stuck, unreached, found }
}

describe("a search on several workers", () => {
  it.live.each([["tiny", "A", 2], ["small", "A", 1], ["small", "C", 2], ["small", "D", 3]] as const)(
    "has the counts and verdicts of one: %s %s, %d workers",
    ([name, variant, workers]) =>
      Effect.gen(function*() {
        for (const reductions of [NO_REDUCTIONS, ALL_REDUCTIONS]) {
          const alone = yield* run(new Search(referenceModel(REFERENCE_CONFIGS[name], variant), reductions), {
            all: true
          })
          const together = yield* search(name, variant, workers, { all: true, reductions })
          assert.deepStrictEqual(facts(together), facts(alone))
        }
      })
  )

  it.live("stops at the first violation, and at limits", () =>
    Effect.gen(function*() {
      const report = yield* search("small", "C", 2)
      assert.deepInclude(report, { outcome: "violated", stopped: "violation" })
      const limited = yield* search("medium", "A", 2, { limits: { states: 20_000 } })
      assert.deepInclude(limited, { outcome: "unknown", stopped: "states" })
    }))

  it.live("can be interrupted between rounds, and then run on to the same counts", () =>
    Effect.gen(function*() {
      const config = REFERENCE_CONFIGS["medium"]
      const model = referenceModel(config, "D")
      const explorer = yield* parallelSearch({ model, entry, config: { config, variant: "D" }, workers: 2 })
      for (const depth of [10, 25, 35]) {
        const fiber = yield* Effect.forkChild(run(explorer, { all: true }))
        while (explorer.depth < depth) yield* Effect.sleep("1 millis")
        yield* Fiber.interrupt(fiber)
        assert.isFalse(explorer.isDone)
      }
      assert.deepInclude(yield* run(explorer, { all: true }), { distinct: 729_933, generated: 2_595_756, depth: 53 })
    }).pipe(Effect.scoped))

  it("has room for every initial state", () => {
    const states = new SharedStates(allocate(1, 2, 300_000), 2)
    for (let n = 0; n < 300_000; n++) states.add(Int32Array.of(n), 0, Math.imul(n, 0x9e3779b1) | 1, -1)
    assert.strictEqual(states.added, 300_000)
    assert.strictEqual(states.add(Int32Array.of(77), 0, Math.imul(77, 0x9e3779b1) | 1, -1), 77)
  })

  it.live("is refused without a worker, by which everything would hold", () =>
    Effect.gen(function*() {
      for (const workers of [0, -1, 1.5, NaN]) {
        const error = yield* Effect.flip(search("tiny", "A", workers))
        assert.strictEqual(error.message, `tiny A: ${workers} workers, and it takes at least one`)
      }
    }))

  it.live("fails when a worker cannot be started", () =>
    Effect.gen(function*() {
      const config = REFERENCE_CONFIGS["tiny"]
      const model = referenceModel(config, "A")
      const missing = new URL("./reference/no-such-worker.ts", import.meta.url)
      const error = yield* Effect.gen(function*() {
        const explorer = yield* parallelSearch({ model, entry: missing, config, workers: 2 })
        return yield* Effect.flip(run(explorer))
      }).pipe(Effect.scoped)
      assert.strictEqual(error._tag, "WorkerFailed")
      assert.match(error.message, /^worker 0: .*no-such-worker/)
    }))

  it.live(
    "searches the protocol, and begins again when a worker meets a state that was not foreseen",
    () =>
      Effect.gen(function*() {
        const { world } = BOUNDED.find(({ name }) => name === "s3")!
        const policy = endValidating
        const alone = yield* run(new Search(protocolModel(world, policy), ALL_REDUCTIONS), { all: true })
        const model = protocolModel(world, policy)
        const seen = model.layout!.save() as ReadonlyArray<ReadonlyArray<number>>
        // As if one value of one cell had not been seen. Each value that is missing costs a beginning.
        const cell = seen.findIndex((values) => values.length === 3)
        const [missing] = seen[cell]!.slice(-1)
        assert.isTrue(model.layout!.load(seen.map((values, i) => i === cell ? values.slice(0, -1) : values)))
        const options = {
          model,
          entry: PROTOCOL_WORKER,
          config: { policy, world },
          workers: 2,
          reductions: ALL_REDUCTIONS
        }
        const together = yield* run(yield* parallelSearch(options), { all: true })
        assert.deepStrictEqual(facts(together), facts(alone))
        // It was met, and learned.
        assert.include((model.layout!.save() as typeof seen)[cell], missing)
      }).pipe(Effect.scoped),
    60_000
  )
})
