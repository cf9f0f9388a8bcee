import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { build } from "esbuild"
import { join } from "node:path"
import { codec } from "../toy.ts"
import { verify } from "../verify.ts"
import { crashes } from "./rounds.ts"

/** Two logs at a time: a writer takes longer to start than to be killed. */
const LOGS = ["one.log", "two.log"]
const ROUNDS = 25

/** The writer in one file, which starts in a fifth of the time. */
const bundled = (folder: string) =>
  Effect.as(
    Effect.promise(() =>
      build({
        entryPoints: [join(import.meta.dirname, "writer.ts")],
        bundle: true,
        platform: "node",
        format: "esm",
        outfile: join(folder, "writer.mjs")
      })
    ),
    join(folder, "writer.mjs")
  )

describe("a process that writes a log", () => {
  it.effect(`killed ${ROUNDS * LOGS.length} times has left every batch that it acknowledged`, () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const writer = yield* bundled(folder)
      const found = yield* Effect.forEach(
        LOGS,
        (name, i) => crashes(writer, join(folder, name), { first: i * ROUNDS + 1, rounds: ROUNDS }),
        { concurrency: LOGS.length }
      )
      for (const { acknowledged, rounds, segments } of found) {
        assert.strictEqual(rounds, ROUNDS)
        assert.isAbove(acknowledged, ROUNDS)
        assert.isAbove(segments, ROUNDS)
      }
      for (const name of LOGS) {
        const report = yield* verify(join(folder, name), codec)
        assert.deepStrictEqual([report.damage, report.torn], [null, null])
      }
      const sum = (key: "acknowledged" | "torn" | "segments") => found.reduce((total, one) => total + one[key], 0)
      console.log(
        `${ROUNDS * LOGS.length} crashes: ${sum("acknowledged")} batches acknowledged in ${
          sum("segments")
        } segments, none lost; ${sum("torn")} torn tails`
      )
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
})
