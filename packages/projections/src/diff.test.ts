import { assert, describe, it } from "@effect/vitest"
import { flagWait, needsInvalidationV33 } from "@pfnscope/protocol"
import type { World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { diff } from "./diff.ts"
import type { Change } from "./diff.ts"
import { atSeq } from "./position.ts"
import { HIGH, play, playDrawn, U, use, worldOfThreads, zap } from "./staging.ts"
import type { Played } from "./staging.ts"
import { leavesOf, pathOf } from "./state-view.ts"
import type { Leaf, Value } from "./state-view.ts"
import { traveller } from "./time-travel.ts"

const threads = worldOfThreads({
  "vcpu/0": [3, use],
  "vcpu/1": [0, { _tag: "gpc_read", gpc: 0 }],
  "mm/0": [3, zap(U)],
  "mm/1": [3, { _tag: "migrate", hva: U }, zap(HIGH)]
}, { slots: true })

// The cache has a page from the start, so that soon it has one that is gone.
const world: World = { ...threads, gpcs: threads.gpcs.map((gpc) => ({ ...gpc, state: "valid" })) }

const between = ({ log }: Played, a: number, b: number) => Effect.runSync(diff(log, atSeq(a), atSeq(b)))

/** The difference the slow way: every field of every state in between is looked at. */
const bruteForce = ({ events }: Played, a: number, b: number): ReadonlyArray<Change> => {
  const at = traveller(world)
  for (const event of events.slice(0, a)) at.advance(event)
  const seen = new Map<string, { leaf: Leaf; before: Value | null; now: Value | null; seq: number }>()
  const look = (leaf: Leaf, seq: number) => {
    const path = pathOf(leaf)
    const now = leaf.read(at.state) ?? null
    const known = seen.get(path)
    if (known === undefined) seen.set(path, { leaf, before: seq === 0 ? now : null, now, seq })
    else if (known.now !== now) Object.assign(known, { now, seq })
  }
  for (const leaf of leavesOf(at.state)) look(leaf, 0)
  for (const event of events.slice(a, b)) {
    at.advance(event)
    for (const leaf of [...leavesOf(at.state), ...[...seen.values()].map(({ leaf }) => leaf)]) look(leaf, event.seq)
  }
  return [...seen]
    .filter(([, { before, now }]) => before !== now)
    .map(([path, { before, now, seq }]) => ({ path, before, after: now, seq }))
}

const byPath = (changes: ReadonlyArray<Change>) => [...changes].sort((a, b) => a.path < b.path ? -1 : 1)

describe("a difference", () => {
  it("names every changed field, and the event that changed it last, on any schedule", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 11 }), { minLength: 1, maxLength: 160, size: "max" }),
        fc.constantFrom(flagWait, needsInvalidationV33),
        fc.nat(),
        fc.nat(),
        (drawn, policy, x, y) => {
          const played = playDrawn(world, policy, drawn)
          const length = played.events.length + 1
          const [a, b] = [x % length, y % length].sort((m, n) => m - n) as [number, number]
          const { changes, from, to } = between(played, a, b)
          assert.deepStrictEqual([from, to], [a, b])
          assert.deepStrictEqual(byPath(changes), byPath(bruteForce(played, a, b)))
          assert.deepStrictEqual(between(played, b, a), { from, to, changes })
        }
      ),
      { numRuns: 60 }
    )
  })

  it("of a position with itself is empty", () => {
    const played = playDrawn(world, flagWait, Array.from({ length: 80 }, (_, i) => i * 7))
    for (let seq = 0; seq <= played.events.length; seq++) {
      assert.deepStrictEqual(between(played, seq, seq), { from: seq, to: seq, changes: [] })
    }
  })

  it("names who woke a sleeper", () => {
    const sleeper = worldOfThreads({ "vcpu/0": [1, use], "mm/0": [1, zap(U)] })
    const played = play(sleeper, flagWait, "mm/0 to change", "vcpu/0 blocks", "mm/0 done")
    const asleep = played.events.findLast(({ data }) => data._tag === "Blocked")!.seq
    const woken = played.events.find(({ data }) => data._tag === "Woken")!.seq
    const { changes } = between(played, asleep, played.events.length)
    assert.deepInclude(changes, { path: "vcpu/0.sleeps", before: "queued", after: null, seq: woken })
  })
})
