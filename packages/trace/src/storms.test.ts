/**
 * Whose storm it was: what the verdict says of each capture, and what is left of it with fewer probes.
 *
 * The captures lie beside the checkout (`shared/traces`); without them the suite is skipped, and says so.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, layer } from "@effect/vitest"
import type { Report, StormRelation, VerdictId } from "@pfnscope/projections"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { importBytes } from "./import.ts"
import { recordings, skipped } from "./recordings.ts"
import { reportOfTrace, reportTrace } from "./report.ts"

/** The storm's tasks of each capture, those to blame for most retries first, and how the storm stands to the caches. */
const STORMS: ReadonlyArray<readonly [file: string, pids: ReadonlyArray<number>, relation: StormRelation]> = [
  ["6.12/A1", [239], "unrelated"],
  ["6.12/A2", [256], "unrelated"],
  ["6.12/B", [291], "on-page"],
  ["6.12/C", [309, 308], "unrelated"],
  ["6.12/E1", [343], "unrelated"],
  ["6.12/H-hva", [431], "unrelated"],
  ["6.12/X2", [501], "on-page"],
  ["7.3/A1", [198], "unrelated"],
  ["7.3/C", [267, 266], "unrelated"],
  ["7.3/X2", [459], "on-page"],
  ["6.1/A1", [206], "unrelated"],
  // 361 drops the cache's page, and now and then 256 others: the second is what keeps refreshes waiting.
  ["6.1/M-2vcpu", [362, 363, 361], "unrelated"],
  ["formats/counter-A2", [204], "unrelated"],
  ["formats/tgid-I-irqfd", [239], "unrelated"]
]

const pathOf = (file: string) => join(recordings!, `${file}.trace.gz`)

/** The report on those lines of a capture whose event is wanted. */
const reportOnLines = (file: string, isWanted: (event: string, line: string) => boolean) => {
  const lines = gunzipSync(readFileSync(pathOf(file))).toString().split("\n")
  const kept = lines.filter((line) => {
    const event = /\d\.\d{6}: (\w+)/.exec(line)?.[1]
    return event === undefined || isWanted(event, line)
  })
  return reportOfTrace(importBytes("t", Stream.make(new TextEncoder().encode(kept.join("\n")))))
}

const verdictOf = (report: Report, id: VerdictId) => report.verdicts.find((verdict) => verdict.id === id)!

describe.skipIf(recordings === undefined)(`the storm of a capture${skipped}`, () => {
  layer(NodeFileSystem.layer)((it) => {
    it.effect.each(STORMS)(
      "is named, and how it stands to the caches: %s",
      ([file, pids, relation]) =>
        Effect.gen(function*() {
          const { invalidators, refreshes, storm } = yield* reportTrace(pathOf(file))
          assert.deepStrictEqual(storm!.tasks.map(({ pid }) => pid), pids)
          assert.deepInclude(storm, { relation })
          assert.deepInclude(invalidators[0], { comm: "gpcstorm", pid: pids[0]!, call: "madvise", chain: null })
          const blamed = invalidators.reduce((sum, { retries }) => sum + retries, 0)
          // Each retry is put down to somebody, some to two; few have nobody in sight.
          assert.isAtLeast(blamed, refreshes.retries * 0.99)
        })
    )

    it.effect("is none where nobody had to try again", () =>
      Effect.gen(function*() {
        const report = yield* reportTrace(pathOf("6.12/base"))
        assert.isNull(report.storm)
        assert.deepStrictEqual([...new Set(report.verdicts.map(({ verdict }) => verdict))], ["holds"])
      }))

    it.effect("shows stale publishes with their lines on 6.12, and none on 7.3", () =>
      Effect.gen(function*() {
        const stale = verdictOf(yield* reportTrace(pathOf("6.12/X2")), "stale-publish")
        assert.deepInclude(stale, { verdict: "found", count: 6 })
        for (const { file, line } of stale.evidence) {
          assert.strictEqual(file, pathOf("6.12/X2"))
          assert.isAbove(line, 0)
        }
        assert.deepInclude(verdictOf(yield* reportTrace(pathOf("7.3/X2")), "stale-publish"), {
          verdict: "holds",
          count: 0
        })
      }))

    it.effect("shows guest faults with their laps", () =>
      Effect.gen(function*() {
        const { guestFaults } = yield* reportTrace(pathOf("6.1/M-2vcpu"))
        assert.strictEqual(guestFaults.laps.reduce((sum, { count }) => sum + count, 0), guestFaults.mapped)
        assert.deepInclude(guestFaults, { mapped: 1504, stale: 455, lapsMax: 254 })
        assert.deepInclude(guestFaults.worst[0], { laps: 254, gfn: "0x18ca", line: 11_549 })
      }))

    it.effect("between two storms waits for what their union holds, and neither does", () =>
      Effect.gen(function*() {
        const report = yield* reportTrace(pathOf("6.12/C"))
        assert.deepInclude(verdictOf(report, "accumulated-hull"), { verdict: "found", count: 2164 })
        assert.strictEqual(report.refreshes.hullOnly, 2164)
      }))
  })
})

const lapsOf = ({ refreshes: { completed, laps, lapsMax, retries } }: Report) => ({ completed, laps, lapsMax, retries })

/** Probes in the middle of functions: they fit one build only. */
const IN_FUNCTIONS = new Set([
  "inv_inc",
  "gpc_inval_hit",
  "inv_dec",
  "gpc_snap",
  "gpc_pfn",
  "gpc_recheck",
  "gpc_retry_seq",
  "gpc_commit",
  "gpc_err",
  "gpc_keep",
  "swap_wait",
  "swap_publish"
])

describe.skipIf(recordings === undefined)(`with fewer probes${skipped}`, () => {
  layer(NodeFileSystem.layer)((it) => {
    it.effect.each(["6.12/A1", "6.12/C", "6.1/M-2vcpu", "7.3/C", "7.3/X2"])(
      "at the entries and returns of functions only, laps and storm are the same: %s",
      (file) =>
        Effect.gen(function*() {
          const all = yield* reportTrace(pathOf(file))
          const few = yield* reportOnLines(file, (event) => !IN_FUNCTIONS.has(event))
          assert.deepStrictEqual(lapsOf(few), lapsOf(all))
          // Where a lap begins is not known as well: what may be related is not called unrelated.
          assert.isAtMost(few.refreshes.unrelatedLaps, all.refreshes.unrelatedLaps)
          assert.isAtLeast(few.refreshes.unrelatedLaps, all.refreshes.unrelatedLaps * 0.99)
          assert.strictEqual(few.invalidators[0]!.pid, all.invalidators[0]!.pid)
          assert.strictEqual(few.storm!.relation, all.storm!.relation)
          assert.deepStrictEqual(few.refreshes.retriesBy.map(({ reason }) => reason), ["none"])
          // What the missing probes would show is neither found nor ruled out.
          for (const id of ["stale-publish", "P3", "P4", "P11"] as const) {
            assert.deepInclude(verdictOf(few, id), { verdict: "unknown", count: 0 })
          }
          assert.notStrictEqual(verdictOf(few, "generation-churn").verdict, "found")
        })
    )

    it.effect.each(["6.12/A1", "6.12/B", "6.1/M-2vcpu", "7.3/X2"])(
      "at tracepoints only, it is known who invalidates, and nothing holds: %s",
      (file) =>
        Effect.gen(function*() {
          const all = yield* reportTrace(pathOf(file))
          const few = yield* reportOnLines(file, (event) => /^(kvm_unmap_hva_range|sys_)/.test(event))
          assert.strictEqual(few.invalidations.count, all.invalidations.count)
          assert.strictEqual(few.invalidations.inferredEnds, all.invalidations.count)
          const most = all.invalidators.toSorted((a, b) => b.count - a.count)[0]!
          assert.deepInclude(few.invalidators[0], { pid: most.pid, call: most.call, count: most.count, retries: 0 })
          assert.deepInclude(few.storm, { relation: "unknown" })
          assert.deepStrictEqual([...new Set(few.verdicts.map(({ verdict }) => verdict))], ["unknown"])
          assert.isTrue(verdictOf(few, "unpaired-range").inferred)
        })
    )
  })
})
