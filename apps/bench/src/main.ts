/**
 * Measures the machine against a bare ping-pong of two fibers over two queues, in one process.
 *
 * Every figure is the median of `ROUNDS`, the contenders taking turns, so that a busy host slows all of them alike.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { file, memory } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { POLICIES } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Queue from "effect/Queue"

const ROUNDS = 7
const MESSAGES = 200_000

const perSecond = Effect.fnUntraced(function*<E, R>(work: Effect.Effect<number, E, R>) {
  const from = performance.now()
  const done = yield* work
  return done / (performance.now() - from) * 1000
})

/** Two fibers, two queues, one message each way at a time; counts messages. */
const pingPong = Effect.gen(function*() {
  const there = yield* Queue.unbounded<number>()
  const back = yield* Queue.unbounded<number>()
  const echo = Effect.gen(function*() {
    while (true) yield* Queue.offer(back, yield* Queue.take(there))
  })
  const caller = Effect.gen(function*() {
    for (let i = 0; i < MESSAGES / 2; i++) {
      yield* Queue.offer(there, i)
      yield* Queue.take(back)
    }
    return MESSAGES
  })
  return yield* Effect.raceFirst(echo, caller)
})

/** The torture under mainline, cut to a bench's size. */
const header = runHeader(
  SCENARIOS.find(({ name }) => name === "torture")!,
  POLICIES.find(({ name }) => name === "mainline-6.12")!,
  { knobs: { writes: 400, operations: 20 } }
)
const meta = JSON.parse(JSON.stringify(header))

const steps = Effect.flatMap(Machine.make(header), (machine) => Effect.map(machine.run, (outcome) => outcome.steps))

const inMemory = Effect.scoped(Effect.gen(function*() {
  return yield* Effect.provideService(steps, EventLog, yield* memory(eventCodec, { meta }))
}))

const inFile = (sync: "never" | "batch") =>
  Effect.scoped(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-bench-" })
    const log = yield* file(eventCodec, { path: `${folder}/run.log`, mode: "create", meta, sync })
    return yield* Effect.provideService(steps, EventLog, log)
  }))

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const ratio = (name: string, value: number, wanted: number): string =>
  `  ${name.padEnd(52)} ${value.toFixed(2)}   wanted ${wanted.toFixed(2)}   ${value >= wanted ? "ok" : "falls short"}`

const main = Effect.gen(function*() {
  const figures = { pingPong: [0], memory: [0], never: [0], batch: [0] }
  for (const list of Object.values(figures)) list.pop()
  for (let round = 0; round <= ROUNDS; round++) {
    const ping = yield* perSecond(pingPong)
    const memorySteps = yield* perSecond(inMemory)
    const never = yield* perSecond(inFile("never"))
    const batch = yield* perSecond(inFile("batch"))
    // The first round warms up.
    if (round === 0) continue
    figures.pingPong.push(ping)
    figures.memory.push(memorySteps)
    figures.never.push(never)
    figures.batch.push(batch)
  }
  const kilo = (values: ReadonlyArray<number>) => `${(median(values) / 1000).toFixed(0).padStart(6)} k/s`
  yield* Console.log(`Node ${process.versions.node}, median of ${ROUNDS} rounds, torture under mainline-6.12`)
  yield* Console.log(`  two-fiber queue ping-pong, messages                  ${kilo(figures.pingPong)}`)
  yield* Console.log(`  machine, memory journal, steps                       ${kilo(figures.memory)}`)
  yield* Console.log(`  machine, file journal without sync, steps            ${kilo(figures.never)}`)
  yield* Console.log(`  machine, file journal synced by batch, steps         ${kilo(figures.batch)}`)
  yield* Console.log(
    ratio("steps with the memory journal / ping-pong messages", median(figures.memory) / median(figures.pingPong), 0.4)
  )
  yield* Console.log(
    ratio("steps with the synced file / with the memory journal", median(figures.batch) / median(figures.memory), 0.8)
  )
})

await Effect.runPromise(Effect.provide(main, NodeFileSystem.layer))
