/**
 * What a power loss takes from a log: everything that was not synced, and nothing else.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Disk, makeDisk } from "./disk.ts"
import { file } from "./open.ts"
import type { Sync } from "./store.ts"
import { codec, notation, someEvents } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"

/** Appends three batches, and pulls the plug while the log is open. */
const threeAndDark = (disk: Disk, sync: Sync) =>
  Effect.gen(function*() {
    const journal = yield* file(codec, { path: PATH, mode: "create", sync })
    for (let i = 0; i < 3; i++) yield* journal.append(someEvents(2, 2 * i))
    disk.losePower()
  }).pipe(Effect.scoped, Effect.provide(disk.layer))

const opened = (disk: Disk) =>
  Effect.gen(function*() {
    const journal = yield* file(codec, { path: PATH, mode: "open", sync: "batch" })
    return { recovered: journal.recovered, events: (yield* Stream.runCollect(journal.read())).map(notation) }
  }).pipe(Effect.scoped, Effect.provide(disk.layer))

describe("a power loss", () => {
  it.effect("leaves every acknowledged batch of a log that syncs each", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* threeAndDark(disk, "batch")
      const { events, recovered } = yield* opened(disk)
      assert.strictEqual(events.length, 6)
      assert.strictEqual(recovered, null)
    }))

  it.effect("may take a log that never syncs: that is what `never` says", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* threeAndDark(disk, "never")
      assert.deepStrictEqual([...disk.files.keys()], [])
    }))

  it.effect("before the sync takes that batch only, wherever the disk had got to with it", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* threeAndDark(disk, "batch")
      const three = disk.files.get(PATH)!
      yield* Effect.gen(function*() {
        const journal = yield* file(codec, { path: PATH, mode: "open", sync: "never" })
        yield* journal.append(someEvents(2, 6))
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      const four = disk.files.get(PATH)!
      // The length of a file may reach the disk before its bytes: what was not written reads as zeros.
      for (let written = three.length; written < four.length; written++) {
        const zeros = new Uint8Array(four.length - written)
        const torn = makeDisk()
        torn.files.set(PATH, Buffer.concat([four.subarray(0, written), zeros]))
        const { events, recovered } = yield* opened(torn)
        const whole = Buffer.compare(Buffer.concat([four.subarray(0, written), zeros]), four) === 0
        assert.strictEqual(events.length, whole ? 8 : 6)
        assert.strictEqual(recovered?.byte ?? null, whole ? null : three.length)
      }
    }))

  it.effect("after a crash between write and sync does not take what opening had shown since", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* threeAndDark(disk, "batch")
      yield* Effect.gen(function*() {
        // The write is there, the sync is not; nobody was told.
        const journal = yield* file(codec, { path: PATH, mode: "open", sync: "never" })
        yield* journal.append(someEvents(2, 6), { key: "fourth" })
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      const told = yield* Effect.gen(function*() {
        const journal = yield* file(codec, { path: PATH, mode: "open", sync: "batch" })
        return yield* journal.append(someEvents(2, 6), { key: "fourth" })
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      disk.losePower()
      assert.strictEqual(told.last, 8)
      assert.strictEqual((yield* opened(disk)).events.length, 8)
    }))

  it.effect("does not take the name of a log that was created without a sync, once it was opened with", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const creating = file(codec, { path: PATH, mode: "create", sync: "never" })
      yield* Effect.provide(Effect.scoped(creating), disk.layer)
      const opening = file(codec, { path: PATH, mode: "open", sync: "batch" })
      yield* Effect.scoped(Effect.flatMap(opening, (journal) => journal.append(someEvents(2)))).pipe(
        Effect.provide(disk.layer)
      )
      disk.losePower()
      assert.strictEqual((yield* opened(disk)).events.length, 2)
    }))

  it.effect("in the middle of cutting off a torn tail loses neither the log nor the tail", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* threeAndDark(disk, "batch")
      const { head } = yield* Effect.provide(verify(PATH), disk.layer)
      const sound = disk.files.get(PATH)!
      disk.files.set(PATH, Buffer.concat([sound, Buffer.from("half a batch")]))
      disk.durable.bytes.set(PATH, disk.files.get(PATH)!)
      yield* opened(disk)
      disk.losePower()
      assert.strictEqual(Buffer.from(disk.files.get(`${PATH}.torn-${sound.length}`)!).toString(), "half a batch")
      assert.deepStrictEqual((yield* Effect.provide(verify(PATH), disk.layer)).head, head)
    }))
})

const SECOND = `${PATH}.seg-000002`

/** What is left of a disk when the power is gone: what was synced, all of it, or all of it with zeros for bytes that were not. */
const LEFT: ReadonlyArray<readonly [string, (disk: Disk) => void]> = [
  ["nothing that was not synced is left", (disk) => disk.losePower()],
  ["everything is left", (disk) => void (disk.powerOffAfter = Infinity)],
  ["names are left, and zeros for bytes that were not synced", (disk) => disk.loseBytes()]
]

const writing = (sync: Sync, segmentBytes?: number) => file(codec, { path: PATH, mode: "open", sync, segmentBytes })

/** A disk with a log of three batches, the third synced if `sync` says so, whose next batch begins a segment. */
const threeOn = Effect.fnUntraced(function*(sync: Sync) {
  const disk = makeDisk()
  const creating = file(codec, { path: PATH, mode: "create", sync: "batch" })
  yield* Effect.gen(function*() {
    yield* Effect.scoped(
      Effect.flatMap(creating, ({ append }) => Effect.forEach([0, 2], (from) => append(someEvents(2, from))))
    )
    yield* Effect.scoped(Effect.flatMap(writing(sync), ({ append }) => append(someEvents(2, 4))))
  }).pipe(Effect.provide(disk.layer))
  // A header and a batch are several writes: the power may go between any two.
  disk.largestWrite = 60
  return disk
})

/** Begins a segment until the power goes, and then goes on: what was found, and whether the power was there to the end. */
const rollsOver = Effect.fnUntraced(function*(sync: Sync, lose: (disk: Disk) => void, steps: number) {
  const disk = yield* threeOn(sync)
  const { done, told } = yield* Effect.gen(function*() {
    const journal = yield* writing(sync, 1)
    disk.powerOffAfter = disk.done.length + steps
    const exit = yield* Effect.exit(journal.append(someEvents(2, 6)))
    const done = disk.done.length < disk.powerOffAfter
    lose(disk)
    // Who is dead cuts nothing off.
    disk.broken.add("truncate")
    return { done, told: exit._tag === "Success" }
  }).pipe(Effect.scoped, Effect.provide(disk.layer))
  disk.broken.clear()
  const { events } = yield* opened(disk)
  if (told && sync === "batch") assert.strictEqual(events.length, 8)
  const outcome = `${events.length} events, ${disk.files.has(SECOND) ? "two segments" : "one segment"}`
  yield* Effect.scoped(Effect.flatMap(writing(sync, 1), (journal) => journal.append(someEvents(1)))).pipe(
    Effect.provide(disk.layer)
  )
  const report = yield* Effect.provide(verify(PATH, codec), disk.layer)
  assert.deepStrictEqual([report.events, report.damage, report.torn], [events.length + 1, null, null])
  return { done, outcome }
})

describe("a power loss at any step of a roll-over", () => {
  for (const sync of ["batch", "never"] as const) {
    for (const [what, lose] of LEFT) {
      it.effect(`of a log that syncs ${sync}, after which ${what}, leaves a log that goes on`, () =>
        Effect.gen(function*() {
          const outcomes = new Set<string>()
          for (let steps = 0;; steps++) {
            const { done, outcome } = yield* rollsOver(sync, lose, steps)
            outcomes.add(outcome)
            if (done) break
          }
          const mayLose = sync === "never" && what !== "everything is left"
          assert.deepStrictEqual([...outcomes], [
            ...mayLose ? ["4 events, one segment"] : [],
            "6 events, one segment",
            "6 events, two segments",
            ...mayLose ? [] : ["8 events, two segments"]
          ])
        }))
    }
  }
})

/** Opens a log whose last segment is half a header, until the power goes, and again: whether the power was there to the end. */
const movesAside = Effect.fnUntraced(function*(isSynced: boolean, lose: (disk: Disk) => void, steps: number) {
  const half = Uint8Array.from({ length: 30 }, (_, i) => i + 1)
  const disk = yield* threeOn("batch")
  disk.files.set(SECOND, half)
  if (isSynced) disk.durable.bytes.set(SECOND, half)
  disk.durable.paths = new Set([PATH, SECOND])
  disk.powerOffAfter = disk.done.length + steps
  const told = (yield* Effect.exit(opened(disk)))._tag === "Success"
  const done = told && disk.done.length < disk.powerOffAfter
  lose(disk)
  assert.strictEqual((yield* opened(disk)).events.length, 6)
  assert.isFalse(disk.files.has(SECOND))
  const kept = [...disk.files].filter(([path]) => path.startsWith(`${SECOND}.torn-0`))
  if (isSynced || told) assert.isTrue(kept.some(([, bytes]) => Buffer.compare(bytes, half) === 0))
  return done
})

describe("a power loss at any step of moving aside what is no segment yet", () => {
  for (const [what, lose] of LEFT) {
    it.effect(`after which ${what}, loses neither the log nor what was moved`, () =>
      Effect.gen(function*() {
        for (const isSynced of [true, false]) {
          for (let steps = 0; !(yield* movesAside(isSynced, lose, steps)); steps++);
        }
      }))
  }
})
