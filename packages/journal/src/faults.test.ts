/**
 * A log of three batches damaged in every way of a kind, and a disk that fails at every byte: nothing is missed.
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
import type { Journal } from "./journal.ts"
import { file } from "./open.ts"
import { codec, sold, someEvents, type Toy } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"

const create = file(codec, { path: PATH, mode: "create", sync: "batch", meta: { seed: 7 } })
const open = file(codec, { path: PATH, mode: "open", sync: "batch" })
const read = file(codec, { path: PATH, mode: "read" })

const on = <A, X>(disk: Disk, effect: Effect.Effect<A, X, FileSystem | Scope.Scope>): Effect.Effect<A, X> =>
  Effect.provide(Effect.scoped(effect), disk.layer)

const all = (journal: Journal<Toy>) => Stream.runCollect(journal.read())

const diskWith = (bytes: Uint8Array): Disk => {
  const disk = makeDisk()
  disk.files.set(PATH, Uint8Array.from(bytes))
  return disk
}

/** The log, and the bytes where its batches begin and it ends. */
const threeBatches = Effect.gen(function*() {
  const disk = makeDisk()
  const ends: Array<number> = []
  const end = Effect.sync(() => void ends.push(disk.files.get(PATH)!.length))
  const events = yield* on(
    disk,
    Effect.gen(function*() {
      const journal = yield* Effect.tap(create, end)
      for (const count of [2, 3, 1]) yield* Effect.andThen(journal.append(someEvents(count, ends.length)), end)
      return yield* all(journal)
    })
  )
  return { bytes: disk.files.get(PATH)!, ends, events }
})

const three = Effect.runSync(threeBatches)
const { bytes, ends, events } = three
const frame = (i: number) => bytes.slice(ends[i - 1], ends[i])
const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0

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

/** What was damaged is found out; what is read of it is true; who may write to it goes on with that and loses nothing. */
const judge = Effect.fnUntraced(function*(kind: string, damaged: Uint8Array, what: string) {
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
    Effect.flatMap(open, (journal) =>
      Effect.gen(function*() {
        const before = yield* all(journal)
        assert.strictEqual((yield* journal.append([sold("new", 1)])).first, before.length + 1, what)
        return { before, recovered: journal.recovered }
      }))
  ))
  if (written._tag === "Failure") {
    assert.match(written.failure.message, /^\/toy\.log: (damaged at byte \d+, event #\d+|not a journal|journal format)/)
    assert.deepStrictEqual([...disk.files], [[PATH, Uint8Array.from(damaged)]], `${what} is left as it was`)
    return
  }
  assertPrefix(written.success.before, what)
  const after = yield* on(disk, verify(PATH, codec))
  assert.deepStrictEqual([after.events, after.damage, after.torn], [written.success.before.length + 1, null, null])
  const { recovered } = written.success
  const kept = recovered?.kept ? disk.files.get(recovered.kept)! : new Uint8Array(0)
  const start = disk.files.get(PATH)!.subarray(0, recovered?.byte ?? damaged.length)
  assert.isTrue(same(Buffer.concat([start, kept]), damaged), `${what}: what was cut off is kept`)
})

describe("a log of three batches", () => {
  it.effect("truncated at every byte", () =>
    Effect.forEach(bytes, (_, length) => judge("truncated", bytes.slice(0, length), `truncated at ${length}`)))

  it.effect("with every bit of every byte flipped, one at a time", () =>
    Effect.gen(function*() {
      for (let at = 0; at < bytes.length * 8; at++) {
        const byte = at >> 3
        const flipped = bytes.with(byte, bytes[byte]! ^ (1 << (at & 7)))
        yield* judge("a bit flipped", flipped, `bit ${at & 7} of byte ${byte}`)
      }
    }))

  it.effect("with every tail of it zeros, and zeros after it", () =>
    Effect.gen(function*() {
      for (let from = 0; from < bytes.length; from++) {
        const zeroed = Uint8Array.from(bytes).fill(0, from)
        if (!same(zeroed, bytes)) yield* judge("zeros", zeroed, `zeros from ${from} on`)
      }
      for (const count of [1, 7, 8, 9, 51, 52, 59, 60, 61, 511, 4096, 70_000]) {
        yield* judge("zeros", Buffer.concat([bytes, new Uint8Array(count)]), `${count} zeros behind it`)
      }
    }))

  it.effect("with its batches missing, repeated and in any other order, up to five of them", () =>
    Effect.gen(function*() {
      let orders: ReadonlyArray<ReadonlyArray<number>> = [[]]
      for (let length = 0; length <= 5; length++) {
        for (const order of orders) {
          const damaged = Buffer.concat([bytes.slice(0, ends[0]), ...order.map(frame)])
          if (!same(damaged, bytes)) yield* judge("batches rearranged", damaged, `batches ${order.join()}`)
        }
        orders = orders.flatMap((order) => [1, 2, 3].map((next) => [...order, next]))
      }
    }))
})

describe("an append to a disk that fails", () => {
  const batch = someEvents(4, 9)
  const added = Effect.runSync(Effect.gen(function*() {
    const disk = diskWith(bytes)
    yield* on(disk, Effect.flatMap(open, (journal) => journal.append(batch)))
    return disk.files.get(PATH)!.length - bytes.length
  }))
  const kinds: Record<string, number> = {}
  afterAll(() => console.log(Object.entries(kinds).map(([kind, tried]) => `${kind}: ${tried} tried`).join("; ")))

  /** Fails the append and mends the disk: the log is what it was, is read, appended to, and sound. */
  const survives = (kind: string, fault: (disk: Disk) => void) =>
    Effect.gen(function*() {
      kinds[kind] = (kinds[kind] ?? 0) + 1
      const disk = diskWith(bytes)
      yield* on(
        disk,
        Effect.flatMap(open, (journal) =>
          Effect.gen(function*() {
            fault(disk)
            const error = yield* Effect.flip(journal.append(batch, { key: "once" }))
            assert.deepInclude(error, { _tag: "WriteFailed", path: PATH, byte: bytes.length, events: 4 })
            assert.notInclude(error.message, "\n")
            assert.deepStrictEqual(yield* all(journal), events)
            disk.space = Infinity
            disk.broken.clear()
            assert.deepStrictEqual((yield* journal.append(batch, { key: "once" })).first, 7)
            assert.strictEqual((yield* all(journal)).length, 10)
          }))
      )
      const report = yield* on(disk, verify(PATH, codec))
      assert.deepStrictEqual([report.events, report.damage, report.torn], [10, null, null])
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

  it.effect("with an error of the disk, in the write, the sync and the cutting off", () =>
    Effect.gen(function*() {
      for (const operations of [["write"], ["sync"], ["write", "truncate"], ["sync", "truncate"]] as const) {
        yield* survives("an error of the disk", (disk) => operations.forEach((name) => disk.broken.add(name)))
      }
    }))

  it.effect("in no more than taking little at a time, however little, succeeds", () =>
    Effect.gen(function*() {
      for (let largest = 1; largest <= added; largest++) {
        kinds["short writes"] = (kinds["short writes"] ?? 0) + 1
        const disk = diskWith(bytes)
        disk.largestWrite = largest
        yield* on(disk, Effect.flatMap(open, (journal) => journal.append(batch)))
        const report = yield* on(disk, verify(PATH, codec))
        assert.deepStrictEqual([report.events, report.damage, report.torn], [10, null, null])
      }
    }))
})
