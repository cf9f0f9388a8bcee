/**
 * What a journal promises, over every layer there is.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { FileSystem } from "effect/FileSystem"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import type { Envelope, NewEvent } from "./envelope.ts"
import type { Journal } from "./journal.ts"
import { file, memory } from "./open.ts"
import { codec, notation, sold, someEvents, type Toy } from "./toy.ts"

type Open = Effect.Effect<Journal<Toy>, never, FileSystem | Scope.Scope>

const meta = { scenario: "shop", seed: 7 }

const inFile = (sync: "never" | "batch", segmentBytes?: number): Open =>
  Effect.gen(function*() {
    const fs = yield* FileSystem
    const directory = yield* fs.makeTempDirectoryScoped()
    return yield* file(codec, { path: `${directory}/toy.log`, mode: "create", sync, meta, segmentBytes })
  }).pipe(Effect.orDie)

const all = (journal: Journal<Toy>) => Stream.runCollect(journal.read())

const item = (length: number): NewEvent<Toy> => ({
  stream: "items",
  t: 0,
  how: "observed",
  data: { _tag: "Stocked", item: "x".repeat(length), count: length, fresh: true }
})

const bytes = (n: number) => Uint8Array.of(n, n)

const LAYERS: ReadonlyArray<readonly [string, Open]> = [
  ["memory", memory(codec, { meta })],
  ["file, sync never", inFile("never")],
  ["file, sync batch", inFile("batch")],
  ["file, segments of few batches", inFile("never", 500)]
]

for (const [name, open] of LAYERS) {
  layer(NodeFileSystem.layer)(`a journal (${name})`, (it) => {
    it.effect("begins empty, with the header it was given and a hash of it", () =>
      Effect.gen(function*() {
        const journal = yield* open
        assert.deepStrictEqual(journal.header, { format: 1, codec: "toy", segment: 1, firstSeq: 1, meta })
        assert.strictEqual(journal.recovered, null)
        const head = yield* journal.head
        assert.deepStrictEqual([head.seq, head.batches], [0, 0])
        assert.match(head.hash, /^[0-9a-f]{64}$/)
        assert.deepStrictEqual(yield* all(journal), [])
        assert.strictEqual(journal.revision("shelf/0"), 0)
      }))

    it.effect("numbers events densely in the log and in their streams", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const first = yield* journal.append(someEvents(4))
        const second = yield* journal.append(someEvents(2, 5))
        assert.deepStrictEqual([first.first, first.last, second.first, second.last], [1, 4, 5, 6])
        assert.deepStrictEqual((yield* all(journal)).map(notation), [
          "#1 shelf/1@1",
          "#2 shelf/2@1",
          "#3 shelf/0@1",
          "#4 shelf/1@2",
          "#5 shelf/2@2",
          "#6 shelf/0@2"
        ])
        assert.strictEqual(journal.revision("shelf/1"), 2)
        assert.deepStrictEqual(yield* journal.head, { seq: 6, hash: second.hash, batches: 2 })
      }))

    it.effect("gives back every key of the envelope", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const events: ReadonlyArray<NewEvent<Toy>> = [
          {
            stream: "a",
            t: 5,
            corr: 1,
            how: "observed",
            data: { _tag: "Stocked", item: "tea", count: 2, fresh: true }
          },
          {
            stream: "b",
            t: 3,
            cause: 1,
            corr: 1,
            how: "inferred",
            src: { file: "till.txt", line: 12 },
            data: { _tag: "Sold", count: 1, how: "cash", note: "ja — 茶" }
          },
          {
            stream: "a",
            t: 2 ** 53 - 1,
            how: "assumed",
            src: { file: "till.txt", line: 0 },
            data: { _tag: "Audited", counts: [] }
          }
        ]
        yield* journal.append(events)
        const expected: ReadonlyArray<Envelope<Toy>> = [
          { seq: 1, rev: 1, type: "Stocked", version: 1, ...events[0]! } as Envelope<Toy>,
          { seq: 2, rev: 1, type: "Sold", version: 1, ...events[1]! } as Envelope<Toy>,
          { seq: 3, rev: 2, type: "Audited", version: 1, ...events[2]! } as Envelope<Toy>
        ]
        assert.deepStrictEqual(yield* all(journal), expected)
      }))

    it.effect("appends all or nothing: a bad event leaves no trace", () =>
      Effect.gen(function*() {
        const journal = yield* open
        yield* journal.append([sold("a", 1)])
        const before = yield* journal.head
        const exit = yield* Effect.exit(journal.append([sold("b", 2), sold("c", 1.5)]))
        assert.strictEqual(exit._tag, "Failure")
        assert.deepStrictEqual(yield* journal.head, before)
        yield* journal.append([sold("c", 3)])
        assert.deepStrictEqual((yield* all(journal)).map(notation), ["#1 a@1", "#2 c@1"])
      }))

    it.effect("refuses events that are caused by themselves or by later ones", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const caused = (cause: number) => Effect.exit(journal.append([{ ...sold("a", 1), cause }]))
        for (const cause of [-1, 0, 1, 2, 1.5]) assert.strictEqual((yield* caused(cause))._tag, "Failure")
        yield* journal.append([sold("a", 1)])
        assert.strictEqual((yield* caused(1))._tag, "Success")
      }))

    it.effect("appends nothing of nothing", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const { hash } = yield* journal.head
        assert.deepStrictEqual(yield* journal.append([]), { first: 1, last: 0, hash })
        assert.strictEqual((yield* journal.head).batches, 0)
      }))

    it.effect("checks the revisions that a writer expects", () =>
      Effect.gen(function*() {
        const journal = yield* open
        yield* journal.append([sold("a", 1)], { expected: { a: 0, b: 0 } })
        const conflict = yield* Effect.flip(journal.append([sold("a", 2)], { expected: { b: 0, a: 0 } }))
        assert.strictEqual(conflict._tag, "RevisionConflict")
        assert.match(conflict.message, /: stream a is at revision 1, expected 0$/)
        yield* journal.append([sold("a", 2)], { expected: { a: 1 } })
        assert.strictEqual(journal.revision("a"), 2)
      }))

    it.effect("appends once under one key, whatever comes with it later", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const first = yield* journal.append([sold("a", 1), sold("a", 2)], { key: "order-1", expected: { a: 0 } })
        yield* journal.append([sold("a", 3)])
        assert.deepStrictEqual(yield* journal.append([sold("a", 1)], { key: "order-1", expected: { a: 0 } }), first)
        assert.strictEqual((yield* journal.head).seq, 3)
      }))

    it.effect("writes concurrent appends one after the other", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const appends = Array.from({ length: 20 }, (_, i) => journal.append([sold(`s/${i}`, 1), sold(`s/${i}`, 2)]))
        const done = yield* Effect.all(appends, { concurrency: "unbounded" })
        assert.deepStrictEqual(done.map(({ first, last }) => last - first), done.map(() => 1))
        const events = yield* all(journal)
        assert.deepStrictEqual(events.map(({ seq }) => seq), Array.from({ length: 40 }, (_, i) => i + 1))
        for (let i = 0; i < 40; i += 2) assert.strictEqual(events[i]!.stream, events[i + 1]!.stream)
      }))

    it.effect("gives positions at once in a batch, and shows its events together at the commit", () =>
      Effect.gen(function*() {
        const journal = yield* open
        yield* journal.append([sold("a", 1)])
        const batch = yield* journal.batch
        assert.deepStrictEqual([batch.add(sold("a", 2)), batch.add(sold("b", 3))], [2, 3])
        assert.strictEqual(batch.size, 2)
        assert.isAbove(batch.bytes, 0)
        assert.strictEqual((yield* journal.head).seq, 1)
        assert.strictEqual(journal.revision("a"), 1)
        assert.strictEqual((yield* all(journal)).length, 1)
        const head = yield* batch.commit
        assert.deepStrictEqual(head, yield* journal.head)
        assert.deepStrictEqual([head.seq, head.batches, batch.size, batch.bytes], [3, 2, 0, 0])
        assert.strictEqual(batch.add(sold("a", 4)), 4)
        yield* batch.commit
        assert.deepStrictEqual((yield* all(journal)).map(notation), ["#1 a@1", "#2 a@2", "#3 b@1", "#4 a@3"])
      }))

    it.effect("commits an empty batch by doing nothing", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const batch = yield* journal.batch
        assert.deepStrictEqual(yield* batch.commit, yield* journal.head)
        assert.strictEqual((yield* journal.head).batches, 0)
      }))

    it.effect("refuses appends and a second batch while a batch is open", () =>
      Effect.gen(function*() {
        const journal = yield* open
        yield* Effect.scoped(Effect.gen(function*() {
          const batch = yield* journal.batch
          assert.strictEqual((yield* Effect.flip(journal.append([sold("a", 1)])))._tag, "BatchOpen")
          assert.strictEqual((yield* Effect.flip(Effect.scoped(journal.batch)))._tag, "BatchOpen")
          batch.add(sold("forgotten", 1))
        }))
        yield* journal.append([sold("a", 1)])
        yield* Effect.scoped(Effect.flatMap(journal.batch, (batch) => Effect.sync(() => batch.add(sold("b", 1)))))
        assert.deepStrictEqual((yield* all(journal)).map(notation), ["#1 a@1"])
      }))

    it.effect("keeps an event that cannot be encoded out of the batch", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const batch = yield* journal.batch
        assert.strictEqual(batch.add(sold("a", 1)), 1)
        const { bytes } = batch
        assert.throws(() => batch.add({ ...sold("new", 0.5), src: { file: "new", line: 1 } }), /Sold.count/)
        assert.throws(() => batch.add({ ...sold("a", 1), t: -1 }), "t is -1, expected whole ns from 0")
        assert.throws(() => batch.add({ ...sold("a", 1), src: { file: "f", line: -1 } }), "src.line is -1")
        assert.throws(() => batch.add({ ...sold("a", 1), how: "guessed" as "assumed" }), "how is guessed")
        assert.throws(() => batch.add({ ...sold("a", 1), corr: 3 }), "corr of event #2 is #3, expected #1 … #2")
        assert.deepStrictEqual([batch.size, batch.bytes], [1, bytes])
        assert.strictEqual(batch.add(sold("b", 2)), 2)
        yield* batch.commit
        const twin = yield* open
        yield* twin.append([sold("a", 1), sold("b", 2)])
        assert.strictEqual((yield* twin.head).hash, (yield* journal.head).hash)
      }))

    it.effect("takes events while a commit is under way; they belong to the next one", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const batch = yield* journal.batch
        for (let round = 0; round < 5; round++) {
          batch.add(sold("a", round))
          const commit = yield* Effect.forkChild(batch.commit, { startImmediately: true })
          batch.add(sold("b", round))
          yield* Fiber.join(commit)
        }
        yield* batch.commit
        const events = yield* all(journal)
        assert.deepStrictEqual(events.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        assert.strictEqual(journal.revision("a") + journal.revision("b"), 10)
      }))

    it.effect("ends a batch with its scope", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const batch = yield* Effect.scoped(journal.batch)
        assert.throws(() => batch.add(sold("a", 1)), /closed, expected it open/)
        assert.strictEqual((yield* Effect.flip(batch.commit))._tag, "Closed")
      }))

    it.effect("refuses a batch of more than 64 MiB and writes nothing of it", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const large: NewEvent<Toy> = {
          stream: "a",
          t: 0,
          how: "simulated",
          data: { _tag: "Stocked", item: "x".repeat(1 << 26), count: 1, fresh: true }
        }
        const error = yield* Effect.flip(journal.append([large]))
        assert.strictEqual(error._tag, "BatchTooLarge")
        yield* journal.append([sold("a", 1)])
        assert.strictEqual((yield* all(journal)).length, 1)
      }))

    it.effect("reads any part of any log: by position, by stream", () =>
      Effect.gen(function*() {
        const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 })
        const bound = fc.option(fc.integer({ min: 0, max: 200 }), { nil: undefined })
        const stream = fc.option(fc.constantFrom("shelf/0", "shelf/1", "elsewhere"), { nil: undefined })
        const property = fc.asyncProperty(sizes, bound, bound, bound, stream, (sizes, from, to, after, stream) =>
          Effect.gen(function*() {
            const journal = yield* open
            for (const size of sizes) {
              yield* journal.append(someEvents(size, journal.revision("shelf/0")))
            }
            const expected = (yield* all(journal)).filter((event) =>
              event.seq >= (from ?? 0) && event.seq <= (to ?? Infinity) && event.seq > (after ?? 0) &&
              (stream === undefined || event.stream === stream)
            )
            assert.deepStrictEqual(yield* Stream.runCollect(journal.read({ from, to, after, stream })), expected)
          }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer), Effect.runPromise))
        yield* Effect.promise(() =>
          fc.assert(property, { numRuns: 25 })
        )
      }))

    it.effect("finds its way in a log of many windows, and reads batches larger than a window", () =>
      Effect.gen(function*() {
        const journal = yield* open
        for (let i = 0; i < 40; i++) yield* journal.append([item(i % 13 === 5 ? 3_000_000 : 100_000), sold("a", i)])
        for (const from of [1, 2, 11, 12, 13, 40, 79, 80, 81]) {
          const events = yield* Stream.runCollect(journal.read({ from, stream: "a" }))
          assert.deepStrictEqual(events.map(({ seq }) => seq), [...evens(from)])
        }
        const lengths = yield* Stream.runCollect(Stream.take(journal.read({ from: 11, stream: "items" }), 2))
        assert.deepStrictEqual(lengths.map(({ data }) => data._tag === "Stocked" && data.item.length), [
          3_000_000,
          100_000
        ])
      }))

    it.effect("reads a batch of very many events piece by piece", () =>
      Effect.gen(function*() {
        const journal = yield* open
        yield* journal.append(someEvents(20_000))
        const chunks: Array<number> = []
        yield* Stream.runForEachArray(journal.read(), (chunk) => Effect.sync(() => chunks.push(chunk.length)))
        assert.strictEqual(chunks.reduce((sum, length) => sum + length, 0), 20_000)
        assert.isAtMost(Math.max(...chunks), 4096)
      }))

    it.effect("reads up to where the log ended when the reading began", () =>
      Effect.gen(function*() {
        const journal = yield* open
        yield* journal.append(someEvents(3))
        const seen = yield* Stream.runCollect(Stream.tap(journal.read(), () => journal.append([sold("late", 1)])))
        assert.deepStrictEqual(seen.map(({ seq }) => seq), [1, 2, 3])
        assert.strictEqual((yield* journal.head).seq, 6)
      }))

    it.effect("follows: what is there, then what comes, without a gap and without a duplicate", () =>
      Effect.gen(function*() {
        const journal = yield* open
        yield* journal.append(someEvents(10))
        const follower = (from: number) =>
          Effect.forkChild(Stream.runCollect(Stream.take(journal.follow(from), 61 - from)))
        const fibers = yield* Effect.forEach([1, 4, 10, 11, 30], follower)
        for (let i = 0; i < 10; i++) yield* journal.append(someEvents(2, 11 + 2 * i))
        const batch = yield* journal.batch
        for (let i = 0; i < 30; i++) {
          batch.add(sold("b", i))
          if (i % 7 === 6) yield* batch.commit
        }
        yield* batch.commit
        const seen = yield* Effect.forEach(fibers, Fiber.join)
        const log = yield* all(journal)
        assert.deepStrictEqual(seen, [1, 4, 10, 11, 30].map((from) => log.slice(from - 1, 60)))
      }))

    it.effect("ends followers when it closes, and refuses everything after", () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const journal = yield* Scope.provide(open, scope)
        yield* journal.append([sold("a", 1)])
        const seen = yield* Deferred.make<void>()
        const follower = yield* Effect.forkChild(
          Stream.runCollect(Stream.tap(journal.follow(), () => Deferred.succeed(seen, undefined)))
        )
        yield* Deferred.await(seen)
        const batch = yield* Scope.provide(journal.batch, yield* Scope.fork(scope))
        batch.add(sold("a", 2))
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Fiber.join(follower)).length, 1)
        assert.strictEqual((yield* Effect.flip(journal.append([sold("a", 2)])))._tag, "Closed")
        assert.strictEqual((yield* Effect.flip(batch.commit))._tag, "Closed")
        assert.strictEqual((yield* Effect.flip(all(journal)))._tag, "Closed")
        assert.strictEqual((yield* Effect.flip(journal.snapshot.latest("stock", 1)))._tag, "Closed")
        assert.strictEqual((yield* Effect.flip(Effect.scoped(journal.batch)))._tag, "Closed")
      }))

    it.effect("keeps snapshots by name, version and position, until they are dropped", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const { latest, save, drop } = journal.snapshot
        yield* journal.append(someEvents(10))
        yield* save("stock", 1, 0, bytes(0))
        yield* save("stock", 1, 4, bytes(4))
        yield* save("stock", 1, 10, bytes(9))
        yield* save("stock", 1, 10, bytes(10))
        yield* save("stock", 2, 7, bytes(7))
        yield* save("stock/1-2", 1, 5, bytes(5))
        yield* journal.append(someEvents(5))
        assert.deepStrictEqual(yield* latest("stock", 1), { seq: 10, bytes: bytes(10) })
        assert.deepStrictEqual(yield* latest("stock", 1, 9), { seq: 4, bytes: bytes(4) })
        assert.deepStrictEqual(yield* latest("stock", 1, 3), { seq: 0, bytes: bytes(0) })
        assert.deepStrictEqual(yield* latest("stock", 2), { seq: 7, bytes: bytes(7) })
        assert.deepStrictEqual(yield* latest("stock/1-2", 1), { seq: 5, bytes: bytes(5) })
        assert.strictEqual(yield* latest("stock", 2, 6), null)
        assert.strictEqual(yield* latest("stoc", 1), null)
        assert.strictEqual((yield* Effect.flip(save("stock", 1, 16, bytes(1))))._tag, "BeyondHead")
        yield* drop("stock", 1)
        assert.strictEqual(yield* latest("stock", 1), null)
        assert.strictEqual((yield* latest("stock", 2))?.seq, 7)
      }))

    it.effect("can be interrupted while an append waits for its turn, and goes on", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const appends = yield* Effect.forEach([1, 2, 3, 4], (n) =>
          Effect.forkChild(journal.append([sold("a", n)]), { startImmediately: true }))
        yield* Fiber.interrupt(appends[2]!)
        yield* Effect.forEach(appends, Fiber.await)
        const counts = (yield* all(journal)).map(({ seq }) =>
          seq
        )
        assert.deepStrictEqual(counts, counts.map((_, i) => i + 1))
        assert.strictEqual((yield* journal.append([sold("a", 5)])).first, counts.length + 1)
      }))
  })
}

layer(NodeFileSystem.layer)("every layer", (it) => {
  it.effect("writes the same log for the same appends", () =>
    Effect.gen(function*() {
      const heads = yield* Effect.forEach(LAYERS, ([, open]) =>
        Effect.gen(function*() {
          const journal = yield* open
          yield* journal.append(someEvents(5), { key: "k" })
          const batch = yield* journal.batch
          for (const event of someEvents(100)) batch.add({ ...event, cause: 3, src: { file: "f", line: 1 } })
          return yield* batch.commit
        }))
      assert.strictEqual(new Set(heads.map(({ hash }) => hash)).size, 1)
      assert.strictEqual(heads[0]!.seq, 105)
    }))
})

const evens = function*(from: number): Generator<number> {
  for (let seq = from + from % 2; seq <= 80; seq += 2) yield seq
}

describe("a journal in memory", () => {
  it.effect("keeps bytes, not objects: a million small events stay far below 100 MB", () =>
    Effect.gen(function*() {
      const journal = yield* memory(codec)
      const batch = yield* journal.batch
      let bytes = 0
      for (let i = 1; i <= 100_000; i++) {
        batch.add(i === 1 ? sold("a", i) : { ...sold(`shelf/${i % 50}`, i), cause: i - 1 })
        if (batch.size === 4096) {
          bytes += batch.bytes
          yield* batch.commit
        }
      }
      assert.isBelow(bytes / 100_000, 16)
    }))
})
