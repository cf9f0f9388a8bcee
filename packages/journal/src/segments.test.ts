/**
 * A log of several files: when it gets another one, what is in it, and what is no segment of it.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { crc32 } from "node:zlib"
import { type Disk, makeDisk } from "./disk.ts"
import type { Envelope } from "./envelope.ts"
import { HEADER_PREFIX } from "./header.ts"
import type { Journal } from "./journal.ts"
import { file, memory, openOrCreate } from "./open.ts"
import { salvage } from "./salvage.ts"
import { codec, sold, someEvents, type Toy } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"
const SECOND = `${PATH}.seg-000002`
const THIRD = `${PATH}.seg-000003`
const FOURTH = `${PATH}.seg-000004`

/** Bytes of the batches that are written here, and of a segment that has room for two of them. */
const BATCH = 86
const SMALL = 345

const create = file(codec, { path: PATH, mode: "create", sync: "never", meta: { seed: 7 }, segmentBytes: SMALL })
const open = file(codec, { path: PATH, mode: "open", sync: "never", segmentBytes: SMALL })
const read = file(codec, { path: PATH, mode: "read" })

const on = <A, X>(disk: Disk, effect: Effect.Effect<A, X, FileSystem | Scope.Scope>): Effect.Effect<A, X> =>
  Effect.provide(Effect.scoped(effect), disk.layer)

const all = (journal: Journal<Toy>) => Stream.runCollect(journal.read())

/** Appends one event after the other, a batch each. */
const append = (count: number, from = 1) => (journal: Journal<Toy>) =>
  Effect.forEach(Array.from({ length: count }, (_, i) => from + i), (n) => journal.append([sold("till", n)]))

/** A log of `count` batches of an event each, two in a segment. */
const logOf = Effect.fnUntraced(function*(count: number, creating = create) {
  const disk = makeDisk()
  yield* on(disk, Effect.flatMap(creating, append(count)))
  return disk
})

const diskWith = (files: ReadonlyMap<string, Uint8Array>): Disk => {
  const disk = makeDisk()
  for (const [path, bytes] of files) disk.files.set(path, Uint8Array.from(bytes))
  return disk
}

const note = () => sold("lost", 0)

const headerBytes = (bytes: Uint8Array) => HEADER_PREFIX + Buffer.from(bytes).readUInt32LE(12)
const headerOf = (bytes: Uint8Array) =>
  JSON.parse(Buffer.from(bytes).toString("utf8", HEADER_PREFIX, headerBytes(bytes))) as Record<string, unknown>

const headerOnly = (bytes: Uint8Array): Uint8Array => bytes.slice(0, headerBytes(bytes))

/** The segment with something else in its header, which is sound. */
const withHeader = (bytes: Uint8Array, change: Record<string, unknown>): Uint8Array => {
  const json = Buffer.from(JSON.stringify({ ...headerOf(bytes), ...change }))
  const prefix = Buffer.from(bytes.subarray(0, HEADER_PREFIX))
  prefix.writeUInt32LE(json.length, 12)
  prefix.writeUInt32LE(crc32(json), 16)
  return Buffer.concat([prefix, json, bytes.subarray(headerBytes(bytes))])
}

const { files } = Effect.runSync(logOf(6))
const EVENTS = Effect.runSync(on(diskWith(files), Effect.flatMap(read, all)))

describe("a log of several segments", () => {
  it.effect("goes on in a new file where a batch would make one too large, and says there where it goes on", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual([...files.keys()], [PATH, SECOND, THIRD])
      for (const bytes of files.values()) assert.isAtMost(bytes.length, SMALL)
      assert.deepStrictEqual(headerOf(files.get(PATH)!), {
        format: 1,
        codec: "toy",
        segment: 1,
        firstSeq: 1,
        meta: { seed: 7 }
      })
      const { hash } = yield* on(yield* logOf(2), Effect.flatMap(read, (journal) => journal.head))
      const second = { format: 1, codec: "toy", segment: 2, firstSeq: 3, previous: hash, meta: { seed: 7 } }
      assert.deepStrictEqual(headerOf(files.get(SECOND)!), second)
      assert.deepStrictEqual(Object.keys(headerOf(files.get(SECOND)!)), Object.keys(second))
    }))

  it.effect("has the head and the events that it would have in one file", () =>
    Effect.gen(function*() {
      const inMemory = yield* memory(codec, { meta: { seed: 7 } })
      yield* append(6)(inMemory)
      const report = yield* on(diskWith(files), verify(PATH, codec))
      assert.deepStrictEqual(report.head, yield* inMemory.head)
      assert.deepStrictEqual(EVENTS, yield* all(inMemory))
    }).pipe(Effect.scoped))

  it.effect("goes on in the same file where a batch makes it just as large as it may be", () =>
    Effect.gen(function*() {
      for (const [bytes, paths] of [[files.get(PATH)!.length, 1], [files.get(PATH)!.length - 1, 2]] as const) {
        const options = { path: PATH, mode: "create", sync: "never", meta: { seed: 7 }, segmentBytes: bytes } as const
        assert.strictEqual((yield* logOf(2, file(codec, options))).files.size, paths)
      }
    }))

  it.effect("takes a batch that is larger than a segment into one of its own", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(1)
      yield* on(disk, Effect.flatMap(open, (journal) => journal.append(someEvents(50))))
      yield* on(disk, Effect.flatMap(open, append(1)))
      assert.deepStrictEqual([...disk.files.keys()], [PATH, SECOND, THIRD])
      assert.isAbove(disk.files.get(SECOND)!.length, SMALL)
      assert.strictEqual((yield* on(disk, verify(PATH, codec))).events, 52)
    }))

  it.effect("is gone on with in its last segment, and the others may be read-only", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      disk.readOnly.add(PATH).add(SECOND)
      yield* on(disk, Effect.flatMap(open, append(3, 7)))
      assert.deepStrictEqual([...disk.files.keys()], [PATH, SECOND, THIRD, FOURTH, `${PATH}.seg-000005`])
      for (const [path, bytes] of files) assert.deepStrictEqual(disk.files.get(path), bytes)
      assert.strictEqual((yield* on(disk, verify(PATH, codec))).events, 9)
    }))

  it.effect("is sound when its last segment holds no batch yet, and goes on there", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      const header = headerOnly(files.get(THIRD)!)
      disk.files.set(THIRD, header)
      const report = yield* on(disk, verify(PATH, codec))
      assert.deepInclude(report, { events: 4, damage: null, torn: null })
      assert.deepStrictEqual(report.head, (yield* on(yield* logOf(4), verify(PATH))).head)
      yield* on(disk, Effect.flatMap(open, append(2, 5)))
      assert.deepStrictEqual(disk.files, files)
    }))

  it.effect("has every head that it ever had, wherever it was cut", () =>
    Effect.gen(function*() {
      for (let count = 0; count <= 6; count++) {
        const { head } = yield* on(yield* logOf(count), verify(PATH))
        const report = yield* on(diskWith(files), verify(PATH, codec, { head: head.hash }))
        assert.strictEqual(report.continues, count)
      }
    }))

  it.effect("is one log to whoever wants to write it", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      const error = yield* on(disk, Effect.andThen(open, Effect.flip(Effect.scoped(open))))
      assert.strictEqual(error._tag, "Locked")
    }))

  it.effect("tells while it is verified how far that is, over all of them", () =>
    Effect.gen(function*() {
      const told: Array<readonly [number, number]> = []
      const onProgress = (bytes: number, of: number) => Effect.sync(() => void told.push([bytes, of]))
      yield* on(diskWith(files), verify(PATH, codec, { onProgress }))
      const lengths = [...files.values()].map(({ length }) => length)
      const total = lengths.reduce((sum, length) => sum + length)
      assert.deepStrictEqual(told, [[lengths[0]!, total], [lengths[0]! + lengths[1]!, total], [total, total]])
    }))

  it.effect("is salvaged into one that has the same head", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      const { head, lost } = yield* on(disk, salvage(codec, { from: PATH, to: "/new.log", note }))
      assert.deepStrictEqual([head, lost], [(yield* on(disk, verify(PATH))).head, []])
    }))
})

/** Every way to read or write a log. */
const ways = (path: string) => [
  file(codec, { path, mode: "read" }),
  file(codec, { path, mode: "open", sync: "never" }),
  verify(path, codec),
  salvage(codec, { from: path, to: "/new.log", note })
]

describe("the file of a later segment", () => {
  it.effect("is not opened, verified or salvaged as a log: the message names the log", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      disk.files.set("/copy", files.get(SECOND)!)
      for (const way of ways(SECOND)) {
        const error = yield* Effect.flip(on(disk, way as typeof read))
        assert.strictEqual(error.message, `${SECOND}: segment 2 of a journal, expected its first, open ${PATH}`)
      }
      for (const way of ways("/copy")) {
        const error = yield* Effect.flip(on(disk, way as typeof read))
        assert.strictEqual(error.message, "/copy: segment 2 of a journal, expected its first")
      }
      assert.deepStrictEqual([...disk.files.keys(), ...disk.links.keys()], [...files.keys(), "/copy"])
    }))

  it.effect("is not what a new log may be called, nor left for a new log to find", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const named = yield* Effect.flip(on(disk, file(codec, { path: SECOND, mode: "create", sync: "never" })))
      assert.strictEqual(named.message, `${SECOND}: cannot create: its name is that of a segment of ${PATH}`)
      disk.files.set(SECOND, files.get(SECOND)!)
      for (const creating of [create, openOrCreate(codec, { path: PATH, sync: "never" })]) {
        const error = yield* Effect.flip(on(disk, creating))
        assert.strictEqual(
          error.message,
          `${SECOND}: exists already, expected a path where a journal can be created`
        )
      }
      assert.deepStrictEqual([...disk.files.keys()], [SECOND])
    }))

  it.effect("is told from other files beside a log", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      for (
        const name of [
          "/toy.log.seg-2",
          "/toy.log.seg-0000002",
          "/toy.log.seg-000001",
          "/toy.log.seg-000004.torn-5",
          "/toy.log.seg-000004.creating",
          "/other.toy.log.seg-000004",
          "/toy.log.seg-00000x"
        ]
      ) disk.files.set(name, Uint8Array.of(1))
      assert.deepInclude(yield* on(disk, verify(PATH, codec)), { events: 6, damage: null, torn: null })
    }))

  it.effect("is a file: what is none, and may never end, is not opened", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      disk.directories.add(SECOND)
      for (const way of [read, open, verify(PATH)]) {
        const error = yield* Effect.flip(on(disk, way as typeof read))
        assert.strictEqual(error.message, `${SECOND}: not a journal: it is a Directory`)
      }
    }))

  it.effect("that is in the way of a roll-over is not replaced: the append fails, and what there was stays", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(2)
      yield* on(
        disk,
        Effect.flatMap(open, (journal) =>
          Effect.gen(function*() {
            disk.files.set(SECOND, Uint8Array.of(1, 2, 3))
            const { handles } = disk
            const error = yield* Effect.flip(append(1, 3)(journal))
            const end = files.get(PATH)!.length
            assert.strictEqual(error.message, `${PATH}: 1 events not written at byte ${end}: ${SECOND} exists already`)
            assert.deepStrictEqual(disk.files.get(SECOND), Uint8Array.of(1, 2, 3))
            assert.strictEqual(disk.handles, handles)
            assert.strictEqual((yield* all(journal)).length, 2)
            disk.files.delete(SECOND)
            yield* append(1, 3)(journal)
          }))
      )
      assert.strictEqual((yield* on(disk, verify(PATH, codec))).events, 3)
    }))

  it.effect("that an interrupted roll-over left half made is made anew", () =>
    Effect.gen(function*() {
      const disk = yield* logOf(2)
      disk.files.set(`${SECOND}.creating`, new Uint8Array(1000).fill(7))
      yield* on(disk, Effect.flatMap(open, append(1, 3)))
      assert.deepStrictEqual([...disk.files.keys()], [PATH, SECOND])
      assert.strictEqual((yield* on(disk, verify(PATH, codec))).events, 3)
    }))
})

/** The same log of another beginning, whose third segment says what this one's does but for the hash. */
const other = Effect.runSync(logOf(
  6,
  file(codec, {
    path: PATH,
    mode: "create",
    sync: "never",
    meta: { seed: 8 },
    segmentBytes: SMALL
  })
)).files

type Change = (log: Map<string, Uint8Array>) => void
const move = (from: string, to: string): Change => (log) => {
  const bytes = log.get(from)!
  log.delete(from)
  log.set(to, bytes)
}
const set = (path: string, bytes: Uint8Array): Change => (log) => void log.set(path, bytes)
const second = files.get(SECOND)!
const third = files.get(THIRD)!

/** What is done to the files, the message, and how many events can be read before it. */
const DAMAGED: ReadonlyArray<readonly [string, Change, string, number]> = [
  [
    "its first segment is missing",
    (log) => void log.delete(PATH),
    `${PATH}: damaged at byte 0, event #1: the segment is missing, ${SECOND} is there`,
    0
  ],
  [
    "a segment is missing",
    (log) => void log.delete(SECOND),
    `${SECOND}: damaged at byte 0, event #3: the segment is missing, ${THIRD} is there`,
    2
  ],
  [
    "a segment has the number after its own",
    move(THIRD, FOURTH),
    `${THIRD}: damaged at byte 0, event #5: the segment is missing, ${FOURTH} is there`,
    4
  ],
  [
    "a segment is there twice",
    set(FOURTH, second),
    `${FOURTH}: damaged at byte 20, event #7: its header is that of segment 2, expected 4`,
    6
  ],
  [
    "its first segment is there twice",
    set(FOURTH, files.get(PATH)!),
    `${FOURTH}: damaged at byte 20, event #7: its header is that of segment 1, expected 4`,
    6
  ],
  [
    "two segments have changed places",
    (log) => {
      log.set(SECOND, third)
      log.set(THIRD, second)
    },
    `${SECOND}: damaged at byte 20, event #3: its header is that of segment 3, expected 2`,
    2
  ],
  [
    "a segment was given the number of its place",
    set(SECOND, withHeader(third, { segment: 2 })),
    `${SECOND}: damaged at byte 20, event #3: the segment begins with event #5`,
    2
  ],
  [
    "a segment is of another log",
    set(THIRD, withHeader(other.get(THIRD)!, { meta: { seed: 7 } })),
    `${THIRD}: damaged at byte 20, event #5: the segment continues another log (the hash chain is broken)`,
    4
  ],
  [
    "a segment has other meta",
    set(THIRD, withHeader(third, { meta: { seed: 8 } })),
    `${THIRD}: damaged at byte 20, event #5: its header has other meta than the first segment's`,
    4
  ],
  [
    "a segment is of another codec",
    set(THIRD, withHeader(third, { codec: "app" })),
    `${THIRD}: damaged at byte 20, event #5: its header is of codec app, the first segment's of toy`,
    4
  ],
  [
    "a segment names no hash before it",
    set(THIRD, withHeader(third, { previous: undefined })),
    `${THIRD}: damaged at byte 20, event #5: the segment continues another log (the hash chain is broken)`,
    4
  ],
  [
    "a segment is of a later format",
    set(THIRD, third.with(8, 2)),
    `${THIRD}: damaged at byte 8, event #5: journal format 2, expected 1`,
    4
  ],
  [
    "a segment of another log holds nothing yet",
    set(THIRD, headerOnly(withHeader(other.get(THIRD)!, { meta: { seed: 7 } }))),
    `${THIRD}: damaged at byte 20, event #5: the segment continues another log (the hash chain is broken)`,
    4
  ],
  [
    "a segment of another number holds nothing yet",
    set(THIRD, headerOnly(second)),
    `${THIRD}: damaged at byte 20, event #5: its header is that of segment 2, expected 3`,
    4
  ],
  [
    "a segment of a later format holds nothing that is known",
    set(THIRD, headerOnly(third).with(8, 2)),
    `${THIRD}: damaged at byte 8, event #5: journal format 2, expected 1`,
    4
  ],
  [
    "a header is changed, and batches are behind it",
    set(THIRD, third.with(40, 7)),
    `${THIRD}: damaged at byte 16, event #5: the header's checksum is wrong`,
    4
  ],
  [
    "an earlier segment is torn, and nothing sound is behind it",
    (log) => {
      log.set(SECOND, second.slice(0, -1))
      log.set(THIRD, headerOnly(third))
    },
    `${SECOND}: damaged at byte ${second.length - BATCH}, event #4: a batch cut short: ${BATCH - 1} of ${BATCH} bytes`,
    3
  ],
  [
    "an earlier segment ends after its first batch",
    set(SECOND, second.slice(0, -BATCH)),
    `${THIRD}: damaged at byte 20, event #4: the segment begins with event #5`,
    3
  ],
  [
    "there is something behind the last batch of an earlier segment",
    set(SECOND, Buffer.concat([second, Uint8Array.of(0, 0)])),
    `${SECOND}: damaged at byte ${second.length}, event #5: a batch cut short: 2 bytes`,
    4
  ],
  [
    "an earlier segment is empty",
    set(SECOND, new Uint8Array(0)),
    `${SECOND}: damaged at byte 0, event #3: no segment of a journal: it is empty`,
    2
  ]
]

describe("a log is damaged when", () => {
  for (const [what, change, message, readable] of DAMAGED) {
    it.effect(`${what}: the file, the byte and the event are named, and what is before it is read`, () =>
      Effect.gen(function*() {
        const damaged = new Map(files)
        change(damaged)
        const disk = diskWith(damaged)
        const before = new Map(disk.files)
        const error = yield* Effect.flip(on(disk, open))
        assert.deepStrictEqual([error._tag, error.message], ["Damaged", message])
        assert.deepStrictEqual(disk.files, before)

        const seen: Array<Envelope<Toy>> = []
        const reading = Effect.flatMap(
          read,
          (journal) => Stream.runForEach(journal.read(), (event) => Effect.sync(() => void seen.push(event)))
        )
        assert.strictEqual((yield* Effect.flip(on(disk, reading))).message, message)
        assert.deepStrictEqual(seen, EVENTS.slice(0, readable))

        // Without its first file a log cannot be reported on.
        if (!damaged.has(PATH)) return
        const { damage, events, torn } = yield* on(disk, verify(PATH, codec))
        assert.deepStrictEqual([events, torn], [readable, null])
        const { byte, reason, segment, seq } = damage!
        assert.strictEqual(`${segment}: damaged at byte ${byte}, event #${seq}: ${reason}`, message)
      }))
  }
})

describe("a torn tail of a log of several segments", () => {
  it.effect("is cut off the last one, and kept by its name", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      disk.files.set(THIRD, third.slice(0, -1))
      const byte = third.length - BATCH
      const torn = { segment: THIRD, byte, bytes: BATCH - 1 }
      assert.deepStrictEqual((yield* on(disk, verify(PATH, codec))).torn, torn)
      const { recovered } = yield* on(disk, read)
      assert.deepStrictEqual(recovered, { ...torn, kept: null })
      const kept = `${THIRD}.torn-${byte}`
      yield* on(
        disk,
        Effect.flatMap(open, (journal) => {
          assert.deepStrictEqual(journal.recovered, { ...torn, kept })
          return append(1, 6)(journal)
        })
      )
      assert.deepStrictEqual(disk.files.get(kept), third.slice(byte, -1))
      assert.deepStrictEqual(disk.files.get(THIRD), third)
    }))

  const HEADERS: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["nothing", new Uint8Array(0)],
    ["half a header", third.slice(0, 50)],
    ["zeros", new Uint8Array(300)],
    ["a header with a wrong byte", headerOnly(third).with(40, 7)]
  ]
  for (const [what, bytes] of HEADERS) {
    it.effect(`that is all there is of the last one, ${what}, is moved aside, and the log goes on before it`, () =>
      Effect.gen(function*() {
        const disk = diskWith(files)
        disk.files.set(THIRD, bytes)
        const torn = { segment: THIRD, byte: 0, bytes: bytes.length }
        assert.deepStrictEqual((yield* on(disk, verify(PATH, codec))).torn, torn)
        yield* on(
          disk,
          Effect.flatMap(open, (journal) =>
            Effect.gen(function*() {
              assert.deepStrictEqual(journal.recovered, { ...torn, kept: `${THIRD}.torn-0` })
              assert.deepStrictEqual([...disk.files.keys()], [PATH, SECOND, `${THIRD}.torn-0`])
              yield* append(2, 5)(journal)
            }))
        )
        assert.deepStrictEqual(disk.files.get(`${THIRD}.torn-0`), bytes)
        disk.files.delete(`${THIRD}.torn-0`)
        assert.deepStrictEqual(disk.files, files)
      }))
  }

  it.effect("that cannot be moved aside stays, and the log is not opened to write", () =>
    Effect.gen(function*() {
      const disk = diskWith(files)
      disk.files.set(THIRD, third.slice(0, 50))
      disk.files.set(`${THIRD}.torn-0`, Uint8Array.of(1))
      const before = new Map(disk.files)
      disk.broken.add("rename")
      const error = yield* Effect.flip(on(disk, open))
      assert.strictEqual(error.message, `${THIRD}: cannot cut off the torn tail at byte 0: i/o error`)
      assert.deepStrictEqual(disk.files, before)
      disk.broken.clear()
      const { recovered } = yield* on(disk, open)
      assert.strictEqual(recovered?.kept, `${THIRD}.torn-0-2`)
      assert.deepStrictEqual(disk.files.get(`${THIRD}.torn-0`), Uint8Array.of(1))
    }))
})

const salvaged = (change: Change) =>
  Effect.gen(function*() {
    const damaged = new Map(files)
    change(damaged)
    const disk = diskWith(damaged)
    const { lost } = yield* on(disk, salvage(codec, { from: PATH, to: "/new.log", note }))
    return yield* on(
      disk,
      Effect.gen(function*() {
        const journal = yield* file(codec, { path: "/new.log", mode: "read" })
        const counts = (yield* all(journal)).map(({ data }) => data._tag === "Sold" ? data.count : -1)
        return { lost, counts, meta: journal.header.meta }
      })
    )
  })

describe("a salvage of a log of several segments", () => {
  it.effect("reads on behind a damaged batch, a bad header and a missing file, which it names", () =>
    Effect.gen(function*() {
      const byte = second.length - BATCH
      const batch = yield* salvaged(set(SECOND, second.with(second.length - 1, 9)))
      assert.deepStrictEqual(batch.counts, [1, 2, 3, 0, 5, 6])
      const damaged = { segment: SECOND, byte, first: 4, count: 1, reason: "the batch's checksum is wrong" }
      assert.deepStrictEqual(batch.lost, [damaged])

      const header = yield* salvaged(set(SECOND, second.with(40, 7)))
      assert.deepStrictEqual([header.counts, header.lost], [[1, 2, 3, 4, 5, 6], []])

      const missing = yield* salvaged((log) => void log.delete(SECOND))
      assert.deepStrictEqual(missing.counts, [1, 2, 0, 5, 6])
      const reason = `the segment is missing, ${THIRD} is there`
      assert.deepStrictEqual(missing.lost, [{ segment: SECOND, byte: 0, first: 3, count: 2, reason }])
    }))

  it.effect("reads the others when the first is missing or has lost its header, with the meta that they repeat", () =>
    Effect.gen(function*() {
      const missing = yield* salvaged((log) => void log.delete(PATH))
      assert.deepStrictEqual(missing.counts, [0, 3, 4, 5, 6])
      const reason = `the segment is missing, ${SECOND} is there`
      assert.deepStrictEqual(missing.lost, [{ segment: PATH, byte: 0, first: 1, count: 2, reason }])
      assert.deepStrictEqual(missing.meta, { seed: 7 })

      for (const byte of [3, 14, 40]) {
        const header = yield* salvaged(set(PATH, files.get(PATH)!.with(byte, 7)))
        assert.deepStrictEqual([header.counts, header.lost, header.meta], [[1, 2, 3, 4, 5, 6], [], { seed: 7 }])
      }
    }))

  it.effect("is refused when no header is left, as opening is", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(salvaged((log) => {
        for (const [path, bytes] of log) log.set(path, bytes.with(40, 7))
      }))
      assert.strictEqual(error.message, `${PATH}: damaged at byte 16, event #0: the header's checksum is wrong`)
    }))

  it.effect("reads a segment that is there twice once", () =>
    Effect.map(salvaged(set(FOURTH, second)), ({ counts, lost }) => {
      assert.deepStrictEqual(counts.slice(0, 6), [1, 2, 3, 4, 5, 6])
      assert.deepStrictEqual(lost.map(({ count, first, segment }) => [segment, first, count]), [[FOURTH, 7, null]])
    }))
})
