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
