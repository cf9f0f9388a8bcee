/**
 * A log of the first version: every later one opens it, reads it and goes on with it.
 *
 * The file is never written again. When the toy's events change, `codec` gets their past; when the format changes, its
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

const FIXTURE = readFileSync(join(import.meta.dirname, "../fixtures/format-1.log"))
const PATH = "/format-1.log"

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

const disk = () => {
  const disk = makeDisk()
  disk.files.set(PATH, Uint8Array.from(FIXTURE))
  return disk
}

describe("a log of format 1", () => {
  it("says so in its ninth byte, and in its header", () => {
    assert.strictEqual(FIXTURE.subarray(0, 8).toString("hex"), "894a524e4c0d0a1a")
    assert.strictEqual(FIXTURE.readUInt32LE(8), 1)
    assert.match(FIXTURE.toString("latin1", 20), /^\{"format":1,"codec":"toy",/)
  })

  it.effect("is sound, and has the head that it had", () =>
    Effect.gen(function*() {
      const report = yield* Effect.provide(verify(PATH, codec, { head: HEAD }), disk().layer)
      assert.deepInclude(report, { events: 4, batches: 3, continues: 4, damage: null, torn: null })
      assert.deepStrictEqual(report.header.meta, { branch: "Bletchley" })
    }))

  it.effect("gives every event as it was written", () =>
    Effect.gen(function*() {
      const journal = yield* file(codec, { path: PATH, mode: "read" })
      assert.deepStrictEqual(yield* Stream.runCollect(journal.read()), [...EVENTS])
    }).pipe(Effect.scoped, Effect.provide(disk().layer)))

  it.effect("is gone on with: positions, revisions and keys", () =>
    Effect.gen(function*() {
      const journal = yield* file(codec, { path: PATH, mode: "open", sync: "batch" })
      assert.strictEqual((yield* journal.append([sold("till", 1)], { key: "returns" })).first, 2)
      assert.strictEqual((yield* journal.append([sold("till", 1)], { expected: { till: 2 } })).first, 5)
      const report = yield* verify(PATH, codec, { head: HEAD })
      assert.deepStrictEqual([report.events, report.continues, report.damage], [5, 4, null])
    }).pipe(Effect.scoped, Effect.provide(disk().layer)))
})
