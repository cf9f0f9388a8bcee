/**
 * Kills a process that writes a log, again and again: `npm run crash -- --rounds 1000`.
 *
 * After each `kill -9` the log is opened, which takes over the lock and cuts off the torn tail, and every batch that was
 * acknowledged must be there as it was written. The log of a failure is kept, and named.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { crashes, WRITER } from "@pfnscope/journal/crash"
import type { Crashes } from "@pfnscope/journal/crash"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { join } from "node:path"
import { parseArgs } from "node:util"

const { values } = parseArgs({ options: { rounds: { type: "string", default: "100" } } })

/** Crashes of one log: a longer one would be read for longer than it is written. */
const A_LOG = 50

const campaign = Effect.gen(function*() {
  const fs = yield* FileSystem
  const folder = yield* fs.makeTempDirectory({ prefix: "pfnscope-crash-" })
  const rounds = Number(values.rounds)
  const found: Array<Crashes> = []
  for (let first = 1; first <= rounds; first += A_LOG) {
    found.push(
      yield* crashes(WRITER, join(folder, `${first}.log`), { first, rounds: Math.min(A_LOG, rounds - first + 1) })
    )
    const sum = (key: keyof Crashes) => found.reduce((total, one) => total + one[key], 0)
    yield* Console.log(
      `${sum("rounds")} crashes: ${sum("acknowledged")} batches acknowledged in ${
        sum("segments")
      } segments, none lost; ${sum("torn")} torn tails cut off`
    )
  }
  yield* fs.remove(folder, { recursive: true })
})

await Effect.runPromise(campaign.pipe(
  Effect.catch((error) => Effect.andThen(Console.error(error.message), Effect.sync(() => void (process.exitCode = 1)))),
  Effect.provide(NodeFileSystem.layer)
))
