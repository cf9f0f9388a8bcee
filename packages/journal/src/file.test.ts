/**
 * What a journal in a file promises beyond the contract: how it opens, what it survives, what it refuses.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { FileSystem } from "effect/FileSystem"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { crc32 } from "node:zlib"
import { Codec } from "./codec.ts"
import { type Disk, makeDisk } from "./disk.ts"
import type { Envelope, NewEvent } from "./envelope.ts"
import { FRAME_PREFIX, FrameBuilder } from "./frame.ts"
import type { Journal } from "./journal.ts"
import { file, memory, openOrCreate } from "./open.ts"
import { codec, notation, sold, someEvents, type Toy } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"

const create = file(codec, { path: PATH, mode: "create", sync: "never", meta: { seed: 7 } })
const open = file(codec, { path: PATH, mode: "open", sync: "never" })
const read = file(codec, { path: PATH, mode: "read" })

/** Runs with a disk, and closes what was opened. */
const on = <A, X>(disk: Disk, effect: Effect.Effect<A, X, FileSystem | Scope.Scope>): Effect.Effect<A, X> =>
  Effect.provide(Effect.scoped(effect), disk.layer)

const all = (journal: Journal<Toy>) => Stream.runCollect(journal.read())

const withJournal = <A, X>(
  disk: Disk,
  opening: typeof create | typeof open,
  use: (journal: Journal<Toy>) => Effect.Effect<A, X, Scope.Scope>
) => on(disk, Effect.flatMap(opening, use))

/** A log of three batches: its bytes and the bytes at which its frames begin and it ends. */
const threeBatches = Effect.gen(function*() {
  const disk = makeDisk()
  const ends: Array<number> = []
  yield* withJournal(disk, create, (journal) =>
    Effect.gen(function*() {
      ends.push(disk.files.get(PATH)!.length)
      for (const [count, key] of [[2, "one"], [3, "two"], [1, "three"]] as const) {
        yield* journal.append(someEvents(count, ends.length), { key })
        ends.push(disk.files.get(PATH)!.length)
      }
    }))
  const bytes = disk.files.get(PATH)!
  const { head } = yield* on(disk, verify(PATH))
  return { bytes, ends, head, events: yield* withJournal(diskWith(bytes), read, all) }
})

const diskWith = (bytes: Uint8Array): Disk => {
  const disk = makeDisk()
  disk.files.set(PATH, bytes.slice())
  return disk
}

const EVENTS = [0, 2, 5, 6]

const frame = (bytes: Uint8Array, ends: ReadonlyArray<number>, i: number) => bytes.slice(ends[i - 1], ends[i])

const save = (disk: Disk) => withJournal(disk, open, ({ snapshot }) => snapshot.save("stock", 1, 4, Uint8Array.of(4)))

const latest = (disk: Disk) => withJournal(disk, read, ({ snapshot }) => snapshot.latest("stock", 1))

describe("creating a journal", () => {
  it.effect("refuses a path that exists, and leaves it alone", () =>
    Effect.gen(function*() {
      const disk = diskWith(Uint8Array.of(1, 2, 3))
      const error = yield* Effect.flip(on(disk, create))
      assert.strictEqual(error.message, "/toy.log: exists already, expected a path where a journal can be created")
      assert.deepStrictEqual([...disk.files], [[PATH, Uint8Array.of(1, 2, 3)]])
    }))

  it.effect("writes the header, then syncs it, then names it", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* on(disk, file(codec, { path: PATH, mode: "create", sync: "batch" }))
      assert.match(
        disk.done.join(),
        /^write [^,]*creating \d+,sync [^,]*creating,rename [^,]*creating \/toy.log,sync \/$/
      )
    }))

  for (const operation of ["write", "sync", "rename"] as const) {
    it.effect(`leaves nothing behind when its ${operation} fails`, () =>
      Effect.gen(function*() {
        const disk = makeDisk()
        disk.broken.add(operation)
        const error = yield* Effect.flip(on(disk, file(codec, { path: PATH, mode: "create", sync: "batch" })))
        assert.strictEqual(error.message, "/toy.log: cannot create: i/o error")
        assert.deepStrictEqual([...disk.files.keys()], [])
      }))
  }

  it.effect("leaves nothing behind when the disk is full", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      disk.space = 30
      const error = yield* Effect.flip(on(disk, create))
      assert.strictEqual(error.message, "/toy.log: cannot create: no space left on device")
      assert.deepStrictEqual([...disk.files.keys()], [])
    }))

  it.effect("that was interrupted is recognised, by the next creation and by opening", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      disk.files.set(`${PATH}.creating`, Uint8Array.of(0x89))
      const pending = yield* Effect.flip(on(disk, create))
      assert.strictEqual(pending._tag, "CreationPending")
      const missing = yield* Effect.flip(on(disk, open))
      assert.strictEqual(
        missing.message,
        "/toy.log: no such journal, only /toy.log.creating of a creation under way or interrupted"
      )
      assert.deepStrictEqual([...disk.files.keys()], [`${PATH}.creating`])
    }))

  it.effect("happens when a journal is opened or created, once", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const either = openOrCreate(codec, { path: PATH, sync: "never", meta: "first" })
      yield* withJournal(disk, either, (journal) => journal.append(someEvents(2)))
      yield* withJournal(disk, either, (journal) =>
        Effect.gen(function*() {
          assert.strictEqual(journal.header.meta, "first")
          assert.strictEqual((yield* journal.head).seq, 2)
        }))
    }))
})

describe("opening a journal", () => {
  it.effect("goes on where it ended: positions, revisions, keys, hash", () =>
    Effect.gen(function*() {
      const { bytes, events } = yield* threeBatches
      const disk = diskWith(bytes)
      const last = yield* withJournal(disk, open, (journal) =>
        Effect.gen(function*() {
          assert.strictEqual(journal.recovered, null)
          assert.deepStrictEqual(yield* all(journal), events)
          assert.strictEqual((yield* journal.append([sold("x", 1)], { key: "two" })).first, 3)
          return yield* journal.append([sold("shelf/1", 9)])
        }))
      assert.deepStrictEqual([last.first, last.last], [7, 7])
      const report = yield* on(disk, verify(PATH, codec))
      assert.deepStrictEqual([report.events, report.head.hash, report.damage, report.torn], [7, last.hash, null, null])
      const inMemory = yield* Effect.scoped(Effect.gen(function*() {
        const journal = yield* memory(codec, { meta: { seed: 7 } })
        yield* journal.append(someEvents(2, 1), { key: "one" })
        yield* journal.append(someEvents(3, 2), { key: "two" })
        yield* journal.append(someEvents(1, 3), { key: "three" })
        return yield* journal.append([sold("shelf/1", 9)])
      }))
      assert.strictEqual(inMemory.hash, last.hash)
    }))

  const foreign: ReadonlyArray<readonly [string, (bytes: Uint8Array) => Uint8Array, string]> = [
    ["an empty file", () => new Uint8Array(0), "/toy.log: not a journal: it is empty"],
    [
      "another file",
      () => Buffer.from("Dear diary,"),
      "/toy.log: not a journal: it does not begin with a journal's magic"
    ],
    [
      "a file of a few bytes",
      () => Uint8Array.of(0x89),
      "/toy.log: not a journal: it does not begin with a journal's magic"
    ],
    [
      "a magic and nothing else",
      (bytes) => bytes.slice(0, 8),
      "/toy.log: damaged at byte 8, event #0: the header is cut short"
    ],
    ["half a header", (bytes) => bytes.slice(0, 40), "/toy.log: damaged at byte 12, event #0: the header is cut short"],
    ["another format", (bytes) => bytes.with(8, 2), "/toy.log: journal format 2, expected 1"],
    [
      "a header of 4 GB",
      (bytes) => bytes.with(15, 255),
      /^\/toy.log: damaged at byte 12, event #0: a header of \d{10} bytes, expected at most/.source
    ],
    [
      "a changed header",
      (bytes) => bytes.with(30, 7),
      "/toy.log: damaged at byte 16, event #0: the header's checksum is wrong"
    ]
  ]
  for (const [what, damage, message] of foreign) {
    it.effect(`refuses ${what} in one line, to read and to write, and to verify`, () =>
      Effect.gen(function*() {
        const { bytes } = yield* threeBatches
        const disk = diskWith(damage(bytes))
        for (const way of [open, read, verify(PATH)]) {
          const error = yield* Effect.flip(on(disk, way as typeof open))
          assert.isTrue(error.message === message || new RegExp(message).test(error.message), error.message)
          assert.notInclude(error.message, "\n")
        }
        assert.deepStrictEqual(disk.files.get(PATH), damage(bytes))
      }))
  }

  it.effect("refuses a path where nothing is, and a directory", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      assert.strictEqual((yield* Effect.flip(on(disk, open))).message, "/toy.log: no such journal")
      disk.directories.add(PATH)
      assert.strictEqual((yield* Effect.flip(on(disk, read))).message, "/toy.log: not a journal: it is a Directory")
    }))

  it.effect("refuses a journal of another codec", () =>
    Effect.gen(function*() {
      const { bytes } = yield* threeBatches
      const other = Codec.packed("other", Schema.TaggedStruct("A", {}))
      const error = yield* Effect.flip(on(diskWith(bytes), file(other, { path: PATH, mode: "read" })))
      assert.strictEqual(error.message, "/toy.log: holds events of codec toy, expected other")
    }))

  it.effect("passes on what the file system says", () =>
    Effect.gen(function*() {
      const { bytes } = yield* threeBatches
      for (const [operation, doing] of [["open", "open"], ["read", "read"]] as const) {
        const disk = diskWith(bytes)
        disk.broken.add(operation)
        assert.strictEqual((yield* Effect.flip(on(disk, open))).message, `/toy.log: cannot ${doing}: i/o error`)
      }
    }))

  it.effect("to read does not write, and follows to the end of what is there", () =>
    Effect.gen(function*() {
      const { bytes, events } = yield* threeBatches
      const disk = diskWith(bytes)
      yield* withJournal(disk, read, (journal) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* Effect.flip(journal.append(someEvents(1))))._tag, "ReadOnly")
          assert.strictEqual((yield* Effect.flip(Effect.scoped(journal.batch)))._tag, "ReadOnly")
          assert.strictEqual((yield* Effect.flip(journal.snapshot.save("s", 1, 1, bytes)))._tag, "ReadOnly")
          assert.deepStrictEqual(yield* Stream.runCollect(journal.follow()), events)
        }))
      assert.deepStrictEqual([...disk.files], [[PATH, bytes]])
      assert.deepStrictEqual(disk.done, [])
    }))
})

describe("closing a journal", () => {
  it.effect("waits for the reads that are under way, interrupted or not", () =>
    Effect.gen(function*() {
      const disk = diskWith((yield* threeBatches).bytes)
      const scope = yield* Scope.make()
      const journal = yield* Effect.provide(Scope.provide(open, scope), disk.layer)
      const reached = yield* Deferred.make<void>()
      const gate = yield* Latch.make()
      disk.beforeRead = Effect.andThen(Deferred.succeed(reached, undefined), gate.await)
      const reader = yield* Effect.forkChild(all(journal))
      yield* Deferred.await(reached)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(reader))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      for (let i = 0; i < 10; i++) yield* Effect.yieldNow
      assert.strictEqual(closing.pollUnsafe(), undefined)
      yield* gate.open
      yield* Fiber.joinAll([interruption, closing])
    }))
})

describe("a torn tail", () => {
  const tails: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["one zero", new Uint8Array(1)],
    ["zeros", new Uint8Array(5000)],
    ["garbage", Buffer.from("not a frame at all, but longer than one, and it says BTCH twice: BTCH".repeat(3))],
    ["a length of 4 GB", new Uint8Array(100).fill(255)],
    ["a frame's head", Uint8Array.of(60, 0, 0, 0, 1, 2, 3, 4)]
  ]
  for (const [what, tail] of tails) {
    it.effect(`of ${what} is cut off and kept`, () =>
      Effect.gen(function*() {
        const { bytes, ends, events } = yield* threeBatches
        const disk = diskWith(Buffer.concat([bytes, tail]))
        const torn = { segment: PATH, byte: ends[3]!, bytes: tail.length }
        assert.deepStrictEqual((yield* on(disk, verify(PATH))).torn, torn)
        yield* withJournal(disk, read, (journal) =>
          Effect.gen(function*() {
            assert.deepStrictEqual(journal.recovered, { ...torn, kept: null })
            assert.deepStrictEqual(yield* all(journal), events)
          }))
        yield* withJournal(disk, open, (journal) =>
          Effect.gen(function*() {
            assert.deepStrictEqual(journal.recovered, { ...torn, kept: `${PATH}.torn-${torn.byte}` })
            assert.deepStrictEqual(yield* all(journal), events)
          }))
        assert.deepStrictEqual(disk.files.get(PATH), bytes)
        assert.deepStrictEqual(disk.files.get(`${PATH}.torn-${torn.byte}`), new Uint8Array(tail))
      }))
  }

  it.effect("is kept before it is cut off, and never in place of another", () =>
    Effect.gen(function*() {
      const { bytes, ends } = yield* threeBatches
      const disk = diskWith(bytes.slice(0, ends[3]! - 1))
      const kept = `${PATH}.torn-${ends[2]}`
      disk.files.set(kept, Uint8Array.of(1))
      yield* on(disk, file(codec, { path: PATH, mode: "open", sync: "batch" }))
      assert.deepStrictEqual(disk.files.get(kept), Uint8Array.of(1))
      assert.deepStrictEqual(disk.files.get(`${kept}-2`), bytes.slice(ends[2], ends[3]! - 1))
      assert.deepStrictEqual(disk.done.map((line) => line.split(" ")[0]), ["write", "sync", "sync", "truncate", "sync"])
    }))

  it.effect("that cannot be kept is not cut off", () =>
    Effect.gen(function*() {
      const { bytes, ends } = yield* threeBatches
      const torn = bytes.slice(0, ends[3]! - 1)
      const disk = diskWith(torn)
      disk.space = 10
      const error = yield* Effect.flip(on(disk, open))
      assert.strictEqual(
        error.message,
        `/toy.log: cannot cut off the torn tail at byte ${ends[2]}: no space left on device`
      )
      assert.deepStrictEqual([...disk.files], [[PATH, torn]])
    }))
})

describe("damage", () => {
  it.effect("of a batch is found where that begins: the log ends before it, or is refused", () =>
    Effect.gen(function*() {
      const { bytes, ends, events } = yield* threeBatches
      const someBytes = [0, 1, 2].flatMap((i) => [ends[i]!, ends[i]! + 5, ends[i]! + 70, ends[i + 1]! - 1])
      for (const byte of someBytes) {
        const batch = ends.findLastIndex((end) => end <= byte)
        const intact = events.slice(0, EVENTS[batch])
        const disk = diskWith(bytes.with(byte, bytes[byte]! ^ (1 << byte % 8)))
        const report = yield* on(disk, verify(PATH))
        assert.strictEqual(report.events, intact.length)
        if (batch === 2) {
          assert.strictEqual(report.torn?.byte, ends[2])
          yield* withJournal(
            disk,
            open,
            (journal) => Effect.map(all(journal), (found) => assert.deepStrictEqual(found, intact))
          )
        } else {
          assert.deepInclude(report.damage, { byte: ends[batch]!, seq: intact.length + 1 })
          const error = yield* Effect.flip(on(disk, open))
          assert.deepInclude(error, { _tag: "Damaged", path: PATH, byte: ends[batch]!, seq: intact.length + 1 })
        }
      }
    }))

  it.effect("lets everything before it be read, and then fails", () =>
    Effect.gen(function*() {
      const { bytes, ends, events } = yield* threeBatches
      const disk = diskWith(bytes.with(ends[1]! + 70, 7))
      yield* withJournal(disk, read, (journal) =>
        Effect.gen(function*() {
          const seen: Array<Envelope<Toy>> = []
          const reading = Stream.runForEach(journal.read(), (event) => Effect.sync(() => seen.push(event)))
          const error = yield* Effect.flip(reading)
          assert.strictEqual(
            error.message,
            `/toy.log: damaged at byte ${ends[1]}, event #3: the batch's checksum is wrong`
          )
          assert.deepStrictEqual(seen, events.slice(0, 2))
          assert.strictEqual((yield* Effect.flip(Stream.runDrain(journal.follow())))._tag, "Damaged")
          assert.strictEqual((yield* Effect.flip(Stream.runDrain(journal.read({ from: 3 }))))._tag, "Damaged")
          assert.deepStrictEqual(yield* Stream.runCollect(journal.read({ to: 2 })), events.slice(0, 2))
        }))
      assert.deepStrictEqual(disk.files.get(PATH), bytes.with(ends[1]! + 70, 7))
    }))

  const rearranged: ReadonlyArray<readonly [string, ReadonlyArray<number>, number, RegExp]> = [
    ["a batch is missing", [1, 3], 3, /the batch begins with event #6/],
    ["the first batch is missing", [2, 3], 1, /the batch begins with event #3/],
    ["batches are swapped", [2, 1, 3], 1, /the batch begins with event #3/],
    ["a batch is there twice", [1, 2, 2, 3], 6, /the batch begins with event #3/],
    ["the last batch is there twice", [1, 2, 3, 3], 7, /the batch begins with event #6/]
  ]
  for (const [what, order, seq, reason] of rearranged) {
    it.effect(`is found when ${what}, though every batch is sound`, () =>
      Effect.gen(function*() {
        const { bytes, ends } = yield* threeBatches
        const parts = order.map((i) => frame(bytes, ends, i))
        const disk = diskWith(Buffer.concat([bytes.slice(0, ends[0]), ...parts]))
        const error = yield* Effect.flip(on(disk, open))
        assert.deepInclude(error, { _tag: "Damaged", seq })
        assert.match(error.message, reason)
        assert.deepInclude((yield* on(disk, verify(PATH))).damage, { seq })
      }))
  }

  it.effect("is found when a batch is of another log with the same positions and streams", () =>
    Effect.gen(function*() {
      const { bytes, ends } = yield* threeBatches
      const other = makeDisk()
      yield* withJournal(
        other,
        file(codec, { path: PATH, mode: "create", sync: "never", meta: { seed: 8 } }),
        (journal) => journal.append(someEvents(2, 1), { key: "one" })
      )
      const disk = diskWith(Buffer.concat([other.files.get(PATH)!, bytes.slice(ends[1])]))
      assert.match((yield* Effect.flip(on(disk, open))).message, /event #3: .*the hash chain is broken/)
    }))

  it.effect("is found when a batch is chained to the log but continues its streams elsewhere", () =>
    Effect.gen(function*() {
      // In a log of six events over three streams, every stream is at revision 2.
      const { bytes, head } = yield* threeBatches
      const forge = (revision: () => number, count: (events: number) => number) => {
        const builder = new FrameBuilder(codec, 7)
        for (const event of someEvents(2, 4)) builder.add(event)
        builder.count = count(builder.count)
        return builder.seal(Buffer.from(head.hash, "hex"), null, revision).frame
      }
      const forgeries = [
        [forge(() => 2, (events) => events), null],
        [forge(() => 7, (events) => events), "the batch continues stream shelf/1 at revision 7, it is at 2"],
        [forge(() => 2, () => 3), "a batch of 3 events has 2 in its streams"]
      ] as const
      for (const [forgery, reason] of forgeries) {
        const report = yield* on(diskWith(Buffer.concat([bytes, forgery])), verify(PATH))
        assert.strictEqual(report.damage?.reason ?? null, reason)
        assert.strictEqual(report.events, reason === null ? 8 : 6)
      }
    }))

  it.effect("is found behind megabytes of it", () =>
    Effect.gen(function*() {
      const { bytes, ends } = yield* threeBatches
      // The search looks at 1 MiB at a time: the next batch's marker may lie across two of them.
      for (const size of [1 << 20, (1 << 20) - 1, (1 << 20) - 2, (1 << 20) - 3, (1 << 20) - 4, 3_333_333]) {
        const middle = new Uint8Array(size)
        const disk = diskWith(Buffer.concat([bytes.slice(0, ends[1]), middle, bytes.slice(ends[2])]))
        assert.deepInclude(yield* Effect.flip(on(disk, open)), { _tag: "Damaged", byte: ends[1]!, seq: 3 })
      }
    }))

  it.effect("that happens while a journal is open is found by readers", () =>
    Effect.gen(function*() {
      const { bytes, ends } = yield* threeBatches
      const disk = diskWith(bytes)
      yield* withJournal(disk, open, (journal) =>
        Effect.gen(function*() {
          disk.files.get(PATH)![ends[2]! + 60]! ^= 1
          assert.deepInclude(yield* Effect.flip(all(journal)), { _tag: "Damaged", byte: ends[2]!, seq: 6 })
          disk.files.set(PATH, bytes.slice(0, ends[1]))
          assert.deepInclude(yield* Effect.flip(all(journal)), { _tag: "Damaged", byte: ends[1]!, seq: 3 })
          const swapped = [2, 1, 3].map((i) => frame(bytes, ends, i))
          disk.files.set(PATH, Buffer.concat([bytes.slice(0, ends[0]), ...swapped]))
          assert.deepInclude(yield* Effect.flip(all(journal)), { _tag: "Damaged", byte: ends[0]!, seq: 1 })
        }))
    }))
})

describe("a write that fails", () => {
  it.effect("for want of space leaves the log as it was, readable, and appendable when there is space again", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* withJournal(disk, create, (journal) =>
        Effect.gen(function*() {
          yield* journal.append(someEvents(2))
          const before = disk.files.get(PATH)!
          disk.space = 50
          const error = yield* Effect.flip(journal.append(someEvents(3), { key: "k" }))
          assert.strictEqual(
            error.message,
            `/toy.log: 3 events not written at byte ${before.length}: no space left on device`
          )
          assert.deepStrictEqual(disk.files.get(PATH), before)
          assert.strictEqual((yield* all(journal)).length, 2)
          disk.space = Infinity
          assert.strictEqual((yield* journal.append(someEvents(3), { key: "k" })).first, 3)
        }))
      assert.strictEqual((yield* on(disk, verify(PATH, codec))).events, 5)
    }))

  it.effect("kills its batch: later commits fail alike, and the log ends with the last commit", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* withJournal(disk, create, (journal) =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.gen(function*() {
            const batch = yield* journal.batch
            batch.add(sold("a", 1))
            yield* batch.commit
            batch.add(sold("a", 2))
            disk.broken.add("sync").add("write")
            assert.strictEqual((yield* Effect.flip(batch.commit))._tag, "WriteFailed")
            disk.broken.clear()
            assert.strictEqual((yield* Effect.flip(batch.commit))._tag, "WriteFailed")
            assert.throws(() => batch.add(sold("a", 3)), /1 events not written/)
          }))
          yield* journal.append([sold("b", 1)])
          assert.deepStrictEqual((yield* all(journal)).map(notation), ["#1 a@1", "#2 b@1"])
        }))
    }))

  it.effect("takes the commits that wait behind it with it, however short the failure was", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* withJournal(disk, create, (journal) =>
        Effect.gen(function*() {
          const reached = yield* Deferred.make<void>()
          const gate = yield* Latch.make()
          const batch = yield* journal.batch
          batch.add(sold("a", 1))
          disk.beforeWrite = Effect.andThen(Deferred.succeed(reached, undefined), gate.await)
          const first = yield* Effect.forkChild(Effect.flip(batch.commit))
          yield* Deferred.await(reached)
          batch.add(sold("a", 2))
          const second = yield* Effect.forkChild(Effect.flip(batch.commit), { startImmediately: true })
          disk.broken.add("write")
          disk.beforeWrite = Effect.sync(() => disk.broken.clear())
          yield* gate.open
          const errors = yield* Fiber.joinAll([first, second])
          assert.strictEqual(errors[0], errors[1])
          assert.strictEqual((yield* journal.head).seq, 0)
        }))
      assert.deepInclude(yield* on(disk, verify(PATH, codec)), { events: 0, damage: null, torn: null })
    }))

  it.effect("at the sync takes the batch back", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* withJournal(disk, file(codec, { path: PATH, mode: "create", sync: "batch" }), (journal) =>
        Effect.gen(function*() {
          const before = disk.files.get(PATH)!
          disk.broken.add("sync")
          assert.strictEqual((yield* Effect.flip(journal.append(someEvents(1))))._tag, "WriteFailed")
          assert.deepStrictEqual(disk.files.get(PATH), before)
        }))
    }))

  it.effect("and cannot be taken back keeps the next one waiting until it is", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* withJournal(disk, create, (journal) =>
        Effect.gen(function*() {
          yield* journal.append(someEvents(1))
          const end = disk.files.get(PATH)!.length
          disk.space = 100
          disk.broken.add("truncate")
          yield* Effect.flip(journal.append(someEvents(20)))
          disk.space = Infinity
          assert.strictEqual(disk.files.get(PATH)!.length, end + 100)
          assert.match((yield* Effect.flip(journal.append(someEvents(1)))).message, /i\/o error/)
          assert.strictEqual((yield* all(journal)).length, 1)
          disk.broken.clear()
          yield* journal.append(someEvents(1, 2))
        }))
      const report = yield* on(disk, verify(PATH, codec))
      assert.deepStrictEqual([report.events, report.torn], [2, null])
    }))

  it.effect("to be interrupted is finished first", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* withJournal(disk, create, (journal) =>
        Effect.gen(function*() {
          const reached = yield* Deferred.make<void>()
          const gate = yield* Latch.make()
          disk.beforeWrite = Effect.andThen(Deferred.succeed(reached, undefined), gate.await)
          const append = yield* Effect.forkChild(journal.append(someEvents(2)))
          yield* Deferred.await(reached)
          const interruption = yield* Effect.forkChild(Fiber.interrupt(append))
          for (let i = 0; i < 10; i++) yield* Effect.yieldNow
          assert.strictEqual(append.pollUnsafe(), undefined)
          yield* gate.open
          yield* Fiber.join(interruption)
          assert.strictEqual((yield* journal.head).seq, 2)
          assert.strictEqual((yield* journal.append(someEvents(1))).first, 3)
        }))
      assert.strictEqual((yield* on(disk, verify(PATH, codec))).events, 3)
    }))

  it.effect("only halfway is continued", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      disk.largestWrite = 7
      yield* withJournal(disk, create, (journal) => journal.append(someEvents(10)))
      assert.strictEqual((yield* on(disk, verify(PATH, codec))).events, 10)
      assert.deepStrictEqual((yield* on(disk, verify(PATH))).torn, null)
    }))
})

describe("snapshots beside a file", () => {
  const SNAPSHOT = `${PATH}.snap-stock-1-4`

  it.effect("outlive the process, and can be deleted at any time", () =>
    Effect.gen(function*() {
      const disk = diskWith((yield* threeBatches).bytes)
      yield* save(disk)
      assert.deepStrictEqual(yield* latest(disk), { seq: 4, bytes: Uint8Array.of(4) })
      disk.files.delete(SNAPSHOT)
      assert.strictEqual(yield* latest(disk), null)
    }))

  it.effect("are never returned when a byte of them is wrong", () =>
    Effect.gen(function*() {
      const disk = diskWith((yield* threeBatches).bytes)
      yield* save(disk)
      const snapshot = disk.files.get(SNAPSHOT)!
      for (let byte = 0; byte < snapshot.length; byte++) {
        disk.files.set(SNAPSHOT, snapshot.with(byte, snapshot[byte]! ^ 16))
        assert.strictEqual(yield* latest(disk), null)
        disk.files.set(SNAPSHOT, snapshot.slice(0, byte))
        assert.strictEqual(yield* latest(disk), null)
      }
    }))

  it.effect("are never returned under another position", () =>
    Effect.gen(function*() {
      const disk = diskWith((yield* threeBatches).bytes)
      yield* save(disk)
      disk.files.set(SNAPSHOT.replace(/4$/, "5"), disk.files.get(SNAPSHOT)!)
      assert.strictEqual((yield* latest(disk))?.seq, 4)
    }))

  it.effect("are never returned for another log, or one whose past was rewritten or is shorter", () =>
    Effect.gen(function*() {
      const { bytes, ends } = yield* threeBatches
      const disk = diskWith(bytes)
      yield* save(disk)
      disk.files.set(PATH, bytes.slice(0, ends[1]))
      assert.strictEqual(yield* latest(disk), null)
      yield* withJournal(disk, open, (journal) => journal.append(someEvents(9, 50)))
      assert.strictEqual(yield* latest(disk), null)
      disk.files.set(PATH, bytes)
      assert.strictEqual((yield* latest(disk))?.seq, 4)
    }))
})

describe("a log that crashes again and again", () => {
  interface Round {
    readonly appends: ReadonlyArray<ReadonlyArray<NewEvent<Toy>>>
    readonly batched: boolean
    /** How much of the last batch the crash leaves, 0 … 1, and the bytes that come behind it. */
    readonly torn: number
    readonly junk: Uint8Array
  }
  const event: fc.Arbitrary<NewEvent<Toy>> = fc.record({
    stream: fc.constantFrom("a", "b", "c"),
    t: fc.maxSafeNat(),
    how: fc.constantFrom("simulated", "observed", "inferred", "assumed"),
    src: fc.option(fc.record({ file: fc.constantFrom("x", "y"), line: fc.nat() }), { nil: undefined }),
    data: fc.oneof(
      fc.record({ _tag: fc.constant("Audited" as const), counts: fc.array(fc.maxSafeInteger(), { maxLength: 200 }) }),
      fc.record({ _tag: fc.constant("Sold" as const), count: fc.integer(), how: fc.constantFrom("cash", "card") })
    )
  })
  const round: fc.Arbitrary<Round> = fc.record({
    appends: fc.array(fc.array(event, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
    batched: fc.boolean(),
    torn: fc.double({ min: 0, max: 1, noNaN: true }),
    junk: fc.uint8Array({ maxLength: 20 })
  })

  const write = (journal: Journal<Toy>, { appends, batched }: Round) =>
    Effect.gen(function*() {
      if (!batched) return yield* Effect.forEach(appends, (events) => journal.append(events), { discard: true })
      const batch = yield* journal.batch
      for (const events of appends) {
        for (const event of events) batch.add(event)
        yield* batch.commit
      }
    })

  it("has every batch that the crash left whole, and nothing else", () =>
    fc.assert(
      fc.asyncProperty(fc.array(round, { maxLength: 6 }), (rounds) =>
        Effect.gen(function*() {
          const disk = makeDisk()
          yield* withJournal(disk, create, () => Effect.void)
          let model: Array<NewEvent<Toy>> = []
          for (const round of rounds) {
            const before = yield* withJournal(disk, open, (journal) =>
              Effect.as(write(journal, round), journal.recovered))
            assert.strictEqual(before, null)
            model = model.concat(...round.appends.slice(0, -1))
            const whole = disk.files.get(PATH)!
            const lastBatch = whole.length - (yield* lastFrame(disk))
            const left = lastBatch + Math.floor((whole.length - lastBatch) * round.torn)
            const crashed = Buffer.concat([whole.subarray(0, left), round.junk])
            disk.files.set(PATH, crashed)
            // Junk may happen to be what was torn off.
            if (crashed.subarray(0, whole.length).equals(whole)) {
              model.push(...round.appends.at(-1)!)
            }
            const found = yield* withJournal(disk, open, all)
            assert.deepStrictEqual(found.map(asNew), model.map(asNew))
            assert.deepStrictEqual(
              found.map(({ seq }) =>
                seq
              ),
              model.map((_, i) => i + 1)
            )
          }
        }).pipe(Effect.runPromise)),
      { numRuns: 60 }
    ))
})

/** Bytes of the last frame: the frames before it are found by their lengths. */
const lastFrame = (disk: Disk) =>
  Effect.map(on(disk, verify(PATH)), ({ batches }) => {
    const bytes = Buffer.from(disk.files.get(PATH)!)
    let at = 20 + bytes.readUInt32LE(12)
    for (let batch = 1; batch < batches; batch++) at += FRAME_PREFIX + bytes.readUInt32LE(at)
    return bytes.length - at
  })

const asNew = ({ data, how, src, stream, t }: NewEvent<Toy> | Envelope<Toy>) => ({ stream, t, how, src, data })

for (const segmentBytes of [undefined, 300_000]) {
  describe(`the way into a long log (${segmentBytes === undefined ? "one file" : "several segments"})`, () => {
    const INDEX = `${PATH}.index`
    const quick = file(codec, { path: PATH, mode: "read", sidecars: true })
    const creating = file(codec, { path: PATH, mode: "create", sync: "never", segmentBytes })
    const lastFile = (disk: Disk) => [...disk.files.keys()].filter((path) => path !== INDEX).at(-1)!
    const BATCHES = 60
    const EACH = 2_000

    const longLog = Effect.gen(function*() {
      const disk = makeDisk()
      yield* withJournal(disk, creating, (journal) =>
        Effect.forEach(
          Array.from({ length: BATCHES }, (_, i) => i),
          (i) => journal.append(someEvents(EACH, i), { key: `batch ${i}` })
        ))
      return disk
    })

    const found = Effect.fnUntraced(function*(journal: Journal<Toy>) {
      const { hash, seq } = yield* journal.head
      const middle = yield* Stream.runCollect(journal.read({ from: seq / 2, to: seq / 2 + 3 }))
      return { hash, seq, middle: middle.map(notation), tail: journal.recovered }
    })

    it.effect("is kept once the file was read, and leads to the same log", () =>
      Effect.gen(function*() {
        const disk = yield* longLog
        const whole = yield* withJournal(disk, read, found)
        assert.isFalse(disk.files.has(INDEX))
        assert.deepStrictEqual(yield* withJournal(disk, quick, found), whole)
        assert.isTrue(disk.files.has(INDEX))
        assert.deepStrictEqual(yield* withJournal(disk, quick, found), whole)
        assert.deepStrictEqual(yield* withJournal(disk, quick, all), yield* withJournal(disk, read, all))
      }))

    it.effect("does without reading the file: damage in the middle is met by whoever reads there", () =>
      Effect.gen(function*() {
        const disk = yield* longLog
        yield* withJournal(disk, quick, found)
        const size = disk.files.get(PATH)!.length
        disk.files.set(PATH, disk.files.get(PATH)!.with(size >> 1, 7).with((size >> 1) + 1, 7))
        yield* withJournal(disk, quick, (journal) =>
          Effect.gen(function*() {
            assert.strictEqual((yield* journal.head).seq, BATCHES * EACH)
            const early = yield* Stream.runCollect(journal.read({ to: 2_000 }))
            assert.strictEqual(early.length, 2_000)
            assert.strictEqual((yield* Effect.flip(all(journal)))._tag, "Damaged")
          }))
      }))

    it.effect("is passed over when it is damaged, or of another log, and kept anew", () =>
      Effect.gen(function*() {
        const disk = yield* longLog
        const whole = yield* withJournal(disk, quick, found)
        const index = disk.files.get(INDEX)!
        for (const byte of [0, 5, 8, 40, 200, index.length - 1]) {
          disk.files.set(INDEX, index.with(byte, index[byte]! ^ 4))
          assert.deepStrictEqual(yield* withJournal(disk, quick, found), whole)
          assert.deepStrictEqual(disk.files.get(INDEX), index)
        }
        const other = makeDisk()
        yield* withJournal(other, create, (journal) => journal.append(someEvents(30_000, 99)))
        other.files.set(INDEX, index)
        assert.deepStrictEqual(yield* withJournal(other, quick, found), yield* withJournal(other, read, found))
      }))

    it.effect("leads into a log that has grown, and to its torn tail", () =>
      Effect.gen(function*() {
        const disk = yield* longLog
        yield* withJournal(disk, quick, found)
        yield* withJournal(disk, open, (journal) => journal.append(someEvents(10)))
        assert.deepStrictEqual(yield* withJournal(disk, quick, found), yield* withJournal(disk, read, found))
        const last = lastFile(disk)
        disk.files.set(last, disk.files.get(last)!.slice(0, -3))
        assert.deepStrictEqual(yield* withJournal(disk, quick, found), yield* withJournal(disk, read, found))
      }))

    it.effect("lets whoever reads save snapshots", () =>
      Effect.gen(function*() {
        const disk = yield* longLog
        yield* withJournal(disk, quick, ({ snapshot }) =>
          Effect.gen(function*() {
            yield* snapshot.save("stock", 1, 40_000, Uint8Array.of(4))
            yield* snapshot.save("stock", 1, 7, Uint8Array.of(1))
            assert.deepStrictEqual(yield* snapshot.positions("stock", 1), [7, 40_000])
            assert.deepStrictEqual(yield* snapshot.at("stock", 1, 7), { seq: 7, bytes: Uint8Array.of(1) })
            assert.strictEqual(yield* snapshot.at("stock", 1, 8), null)
          }))
      }))
  })
}

describe("the way into a log of several segments", () => {
  const quick = file(codec, { path: PATH, mode: "read", sidecars: true })
  const logOf = Effect.fnUntraced(function*(seed: number) {
    const disk = makeDisk()
    const options = { path: PATH, mode: "create", sync: "never", segmentBytes: 400_000, meta: { seed } } as const
    yield* withJournal(
      disk,
      file(codec, options),
      (journal) => Effect.forEach([0, 1, 2, 3], (i) => journal.append(someEvents(30_000, i)))
    )
    return disk
  })

  it.effect("is passed over when one of them is missing, or another's, though the last is what it was", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(1)
      const other = yield* logOf(2)
      yield* on(disk, quick)
      const second = `${PATH}.seg-000002`
      const mine = disk.files.get(second)!
      assert.strictEqual(mine.length, other.files.get(second)!.length)
      const damages = [other.files.get(second)!, undefined] as const
      for (const bytes of damages) {
        if (bytes === undefined) disk.files.delete(second)
        else disk.files.set(second, bytes)
        yield* withJournal(disk, quick, (journal) =>
          Effect.gen(function*() {
            assert.strictEqual((yield* journal.head).seq, 30_000)
            assert.deepInclude(yield* Effect.flip(all(journal)), { _tag: "Damaged", path: second, seq: 30_001 })
          }))
      }
      disk.files.set(second, mine)
      yield* withJournal(
        disk,
        quick,
        (journal) => Effect.map(journal.head, ({ seq }) => assert.strictEqual(seq, 120_000))
      )
    }))

  it.effect("is passed over when it says what cannot be, though its checksum is right", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(1)
      yield* on(disk, quick)
      const index = disk.files.get(`${PATH}.index`)!
      const known = JSON.parse(Buffer.from(index).toString("utf8", 8)) as Record<string, ReadonlyArray<number>>
      const lies = [
        { headers: [] },
        { last: -5 },
        { last: 20 },
        { last: 2 ** 50 },
        { seq: 119_999 },
        { hash: "00" },
        { bytes: known["bytes"]!.map((byte) => -byte) },
        { bytes: [] },
        { seqs: [] }
      ]
      for (const lie of lies) {
        const json = Buffer.from(JSON.stringify({ ...known, ...lie }))
        const prefix = Buffer.from(index.subarray(0, 8))
        prefix.writeUInt32LE(crc32(json), 4)
        disk.files.set(`${PATH}.index`, Buffer.concat([prefix, json]))
        yield* withJournal(disk, quick, (journal) =>
          Effect.gen(function*() {
            assert.strictEqual((yield* journal.head).seq, 120_000)
            assert.strictEqual((yield* Stream.runCollect(journal.read({ from: 119_990 }))).length, 11)
          }))
        assert.deepStrictEqual(disk.files.get(`${PATH}.index`), index, JSON.stringify(lie).slice(0, 40))
      }
    }))

  it.effect("leads to a log whose last segment holds nothing yet", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(1)
      const last = `${PATH}.seg-000004`
      const bytes = disk.files.get(last)!
      disk.files.set(last, bytes.slice(0, 20 + Buffer.from(bytes).readUInt32LE(12)))
      for (let look = 0; look < 2; look++) {
        yield* withJournal(disk, quick, (journal) =>
          Effect.map(journal.head, ({ seq }) =>
            assert.strictEqual(seq, 90_000)))
      }
      disk.files.set(last, bytes)
      yield* withJournal(disk, quick, (journal) =>
        Effect.map(journal.head, ({ seq }) =>
          assert.strictEqual(seq, 120_000)))
    }))
})
