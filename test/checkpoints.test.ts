// Time travel from checkpoints says what time travel from the first event says; checkpoints are never trusted.
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { file, memory, ReadOnly } from "@pfnscope/journal"
import type { Envelope, Journal } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import type { RunHeader } from "@pfnscope/machine"
import {
  atSeq,
  diff,
  END,
  leavesOf,
  logOf,
  pathOf,
  stateAt,
  states,
  traveller,
  why,
  withCheckpoints,
  worldOf
} from "@pfnscope/projections"
import type { FoldProgress, Log, Position } from "@pfnscope/projections"
import { POLICIES } from "@pfnscope/protocol"
import type { Event, World } from "@pfnscope/protocol"
import { atJson } from "@pfnscope/render"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"

/** A checkpoint every 50 events, three to a pack. */
const SPACING = { every: 50, pack: 150 }

const headerOf = (scenario: string, policy: string, seed: number): RunHeader =>
  runHeader(SCENARIOS.find(({ name }) => name === scenario)!, POLICIES.find(({ name }) => name === policy)!, {
    until: 40_000,
    seed
  })

const metaOf = (header: RunHeader) => JSON.parse(JSON.stringify(header))

const runInto = (log: Journal<Event>, header: RunHeader) =>
  Effect.flatMap(Effect.provideService(Machine.make(header), EventLog, log), (machine) => machine.run)

const runOf = Effect.fnUntraced(function*(header: RunHeader) {
  const log: Journal<Event> = yield* memory(eventCodec, { meta: metaOf(header) })
  yield* runInto(log, header)
  return log
})

const SUBJECTS = ["mn/0", "gpc/0", "vcpu/0", "mm/0", "gpc/0.valid", "event", "field", "field", "field"]

/** What a log says of two positions: states, what changed, and why something is as it is. */
const told = Effect.fnUntraced(function*<E>(log: Log<E>, a: Position, b: Position, subject: string) {
  const at = yield* stateAt(log, a)
  const fields = leavesOf(at.state)
  const asked = subject === "event"
    ? `#${Math.max(1, at.seq)}`
    : subject === "field"
    ? pathOf(fields[(at.seq * 7919) % fields.length]!)
    : subject
  const answer = yield* Effect.match(why(log, asked, a), {
    onFailure: (error) => String(error),
    onSuccess: (found) => found
  })
  return { at: atJson(at), diff: yield* diff(log, a, b), why: answer }
})

/** The last changes of fields behind a position, the slow way: they are read after every event. */
const lastChangesWalked = (
  world: World,
  events: ReadonlyArray<Envelope<Event>>,
  paths: ReadonlyArray<string>,
  from: number
): ReadonlyArray<readonly [path: string, seq: number]> => {
  const at = traveller(world)
  const leaves = new Map(leavesOf(at.state).map((leaf) => [pathOf(leaf), leaf]))
  for (const [i, event] of events.entries()) {
    at.advance(event)
    if (i + 1 === from || i + 1 === events.length) {
      for (const leaf of leavesOf(at.state)) leaves.set(pathOf(leaf), leaf)
    }
  }
  const watched = paths.map((path) => ({ path, read: leaves.get(path)!.read, value: undefined as unknown, seq: 0 }))
  const again = traveller(world)
  for (const event of [undefined, ...events]) {
    if (event !== undefined) again.advance(event)
    if (again.seq < from) continue
    for (const one of watched) {
      const value = one.read(again.state)
      if (value !== one.value && again.seq > from) one.seq = again.seq
      one.value = value
    }
  }
  return watched.map(({ path, seq }) => [path, seq])
}

/** A position of a log of so many events: an event, a source time, a time from the first event. */
const drawnPosition = (share: number, kind: "Seq" | "Time" | "Elapsed", events: number, last: number): Position =>
  kind === "Seq"
    ? atSeq(Math.round(share * events))
    : { _tag: kind, nanos: Math.round(share * last) }

describe("checkpoints", () => {
  it.effect(
    "give what the fold from the first event gives, wherever one goes, forwards and backwards",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.constantFrom(...POLICIES.map(({ name }) => name)),
            fc.constantFrom("madvise-storm", "memslot-update", "hva-cache"),
            fc.nat({ max: 1_000 }),
            fc.array(
              fc.tuple(
                fc.double({ min: 0, max: 1, noNaN: true }),
                fc.double({ min: 0, max: 1, noNaN: true }),
                fc.constantFrom("Seq" as const, "Time" as const, "Elapsed" as const),
                fc.constantFrom(...SUBJECTS)
              ),
              { minLength: 4, maxLength: 8 }
            ),
            (policy, scenario, seed, drawn) =>
              Effect.runPromise(Effect.scoped(Effect.gen(function*() {
                const journal = yield* runOf(headerOf(scenario, policy, seed))
                const { seq } = yield* journal.head
                const plain = logOf(journal.header.meta, journal.read())
                const last = (yield* stateAt(plain, atSeq(seq))).t
                const kept = withCheckpoints(journal, SPACING)
                for (const [one, other, kind, subject] of drawn) {
                  const [a, b] = [drawnPosition(one, kind, seq, last), drawnPosition(other, kind, seq, last)]
                  const expected = yield* told(plain, a, b, subject)
                  assert.deepStrictEqual(yield* told(kept, a, b, subject), expected)
                  // Nothing is at hand: the packs are read back.
                  assert.deepStrictEqual(yield* told(withCheckpoints(journal, SPACING), a, b, subject), expected)
                }
                yield* stateAt(kept, atSeq(seq))
                const packs = Math.floor(seq / SPACING.pack)
                assert.isAtLeast((yield* journal.snapshot.positions(states.name, states.version)).length, packs)
              })))
          ),
          { numRuns: 25 }
        )
      ),
    60_000
  )

  it.effect("are not kept of a log that is shorter than a pack", () =>
    Effect.gen(function*() {
      const journal = yield* runOf(headerOf("madvise-storm", "mainline-6.12", 5))
      assert.isAbove((yield* journal.head).seq, 2 * states.every)
      yield* stateAt(withCheckpoints(journal), END)
      assert.deepStrictEqual(yield* journal.snapshot.positions(states.name, states.version), [])
    }))

  it.effect("know what changed last of frames that went long ago", () =>
    Effect.gen(function*() {
      const header = { ...headerOf("madvise-storm", "mainline-6.12", 5), until: 1_900_000 }
      const journal = yield* runOf(header)
      const events = Array.from(yield* Stream.runCollect(journal.read()))
      const seq = events.length
      assert.isAbove(seq, 2 * 32_768)
      const kept = withCheckpoints(journal)
      const { changes } = yield* diff(kept, atSeq(200), atSeq(seq))
      assert.isAtLeast(changes.filter(({ path }) => path.startsWith("mmu/0.frames.")).length, 3)
      const paths = changes.map(({ path }) => path)
      // This frame was there at the start, and its slot has had others since.
      const early = "mmu/0.frames.0x11.mapcount"
      const expected = lastChangesWalked(header.world, events, [...paths, early], 200)
      assert.deepStrictEqual(new Map(changes.map(({ path, seq }) => [path, seq])), new Map(expected.slice(0, -1)))
      const { chain } = yield* why(kept, early, atSeq(seq))
      assert.strictEqual(chain[0]!.seq, expected.at(-1)![1])
    }), 60_000)

  it.effect(
    "that are wrong are noticed and made again, byte for byte, whatever is wrong",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-checkpoints-" })
        const header = headerOf("madvise-storm", "mainline-6.12", 3)
        const path = `${folder}/run.log`
        yield* Effect.scoped(
          Effect.flatMap(
            file(eventCodec, { path, mode: "create", sync: "never", meta: metaOf(header) }),
            (log) => runInto(log, header)
          )
        )
        const ask = Effect.scoped(Effect.gen(function*() {
          const journal = yield* file(eventCodec, { path, mode: "read", sidecars: true })
          return yield* told(withCheckpoints(journal, SPACING), atSeq(1_290), atSeq(777), "gpc/0.valid")
        }))
        const sidecars = Effect.map(
          fs.readDirectory(folder),
          (names) => names.filter((name) => name.startsWith("run.log.snap-")).sort()
        )
        const first = yield* ask
        const names = yield* sidecars
        assert.isAbove(names.length, 8)
        const good = yield* Effect.forEach(names, (name) => fs.readFile(`${folder}/${name}`))
        for (const [i, name] of names.entries()) {
          const bytes = good[i]!
          for (
            const bad of [
              bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 1),
              bytes.with(20, bytes[20]! ^ 1),
              bytes.slice(0, bytes.length - 8),
              good[(i + 1) % good.length]!,
              new Uint8Array(0)
            ]
          ) {
            yield* fs.writeFile(`${folder}/${name}`, bad)
            assert.deepStrictEqual(yield* ask, first, name)
          }
          yield* fs.writeFile(`${folder}/${name}`, bytes)
        }
        for (const name of yield* sidecars) yield* fs.remove(`${folder}/${name}`)
        assert.deepStrictEqual(yield* ask, first)
        assert.deepStrictEqual(yield* sidecars, names)
        assert.deepStrictEqual(yield* Effect.forEach(names, (name) => fs.readFile(`${folder}/${name}`)), good)
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)),
    60_000
  )

  it.effect("of another run with the same positions are not taken", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-checkpoints-" })
      const answers = yield* Effect.forEach([1, 2], (seed) =>
        Effect.scoped(Effect.gen(function*() {
          const header = headerOf("madvise-storm", "mainline-6.12", seed)
          const path = `${folder}/run.log`
          yield* fs.remove(path, { force: true })
          const log = yield* file(eventCodec, { path, mode: "create", sync: "never", meta: metaOf(header) })
          yield* runInto(log, header)
          const plain = yield* stateAt(logOf(log.header.meta, log.read()), atSeq(700))
          return [plain.stateHash, (yield* stateAt(withCheckpoints(log, SPACING), atSeq(700))).stateHash] as const
        })))
      for (const [plain, kept] of answers) assert.strictEqual(kept, plain)
      assert.notStrictEqual(answers[0]![0], answers[1]![0])
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)), 60_000)

  it.effect("of an earlier version are not looked at, and dropped when there are new ones", () =>
    Effect.gen(function*() {
      const journal = yield* runOf(headerOf("madvise-storm", "mainline-6.12", 1))
      const plain = yield* stateAt(journal, atSeq(400))
      const { positions, save } = journal.snapshot
      const earlier = states.version - 1
      yield* save(states.name, earlier, 150, new Uint8Array(9))
      assert.strictEqual((yield* stateAt(withCheckpoints(journal, SPACING), atSeq(400))).stateHash, plain.stateHash)
      assert.deepStrictEqual(yield* positions(states.name, earlier), [])
      assert.deepStrictEqual(yield* positions(states.name, states.version), [150, 300, 400])
    }))

  it.effect("tell how far a fold is that comes by many, and nothing of one that does not", () =>
    Effect.gen(function*() {
      const journal = yield* runOf(headerOf("madvise-storm", "mainline-6.12", 1))
      const told: Array<FoldProgress> = []
      const kept = withCheckpoints(journal, {
        ...SPACING,
        progress: (progress) => Effect.sync(() => void told.push(progress))
      })
      yield* stateAt(kept, atSeq(700))
      assert.deepStrictEqual(told.at(-1), { fold: "state", seq: 600, isOver: true })
      assert.isAbove(told.length, 1)
      for (const { isOver } of told.slice(0, -1)) assert.isFalse(isOver)
      told.length = 0
      yield* stateAt(kept, atSeq(690))
      assert.deepStrictEqual(told, [])
    }))

  it.effect("are kept of the world too that a log without one shows, and of what it grows by", () =>
    Effect.gen(function*() {
      const run = yield* runOf(headerOf("madvise-storm", "mainline-6.12", 4))
      const events = Array.from(
        yield* Stream.runCollect(run.read()),
        ({ data, how, stream, t }) => ({ data, how, stream, t })
      )
      const journal = yield* memory(eventCodec, { meta: { kind: "import" } })
      const kept = withCheckpoints(journal, SPACING)
      const mine = (event: (typeof events)[number]) => event.data.thread !== 5 && event.data._tag !== "Woken"
      // The last part names a thread that the others do not.
      for (const part of [events.slice(0, 400).filter(mine), events.slice(400, 700).filter(mine), events.slice(700)]) {
        yield* journal.append(part)
        const { seq } = yield* journal.head
        const plain = logOf(journal.header.meta, journal.read())
        const expected = yield* told(plain, atSeq(seq), atSeq(seq >> 1), "mn/0")
        assert.deepStrictEqual(yield* told(kept, atSeq(seq), atSeq(seq >> 1), "mn/0"), expected)
        const again = withCheckpoints(journal, SPACING)
        assert.deepStrictEqual(yield* told(again, atSeq(seq), atSeq(seq >> 1), "mn/0"), expected)
        assert.deepStrictEqual(yield* worldOf(again), yield* worldOf(plain))
      }
      assert.isAbove((yield* journal.snapshot.positions("world", 1)).length, 3)
    }))

  it.effect("that cannot be written are done without", () =>
    Effect.gen(function*() {
      const journal = yield* runOf(headerOf("madvise-storm", "mainline-6.12", 1))
      const plain = yield* stateAt(journal, atSeq(400))
      const denied = {
        ...journal,
        snapshot: { ...journal.snapshot, save: () => Effect.flip(Effect.succeed(denial)) }
      }
      assert.strictEqual((yield* stateAt(withCheckpoints(denied, SPACING), atSeq(400))).stateHash, plain.stateHash)
      assert.deepStrictEqual(yield* journal.snapshot.positions(states.name, states.version), [])
      assert.isAbove((yield* Stream.runCollect(journal.read())).length, 400)
    }))
})

const denial = new ReadOnly({ path: "run.log" })
