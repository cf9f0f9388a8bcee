/**
 * Measures the journal's file against a bare loop of appends and against embedded stores, on the events of one run.
 *
 * Every figure is the median of `ROUNDS`, the contenders taking turns, after a round that warms up; a ratio is the median of
 * the rounds' ratios. Synced means that a batch is on the disk before the next is begun. What each store gives back is
 * compared, once, with what was appended.
 *
 * Run by `npm run bench:storage`, and by `npm run bench` after the machine's.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { memory } from "@pfnscope/journal"
import type { Envelope, Journal } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { POLICIES } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { deepStrictEqual } from "node:assert/strict"
import { bareLoop } from "./bare.ts"
import { compare, median } from "./figures.ts"
import { Records } from "./record.ts"
import { betterSqlite, journal, journalAhead, level, nodeSqlite } from "./store.ts"
import type { Batches, Kind, Store } from "./store.ts"

const ROUNDS = 9

const STORES = [nodeSqlite, betterSqlite, level]
const KINDS = [journal, bareLoop, ...STORES]
const APPENDERS = [journal, journalAhead, bareLoop, ...STORES]

/** Sizes of a batch, and how many events are appended in such batches: with a sync each, and without. */
const SIZES = [
  { size: 1, synced: 300, unsynced: 20_000 },
  { size: 100, synced: 20_000, unsynced: 100_000 },
  { size: 1_000, synced: 100_000, unsynced: 200_000 },
  { size: 4_096, synced: 200_000, unsynced: 200_000 }
]
const EVENTS = 200_000
const LARGEST = 4_096

const WANTED_OF_BARE = 0.8
const WANTED_SCAN = 3_000_000

/** A run of the torture, which has every kind of event that steps emit. */
const runOf = Effect.gen(function*() {
  const header = runHeader(
    SCENARIOS.find(({ name }) => name === "torture")!,
    POLICIES.find(({ name }) => name === "mainline-6.12")!
  )
  const log = yield* memory(eventCodec, { meta: null })
  const { run } = yield* Effect.provideService(Machine.make(header), EventLog, log)
  yield* run
  return log
})

const batchesOf = (all: ReadonlyArray<Envelope<Event>>, count: number, size: number): Batches =>
  Array.from({ length: Math.ceil(count / size) }, (_, i) => all.slice(i * size, Math.min(count, (i + 1) * size)))

/** Opens a new store in a folder of its own; both are gone with the scope. */
const opened = Effect.fnUntraced(function*(kind: Kind, synced: boolean) {
  const fs = yield* FileSystem.FileSystem
  return yield* kind.open(yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-storage-" }), synced)
})

/** Events a second of some work on so many. */
const rateOf = Effect.fnUntraced(function*<E, R>(events: number, work: Effect.Effect<void, E, R>) {
  const from = performance.now()
  yield* work
  return events / (performance.now() - from) * 1000
})

/** What each kind comes to in each round. */
type Rates = ReadonlyMap<Kind, ReadonlyArray<number>>

const inTurns = Effect.fnUntraced(function*<E, R>(
  kinds: ReadonlyArray<Kind>,
  measure: (kind: Kind) => Effect.Effect<number, E, R>
) {
  const rates = new Map<Kind, Array<number>>(kinds.map((kind) => [kind, []]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const kind of kinds) {
      const rate = yield* measure(kind)
      // The first round warms up.
      if (round > 0) rates.get(kind)!.push(rate)
    }
  }
  return rates
})

/** What the journal comes to, by what another does in the same round. */
const ratio = (rates: Rates, other: Kind, own: Kind = journal): number => {
  const others = rates.get(other)!
  return median(rates.get(own)!.map((rate, round) => rate / others[round]!))
}

/**
 * Scans every event of stores that are open. The events go through as a stream: where an engine has seen objects that stay,
 * it makes the next ones for staying, and a scan whose events are gone at once is then slower.
 */
const scans = Effect.fnUntraced(function*(source: Journal<Event>) {
  const { seq: events } = yield* source.head
  const stores = new Map<Kind, Store>()
  for (const kind of KINDS) {
    const store = yield* opened(kind, false)
    yield* Stream.runForEachArray(source.read(), (some) => store.append([some]))
    stores.set(kind, store)
  }
  return yield* inTurns(
    KINDS,
    Effect.fnUntraced(function*(kind) {
      let seen = 0
      const rate = yield* rateOf(
        events,
        stores.get(kind)!.scan((event) => {
          if (event.rev > 0) seen++
        })
      )
      return seen === events ? rate : yield* Effect.die(new Error(`${kind.name} gives ${seen} of ${events} events`))
    })
  )
}, Effect.scoped)

/** Appends in batches of every size, to a new store each time. */
const appends = (all: ReadonlyArray<Envelope<Event>>, synced: boolean) =>
  Effect.forEach(SIZES, (sizes) => {
    const count = synced ? sizes.synced : sizes.unsynced
    const batches = batchesOf(all, count, sizes.size)
    return inTurns(APPENDERS, (kind) =>
      Effect.scoped(Effect.flatMap(opened(kind, synced), (store) => rateOf(count, store.append(batches)))))
  })

/** Everything that a store gives is what was appended. */
const check = (all: ReadonlyArray<Envelope<Event>>) =>
  Effect.fnUntraced(function*(kind: Kind) {
    const found: Array<Envelope<Event>> = []
    const store = yield* opened(kind, false)
    yield* store.append(batchesOf(all, all.length, LARGEST))
    yield* store.scan((event) => found.push(event))
    deepStrictEqual(found, all, `${kind.name} gives other events than were appended`)
  }, Effect.scoped)

/** Bytes an event that a store leaves on the disk once it is closed. */
const bytesOnDisk = Effect.fnUntraced(function*(kind: Kind, all: ReadonlyArray<Envelope<Event>>) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-storage-" })
  const batches = batchesOf(all, all.length, LARGEST)
  yield* Effect.scoped(Effect.flatMap(kind.open(folder, false), (store) => store.append(batches)))
  const names = yield* fs.readDirectory(folder)
  const sizes = yield* Effect.forEach(names, (name) => fs.stat(`${folder}/${name}`))
  return sizes.reduce((sum, { size }) => sum + Number(size), 0) / all.length
}, Effect.scoped)

/** Bytes of an event that is encoded alone: MB/s are of these, whatever a store makes of them. */
const encodedBytes = (all: ReadonlyArray<Envelope<Event>>): number => {
  const records = new Records()
  for (const event of all) records.write(event)
  return records.out.length / all.length
}

const row = (name: string, cells: ReadonlyArray<string>) =>
  Console.log(`  ${name.padEnd(15)}${cells.map((cell) => cell.padStart(22)).join("")}`)

const rateText = (rates: ReadonlyArray<number>, bytes: number): string => {
  const rate = median(rates)
  return `${(rate / 1000).toFixed(rate < 1e5 ? 1 : 0)} k/s ${(rate * bytes / 1e6).toFixed(1).padStart(6)} MB/s`
}

const showAppends = Effect.fnUntraced(function*(title: string, found: ReadonlyArray<Rates>, bytes: number) {
  yield* Console.log(title)
  yield* row("  batches of", SIZES.map(({ size }) => String(size)))
  for (const kind of APPENDERS) yield* row(kind.name, found.map((rates) => rateText(rates.get(kind)!, bytes)))
})

const showRatios = Effect.fnUntraced(function*(synced: ReadonlyArray<Rates>, scanned: Rates) {
  yield* Console.log("the journal by the others")
  for (const [i, { size }] of SIZES.entries()) {
    if (size < 1_000) continue
    const wanted = { least: WANTED_OF_BARE }
    yield* compare(`append, synced, ${size}: ${bareLoop.name}`, ratio(synced[i]!, bareLoop), wanted)
    yield* compare(`ahead, synced, ${size}: ${bareLoop.name}`, ratio(synced[i]!, bareLoop, journalAhead), wanted)
    for (const kind of STORES) {
      yield* compare(`append, synced, ${size}: ${kind.name}`, ratio(synced[i]!, kind), { least: 1 })
    }
  }
  yield* compare("scan: 3 million events/s", median(scanned.get(journal)!) / WANTED_SCAN, { least: 1 })
  for (const kind of STORES) yield* compare(`scan: ${kind.name}`, ratio(scanned, kind), { least: 1 })
})

const main = Effect.gen(function*() {
  const source = yield* runOf
  const scanned = yield* scans(source)
  const all = yield* Stream.runCollect(source.read({ to: EVENTS }))
  yield* Effect.forEach(APPENDERS, check(all))
  const bytes = encodedBytes(all)
  yield* Console.log(
    `Node ${process.versions.node}, median of ${ROUNDS} rounds, a run of torture under mainline-6.12, ` +
      `${bytes.toFixed(1)} bytes an event`
  )
  const synced = yield* appends(all, true)
  yield* showAppends("append, synced after each batch, events and bytes a second", synced, bytes)
  yield* showAppends("append, not synced", yield* appends(all, false), bytes)
  yield* Console.log(`scan, every event decoded; on the disk, of batches of ${LARGEST}`)
  for (const kind of KINDS) {
    const onDisk = `${(yield* bytesOnDisk(kind, all)).toFixed(1)} bytes an event`
    yield* row(kind.name, [rateText(scanned.get(kind)!, bytes), onDisk])
  }
  yield* showRatios(synced, scanned)
})

await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
