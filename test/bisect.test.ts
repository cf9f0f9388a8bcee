// What bisect finds is where a look at every position finds it, with checkpoints and without.
import { assert, describe, it } from "@effect/vitest"
import { memory } from "@pfnscope/journal"
import type { Journal } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import {
  allOf,
  anyOf,
  atSeq,
  bisect,
  eventIs,
  fieldCompares,
  fieldOf,
  stateAt,
  wasViolated,
  withCheckpoints
} from "@pfnscope/projections"
import type { Comparison, Condition } from "@pfnscope/projections"
import { initialState, POLICIES } from "@pfnscope/protocol"
import type { Event, State } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

const runOf = Effect.fnUntraced(function*(scenario: string, policy: string) {
  const header = runHeader(
    SCENARIOS.find(({ name }) => name === scenario)!,
    POLICIES.find(({ name }) => name === policy)!,
    { until: 30_000 }
  )
  const log: Journal<Event> = yield* memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) })
  yield* Effect.flatMap(Effect.provideService(Machine.make(header), EventLog, log), ({ run }) => run)
  return { log, start: initialState(header.world) }
})

const field = (start: State, path: string, comparison: Comparison, value: string): Condition =>
  fieldCompares(path, Option.getOrThrow(fieldOf(start, path)), comparison, value)

/** The first position whose state, looked at by itself, is such. */
const firstState = Effect.fnUntraced(function*(log: Journal<Event>, is: (state: State) => boolean) {
  const { seq: head } = yield* log.head
  for (let seq = 0; seq <= head; seq++) if (is((yield* stateAt(log, atSeq(seq))).state)) return seq
  return undefined
})

describe("bisect", () => {
  it.effect.each(["end-validating", "mainline-6.12"])(
    "finds the first violation, or none, under %s",
    (policy) =>
      Effect.gen(function*() {
        const { log } = yield* runOf("madvise-storm", policy)
        const events = yield* Stream.runCollect(log.read())
        for (const property of ["P1", "P3", "P9"] as const) {
          const first = events.find(({ data }) => data._tag === "PropertyViolated" && data.property === property)
          const plain = yield* bisect(log, wasViolated(property))
          const kept = yield* bisect(withCheckpoints(log, { every: 40, pack: 160 }), wasViolated(property))
          assert.deepStrictEqual([plain.how, plain.seq, plain.event], ["scan", first?.seq, first])
          assert.deepStrictEqual([kept.how, kept.seq, kept.event], ["search", first?.seq, first])
          assert.isBelow(kept.looked, 20)
        }
      })
  )

  it.effect("searches for a count that only grows, and scans for what comes and goes", () =>
    Effect.gen(function*() {
      const { log, start } = yield* runOf("storm-in-memslot", "mainline-6.12")
      const kept = withCheckpoints(log, { every: 40, pack: 160 })
      const grows = yield* bisect(kept, field(start, "mn/0.mmu_invalidate_seq", ">=", "3"))
      assert.deepStrictEqual(
        [grows.how, grows.seq],
        ["search", yield* firstState(log, ({ kvm }) => kvm.seq >= 3)]
      )
      const comes = yield* bisect(kept, field(start, "mn/0.mn_active_invalidate_count", "==", "2"))
      assert.deepStrictEqual([comes.how, comes.seq], ["scan", yield* firstState(log, ({ kvm }) => kvm.count === 2)])
      const both = yield* bisect(
        kept,
        allOf([
          field(start, "mn/0.mn_active_invalidate_count", ">", "1"),
          field(start, "gpc/0.refresh_lock", "==", "vcpu/0")
        ])
      )
      assert.deepStrictEqual(
        [both.how, both.seq],
        ["scan", yield* firstState(log, ({ gpcs, kvm }) => kvm.count > 1 && gpcs[0]!.refreshLock === 1)]
      )
    }))

  it.effect("knows the start, what never is, and events", () =>
    Effect.gen(function*() {
      const { log, start } = yield* runOf("storm-in-memslot", "mainline-6.12")
      const kept = withCheckpoints(log, { every: 40, pack: 160 })
      const atStart = yield* bisect(kept, field(start, "mn/0.mn_active_invalidate_count", "==", "0"))
      assert.deepStrictEqual([atStart.seq, atStart.event], [0, undefined])
      const from = yield* bisect(kept, field(start, "mn/0.mmu_invalidate_seq", ">=", "0"))
      assert.deepStrictEqual([from.how, from.seq], ["search", 0])
      assert.strictEqual((yield* bisect(kept, field(start, "mn/0.mmu_invalidate_seq", ">", "99999"))).seq, undefined)
      const events = yield* Stream.runCollect(log.read())
      const one = anyOf([
        eventIs(({ type }) => type === "RetryDecided"),
        field(start, "gpc/0.valid", "==", "true")
      ])
      const published = events.find(({ type }) => type === "RetryDecided" || type === "Published")
      assert.strictEqual((yield* bisect(kept, one)).seq, published?.seq)
      assert.isTrue(Option.isNone(fieldOf(start, "gpc/0.valud")))
    }))
})
