import { assert, describe, it } from "@effect/vitest"
import { memory } from "@pfnscope/journal"
import type { Journal } from "@pfnscope/journal"
import { hashState, POLICIES } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { eventCodec, EventLog, fork, forkHeader, Machine, runHeader, SCENARIOS } from "./index.ts"
import type { RunHeader } from "./index.ts"

const policy = (name: string) => POLICIES.find((one) => one.name === name)!

const logFor = (header: RunHeader) =>
  Effect.map(memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) }), (log): Journal<Event> => log)

const runOf = Effect.fnUntraced(function*(scenario: string, policyName: string) {
  const header = runHeader(SCENARIOS.find(({ name }) => name === scenario)!, policy(policyName), {
    seed: 2,
    until: 9_000,
    knobs: { uses: 2, rounds: 2, updates: 1, pages: 2, writers: 2, pause: 500 }
  })
  const log = yield* logFor(header)
  const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
  yield* machine.run
  return { log, events: yield* Stream.runCollect(log.read()), end: hashState(machine.state) }
})

const forkAt = Effect.fnUntraced(function*(source: Journal<Event>, seq: number, to: string) {
  const header = yield* forkHeader(source, { name: "run.log", seq, policy: policy(to) })
  const log = yield* logFor(header)
  const machine = yield* Effect.provideService(fork(source, header), EventLog, log)
  yield* machine.run
  return { log, events: yield* Stream.runCollect(log.read()), end: hashState(machine.state) }
})

describe("a fork", () => {
  it.effect.each([["madvise-storm", "mainline-6.12"], ["memslot-update", "mainline-7.3"], ["first-map", "flag-wait"]])(
    "of %s under its own policy is the same run, from every position",
    ([scenario, name]) =>
      Effect.gen(function*() {
        const run = yield* runOf(scenario!, name!)
        for (let seq = 0; seq <= run.events.length; seq += 3) {
          const again = yield* forkAt(run.log, seq, name!)
          assert.strictEqual(again.end, run.end, `from #${seq}`)
          assert.deepStrictEqual(again.events, run.events, `from #${seq}`)
        }
      }),
    60_000
  )

  it.effect("under another policy has the run's past and a future of its own, and says where it comes from", () =>
    Effect.gen(function*() {
      const run = yield* runOf("madvise-storm", "mainline-6.12")
      const { log, events } = yield* forkAt(run.log, 40, "flag-wait")
      assert.deepStrictEqual(events.slice(0, 40), run.events.slice(0, 40))
      assert.notDeepEqual(events, run.events)
      assert.isAbove(events.length, 60)
      const { hash } = yield* run.log.head
      const meta = log.header.meta as unknown as RunHeader
      assert.deepStrictEqual(meta.from, { log: "run.log", hash, seq: 40, policy: "mainline-6.12" })
      assert.strictEqual(meta.policy.name, "flag-wait")
      // It can be rebuilt, and forked again.
      assert.strictEqual((yield* forkAt(log, 70, "flag-wait")).events.length, events.length)
    }))

  it.effect(
    "goes on from every position under every policy, or names the thread that cannot",
    () =>
      Effect.gen(function*() {
        const run = yield* runOf("madvise-storm", "needs-invalidation-v2")
        let refused = 0
        for (const [i, { name }] of POLICIES.entries()) {
          for (let seq = i; seq <= run.events.length; seq += 37) {
            const outcome = yield* Effect.result(forkAt(run.log, seq, name))
            if (outcome._tag === "Success") continue
            refused++
            assert.match(outcome.failure.message, /^after #\d+ \S+ is at \S+, a step that \S+ does not have: expected /)
          }
        }
        assert.isAbove(refused, 0)
      }),
    60_000
  )

  it.effect("beyond the end is refused, and of what is no run", () =>
    Effect.gen(function*() {
      const run = yield* runOf("first-map", "flag-wait")
      const beyond = yield* Effect.flip(forkAt(run.log, 100_000, "flag-wait"))
      assert.strictEqual(
        beyond.message,
        `fork at #100000: expected a position of the run, which ends at #${run.events.length}`
      )
      const other = yield* memory(eventCodec, { meta: { kind: "import" } })
      assert.match((yield* Effect.flip(forkAt(other, 0, "flag-wait"))).message, /not that of a run/)
    }))
})
