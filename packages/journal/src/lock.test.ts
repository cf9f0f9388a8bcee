/**
 * One writer at a time, whatever becomes of it.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { FileSystem } from "effect/FileSystem"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { eventAt } from "./crash/shop.ts"
import { type Disk, makeDisk } from "./disk.ts"
import { lock } from "./lock.ts"
import { file, openOrCreate } from "./open.ts"
import { type Owner, ownerText, parseOwner, Processes } from "./owner.ts"
import { laterSegments } from "./segments.ts"
import { codec, someEvents } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"
const LOCK = `${PATH}.lock`

const writer = openOrCreate(codec, { path: PATH, sync: "never" })
const reader = file(codec, { path: PATH, mode: "read" })

const owner = (pid: number, start = "10", boot = "today"): Owner => ({ pid, start, boot })

/** The process `self`, among others that run. */
const among = (self: Owner, others: ReadonlyArray<Owner> = []): Processes => ({
  self,
  runs: (asked) => [self, ...others].some((one) => ownerText(one) === ownerText(asked))
})

const locked = (disk: Disk, processes: Processes) =>
  Effect.flatMap(FileSystem, (fs) => lock(fs, PATH)).pipe(
    Effect.provideService(Processes, processes),
    Effect.provide(disk.layer)
  )

const on = <A, X>(disk: Disk, effect: Effect.Effect<A, X, FileSystem | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), disk.layer)

describe("two writers in one process", () => {
  it.effect("are told apart: the second is refused, whether it opens or creates, and readers are not", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const scope = yield* Scope.make()
      const first = yield* Effect.provide(Scope.provide(writer, scope), disk.layer)
      yield* first.append(someEvents(3))
      const second = yield* Effect.flip(on(disk, writer))
      assert.strictEqual(
        second.message,
        `/toy.log: process ${process.pid} is writing it (/toy.log.lock), expected one writer at a time`
      )
      disk.files.delete(PATH)
      assert.strictEqual((yield* Effect.flip(on(disk, writer)))._tag, "Locked")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([...disk.links], [])
      yield* on(disk, writer)
    }))

  it.effect("do not keep readers out", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* on(
        disk,
        Effect.gen(function*() {
          const journal = yield* writer
          const follower = yield* Effect.forkChild(Stream.runCollect(Stream.take(journal.follow(), 4)))
          for (let i = 1; i <= 4; i++) {
            yield* journal.append(someEvents(1, i))
            const { length } = yield* Effect.flatMap(reader, (other) => Stream.runCollect(other.read()))
            assert.strictEqual(length, i)
            assert.strictEqual((yield* verify(PATH, codec)).events, i)
          }
          assert.strictEqual((yield* Fiber.join(follower)).length, 4)
        })
      )
    }))
})

describe("a lock", () => {
  it("names its owner in a line that reads back", () => {
    const one = owner(7)
    assert.deepStrictEqual(parseOwner(ownerText(one)), one)
    for (const text of ["", "pid 0 start 1 boot b", "pid x start 1 boot b", "pid 1 start 1", "../elsewhere"]) {
      assert.isNull(parseOwner(text), text)
    }
  })

  const stale: ReadonlyArray<readonly [string, Owner]> = [
    ["that ended", owner(7)],
    ["whose number another process has now", owner(2, "9")],
    ["of another boot", owner(1, "10", "yesterday")]
  ]
  for (const [what, dead] of stale) {
    it.effect(`of a process ${what} is taken over`, () =>
      Effect.gen(function*() {
        const disk = makeDisk()
        disk.links.set(LOCK, ownerText(dead))
        // It ended while it took over another's.
        disk.links.set(`${LOCK}.lock`, ownerText(dead))
        yield* Effect.scoped(Effect.gen(function*() {
          yield* locked(disk, among(owner(1), [owner(2)]))
          assert.deepStrictEqual([...disk.links], [[LOCK, ownerText(owner(1))]])
        }))
        assert.deepStrictEqual([...disk.links], [])
      }))
  }

  it.effect("of a process that runs is refused by its number", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      disk.links.set(LOCK, ownerText(owner(2)))
      const error = yield* Effect.flip(Effect.scoped(locked(disk, among(owner(1), [owner(2)]))))
      assert.deepInclude(error, { _tag: "Locked", path: PATH, pid: 2 })
      assert.deepStrictEqual([...disk.links], [[LOCK, ownerText(owner(2))]])
    }))

  it.effect("that is none of ours is left alone, and named", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      disk.files.set(LOCK, Uint8Array.of(1))
      const taken = yield* Effect.flip(Effect.scoped(locked(disk, among(owner(1)))))
      assert.match(taken.message, /^\/toy\.log: cannot lock: \/toy\.log\.lock is there and no lock of a journal: /)
      assert.deepStrictEqual(disk.files.get(LOCK), Uint8Array.of(1))
      disk.files.clear()
      disk.links.set(LOCK, "elsewhere")
      assert.match((yield* Effect.flip(Effect.scoped(locked(disk, among(owner(1)))))).message, /it says "elsewhere"$/)
      assert.deepStrictEqual([...disk.links], [[LOCK, "elsewhere"]])
    }))

  it("is held by one at most, in whatever order those who want it come to act", () =>
    fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 0, max: 3 }),
        async (scheduler, contenders, crashes) => {
          const disk = makeDisk()
          for (let depth = 1; depth <= crashes; depth++) {
            disk.links.set(
              PATH + ".lock".repeat(depth),
              ownerText(owner(99))
            )
          }
          disk.beforeLink = Effect.promise(() => scheduler.schedule(Promise.resolve()))
          const all = Array.from({ length: contenders }, (_, i) => owner(i + 1))
          let holding = 0
          let most = 0
          const use = Effect.andThen(
            Effect.sync(() => void (most = Math.max(most, ++holding))),
            Effect.andThen(disk.beforeLink, Effect.sync(() => void holding--))
          )
          const runs = all.map((self) =>
            Effect.runPromise(Effect.exit(Effect.scoped(Effect.andThen(locked(disk, among(self, all)), use))))
          )
          await scheduler.waitIdle()
          const exits = await Promise.all(runs)
          assert.strictEqual(most, 1, "somebody gets it, and nobody else at that time")
          assert.isTrue(exits.some(Exit.isSuccess))
          assert.deepStrictEqual([...disk.links], [], "nothing is left")
        }
      ),
      { numRuns: 300 }
    ))
})

const program = join(import.meta.dirname, "crash/writer.ts")

describe("two processes", () => {
  it.effect("are told apart; a reader reads meanwhile; after kill -9 the lock is taken over", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const path = join(yield* fs.makeTempDirectoryScoped(), "two.log")
      const child = spawn(process.execPath, [program, path, "20"], { stdio: ["ignore", "pipe", "inherit"] })
      const last = yield* Effect.promise(() => linesUntil(child.stdout, 21))
      const write = file(codec, { path, mode: "open", sync: "never" })
      const refused = yield* Effect.flip(Effect.scoped(write))
      assert.strictEqual(
        refused.message,
        `${path}: process ${child.pid} is writing it (${path}.lock), expected one writer at a time`
      )
      const read = Effect.flatMap(file(codec, { path, mode: "read" }), (journal) => journal.head)
      assert.strictEqual((yield* Effect.scoped(read)).seq, last)
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGKILL")
      yield* Effect.promise(() => ended)
      yield* Effect.scoped(Effect.gen(function*() {
        const journal = yield* write
        assert.strictEqual((yield* journal.append(someEvents(1))).first, last + 1)
        assert.deepStrictEqual(parseOwner(yield* fs.readLink(`${path}.lock`))?.pid, process.pid)
      }))
      const left = yield* fs.readDirectory(join(path, ".."))
      assert.deepStrictEqual(left.filter((name) => !name.startsWith("two.log.seg-")), ["two.log"])
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
})

describe("a reader of a log that another process writes", () => {
  it.effect("finds it sound at any time, while it gets one segment after another", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const path = join(yield* fs.makeTempDirectoryScoped(), "growing.log")
      const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] })
      yield* Effect.addFinalizer(() => Effect.sync(() => void child.kill("SIGKILL")))
      yield* Effect.promise(() => linesUntil(child.stdout, 2))
      let before = 0
      let later = 0
      for (let looks = 0; looks < 10 || later < 5; looks++) {
        const journal = yield* file(codec, { path, mode: "read" })
        const seen = yield* Stream.runCollect(journal.read())
        assert.deepStrictEqual(
          seen.map(({ data, seq }) => [seq, data]),
          seen.map((_, i) => [i + 1, eventAt(i + 1).data])
        )
        assert.isAtLeast(seen.length, before)
        assert.deepStrictEqual(yield* Stream.runCollect(journal.follow(seen.length)), seen.slice(-1))
        const { damage, events } = yield* verify(path, codec)
        assert.isNull(damage)
        before = events
        later = (yield* laterSegments(fs, path)).length
      }
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
})

/** The number in the last of so many lines. */
const linesUntil = (stream: NodeJS.ReadableStream, count: number): Promise<number> =>
  new Promise((resolve) => {
    let said = ""
    stream.setEncoding("latin1").on("data", (text: string) => {
      said += text
      const lines = said.split("\n").slice(0, -1)
      if (lines.length >= count) resolve(Number(lines[count - 1]))
    })
  })
