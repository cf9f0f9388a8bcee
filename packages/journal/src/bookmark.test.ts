import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type { Scope } from "effect/Scope"
import { type Disk, makeDisk } from "./disk.ts"
import type { Journal } from "./journal.ts"
import { file, memory } from "./open.ts"
import { codec, someEvents, type Toy } from "./toy.ts"

const PATH = "/toy.log"
const MARK = `${PATH}.mark-here`

const on = <A, X>(disk: Disk, effect: Effect.Effect<A, X, FileSystem | Scope>): Effect.Effect<A, X> =>
  Effect.provide(Effect.scoped(effect), disk.layer)

const opened = (disk: Disk, mode: "create" | "open") => <A, X>(use: (journal: Journal<Toy>) => Effect.Effect<A, X>) =>
  on(disk, Effect.flatMap(file(codec, { path: PATH, mode, sync: "never" }), use))

const asRead = (disk: Disk, sidecars: boolean) => <A, X>(use: (journal: Journal<Toy>) => Effect.Effect<A, X>) =>
  on(disk, Effect.flatMap(file(codec, { path: PATH, mode: "read", sidecars }), use))

const message = <A, X extends { readonly message: string }, R>(effect: Effect.Effect<A, X, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.message)

/** A log of two batches, of three events each, with #4 called `here`. */
const marked = Effect.gen(function*() {
  const disk = makeDisk()
  yield* opened(disk, "create")((journal) =>
    Effect.gen(function*() {
      yield* journal.append(someEvents(3))
      yield* journal.append(someEvents(3, 4))
      yield* journal.bookmarks.set("here", 4)
    })
  )
  return disk
})

describe("a bookmark", () => {
  it.effect("is found again by whoever opens the log, to write or to read, and after more was appended", () =>
    Effect.gen(function*() {
      const disk = yield* marked
      const found = yield* opened(disk, "open")((journal) =>
        Effect.andThen(journal.append(someEvents(1, 9)), journal.bookmarks.find("here"))
      )
      assert.strictEqual(found, 4)
      assert.strictEqual(yield* asRead(disk, false)(({ bookmarks }) => bookmarks.find("here")), 4)
    }))

  it.effect("names any position from before the first event to the last, and moves to where it is set again", () =>
    Effect.scoped(Effect.gen(function*() {
      const { append, bookmarks } = yield* memory(codec)
      yield* append(someEvents(2))
      yield* bookmarks.set("last", 0)
      yield* bookmarks.set("last", 2)
      yield* bookmarks.set("first", 0)
      assert.deepStrictEqual(yield* bookmarks.all, [{ name: "first", seq: 0 }, { name: "last", seq: 2 }])
      yield* bookmarks.remove("first")
      assert.deepStrictEqual(yield* bookmarks.all, [{ name: "last", seq: 2 }])
      assert.strictEqual(
        yield* message(bookmarks.set("next", 3)),
        "memory: bookmark at #3, expected at most #2, where the log ends"
      )
    })))

  it.live("is where one of those who set it at once has set it", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.flatMap(FileSystem, (fs) => fs.makeTempDirectoryScoped())
      const { append, bookmarks } = yield* file(codec, { path: `${folder}/toy.log`, mode: "create", sync: "never" })
      yield* append(someEvents(20))
      const positions = Array.from({ length: 20 }, (_, i) => i + 1)
      yield* Effect.forEach(positions, (seq) => bookmarks.set("here", seq), { concurrency: "unbounded" })
      assert.include(positions, yield* bookmarks.find("here"))
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))

  it.effect("of a name that nobody gave is refused, with those that there are", () =>
    Effect.gen(function*() {
      const disk = yield* marked
      yield* opened(disk, "open")(({ bookmarks }) =>
        Effect.gen(function*() {
          const refusal = `${PATH}: no bookmark "there", expected one of here`
          assert.strictEqual(yield* message(bookmarks.find("there")), refusal)
          assert.strictEqual(yield* message(bookmarks.remove("there")), refusal)
          yield* bookmarks.remove("here")
          assert.strictEqual(yield* message(bookmarks.find("../here")), `${PATH}: no bookmark "../here", it has none`)
        })
      )
    }))

  it.effect.each(["", "1st", "a.b", "../x", "a/b", "a b", "é", "x".repeat(65)])(
    "is not called %j",
    (name) =>
      Effect.gen(function*() {
        const disk = yield* marked
        const refusal = yield* opened(disk, "open")(({ bookmarks }) => message(bookmarks.set(name, 1)))
        assert.strictEqual(
          refusal,
          `bookmark ${JSON.stringify(name)}: expected a letter, and up to 63 more letters, digits, _ and -`
        )
        assert.deepStrictEqual([...disk.files.keys()].toSorted(), [PATH, MARK])
      })
  )

  it.effect("is set in a log that is only read where files may be kept beside it", () =>
    Effect.gen(function*() {
      const disk = yield* marked
      yield* asRead(disk, true)(({ bookmarks }) => bookmarks.set("here", 5))
      const refusal = yield* asRead(disk, false)(({ bookmarks }) => message(bookmarks.set("here", 6)))
      assert.strictEqual(refusal, `${PATH}: opened for reading, expected it opened for writing`)
      assert.strictEqual(yield* asRead(disk, false)(({ bookmarks }) => bookmarks.find("here")), 5)
    }))

  it.effect("is not believed when a byte of it is wrong, it is cut short, or its log was rewritten", () =>
    Effect.gen(function*() {
      const disk = yield* marked
      const mark = disk.files.get(MARK)!
      const log = disk.files.get(PATH)!
      const isStale = Effect.gen(function*() {
        assert.strictEqual(
          yield* asRead(disk, false)(({ bookmarks }) => message(bookmarks.find("here"))),
          `${PATH}: bookmark here is of another log, or of one that was cut or rewritten since: set it anew`
        )
        assert.deepStrictEqual(yield* asRead(disk, false)(({ bookmarks }) => bookmarks.all), [{
          name: "here",
          seq: null
        }])
      })
      for (let byte = 0; byte < mark.length; byte++) {
        for (const wrong of [mark.with(byte, mark[byte]! ^ 16), mark.slice(0, byte)]) {
          disk.files.set(MARK, wrong)
          yield* isStale
        }
      }
      disk.files.set(MARK, mark)
      const other = makeDisk()
      yield* opened(other, "create")((journal) => journal.append(someEvents(6, 100)))
      disk.files.set(PATH, other.files.get(PATH)!)
      yield* isStale
      disk.files.set(PATH, log)
      assert.strictEqual(yield* asRead(disk, false)(({ bookmarks }) => bookmarks.find("here")), 4)
    }))
})
