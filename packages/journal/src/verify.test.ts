import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Codec } from "./codec.ts"
import { type Disk, makeDisk } from "./disk.ts"
import { file } from "./open.ts"
import { codec, someEvents } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"

const logOf = (batches: number, each: number): Effect.Effect<Disk> =>
  Effect.gen(function*() {
    const disk = makeDisk()
    yield* Effect.gen(function*() {
      const journal = yield* file(codec, { path: PATH, mode: "create", sync: "never", meta: "m" })
      for (let i = 0; i < batches; i++) yield* journal.append(someEvents(each, i))
    }).pipe(Effect.scoped, Effect.provide(disk.layer))
    return disk
  }).pipe(Effect.orDie)

/** The toy's events, but for one that it has under the same name and version with another field. */
const changed = Codec.packed("toy", Schema.TaggedStruct("Sold", { count: Schema.String }))

const event = (_tag: "Known" | "Dropped", stream: string) =>
  ({ stream, t: 0, how: "observed", data: { _tag, n: 1 } }) as const

describe("verify", () => {
  it.effect("reports what is in a sound log, without changing it", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(3, 5)
      const before = disk.files.get(PATH)
      for (const known of [undefined, codec]) {
        const report = yield* Effect.provide(verify(PATH, known), disk.layer)
        assert.deepInclude(report, { events: 15, batches: 3, damage: null, torn: null })
        assert.strictEqual(report.header.meta, "m")
        assert.strictEqual(report.head.seq, 15)
      }
      assert.strictEqual(disk.files.get(PATH), before)
    }))

  it.effect("reports an empty log", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(0, 0)
      const report = yield* Effect.provide(verify(PATH, codec), disk.layer)
      assert.deepInclude(report, { events: 0, batches: 0, damage: null, torn: null })
    }))

  it.effect("with a codec finds events that are sound but cannot be decoded", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(2, 2)
      const byte = 20 + Buffer.from(disk.files.get(PATH)!).readUInt32LE(12)
      const report = yield* Effect.provide(verify(PATH, changed), disk.layer)
      const reason = "Sold version 1 was written with other fields than codec toy has"
      assert.deepStrictEqual(report.damage, { segment: PATH, byte, seq: 1, reason })
      assert.strictEqual((yield* Effect.provide(verify(PATH), disk.layer)).damage, null)
    }))

  it.effect("finds every head that the log ever had, however much was appended since", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const heads = yield* Effect.gen(function*() {
        const journal = yield* file(codec, { path: PATH, mode: "create", sync: "never" })
        const before = [yield* journal.head]
        for (let i = 0; i < 4; i++) {
          yield* journal.append(someEvents(3, i))
          before.push(yield* journal.head)
        }
        return before
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      for (const { hash, seq } of heads) {
        for (const head of [hash, hash.toUpperCase()]) {
          const report = yield* Effect.provide(verify(PATH, codec, { head }), disk.layer)
          assert.deepStrictEqual([report.continues, report.damage], [seq, null])
        }
      }
    }))

  it.effect("finds no head in a log that was rewritten from its first byte to its last, nor in one that was cut short", () =>
    Effect.gen(function*() {
      const continues = (disk: Disk, head: string) =>
        Effect.map(Effect.provide(verify(PATH, codec, { head }), disk.layer), (report) => report.continues)
      const mine = yield* logOf(3, 5)
      const { hash } = (yield* Effect.provide(verify(PATH), mine.layer)).head
      // Sound in itself, and as long.
      const forged = yield* logOf(3, 4)
      assert.strictEqual(yield* continues(forged, hash), null)
      const cut = yield* logOf(2, 5)
      assert.strictEqual(yield* continues(cut, hash), null)
      assert.strictEqual(yield* continues(mine, (yield* Effect.provide(verify(PATH), cut.layer)).head.hash), 10)
      assert.strictEqual((yield* Effect.provide(verify(PATH, codec), mine.layer)).continues, null)
    }))

  it.effect("refuses the codec of another log", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(1, 1)
      const other = Codec.packed("other", Schema.TaggedStruct("A", {}))
      const error = yield* Effect.flip(Effect.provide(verify(PATH, other), disk.layer))
      assert.strictEqual(error._tag, "CodecMismatch")
    }))
})

describe("an event that the codec cannot decode", () => {
  it.effect("fails the reading at its position, after the events before it", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const Both = Schema.Union([
        Schema.TaggedStruct("Known", { n: Schema.Int }),
        Schema.TaggedStruct("Dropped", { n: Schema.Int })
      ])
      const written = Codec.packed("app", Both)
      yield* Effect.gen(function*() {
        const journal = yield* file(written, { path: PATH, mode: "create", sync: "never" })
        yield* journal.append([event("Known", "a"), event("Known", "a"), event("Dropped", "b"), event("Known", "a")])
      }).pipe(Effect.scoped, Effect.provide(disk.layer))

      yield* Effect.gen(function*() {
        const known = Codec.packed("app", Schema.Union([Both.members[0]]))
        const journal = yield* file(known, { path: PATH, mode: "read" })
        const seen: Array<number> = []
        const error = yield* Effect.flip(
          Stream.runForEach(journal.read(), ({ seq }) => Effect.sync(() => seen.push(seq)))
        )
        assert.deepStrictEqual(seen, [1, 2])
        assert.strictEqual(
          error.message,
          "/toy.log: cannot decode event #3 of the batch at byte 83: codec app does not know Dropped version 1"
        )
        assert.strictEqual((yield* Stream.runCollect(journal.read({ stream: "a" }))).length, 3)
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    }))
})
