// What-if: the recorded world replayed exactly under its own policy, and otherwise under others.
import { assert, describe, it } from "@effect/vitest"
import {
  exactRanges,
  flagWait,
  mainline612,
  mainline73,
  needsInvalidationV2,
  POLICIES,
  rangeRetryFixed
} from "@pfnscope/protocol"
import type { Policy } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { activate, check, invalidate, refresh, swapSlots, traceText } from "../conform/text.ts"
import type { TraceText } from "../conform/text.ts"
import { importBytes } from "../import.ts"
import { BUNDLED, recordings, skipped } from "../recordings.ts"
import { envelopesOf } from "../report.ts"
import { whatIf } from "./whatif.ts"

const replayText = (text: Uint8Array, policies: ReadonlyArray<Policy>, kernel?: Policy) => {
  let records: Effect.Effect<ReadonlyArray<string>> = Effect.succeed([])
  const events = Stream.suspend(() => {
    const trace = importBytes("trace.txt", Stream.make(text))
    records = Effect.map(trace.census, (census) => Object.keys(census.records))
    return envelopesOf(trace)
  })
  return whatIf({ events, records: Effect.suspend(() => records) }, policies, kernel)
}

const replayFile = (path: string, policies: ReadonlyArray<Policy>) =>
  replayText(gunzipSync(readFileSync(path)), policies)

const encoded = (t: TraceText) => new TextEncoder().encode(`${t.lines.join("\n")}\n`)

describe("the capture of an unrelated storm", () => {
  it.effect("comes out as it was recorded under its kernel's own policy, to the last lap and nanosecond", () =>
    Effect.gen(function*() {
      const { off, recorded, replayed } = yield* replayFile(BUNDLED, [])
      assert.deepStrictEqual(replayed.refreshes, recorded.refreshes)
      assert.deepStrictEqual([off, recorded.refreshes.laps, recorded.refreshes.unrelatedLaps], [0, 345, 150])
      assert.deepStrictEqual(replayed.violations, [])
    }))

  it.effect("costs range and flag policies no lap more than the lookups, and safe ones violate nothing", () =>
    Effect.gen(function*() {
      const safe = [rangeRetryFixed, flagWait, exactRanges]
      const { policies } = yield* replayFile(BUNDLED, safe)
      for (const { policy, refreshes, violations } of policies) {
        assert.deepInclude(refreshes, { started: 195, completed: 195, laps: 195, lapsMax: 1, unrelatedLaps: 0 }, policy)
        assert.deepStrictEqual(violations, [], policy)
      }
    }))

  it.effect("under a policy that invalidates at the end shows each cache valid when range_start returns", () =>
    Effect.gen(function*() {
      const { policies: [row] } = yield* replayFile(BUNDLED, [needsInvalidationV2])
      assert.strictEqual(row!.violations.find(({ property }) => property === "P3")?.count, 190)
    }))
})

describe("a world written by hand", () => {
  const A = 0x7e00_0000_1000
  const HEAP = 0x7f00_0000_0000
  /** One refresh with a lookup, while `storm` goes on. */
  const world = (storm: () => void, t = traceText()) => {
    swapSlots(t, 1, 0)
    activate(t, 1, { gpc: 0, gpa: 0x1000, uhva: A })
    storm()
    return t
  }

  it.effect("a page outside every memslot, dropped between lookup and test, is published stale by 6.12 and not by 7.3", () =>
    Effect.gen(function*() {
      const t = traceText()
      swapSlots(t, 1, 0)
      invalidate(t, 2, { start: HEAP + 0x10_0000 })
      activate(t, 1, { gpc: 0, gpa: -1, uhva: HEAP })
      invalidate(t, 2, { start: HEAP, hits: [0] })
      const at = t.lines.length
      refresh(t, 1, { gpc: 0, gpa: -1, uhva: HEAP })
      const rest = t.lines.splice(t.lines.findIndex((line, i) => i >= at && line.includes("gpc_recheck")))
      invalidate(t, 2, { start: HEAP })
      for (const line of rest) t.by(1, line.slice(line.indexOf(": ") + 2))
      check(t, 1, 0, true)
      const { policies: [newer], recorded, replayed } = yield* replayText(encoded(t), [mainline73], mainline612)
      assert.strictEqual(recorded.refreshes.stalePublishes, 1)
      assert.strictEqual(replayed.refreshes.stalePublishes, 1)
      assert.includeMembers(replayed.violations.map(({ property }) => property), ["P5", "P1"])
      assert.deepInclude(newer!.refreshes, { stalePublishes: 0, laps: recorded.refreshes.laps + 1 })
      assert.deepStrictEqual(newer!.violations, [])
    }))

  it.effect("an invalidation that the trace does not see the end of stays in flight", () =>
    Effect.gen(function*() {
      const t = traceText()
      world(() => {
        invalidate(t, 2, { start: A, gfn: 1, hits: [0] })
        const at = t.lines.length
        invalidate(t, 2, { start: HEAP }, 1)
        t.lines.splice(t.lines.findIndex((line, i) => i >= at && line.includes("inv_end:")))
        const gone = t.lines.length
        refresh(t, 1, { gpc: 0, gpa: 0x1000, uhva: A, seq: 1 })
        // The kernel laps on and on; the trace ends in the lookup of the second lap.
        t.lines.splice(t.lines.findIndex((line, i) => i >= gone && line.includes("gpc_commit")))
        t.by(1, "gpc_snap: (f+0x17b/0x420 [kvm]) gpc=0xffff888100000000 uhva=0x7e0000001000 snap=1 active=1")
        check(t, 3, 0, false)
      }, t)
      const { policies: [exact], replayed } = yield* replayText(encoded(t), [exactRanges], mainline612)
      assert.deepInclude(replayed.refreshes, { started: 2, completed: 1, laps: 3 })
      assert.deepInclude(exact!.refreshes, { started: 2, completed: 2, laps: 2 })
    }))
})

const STORMS = ["6.1/A1", "6.1/M-2vcpu", "6.12/A2", "6.12/B", "6.12/C", "6.12/E1", "6.12/H-hva", "6.12/X2", "7.3/A1"]
const SAFE = POLICIES.filter(({ name }) => ["flag-wait", "exact-ranges"].includes(name))

describe.skipIf(recordings === undefined)(
  `every storm${skipped}`,
  () => {
    for (const name of STORMS) {
      it.effect(`comes out as recorded, and costs safe policies fewer laps: ${name}`, () =>
        Effect.gen(function*() {
          const { policies, recorded, replayed } = yield* replayFile(join(recordings!, `${name}.trace.gz`), SAFE)
          assert.strictEqual(replayed.refreshes.laps, recorded.refreshes.laps)
          assert.strictEqual(replayed.refreshes.stalePublishes, recorded.refreshes.stalePublishes)
          assert.deepStrictEqual(replayed.refreshes.latency, recorded.refreshes.latency)
          for (const { policy, refreshes, violations } of policies) {
            assert.isBelow(refreshes.laps, recorded.refreshes.laps, policy)
            // A storm on the very page makes tasks late: the last requests may come after the trace's end.
            assert.isAtLeast(refreshes.completed, 0.99 * recorded.refreshes.completed, policy)
            assert.deepStrictEqual(violations, [], policy)
          }
        }))
    }
  }
)
