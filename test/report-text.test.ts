// The report as a person reads it: short, and safe to print whatever a trace says.
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it, layer } from "@effect/vitest"
import { combine } from "@pfnscope/projections"
import { reportText, table } from "@pfnscope/render"
import { importBytes, reportOfTrace, reportTrace } from "@pfnscope/trace"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"

const root = join(import.meta.dirname, "..")
const shared = join(root, "../shared/traces")
const bundled = join(root, "packages/trace/captures/A1-6.12.trace.gz")
// The captures lie beside the checkout where there are any; the bundled one is always there.
const captures = [bundled, ...(existsSync(shared) ? globSync(join(shared, "{6.1,6.12,7.3}/*.trace.gz")) : [])]

const LINES = 40

layer(NodeFileSystem.layer)("a report's text", (it) => {
  it.effect.each(captures)("of %s fits a screen and cites lines", (path) =>
    Effect.gen(function*() {
      const report = yield* reportTrace(path)
      const text = reportText(report, { verbose: false })
      assert.isAtMost(text.split("\n").length, LINES)
      assert.isAtLeast(reportText(report, { verbose: true }).split("\n").length, text.split("\n").length - 4)
      const found = report.verdicts.filter(({ verdict }) => verdict === "found" || verdict === "violated")
      for (const { evidence, id } of found) {
        assert.include(text, id)
        assert.include(text, `:${evidence[0]!.line}`)
      }
    }))

  it.effect("says at a glance whose storm it was, and whether it concerns the cache", () =>
    Effect.gen(function*() {
      const text = reportText(yield* reportTrace(bundled), { verbose: false })
      assert.strictEqual(
        text.split("\n")[1],
        "  The storm: gpcstorm-239 madvise, 1593 ranges (2989/s), none over a cache's page: unrelated."
      )
    }))

  it.effect("says what is inferred, and what cannot be told", () =>
    Effect.gen(function*() {
      const lines = gunzipSync(readFileSync(bundled)).toString().split("\n")
      const stock = lines.filter((line) => !line.includes(": (") || line.startsWith("#"))
      const bytes = new TextEncoder().encode(stock.join("\n"))
      const text = reportText(yield* reportOfTrace(importBytes("stock.txt", Stream.make(bytes))), { verbose: false })
      assert.include(text, "The storm: gpcstorm-239 madvise, 1593 ranges")
      assert.include(text, "related or not is unknown")
      assert.include(text, "ends of 1794 invalidations are inferred from the syscalls' returns")
      assert.isAtMost(text.split("\n").length, LINES)
    }))

  it.effect("of many files fits a screen, too", () =>
    Effect.gen(function*() {
      const report = yield* reportTrace(bundled)
      const many = combine(report, ...Array.from({ length: 60 }, () => report))
      assert.isAtMost(reportText(many, { verbose: false }).split("\n").length, LINES)
    }))

  it.effect("lets no control character of a task's name through", () =>
    Effect.gen(function*() {
      const hostile = "\u001b[2Jev\u0007l"
      const lines = [
        "# tracer: nop",
        `        ${hostile}-239     [001] .....     9.059515: inv_start: (kvm_mmu_notifier_invalidate_range_start+0x4/0x3d0 [kvm]) mn=0xffffc900001b2a90 start=0x7e0000000000 end=0x7e0000001000 flags=1 event=1 active=0 seq=0`
      ]
      const bytes = new TextEncoder().encode(`${lines.join("\n")}\n`)
      const report = yield* reportOfTrace(importBytes("hostile.txt", Stream.make(bytes)))
      const text = reportText(report, { verbose: true })
      assert.include(text, "\\x1b[2Jev\\x07l")
      // oxlint-disable-next-line no-control-regex
      assert.notMatch(text, /[\u0000-\u0009\u000b-\u001f]/)
    }))
})

describe("a table", () => {
  it("aligns numbers to the right, text to the left, and ends no line in blanks", () => {
    assert.deepStrictEqual(table(["name", "n", "mixed"], [["a", 1, 1], ["long name", 1000, "-"]]).split("\n"), [
      "name          n  mixed",
      "---------  ----  -----",
      "a             1  1",
      "long name  1000  -"
    ])
  })
})
