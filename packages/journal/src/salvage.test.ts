import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { makeDisk } from "./disk.ts"
import type { NewEvent } from "./envelope.ts"
import { file } from "./open.ts"
import { type Loss, salvage } from "./salvage.ts"
import { codec, sold, type Toy } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"
const NEW = "/new.log"

const note = (loss: Loss, t: number): NewEvent<Toy> => ({
  stream: "lost",
  t,
  how: "assumed",
  data: { _tag: "Audited", counts: [loss.first, loss.count ?? -1] }
})

/** Four batches of three events each, the second and third of each caused by the first of the batch before. */
const fourBatches = Effect.gen(function*() {
  const disk = makeDisk()
  const ends: Array<number> = []
  const events = yield* Effect.gen(function*() {
    const journal = yield* file(codec, { path: PATH, mode: "create", sync: "never", meta: "kept" })
    ends.push(disk.files.get(PATH)!.length)
    for (let i = 0; i < 4; i++) {
      const first = 3 * i + 1
      const cause = i === 0 ? {} : { cause: first - 3 }
      const batch = [sold("a", first), { ...sold("b", first + 1), ...cause }, { ...sold("c", first + 2), corr: first }]
      yield* journal.append(batch, { key: `batch ${i}` })
      ends.push(disk.files.get(PATH)!.length)
    }
    return yield* Stream.runCollect(journal.read())
  }).pipe(Effect.scoped, Effect.provide(disk.layer))
  return { bytes: disk.files.get(PATH)!, ends, events }
})
const { bytes, ends, events } = Effect.runSync(fourBatches)
const frame = (i: number) => bytes.slice(ends[i - 1], ends[i])

const salvaged = (damaged: Uint8Array) =>
  Effect.gen(function*() {
    const disk = makeDisk()
    disk.files.set(PATH, Uint8Array.from(damaged))
    return yield* Effect.gen(function*() {
      const result = yield* salvage(codec, { from: PATH, to: NEW, note })
      const report = yield* verify(NEW, codec)
      assert.deepStrictEqual([report.damage, report.torn, report.head], [null, null, result.head])
      assert.strictEqual(report.events, result.events + result.lost.length)
      const journal = yield* file(codec, { path: NEW, mode: "read" })
      assert.deepStrictEqual(disk.files.get(PATH), Uint8Array.from(damaged))
      return { ...result, found: yield* Stream.runCollect(journal.read()), bytes: disk.files.get(NEW)! }
    }).pipe(Effect.scoped, Effect.provide(disk.layer))
  })

const counts = (found: ReadonlyArray<{ readonly data: Toy }>) =>
  found.flatMap(({ data }) => data._tag === "Sold" ? [data.count] : [])

describe("salvage", () => {
  it.effect("of a sound log gives the same bytes", () =>
    Effect.gen(function*() {
      const copy = yield* salvaged(bytes)
      assert.deepStrictEqual([copy.events, copy.lost], [12, []])
      assert.deepStrictEqual(copy.bytes, bytes)
    }))

  it.effect("reads on behind the damage, renumbers, and notes what is lost where it was", () =>
    Effect.gen(function*() {
      const damaged = bytes.with(ends[1]! + 70, bytes[ends[1]! + 70]! ^ 1)
      const { found, lost } = yield* salvaged(damaged)
      const reason = "the batch's checksum is wrong"
      assert.deepStrictEqual(lost, [{ segment: PATH, byte: ends[1]!, first: 4, count: 3, reason }])
      assert.deepStrictEqual(counts(found), [1, 2, 3, 7, 8, 9, 10, 11, 12])
      assert.deepStrictEqual(found.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      assert.deepStrictEqual(found[3]!.data, { _tag: "Audited", counts: [4, 3] })
      assert.strictEqual(found[3]!.t, events[2]!.t)
      // #8 was caused by #4, which is lost; #11 by #7, which is #5 now; #12 belongs to #10, which is #8.
      assert.deepStrictEqual(found.slice(5).map(({ cause, corr }) => [cause, corr]), [
        [undefined, undefined],
        [undefined, 5],
        [undefined, undefined],
        [5, undefined],
        [undefined, 8]
      ])
    }))

  it.effect("finds what is readable whatever byte is wrong: all but the batch of that byte", () =>
    Effect.gen(function*() {
      for (let byte = ends[0]!; byte < bytes.length; byte++) {
        const batch = ends.findLastIndex((end) => end <= byte)
        const { events: kept, found, lost } = yield* salvaged(bytes.with(byte, bytes[byte]! ^ (1 << byte % 8)))
        assert.strictEqual(kept, 9)
        assert.deepStrictEqual(
          counts(found),
          events.map(({ seq }) => seq).filter((seq) => Math.ceil(seq / 3) !== batch + 1)
        )
        assert.deepInclude(lost[0], { byte: ends[batch]!, first: 3 * batch + 1, count: batch === 3 ? null : 3 })
      }
    }))

  it.effect("says so when a batch is missing, reads one that is there twice once, and sees a broken chain", () =>
    Effect.gen(function*() {
      const of = (...order: ReadonlyArray<number>) =>
        salvaged(Buffer.concat([bytes.slice(0, ends[0]), ...order.map(frame)]))
      const missing = yield* of(1, 3, 4)
      assert.deepStrictEqual(missing.lost.map(({ count, first }) => [first, count]), [[4, 3]])
      const twice = yield* of(1, 2, 2, 3, 4)
      assert.deepStrictEqual(twice.bytes, bytes)
      const header = Buffer.from(bytes.subarray(0, ends[0]))
      assert.include(header.toString("latin1"), "kept")
      const other = makeDisk()
      yield* Effect.scoped(file(codec, { path: PATH, mode: "create", sync: "never", meta: "else" })).pipe(
        Effect.provide(other.layer)
      )
      const spliced = yield* salvaged(Buffer.concat([other.files.get(PATH)!, bytes.slice(ends[0])]))
      const reason = "the hash chain is broken"
      assert.deepStrictEqual(spliced.lost, [{ segment: PATH, byte: ends[0]!, first: 1, count: 0, reason }])
      assert.strictEqual(spliced.events, 12)
    }))
})
