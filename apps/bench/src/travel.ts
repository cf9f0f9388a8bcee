/**
 * Measures time travel through a long log: `at`, `diff` and `why` at random positions, one jump after the other.
 *
 * The log is one run of the machine in a file, as long as is asked for (`--events N`); or any other (`--log FILE`), with what
 * lies beside it. Warm: the log is open, and some
 * of what was asked for is at hand. Cold: the log is opened for every question, and nothing is remembered in the process;
 * the files may be in the operating system's cache. A first look, which finds no sidecars, is given apart.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { file } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { atSeq, diff, END, leavesOf, pathOf, stateAt, why, withCheckpoints, worldOf } from "@pfnscope/projections"
import type { Log, Position } from "@pfnscope/projections"
import { initialState, POLICIES } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, dirname } from "node:path"
import { parseArgs } from "node:util"
import { compare } from "./figures.ts"

const { values: options } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    scenario: { type: "string", default: "madvise-storm" },
    policy: { type: "string", default: "mainline-6.12" },
    asked: { type: "string", default: "200" },
    log: { type: "string" }
  }
})
const EVENTS = Number(options.events)

/** Questions of a kind; half as many cold. */
const ASKED = Number(options.asked)

/** Positions of a short diff are so far apart at most. */
const NEAR = 1_000

const WANTED_WARM = 10
const WANTED_COLD = 100

const SUBJECTS = ["gpc/0", "vcpu/0", "mm/0", "mn/0", "gpc/0.valid"]

const scenario = SCENARIOS.find(({ name }) => name === options.scenario)!
const policy = POLICIES.find(({ name }) => name === options.policy)!

/** Rounds of a script that never end, so that time ends the run. */
const knobs = "uses" in scenario.knobs ? { uses: 0 } : {}

/** Numbers below 1, always the same ones. */
const draw = (() => {
  let x = 12345
  return () => (x = (x * 48271) % 2147483647) / 2147483647
})()

/** How long something took, in ms. */
const timed = Effect.fnUntraced(function*<A, E, R>(work: Effect.Effect<A, E, R>) {
  const from = performance.now()
  yield* work
  return performance.now() - from
})

const percentile = (times: ReadonlyArray<number>, share: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(share * times.length))]!

/** Writes a run of so many ns, and says how many events it has. */
const runFor = (path: string, until: number) =>
  Effect.scoped(Effect.gen(function*() {
    const header = runHeader(scenario, policy, { until, knobs })
    const fs = yield* FileSystem.FileSystem
    yield* fs.remove(path, { force: true })
    const log = yield* file(eventCodec, {
      path,
      mode: "create",
      sync: "never",
      meta: JSON.parse(JSON.stringify(header))
    })
    return (yield* Effect.flatMap(Effect.provideService(Machine.make(header), EventLog, log), ({ run }) => run)).seq
  }))

/** A run of at least the events that were asked for: how long it takes is learned from a short one. */
const longRun = Effect.fnUntraced(function*(path: string) {
  const short = yield* runFor(path, scenario.until)
  return yield* runFor(path, Math.ceil(1.05 * scenario.until * EVENTS / short))
})

const openLog = (path: string) =>
  Effect.map(file(eventCodec, { path, mode: "read", sidecars: true }), (journal) => withCheckpoints(journal))

/** A question of a log of so many events, that ends so many ns after its first. */
type Question = (log: Log, events: number, elapsed: number) => Effect.Effect<unknown, unknown>

const drawUpTo = (n: number): number => 1 + Math.floor(draw() * n)

const position = (events: number) => atSeq(drawUpTo(events))

const time = (elapsed: number): Position => ({ _tag: "Elapsed", nanos: Math.floor(draw() * elapsed) })

/** The position before, for a walk to the beginning. */
const STRIDE = 1_500

const backwards = (): Question => {
  let at = 0
  return (log, events) => {
    at = at > STRIDE ? at - STRIDE : events
    return stateAt(log, atSeq(at))
  }
}

/** A field that there is at some position, any of them. */
const whyField: Question = Effect.fnUntraced(function*(log, events) {
  const fields = leavesOf(initialState(yield* worldOf(log)))
  return yield* why(log, pathOf(fields[Math.floor(draw() * fields.length)]!), position(events))
})

const QUESTIONS: ReadonlyArray<readonly [string, () => Question]> = [
  ["at", () => (log, events) => stateAt(log, position(events))],
  ["at a time", () => (log, _events, elapsed) => stateAt(log, time(elapsed))],
  ["at, backwards", backwards],
  [`diff, ${NEAR} events apart at most`, () => (log, events) => {
    const to = drawUpTo(events)
    return diff(log, atSeq(Math.max(0, to - Math.floor(draw() * NEAR))), atSeq(to))
  }],
  ["diff, anywhere", () => (log, events) => diff(log, position(events), position(events))],
  ["diff of times, anywhere", () => (log, _events, elapsed) => diff(log, time(elapsed), time(elapsed))],
  ["why, an actor", () => (log, events) => why(log, SUBJECTS[drawUpTo(SUBJECTS.length) - 1]!, position(events))],
  ["why, any field", () => whyField],
  ["why, an event", () => (log, events) => why(log, `#${drawUpTo(events)}`, END)]
]

/**
 * What the machine does besides: about a millisecond of computing that waits for nothing. Where its p99 is long, others
 * have had the processor, and those of the questions are longer by as much.
 */
const alone = Effect.sync(() => {
  let x = 1
  for (let i = 0; i < 60_000; i++) x = (x * 48271) % 2147483647
  return x
})

const times = (ask: Effect.Effect<number, unknown, FileSystem.FileSystem>, n: number) =>
  Effect.forEach(Array.from({ length: n }), () => ask)

const report = Effect.fnUntraced(function*(name: string, how: string, found: ReadonlyArray<number>, wanted: number) {
  yield* Console.log(
    `  ${`${name} (${how})`.padEnd(44)} p50 ${percentile(found, 0.5).toFixed(1)} ms  ` +
      `p90 ${percentile(found, 0.9).toFixed(1)} ms  most ${Math.max(...found).toFixed(1)} ms`
  )
  yield* compare("    p99, ms", percentile(found, 0.99), { most: wanted })
})

const bytesOf = Effect.fnUntraced(function*(folder: string, isCounted: (name: string) => boolean) {
  const fs = yield* FileSystem.FileSystem
  const names = (yield* fs.readDirectory(folder)).filter(isCounted)
  const sizes = yield* Effect.forEach(names, (name) => fs.stat(`${folder}/${name}`))
  return { files: names.length, bytes: sizes.reduce((n, { size }) => n + Number(size), 0) }
})

/** How long a question takes of a log that is opened for it. */
const opened = (path: string, question: (log: Log) => Effect.Effect<unknown, unknown>) =>
  timed(Effect.scoped(Effect.flatMap(openLog(path), question)))

/** What is kept beside a log. */
const FOLDS = ["state", "changes", "origins"]

/** Asks at the end of a log; reads it all where nobody has looked into it yet; gives the time from its first event to its last, in ns. */
const firstLooks = Effect.fnUntraced(function*(path: string, events: number) {
  yield* Console.log("The first look, which reads everything that has no checkpoints yet, and keeps what it comes by:")
  const looks: ReadonlyArray<readonly [string, (log: Log) => Effect.Effect<unknown, unknown>]> = [
    ["at the end", (log) => stateAt(log, END)],
    ["diff with the end", (log) => diff(log, END, END)],
    ["why at the end", (log) => why(log, "gpc/0", END)]
  ]
  for (const [name, question] of looks) {
    const ms = yield* opened(path, question)
    yield* Console.log(
      `  ${name.padEnd(24)} ${(ms / 1000).toFixed(1)} s, ${(1000 * ms / events).toFixed(2)} us an event`
    )
  }
  return yield* Effect.scoped(Effect.gen(function*() {
    const log = yield* openLog(path)
    return (yield* stateAt(log, END)).t - (yield* stateAt(log, atSeq(1))).t
  }))
})

const newRun = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = `${yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-travel-" })}/run.log`
  const from = performance.now()
  const events = yield* longRun(path)
  const seconds = (performance.now() - from) / 1000
  yield* Console.log(`${events} events of ${scenario.name} under ${policy.name}, run in ${seconds.toFixed(1)} s`)
  return { events, path }
})

const existing = Effect.fnUntraced(function*(path: string) {
  const { seq: events } = yield* Effect.scoped(
    Effect.flatMap(file(eventCodec, { path, mode: "read" }), ({ head }) => head)
  )
  yield* Console.log(`${events} events in ${path}`)
  return { events, path }
})

const program = Effect.scoped(Effect.gen(function*() {
  const { events, path } = yield* options.log === undefined ? newRun : existing(options.log)
  const elapsed = yield* firstLooks(path, events)
  const log = basename(path)
  for (const part of [log, `${log}.index`, ...FOLDS.map((fold) => `${log}.snap-${fold}`)]) {
    const { bytes, files } = yield* bytesOf(
      dirname(path),
      (name) => part.includes("snap") ? name.startsWith(part) : name === part
    )
    yield* Console.log(`  ${part.padEnd(24)} ${(bytes / events).toFixed(2)} bytes an event, ${files} files`)
  }

  yield* Console.log("The machine:")
  yield* report("a millisecond of computing", "alone", yield* times(timed(alone), 1_000), WANTED_WARM)
  yield* Console.log("Warm:")
  yield* Effect.scoped(Effect.gen(function*() {
    const log = yield* openLog(path)
    for (const [name, question] of QUESTIONS) {
      const ask = question()
      const warm = Effect.suspend(() => timed(ask(log, events, elapsed)))
      yield* times(warm, ASKED >> 2)
      yield* report(name, "warm", yield* times(warm, ASKED), WANTED_WARM)
    }
  }))

  yield* Console.log("Cold:")
  for (const [name, question] of QUESTIONS) {
    const ask = question()
    const cold = Effect.suspend(() => opened(path, (log) => ask(log, events, elapsed)))
    yield* report(name, "cold", yield* times(cold, ASKED >> 1), WANTED_COLD)
  }
}))

await Effect.runPromise(Effect.provide(program, NodeFileSystem.layer))
