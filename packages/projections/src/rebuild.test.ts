import { assert, describe, it } from "@effect/vitest"
import { mainline612 } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { logOf } from "./log.ts"
import { fold } from "./projection.ts"
import { rebuild, REPORTED_EVERY } from "./rebuild.ts"
import type { Progress } from "./rebuild.ts"
import { refreshes } from "./refreshes.ts"
import { play, U, use, worldOfThreads, zap } from "./staging.ts"

const world = worldOfThreads({ "vcpu/0": [2, use], "mm/0": [2, zap(U)] })
const { events, log } = play(world, mainline612, "vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done")

const counter = { name: "counter", version: 1, init: () => 0, evolve: (n: number) => n + 1 }

describe("a rebuild", () => {
  it.effect("gives what a fold gives, and how many events it saw", () =>
    Effect.gen(function*() {
      const { events: seen, state } = yield* rebuild(refreshes, log)
      assert.strictEqual(seen, events.length)
      assert.deepStrictEqual(state, yield* fold(refreshes, log.read()))
      assert.deepStrictEqual(yield* rebuild(counter, logOf({}, [])), { state: 0, events: 0 })
    }))

  it("refuses a log in which an event is missing, comes twice, or is out of its place", () => {
    const place = fc.nat({ max: events.length - 1 })
    const change = fc.constantFrom("drop" as const, "double" as const, "swap" as const)
    fc.assert(fc.property(place, change, (at, how) => {
      const changed = how === "drop"
        ? events.toSpliced(at, 1)
        : how === "double"
        ? events.toSpliced(at, 0, events[at]!)
        : events.toSpliced(at, 2, ...events.slice(at, at + 2).toReversed())
      // What lacks its last event is a shorter log, and a swap needs two.
      fc.pre(how === "double" || at < events.length - 1)
      const { expected, found, message } = Effect.runSync(
        Effect.flip(rebuild(counter, { read: logOf({}, changed).read }))
      )
      assert.strictEqual(expected, how === "double" ? at + 2 : at + 1)
      assert.strictEqual(found, how === "double" ? at + 1 : at + 2)
      assert.strictEqual(message, `counter: event #${found} came where #${expected} was expected`)
    }))
  })

  it.effect("refuses a log without its beginning, which a fold of a part takes", () =>
    Effect.gen(function*() {
      const late = logOf({}, events.slice(5))
      assert.strictEqual((yield* Effect.flip(rebuild(counter, late))).expected, 1)
      assert.strictEqual(yield* fold(counter, late.read()), events.length - 5)
    }))

  it.effect("says how far it is, and when it is done", () =>
    Effect.gen(function*() {
      const many = Array.from({ length: 3 * REPORTED_EVERY }, (_, i) => ({ ...events[0]!, seq: i + 1 }))
      const reports: Array<Progress> = []
      yield* rebuild(counter, logOf({}, many), (progress) => Effect.sync(() => reports.push(progress)))
      assert.deepStrictEqual(reports.at(-1), { events: many.length, isDone: true })
      assert.isAtLeast(reports.length, 2)
      for (const [i, { events }] of reports.entries()) assert.isAtLeast(events, reports[i - 1]?.events ?? 1)
    }))
})
