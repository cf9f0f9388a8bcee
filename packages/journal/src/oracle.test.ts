/**
 * Any sequence of appends, failures, crashes, recoveries and readings, in segments of any size, against an array in memory
 * that cannot fail.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { FileSystem } from "effect/FileSystem"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { type Disk, makeDisk } from "./disk.ts"
import type { Envelope } from "./envelope.ts"
import type { ReadError } from "./error.ts"
import type { Journal } from "./journal.ts"
import { file, openOrCreate } from "./open.ts"
import { type Owner, ownerText, Processes } from "./owner.ts"
import { segmentPath } from "./segments.ts"
import { codec, sold, type Toy } from "./toy.ts"
import { verify } from "./verify.ts"

const PATH = "/toy.log"

type Step =
  | { readonly do: "append"; readonly counts: ReadonlyArray<number>; readonly key: string | undefined }
  | { readonly do: "batch"; readonly counts: ReadonlyArray<number> }
  /** An append that meets a full disk after so many bytes, or an error at the sync. */
  | { readonly do: "fail"; readonly count: number; readonly space: number; readonly stuck: boolean }
  | { readonly do: "conflict"; readonly count: number }
  | { readonly do: "read"; readonly from: number; readonly to: number; readonly stream: string | undefined }
  | { readonly do: "follow"; readonly from: number }
  | { readonly do: "read elsewhere" }
  | { readonly do: "write elsewhere" }
  | { readonly do: "close" }
  /** The process is killed, after it had written so many bytes of a batch. */
  | { readonly do: "kill"; readonly count: number; readonly written: number }
  /** The power goes, and the disk has so many bytes of junk behind what was synced. */
  | { readonly do: "lose power"; readonly junk: Uint8Array }

const KINDS: ReadonlyArray<Step["do"]> = [
  "append",
  "batch",
  "fail",
  "conflict",
  "read",
  "follow",
  "read elsewhere",
  "write elsewhere",
  "close",
  "kill",
  "lose power"
]
const STREAMS = ["a", "b", "c"]
const count = fc.integer({ min: 1, max: 5 })
/** From a segment for each batch to one for all of them. */
const segmentSize = fc.constantFrom(1, 300, 500, 1 << 20)
const counts = fc.array(count, { minLength: 1, maxLength: 4 })
const position = fc.integer({ min: 0, max: 60 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("append" as const),
    counts,
    key: fc.option(fc.constantFrom("k1", "k2"), { nil: undefined })
  }),
  fc.record({ do: fc.constant("batch" as const), counts }),
  fc.record({ do: fc.constant("fail" as const), count, space: fc.nat(120), stuck: fc.boolean() }),
  fc.record({ do: fc.constant("conflict" as const), count }),
  fc.record({
    do: fc.constant("read" as const),
    from: position,
    to: position,
    stream: fc.option(fc.constantFrom(...STREAMS), { nil: undefined })
  }),
  fc.record({ do: fc.constant("follow" as const), from: fc.integer({ min: 1, max: 40 }) }),
  fc.constant({ do: "read elsewhere" as const }),
  fc.constant({ do: "write elsewhere" as const }),
  fc.constant({ do: "close" as const }),
  fc.record({ do: fc.constant("kill" as const), count, written: fc.nat(120) }),
  fc.record({ do: fc.constant("lose power" as const), junk: fc.uint8Array({ maxLength: 70 }) })
)

/** What the log must hold, as `[stream, count]` by position, and where its keys went. */
interface Oracle {
  readonly events: Array<readonly [string, number]>
  /** Appends that failed and could not be cut off: another process may find one of them whole, and keep it. */
  limbo: ReadonlyArray<ReadonlyArray<readonly [string, number]>>
  readonly keys: Map<string, number>
}

/** The process that writes: its journal, and those who follow it. */
interface Incarnation {
  readonly self: Owner
  readonly scope: Scope.Closeable
  readonly journal: Journal<Toy>
  readonly followers: Array<Follower>
}

interface Follower {
  readonly from: number
  readonly seen: Array<Envelope<Toy>>
  readonly fiber: Fiber.Fiber<void, ReadError>
}

/** A follower that is behind when the journal closes ends there: it is given the time to catch up. */
const caughtUp = (follower: Follower, end: number, patience = 10_000): Effect.Effect<void> =>
  follower.seen.length > end - follower.from || patience === 0
    ? Effect.void
    : Effect.flatMap(Effect.yieldNow, () => caughtUp(follower, end, patience - 1))

const shape = ({ data, stream }: Envelope<Toy>) => [stream, data._tag === "Sold" ? data.count : -1] as const

class World {
  readonly disk: Disk = makeDisk()
  readonly oracle: Oracle = { events: [], limbo: [], keys: new Map() }
  private readonly segmentBytes: number
  private now: Incarnation | null = null
  private pids = 0
  private made = 0

  constructor(segmentBytes: number) {
    this.segmentBytes = segmentBytes
  }

  private get opening() {
    return openOrCreate(codec, { path: PATH, sync: "batch", segmentBytes: this.segmentBytes })
  }

  private as<A, X>(self: Owner, effect: Effect.Effect<A, X, FileSystem>): Effect.Effect<A, X> {
    const runs = (owner: Owner) => [self, this.now?.self].some((one) => one && ownerText(one) === ownerText(owner))
    return effect.pipe(Effect.provideService(Processes, { self, runs }), Effect.provide(this.disk.layer))
  }

  private owner(): Owner {
    return { pid: ++this.pids, start: "1", boot: "now" }
  }

  /** The writer, started when none runs: it must find what the oracle has. */
  private readonly writer = Effect.suspend(() => this.now === null ? this.start : Effect.succeed(this.now))

  private readonly start = Effect.suspend(() => {
    const self = this.owner()
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Scope.make()
      const journal = yield* this.as(self, Scope.provide(this.opening, scope))
      this.now = { self, scope, journal, followers: [] }
      this.oracle.events.push(...yield* this.fromLimbo(journal))
      this.oracle.limbo = []
      yield* this.assertSame(journal)
      return this.now
    })
  })

  /** The failed append that a process found behind the end, none as a rule. */
  private fromLimbo(journal: Journal<Toy>) {
    return Effect.map(Stream.runCollect(journal.read({ after: this.oracle.events.length })), (found) => {
      const behind = found.map(shape)
      const known = this.oracle.limbo.some((append) => JSON.stringify(append) === JSON.stringify(behind))
      return known ? behind : []
    })
  }

  private assertSame(journal: Journal<Toy>, behind: ReadonlyArray<readonly [string, number]> = []) {
    return Effect.gen({ self: this }, function*() {
      const found = yield* Stream.runCollect(journal.read())
      assert.deepStrictEqual(found.map(shape), [...this.oracle.events, ...behind])
      assert.deepStrictEqual(found.map(({ seq }) => seq), found.map((_, i) => i + 1))
      for (const stream of STREAMS) {
        const mine = found.filter((event) => event.stream === stream)
        assert.deepStrictEqual(mine.map(({ rev }) => rev), mine.map((_, i) => i + 1))
        assert.strictEqual(journal.revision(stream), mine.length)
      }
    })
  }

  private some(length: number): ReadonlyArray<readonly [string, number]> {
    return Array.from({ length }, () => [STREAMS[++this.made % 3]!, this.made] as const)
  }

  run(step: Step): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function*() {
      const { followers, journal, scope } = yield* this.writer
      const { events, keys } = this.oracle
      switch (step.do) {
        case "append":
          for (const count of step.counts) {
            const added = this.some(count)
            const { first } = yield* journal.append(added.map(([stream, n]) => sold(stream, n)), { key: step.key })
            const earlier = step.key === undefined ? undefined : keys.get(step.key)
            assert.strictEqual(first, earlier ?? events.length + 1)
            if (earlier !== undefined) continue
            if (step.key !== undefined) keys.set(step.key, first)
            events.push(...added)
            this.oracle.limbo = []
          }
          return
        case "batch":
          return yield* Effect.scoped(Effect.gen({ self: this }, function*() {
            const batch = yield* journal.batch
            for (const count of step.counts) {
              const added = this.some(count)
              for (const [stream, n] of added) batch.add(sold(stream, n))
              yield* batch.commit
              events.push(...added)
              this.oracle.limbo = []
            }
          }))
        case "fail": {
          const added = this.some(step.count)
          if (step.space > 60) this.disk.broken.add("sync")
          else this.disk.space = step.space
          if (step.stuck) this.disk.broken.add("truncate")
          const error = yield* Effect.flip(journal.append(added.map(([stream, n]) => sold(stream, n))))
          assert.strictEqual(error._tag, "WriteFailed")
          this.disk.space = Infinity
          this.disk.broken.clear()
          this.oracle.limbo = step.stuck ? [...this.oracle.limbo, added] : []
          // What could not be cut off is, before the next write, or when the journal closes.
          return yield* this.assertSame(journal)
        }
        case "conflict": {
          const expected = { a: journal.revision("a") + step.count }
          const error = yield* Effect.flip(journal.append([sold("a", 1)], { expected }))
          return assert.strictEqual(error._tag, "RevisionConflict")
        }
        case "read": {
          const found = yield* Stream.runCollect(journal.read(step))
          const wanted = events.filter(([stream], i) =>
            i + 1 >= step.from && i + 1 <= step.to && (step.stream === undefined || stream === step.stream)
          )
          return assert.deepStrictEqual(found.map(shape), wanted)
        }
        case "follow": {
          const seen: Array<Envelope<Toy>> = []
          const following = Stream.runForEach(
            journal.follow(step.from),
            (event) => Effect.sync(() => void seen.push(event))
          )
          return void followers.push({ from: step.from, seen, fiber: yield* Effect.forkDetach(following) })
        }
        case "read elsewhere": {
          const reader = file(codec, { path: PATH, mode: "read" })
          const compare = (other: Journal<Toy>) =>
            Effect.flatMap(this.fromLimbo(other), (behind) => this.assertSame(other, behind))
          return yield* this.as(this.owner(), Effect.scoped(Effect.flatMap(reader, compare)))
        }
        case "write elsewhere": {
          const other = Effect.scoped(this.opening)
          return assert.strictEqual((yield* Effect.flip(this.as(this.owner(), other)))._tag, "Locked")
        }
        case "close": {
          for (const follower of followers) yield* caughtUp(follower, events.length)
          yield* Scope.close(scope, Exit.void)
          this.oracle.limbo = []
          for (const { fiber, from, seen } of followers) {
            yield* Fiber.join(fiber)
            assert.deepStrictEqual(seen.map(shape), events.slice(from - 1))
          }
          assert.deepStrictEqual([...this.disk.links], [])
          const report = yield* this.as(this.owner(), verify(PATH, codec))
          assert.deepInclude(report, { events: events.length, damage: null, torn: null })
          return void (this.now = null)
        }
        case "kill": {
          // It gets as far as the disk has space, and is dead before it can cut anything off.
          this.disk.space = step.written
          this.disk.broken.add("truncate").add("remove")
          const added = this.some(step.count)
          const exit = yield* Effect.exit(journal.append(added.map(([stream, n]) => sold(stream, n))))
          if (Exit.isSuccess(exit)) {
            events.push(...added)
            this.oracle.limbo = []
          }
          return yield* this.die(followers)
        }
        case "lose power": {
          this.disk.losePower()
          const last = this.lastFile
          this.disk.files.set(last, Buffer.concat([this.disk.files.get(last)!, step.junk]))
          return yield* this.die(followers)
        }
      }
    })
  }

  get rollOvers(): number {
    return this.disk.done.filter((line) => line.startsWith("rename") && line.includes(".seg-")).length
  }

  private get lastFile(): string {
    const { files } = this.disk
    let segment = 1
    while (files.has(segmentPath(PATH, segment + 1))) segment++
    return segmentPath(PATH, segment)
  }

  /** Nothing is closed and nothing released: the lock stays. */
  private die(followers: Incarnation["followers"]) {
    this.disk.space = Infinity
    this.disk.broken.clear()
    this.now = null
    return Effect.forEach(followers, ({ fiber }) => Fiber.interrupt(fiber), { discard: true })
  }
}

describe("a journal", () => {
  it("is what an array would be, whatever happens to it", () => {
    const done: Record<string, number> = {}
    return fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30, size: "max" }),
        segmentSize,
        (steps, segmentBytes) =>
          Effect.gen(function*() {
            const world = new World(segmentBytes)
            for (const step of [...steps, { do: "close" as const }]) {
              done[step.do] = (done[step.do] ?? 0) + 1
              yield* world.run(step)
            }
            done["roll-overs"] = (done["roll-overs"] ?? 0) + world.rollOvers
          }).pipe(Effect.runPromise)
      ),
      { numRuns: 300 }
    ).then(() => {
      assert.hasAllKeys(done, [...KINDS, "roll-overs"])
      assert.isAbove(done["roll-overs"]!, 100)
      console.log(Object.entries(done).map(([what, times]) => `${what}: ${times}`).join(", "))
    })
  })
})
