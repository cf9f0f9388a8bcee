import { assert, describe, it } from "@effect/vitest"
import { UNPAIRED_NS } from "./diagnosis.ts"
import type { VerdictId } from "./diagnosis.ts"
import { closed, entered, kept, lap, opened, published, report, retry, verdict } from "./hand-made.ts"
import type { Line } from "./hand-made.ts"

const unseen = (lines: ReadonlyArray<Line>) => lines.map((line) => ({ ...line, how: "inferred" }) as Line)

describe("what is inferred", () => {
  const start = opened(2, 0x9000, 1)
  const tracepoints = [start[0]!, ...unseen([start[1]!])]

  it("is said of each verdict that rests on it", () => {
    const { invalidations, verdicts } = report([
      ...tracepoints,
      entered,
      ...lap,
      retry("count"),
      ...lap,
      ...published,
      ...unseen(closed(2, 0x9000, 0))
    ])
    assert.strictEqual(invalidations.inferredEnds, 1)
    const of = (id: VerdictId) => verdicts.find((one) => one.id === id)!
    assert.deepInclude(of("pessimistic-retry"), { verdict: "found", inferred: true })
    assert.deepInclude(of("refresh-failed"), { verdict: "holds", inferred: false })
  })

  it("makes no range unpaired, nor pairs it: of a start alone nobody knows", () => {
    const late = { ...entered, at: UNPAIRED_NS + 200 }
    assert.deepInclude(verdict("unpaired-range", [...tracepoints, late]), { verdict: "unknown", count: 1 })
    assert.deepInclude(verdict("unpaired-range", [...tracepoints, ...unseen(closed(2, 0x9000, 0))]), {
      verdict: "unknown",
      count: 0
    })
  })

  it("are not laps: refreshes without any recorded lookup have none, and do not churn", () => {
    const silent = Array.from({ length: 20 }, () => [entered, ...unseen([kept[1]!]), kept[2]!]).flat()
    assert.deepStrictEqual(report(silent).refreshes.laps, [])
    assert.strictEqual(verdict("generation-churn", silent).verdict, "unknown")
  })
})
