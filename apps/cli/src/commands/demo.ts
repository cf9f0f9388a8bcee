/**
 * `pfnscope demo`: what `npm start` shows. The verdict on a bundled trace of Linux 6.12, and the seed's storm.
 */
import { reportText, runTable } from "@pfnscope/render"
import { reportTrace } from "@pfnscope/trace"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { refused } from "../ended.ts"
import { policyOf, scenarioOf } from "../names.ts"
import { runOne } from "./run.ts"
import type { Row } from "./run.ts"

/** From the bundle in dist/ as from the sources. */
const CAPTURE = fileURLToPath(new URL("../../../packages/trace/captures/A1-6.12.trace.gz", import.meta.url))

const POLICIES = [
  "mainline-6.12",
  "mainline-7.3",
  "range-retry",
  "range-retry-fixed",
  "end-validating",
  "needs-invalidation-v2",
  "range-spin",
  "flag-wait",
  "exact-ranges"
]

export const demoCommand = Command.make(
  "demo",
  {},
  Effect.fnUntraced(function*() {
    yield* Console.log("$ pfnscope report A1-6.12.trace.gz   # recorded on Linux 6.12; memory churn in no memslot\n")
    const report = yield* Effect.mapError(reportTrace(CAPTURE), refused)
    yield* Console.log(reportText(report, { verbose: false }))
    yield* Console.log(`\n$ pfnscope run madvise-storm${POLICIES.map((name) => ` --policy ${name}`).join("")}\n`)
    const scenario = yield* scenarioOf("madvise-storm")
    const rows: Array<Row> = []
    for (const name of POLICIES) {
      const policy = yield* policyOf(name)
      rows.push(yield* runOne({ scenario, policy, seed: 1, knobs: {}, until: undefined, live: false, path: undefined }))
    }
    yield* Console.log(runTable(scenario.name, 1, rows))
  })
).pipe(Command.withDescription("What npm start shows: a kernel trace's verdict, and the storm under nine policies"))
