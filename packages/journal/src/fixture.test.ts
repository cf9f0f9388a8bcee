/**
 * A log of the first version, in one file and in three: every later version opens it, reads it and goes on with it.
 *
 * The files are never written again. When the toy's events change, `codec` gets their past; when the format changes, its
 * reader stays.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { makeDisk } from "./disk.ts"
import { file } from "./open.ts"
import { codec, sold } from "./toy.ts"
import { verify } from "./verify.ts"

const FIXTURES = [
  ["one file", ["format-1.log"]],
  ["three segments", ["segments-1.log", "segments-1.log.seg-000002", "segments-1.log.seg-000003"]]
] as const

const bytesOf = (name: string) => readFileSync(join(import.meta.dirname, "../fixtures", name))

const envelope = { version: 1, how: "observed" } as const

const EVENTS = [
  {
    ...envelope,
    seq: 1,
    stream: "shelf/0",
    rev: 1,
    type: "Stocked",
    t: 0,
    data: { _tag: "Stocked", item: "茶", count: 12, fresh: true }
  },
  {
    ...envelope,
    seq: 2,
    stream: "till",
    rev: 1,
    type: "Sold",
    t: 1_700_000_000_000_000,
    cause: 1,
    corr: 1,
    how: "inferred",
    src: { file: "till.txt", line: 3 },
    data: { _tag: "Sold", count: -2, how: "cash", note: "return" }
  },
  {
    ...envelope,
    seq: 3,
    stream: "till",
    rev: 2,
    type: "Sold",
    t: 5,
    corr: 3,
    how: "simulated",
    data: { _tag: "Sold", count: 9_007_199_254_740_991, how: "card" }
  },
  {
    ...envelope,
    seq: 4,
    stream: "shelf/0",
    rev: 2,
    type: "Audited",
    t: 6,
    how: "assumed",
    data: { _tag: "Audited", counts: [0, -1, 300] }
  }
] as const

const HEAD = "7988b2e4324fb2a21ae5dbac46c54d90fef288fef82df4ac7b4a4e82b0bc9029"

for (const [what, names] of FIXTURES) {
  const path = `/${names[0]}`
  const disk = () => {
    const disk = makeDisk()
    for (const name of names) disk.files.set(`/${name}`, Uint8Array.from(bytesOf(name)))
    return disk
  }

  describe(`a log of format 1, in ${what}`, () => {
    it("says so in the ninth byte, and in the header", () => {
      names.forEach((name, i) => {
        const bytes = bytesOf(name)
        assert.strictEqual(bytes.subarray(0, 8).toString("hex"), "894a524e4c0d0a1a")
        assert.strictEqual(bytes.readUInt32LE(8), 1)
        const [header] = bytes.toString("latin1", 20).split("BTCH")
        assert.include(header, `{"format":1,"codec":"toy","segment":${i + 1},"firstSeq":${[1, 2, 4][i]}`)
      })
    })

    it.effect("is sound, and has the head that it had", () =>
      Effect.gen(function*() {
        const report = yield* Effect.provide(verify(path, codec, { head: HEAD }), disk().layer)
        assert.deepInclude(report, { events: 4, batches: 3, continues: 4, damage: null, torn: null })
        assert.deepStrictEqual(report.header.meta, { branch: "Bletchley" })
      }))

    it.effect("gives every event as it was written", () =>
      Effect.gen(function*() {
        const journal = yield* file(codec, { path, mode: "read" })
        assert.deepStrictEqual(yield* Stream.runCollect(journal.read()), [...EVENTS])
      }).pipe(Effect.scoped, Effect.provide(disk().layer)))

    it.effect("is gone on with: positions, revisions and keys", () =>
      Effect.gen(function*() {
        const journal = yield* file(codec, { path, mode: "open", sync: "batch" })
        assert.strictEqual((yield* journal.append([sold("till", 1)], { key: "returns" })).first, 2)
        assert.strictEqual((yield* journal.append([sold("till", 1)], { expected: { till: 2 } })).first, 5)
        const report = yield* verify(path, codec, { head: HEAD })
        assert.deepStrictEqual([report.events, report.continues, report.damage], [5, 4, null])
      }).pipe(Effect.scoped, Effect.provide(disk().layer)))
  })
}
