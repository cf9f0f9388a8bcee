// Validity intervals and stale windows, against the state that the run had.
import { assert, describe, it } from "@effect/vitest"
import { memory } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { fold, lifetimes, validIntervals, violations } from "@pfnscope/projections"
import { Evolve, initialState, L, POLICIES, replay } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const runOf = Effect.fnUntraced(function*(scenario: string, policy: string, until: number) {
  const header = runHeader(
    SCENARIOS.find(({ name }) => name === scenario)!,
    POLICIES.find(({ name }) => name === policy)!,
    { seed: 2, until }
  )
  const log = yield* memory(eventCodec)
  const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
  yield* machine.run
  return { header, log }
})

describe("validity intervals", () => {
  it.effect.each(POLICIES.map(({ name }) => name))(
    "are those of the state at every event, under %s",
    (policy) =>
      Effect.gen(function*() {
        const { header, log } = yield* runOf("migration", policy, 80_000)
        const intervals = yield* fold(validIntervals, log.read())
        const state = initialState(header.world)
        const evolve = new Evolve(state)
        const isValid = (gpc: number, seq: number) =>
          (intervals.get(gpc) ?? []).some(({ from, to }) => from.seq <= seq && (to === undefined || seq < to.seq))
        yield* Stream.runForEach(log.read(), ({ data, seq }) =>
          Effect.sync(() => {
            replay(data, evolve)
            if (data.to !== undefined) evolve.moved(data.thread, L[data.to])
            for (const gpc of state.gpcs) {
              assert.strictEqual(isValid(gpc.id, seq), gpc.valid === 1, `gpc/${gpc.id} at #${seq}`)
            }
          }))
      })
  )
})

describe("stale windows", () => {
  it.effect("hold every access that touches a wrong page, and every access after the free", () =>
    Effect.gen(function*() {
      for (const policy of ["mainline-6.12", "end-validating", "needs-invalidation-v2"]) {
        const { log } = yield* runOf("hva-cache", policy, 200_000)
        const { frames, windows } = yield* fold(lifetimes, log.read())
        const found = yield* fold(violations, log.read())
        const wrong = found.counts.get("P2") ?? 0
        assert.isAbove(wrong, 0, policy)
        assert.strictEqual(windows.reduce((n, { accesses }) => n + accesses, 0), wrong, policy)
        for (const { property, judged } of found.list) {
          if (property !== "P1") continue
          const window = windows.find(({ from, to }) => from.seq < judged && (to === undefined || judged < to.seq))
          assert.isBelow(window!.freed!.seq, judged)
          assert.strictEqual(frames.get(window!.pfn)!.freed!.seq, window!.freed!.seq)
        }
      }
    }))

  it.effect("are there under no sound policy", () =>
    Effect.gen(function*() {
      for (const policy of ["mainline-7.3", "flag-wait", "exact-ranges"]) {
        for (const scenario of ["hva-cache", "migration", "storm-on-page"]) {
          const { log } = yield* runOf(scenario, policy, 200_000)
          const { frames, windows } = yield* fold(lifetimes, log.read())
          assert.deepStrictEqual(windows, [], `${scenario} under ${policy}`)
          assert.isAbove(frames.size, 0)
        }
      }
    }))
})
