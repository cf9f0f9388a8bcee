/**
 * The README's example, run; and a check that it is the README's.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

// begin of the example
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Codec, layerFile, Service, verify } from "@pfnscope/journal"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const Movement = Schema.Union([
  Schema.TaggedStruct("Opened", { owner: Schema.String }),
  Schema.TaggedStruct("Deposited", { cents: Schema.Int })
])
type Movement = typeof Movement.Type

const codec = Codec.packed("bank", Movement)

class Ledger extends Service<Ledger, Movement>()("bank/Ledger") {}

const program = Effect.gen(function*() {
  const ledger = yield* Ledger

  // All or nothing, once, and only if the stream is new.
  yield* ledger.append(
    [{ stream: "account/7", t: 0, how: "observed", data: { _tag: "Opened", owner: "Ada" } }],
    { key: "open account 7", expected: { "account/7": 0 } }
  )

  // Event by event: positions at once, durable and visible at the commit.
  const batch = yield* ledger.batch
  for (const cents of [100, 250]) {
    batch.add({ stream: "account/7", t: cents, cause: 1, how: "observed", data: { _tag: "Deposited", cents } })
  }
  yield* batch.commit

  return yield* ledger.read({ stream: "account/7", after: 1 }).pipe(
    Stream.map(({ data, rev, seq, stream }) => `#${seq} ${stream}@${rev} ${JSON.stringify(data)}`),
    Stream.runCollect
  )
})

const bank = (path: string) =>
  program.pipe(
    Effect.scoped,
    Effect.provide(layerFile(Ledger, codec, { path, sync: "batch", meta: { branch: "Bletchley" } })),
    Effect.zip(verify(path, codec)),
    Effect.provide(NodeFileSystem.layer)
  )
// end of the example

describe("the README", () => {
  it("has the example that is run here", () => {
    const here = readFileSync(new URL(import.meta.url), "utf8")
    const example = here.slice(here.indexOf("import * as NodeFileSystem"), here.indexOf("// end of the example\n\n"))
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    assert.include(readme, "```ts\n" + example + "```\n")
  })

  it.effect("says what the example gives", () =>
    Effect.gen(function*() {
      const { FileSystem } = yield* Effect.promise(() => import("effect/FileSystem"))
      const directory = yield* FileSystem.use((fs) => fs.makeTempDirectoryScoped())
      const [lines, report] = yield* bank(`${directory}/bank.log`)
      assert.deepStrictEqual(lines, [
        "#2 account/7@2 {\"_tag\":\"Deposited\",\"cents\":100}",
        "#3 account/7@3 {\"_tag\":\"Deposited\",\"cents\":250}"
      ])
      assert.deepInclude(report, { events: 3, batches: 2, damage: null, torn: null })
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})
