/**
 * A reader that meets events of a later version of its application.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Codec } from "./codec.ts"
import { makeDisk } from "./disk.ts"
import type { NewEvent } from "./envelope.ts"
import type { Journal } from "./journal.ts"
import { file, memory } from "./open.ts"
import { codec, notation, sold, Toy } from "./toy.ts"

const PATH = "/toy.log"

const [Stocked, OldSold] = Toy.members

/** A later toy: Sold has another field, Audited has other fields under the same version, Returned is new. */
const Later = Schema.Union([
  Stocked,
  Schema.TaggedStruct("Sold", { ...OldSold.fields, cents: Schema.Int }),
  Schema.TaggedStruct("Audited", { counts: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("Returned", { count: Schema.Int })
])
type Later = typeof Later.Type

const later = Codec.packed("toy", Later, Codec.past(1, OldSold, (old): Later => ({ ...old, cents: 0 })))

const event = (stream: string, data: Later): NewEvent<Later> => ({ stream, t: 0, how: "observed", data })
const stocked = event("a", { _tag: "Stocked", item: "tea", count: 1, fresh: true })
const returned = event("b", { _tag: "Returned", count: 1 })
const soldLater = event("b", { _tag: "Sold", count: 1, how: "cash", cents: 120 })
const audited = event("c", { _tag: "Audited", counts: ["one"] })

/** What the codec of today knows of them is at #1, #3 and #7. */
const EVENTS: ReadonlyArray<ReadonlyArray<NewEvent<Later>>> = [
  [stocked, returned, stocked],
  [soldLater, audited],
  [returned, stocked, soldLater]
]

/** A journal that the later application has written, as the application of today has it. */
type Open = Effect.Effect<Journal<Toy>, unknown, Scope.Scope>

const inFile: Open = Effect.gen(function*() {
  const disk = makeDisk()
  const writing = file(later, { path: PATH, mode: "create", sync: "never" })
  yield* Effect.provide(
    Effect.scoped(Effect.flatMap(writing, ({ append }) => Effect.forEach(EVENTS, (events) => append(events)))),
    disk.layer
  )
  return yield* Effect.provide(file(codec, { path: PATH, mode: "open", sync: "never" }), disk.layer)
})

/** Writes as the later application, and reads as that of today: the one way to have both in one memory. */
const inMemory: Open = Effect.gen(function*() {
  const journal = yield* memory<Later | Toy>({ ...later, decoder: codec.decoder } as Codec<Later | Toy>)
  yield* Effect.forEach(EVENTS, (events) => journal.append(events))
  return journal as Journal<Toy>
})

/** What an effect logs as warnings, with what it gives. */
const withWarnings = <A, X, R>(effect: Effect.Effect<A, X, R>) =>
  Effect.suspend(() => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void warnings.push(`${logLevel}: ${message}`))
    return Effect.map(Effect.provide(effect, Logger.layer([logger])), (result) => ({ result, warnings }))
  })

for (const [name, open] of [["a file", inFile], ["memory", inMemory]] as const) {
  describe(`a reader that meets unknown events in ${name}`, () => {
    it.effect("fails at the first of them, unless it is told otherwise", () =>
      Effect.gen(function*() {
        const journal = yield* open
        for (const options of [{}, { unknown: "fail" }] as const) {
          const seen: Array<number> = []
          const reading = Stream.runForEach(journal.read(options), ({ seq }) => Effect.sync(() => seen.push(seq)))
          const error = yield* Effect.flip(reading)
          assert.deepInclude(error, { _tag: "Undecodable", seq: 2 })
          assert.match(error.message, /codec toy does not know Returned version 1$/)
          assert.deepStrictEqual(seen, [1])
        }
      }))

    it.effect("leaves them out when it ignores them, and the others keep their positions and revisions", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const { result, warnings } = yield* withWarnings(Stream.runCollect(journal.read({ unknown: "ignore" })))
        assert.deepStrictEqual(result.map(notation), ["#1 a@1", "#3 a@2", "#7 a@3"])
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("leaves them out with one warning for each type: unknown, of another version, with other fields", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const { result, warnings } = yield* withWarnings(Stream.runCollect(journal.read({ unknown: "warn" })))
        assert.deepStrictEqual(result.map(({ seq }) => seq), [1, 3, 7])
        const path = name === "memory" ? "memory" : PATH
        assert.deepStrictEqual(warnings, [
          `Warn: ${path}: events left out: codec toy does not know Returned version 1`,
          `Warn: ${path}: events left out: codec toy does not know Sold version 2`,
          `Warn: ${path}: events left out: Audited version 1 was written with other fields than codec toy has`
        ])
      }))

    it.effect("warns only of what it was asked for", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const read = (options: { readonly stream?: string; readonly to?: number }) =>
          withWarnings(Stream.runCollect(journal.read({ ...options, unknown: "warn" })))
        assert.deepStrictEqual((yield* read({ stream: "a" })).warnings, [])
        assert.deepStrictEqual((yield* read({ to: 1 })).warnings, [])
        const { result, warnings } = yield* read({ stream: "c" })
        assert.deepStrictEqual([result.length, warnings.length], [0, 1])
      }))

    it.effect("follows over them", () =>
      Effect.gen(function*() {
        const journal = yield* open
        const following = Stream.runCollect(Stream.take(journal.follow(2, { unknown: "warn" }), 4))
        const { result, warnings } = yield* withWarnings(Effect.gen(function*() {
          const follower = yield* Effect.forkChild(following)
          yield* Effect.yieldNow
          yield* journal.append([stocked as NewEvent<Toy>])
          yield* journal.append([stocked as NewEvent<Toy>])
          return yield* Fiber.join(follower)
        }))
        assert.deepStrictEqual(result.map(({ seq }) => seq), [3, 7, 9, 10])
        assert.strictEqual(warnings.length, 3)
        assert.strictEqual((yield* Effect.flip(Stream.runDrain(journal.follow(4))))._tag, "Undecodable")
      }))
  })
}

describe("a reader of the later application", () => {
  it.effect("reads what was written before it, through the upcaster of that version", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      yield* Effect.gen(function*() {
        const writing = file(codec, { path: PATH, mode: "create", sync: "never" })
        yield* Effect.scoped(Effect.flatMap(writing, ({ append }) => append([sold("a", 7)])))
        const journal = yield* file(later, { path: PATH, mode: "open", sync: "never" })
        yield* journal.append([soldLater])
        const found = yield* Stream.runCollect(journal.read())
        assert.deepStrictEqual(found.map(({ data, version }) => [version, data]), [
          [1, { _tag: "Sold", count: 7, how: "card", cents: 0 }],
          [2, { _tag: "Sold", count: 1, how: "cash", cents: 120 }]
        ])
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    }))
})
