/**
 * A log of three batches, in one file and in three, damaged in every way of a kind, and a disk that fails at every byte:
 * nothing is missed.
 *
 * @since 0.1.0
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Disk, makeDisk } from "./disk.ts"
import type { Envelope } from "./envelope.ts"
import { HEADER_PREFIX } from "./header.ts"
import type { Journal } from "./journal.ts"
import { file } from "./open.ts"
import { segmentPath } from "./segments.ts"
import { codec, sold, someEvents, type Toy } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"

type Files = ReadonlyMap<string, Uint8Array>

const create = (segmentBytes?: number) =>
  file(codec, { path: PATH, mode: "create", sync: "batch", meta: { seed: 7 }, segmentBytes })
const open = (segmentBytes?: number) => file(codec, { path: PATH, mode: "open", sync: "batch", segmentBytes })
const read = file(codec, { path: PATH, mode: "read" })

const on = <A, X>(disk: Disk, effect: Effect.Effect<A, X, FileSystem | Scope.Scope>): Effect.Effect<A, X> =>
  Effect.provide(Effect.scoped(effect), disk.layer)

const all = (journal: Journal<Toy>) => Stream.runCollect(journal.read())

const diskWith = (files: Files): Disk => {
  const disk = makeDisk()
  for (const [path, bytes] of files) disk.files.set(path, Uint8Array.from(bytes))
  return disk
}

/** The log, and the bytes where the batches of its last file begin and it ends. */
const threeBatches = Effect.fnUntraced(function*(segmentBytes?: number) {
  const disk = makeDisk()
  const ends: Array<number> = []
  const end = Effect.sync(() => void ends.push([...disk.files.values()].at(-1)!.length))
  const events = yield* on(
    disk,
    Effect.gen(function*() {
      const journal = yield* Effect.tap(create(segmentBytes), end)
      for (const count of [2, 3, 1]) yield* Effect.andThen(journal.append(someEvents(count, ends.length)), end)
      return yield* all(journal)
    })
  )
  return { files: new Map(disk.files), ends, events }
})

const { ends, events, files } = Effect.runSync(threeBatches())
const bytes = files.get(PATH)!
const frame = (i: number) => bytes.slice(ends[i - 1], ends[i])
const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0

/** The same log, a file for each batch. */
const segments = Effect.runSync(threeBatches(1)).files
const PATHS = [1, 2, 3, 4].map((number) => segmentPath(PATH, number))

/** The log of three files with another in place of one. */
const withFile = (path: string, damaged: Uint8Array): Files => new Map([...segments, [path, damaged]])

/** How many were tried, and how they were found out: by verify, or, being a whole shorter log, by the head alone. */
const census: Record<string, { tried: number; verify: number; head: number }> = {}
afterAll(() => {
  for (const [kind, { head, tried, verify }] of Object.entries(census)) {
    console.log(
      `${kind}: ${tried} tried, ${verify} found by verify, ${head} by their head, ${tried - verify - head} missed`
    )
  }
})

/** A prefix of the events as they were written, and nothing else, is what any reader may ever get. */
const assertPrefix = (found: ReadonlyArray<Envelope<Toy>>, what: string) =>
  assert.deepStrictEqual(found, events.slice(0, found.length), what)

const REFUSED =
  /^\/toy\.log(\.seg-\d{6})?: (damaged at byte \d+, event #\d+|not a journal|journal format|no such journal|segment \d of a)/

/** What was damaged is found out; what is read of it is true; who may write to it goes on with that and loses nothing. */
const judge = Effect.fnUntraced(function*(kind: string, damaged: Files, what: string) {
  const counts = census[kind] ??= { tried: 0, verify: 0, head: 0 }
  counts.tried++
  const report = yield* Effect.option(on(diskWith(damaged), verify(PATH, codec)))
  const sound = report._tag === "Some" && report.value.damage === null && report.value.torn === null
  if (!sound) counts.verify++
  else if (report.value.events < events.length) counts.head++
  else assert.fail(`${what} is not found`)

  const seen: Array<Envelope<Toy>> = []
  const reading = Effect.flatMap(
    read,
    (journal) => Stream.runForEach(journal.read(), (event) => Effect.sync(() => void seen.push(event)))
  )
  yield* Effect.exit(on(diskWith(damaged), reading))
  assertPrefix(seen, what)

  const disk = diskWith(damaged)
  const written = yield* Effect.result(on(
    disk,
    Effect.flatMap(open(), (journal) =>
      Effect.gen(function*() {
        const before = yield* all(journal)
        assert.strictEqual((yield* journal.append([sold("new", 1)])).first, before.length + 1, what)
        return { before, recovered: journal.recovered }
      }))
  ))
  if (written._tag === "Failure") {
    assert.match(written.failure.message, REFUSED)
    assert.deepStrictEqual(disk.files, diskWith(damaged).files, `${what} is left as it was`)
    return
  }
  const { before, recovered } = written.success
  assertPrefix(before, what)
  const after = yield* on(disk, verify(PATH, codec))
  assert.deepStrictEqual([after.events, after.damage, after.torn], [before.length + 1, null, null])
  const nothing = new Uint8Array(0)
  for (const [path, was] of damaged) {
    const isCut = recovered?.segment === path
    const start = (disk.files.get(path) ?? nothing).subarray(0, isCut ? recovered.byte : was.length)
    const kept = isCut ? disk.files.get(recovered.kept!)! : nothing
    assert.isTrue(same(Buffer.concat([start, kept]), was), `${what}: what was cut off is kept`)
  }
})

/** Damages the log of one file. */
const judgeFile = (kind: string, damaged: Uint8Array, what: string) => judge(kind, new Map([[PATH, damaged]]), what)

/** Damages one file of three, in every way that `damages` knows. */
const judgeEach = (
  kind: string,
  damages: (bytes: Uint8Array) => Iterable<readonly [damaged: Uint8Array, what: string]>
) =>
  Effect.forEach(
    segments,
    ([path, bytes]) =>
      Effect.forEach(damages(bytes), ([damaged, what]) =>
        same(damaged, bytes) ? Effect.void : judge(kind, withFile(path, damaged), `${path} ${what}`))
  )

const ZEROS = [1, 7, 8, 9, 51, 52, 59, 60, 61, 511, 4096, 70_000]

const flipped = (bytes: Uint8Array, at: number) => bytes.with(at >> 3, bytes[at >> 3]! ^ (1 << (at & 7)))

describe("a log of three batches", () => {
  it.effect("truncated at every byte", () =>
    Effect.forEach(bytes, (_, length) => judgeFile("truncated", bytes.slice(0, length), `truncated at ${length}`)))

  it.effect("with every bit of every byte flipped, one at a time", () =>
    Effect.gen(function*() {
      for (let at = 0; at < bytes.length * 8; at++) yield* judgeFile("a bit flipped", flipped(bytes, at), `bit ${at}`)
    }))

  it.effect("with every tail of it zeros, and zeros after it", () =>
    Effect.gen(function*() {
      for (let from = 0; from < bytes.length; from++) {
        const zeroed = Uint8Array.from(bytes).fill(0, from)
        if (!same(zeroed, bytes)) yield* judgeFile("zeros", zeroed, `zeros from ${from} on`)
      }
      for (const count of ZEROS) {
        yield* judgeFile("zeros", Buffer.concat([bytes, new Uint8Array(count)]), `${count} zeros behind it`)
      }
    }))

  it.effect("with its batches missing, repeated and in any other order, up to five of them", () =>
    Effect.gen(function*() {
      let orders: ReadonlyArray<ReadonlyArray<number>> = [[]]
      for (let length = 0; length <= 5; length++) {
        for (const order of orders) {
          const damaged = Buffer.concat([bytes.slice(0, ends[0]), ...order.map(frame)])
          if (!same(damaged, bytes)) yield* judgeFile("batches rearranged", damaged, `batches ${order.join()}`)
        }
        orders = orders.flatMap((order) => [1, 2, 3].map((next) => [...order, next]))
      }
    }))
})

describe("a log of three segments", () => {
  it.effect("with one of them truncated at every byte", () =>
    judgeEach("a segment truncated", function*(bytes) {
      for (let length = 0; length < bytes.length; length++) yield [bytes.slice(0, length), `truncated at ${length}`]
    }))

  it.effect("with every bit of the bytes before a header's JSON flipped, and a bit of every other byte", () =>
    judgeEach("a bit of a segment flipped", function*(bytes) {
      for (let at = 0; at < bytes.length * 8; at += at < 8 * HEADER_PREFIX ? 1 : 9) {
        if (at < bytes.length * 8) yield [flipped(bytes, at), `bit ${at}`]
      }
    }))

  it.effect("with every tail of one of them zeros, and zeros after it", () =>
    judgeEach("zeros in a segment", function*(bytes) {
      for (let from = 0; from < bytes.length; from++) {
        yield [Uint8Array.from(bytes).fill(0, from), `zeros from ${from} on`]
      }
      for (const count of ZEROS) yield [Buffer.concat([bytes, new Uint8Array(count)]), `${count} zeros behind it`]
    }))

  it.effect("with its files missing, repeated and in any other order, up to four of them", () =>
    Effect.gen(function*() {
      const contents = [null, ...segments.values()]
      const right = [1, 2, 3, 0].join()
      for (let i = 0; i < contents.length ** PATHS.length; i++) {
        const order = PATHS.map((_, place) => Math.floor(i / contents.length ** place) % contents.length)
        const damaged = PATHS.flatMap((path, place) => {
          const content = contents[order[place]!]!
          return content === null ? [] : [[path, content] as const]
        })
        if (order.join() !== right) yield* judge("segments rearranged", new Map(damaged), `segments ${order.join()}`)
      }
    }))
})

const total = (disk: Disk) => [...disk.files.values()].reduce((sum, { length }) => sum + length, 0)

const ROLLS = [["an append", undefined], ["an append that begins a segment", 1]] as const

for (const [name, segmentBytes] of ROLLS) {
  const batch = someEvents(4, 9)
  const writing = open(segmentBytes)

  describe(`${name} to a disk that fails`, () => {
    const added = Effect.runSync(Effect.gen(function*() {
      const disk = diskWith(files)
      yield* on(disk, Effect.flatMap(writing, (journal) => journal.append(batch)))
      return total(disk) - bytes.length
    }))
    const kinds: Record<string, number> = {}
    afterAll(() =>
      console.log(name, Object.entries(kinds).map(([kind, tried]) => `${kind}: ${tried} tried`).join("; "))
    )

    /** Fails the append and mends the disk: the log is what it was, is read, appended to, and sound. */
    const survives = (kind: string, fault: (disk: Disk) => void) =>
      Effect.gen(function*() {
        kinds[kind] = (kinds[kind] ?? 0) + 1
        const disk = diskWith(files)
        const last = yield* on(
          disk,
          Effect.flatMap(writing, (journal) =>
            Effect.gen(function*() {
              fault(disk)
              const error = yield* Effect.flip(journal.append(batch, { key: "once" }))
              const begun = disk.files.get(PATHS[1]!)
              const place = begun === undefined
                ? { path: PATH, byte: bytes.length }
                : { path: PATHS[1]!, byte: HEADER_PREFIX + Buffer.from(begun).readUInt32LE(12) }
              assert.deepInclude(error, { _tag: "WriteFailed", ...place, events: 4 })
              assert.notInclude(error.message, "\n")
              assert.deepStrictEqual(yield* all(journal), events)
              disk.space = Infinity
              disk.broken.clear()
              const { first, hash } = yield* journal.append(batch, { key: "once" })
              assert.strictEqual(first, 7)
              assert.strictEqual((yield* all(journal)).length, 10)
              return hash
            }))
        )
        const report = yield* on(disk, verify(PATH, codec))
        assert.deepStrictEqual([report.events, report.damage, report.torn], [10, null, null])
        assert.strictEqual(report.head.hash, last)
        assert.deepStrictEqual([...disk.files.keys()], PATHS.slice(0, segmentBytes === undefined ? 1 : 2))
        assert.deepStrictEqual(disk.files.get(PATH)!.subarray(0, bytes.length), bytes)
      })

    it.effect("for want of space, at every byte", () =>
      Effect.gen(function*() {
        for (let space = 0; space < added; space++) {
          yield* survives("no space", (disk) => void (disk.space = space))
          yield* survives("no space, and what was written cannot be cut off", (disk) => {
            disk.space = space
            disk.broken.add("truncate")
          })
        }
      }))

    const BROKEN = [["write"], ["sync"], ["write", "truncate"], ["sync", "truncate"]] as const
    const BROKEN_TO_BEGIN = [["open"], ["rename"], ["rename", "truncate"]] as const
    it.effect("with an error of the disk, in any of its operations", () =>
      Effect.gen(function*() {
        for (const operations of [...BROKEN, ...segmentBytes === undefined ? [] : BROKEN_TO_BEGIN]) {
          yield* survives("an error of the disk", (disk) => operations.forEach((name) => disk.broken.add(name)))
        }
      }))

    it.effect("in no more than taking little at a time, however little, succeeds", () =>
      Effect.gen(function*() {
        for (let largest = 1; largest <= added; largest++) {
          kinds["short writes"] = (kinds["short writes"] ?? 0) + 1
          const disk = diskWith(files)
          disk.largestWrite = largest
          yield* on(disk, Effect.flatMap(writing, (journal) => journal.append(batch)))
          const report = yield* on(disk, verify(PATH, codec))
          assert.deepStrictEqual([report.events, report.damage, report.torn], [10, null, null])
        }
      }))
  })
}
