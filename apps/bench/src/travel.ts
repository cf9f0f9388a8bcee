/**
 * Measures time travel through a long log: `at`, `diff` and `why` at random positions, one jump after the other.
 *
 * The log is one run of the machine in a file, as long as is asked for (`--events N`). Warm: the log is open, and some
 * of what was asked for is at hand. Cold: the log is opened for every question, and nothing is remembered in the process;
 * the files may be in the operating system's cache. A first look, which finds no sidecars, is given apart.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { file } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { atSeq, diff, END, stateAt, why, withCheckpoints } from "@pfnscope/projections"
import type { Log } from "@pfnscope/projections"
import { POLICIES } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { parseArgs } from "node:util"
import { compare } from "./figures.ts"

const { values: options } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    scenario: { type: "string", default: "madvise-storm" },
    policy: { type: "string", default: "mainline-6.12" },
    asked: { type: "string", default: "200" }
  }
})
const EVENTS = Number(options.events)

/** Questions of a kind; of the kind that may look through the whole log, a tenth. */
const ASKED = Number(options.asked)
const timesAsked = (name: string): number => name === FAR ? Math.ceil(ASKED / 10) : ASKED
const FAR = "diff, anywhere"

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

/** A question of a log of so many events. */
type Question = (log: Log, events: number) => Effect.Effect<unknown, unknown>

const position = (events: number) => atSeq(1 + Math.floor(draw() * events))

/** The position before, for a walk to the beginning in strides that are shorter than from one checkpoint to the next. */
const STRIDE = 1_500

const backwards = (): Question => {
  let at = 0
  return (log, events) => {
    at = at > STRIDE ? at - STRIDE : events
    return stateAt(log, atSeq(at))
  }
}

const QUESTIONS: ReadonlyArray<readonly [string, () => Question]> = [
  ["at", () => (log, events) => stateAt(log, position(events))],
  ["at, backwards", backwards],
  [`diff, ${NEAR} events apart at most`, () => (log, events) => {
    const to = 1 + Math.floor(draw() * events)
    return diff(log, atSeq(Math.max(0, to - Math.floor(draw() * NEAR))), atSeq(to))
  }],
  [FAR, () => (log, events) => diff(log, position(events), position(events))],
  ["why", () => (log, events) => why(log, SUBJECTS[Math.floor(draw() * SUBJECTS.length)]!, position(events))],
  ["why an event", () => (log, events) => why(log, `#${1 + Math.floor(draw() * events)}`, END)]
]

const times = (ask: Effect.Effect<number, unknown, FileSystem.FileSystem>, n: number) =>
  Effect.forEach(Array.from({ length: n }), () => ask)

const report = Effect.fnUntraced(function*(name: string, how: string, found: ReadonlyArray<number>, wanted: number) {
  yield* Console.log(
    `  ${`${name} (${how})`.padEnd(44)} p50 ${percentile(found, 0.5).toFixed(1)} ms  ` +
      `most ${Math.max(...found).toFixed(1)} ms`
  )
  yield* compare("    p99, ms", percentile(found, 0.99), { most: wanted })
})

const bytesOf = Effect.fnUntraced(function*(folder: string, isCounted: (name: string) => boolean) {
  const fs = yield* FileSystem.FileSystem
  const names = (yield* fs.readDirectory(folder)).filter(isCounted)
  const sizes = yield* Effect.forEach(names, (name) => fs.stat(`${folder}/${name}`))
  return { files: names.length, bytes: sizes.reduce((n, { size }) => n + Number(size), 0) }
})

const program = Effect.scoped(Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "pfnscope-travel-" })
  const path = `${folder}/run.log`
  const from = performance.now()
  const events = yield* longRun(path)
  const seconds = (performance.now() - from) / 1000
  yield* Console.log(`${events} events of ${scenario.name} under ${policy.name}, run in ${seconds.toFixed(1)} s`)

  yield* Console.log("The first look, which reads everything and keeps what it comes by:")
  const first = (question: Question) =>
    timed(Effect.scoped(Effect.flatMap(openLog(path), (log) => question(log, events))))
  yield* Console.log(`  at the end   ${(yield* first((log) => stateAt(log, END))).toFixed(0)} ms`)
  yield* Console.log(`  why at the end   ${(yield* first((log) => why(log, "gpc/0", END))).toFixed(0)} ms`)
  for (const part of ["run.log", "run.log.index", "run.log.snap-state", "run.log.snap-origins"]) {
    const isPart = (name: string) => part.includes("snap") ? name.startsWith(part) : name === part
    const { bytes, files } = yield* bytesOf(folder, isPart)
    yield* Console.log(`  ${part.padEnd(22)} ${(bytes / events).toFixed(2)} bytes an event, ${files} files`)
  }

  yield* Console.log("Warm:")
  yield* Effect.scoped(Effect.gen(function*() {
    const log = yield* openLog(path)
    for (const [name, question] of QUESTIONS) {
      const ask = question()
      yield* times(Effect.suspend(() => timed(ask(log, events))), timesAsked(name) >> 2)
      yield* report(
        name,
        "warm",
        yield* times(Effect.suspend(() => timed(ask(log, events))), timesAsked(name)),
        WANTED_WARM
      )
    }
  }))

  yield* Console.log("Cold:")
  for (const [name, question] of QUESTIONS) {
    const ask = question()
    const cold = Effect.suspend(() => first(ask))
    yield* report(name, "cold", yield* times(cold, timesAsked(name) >> 1), WANTED_COLD)
  }
}))

await Effect.runPromise(Effect.provide(program, NodeFileSystem.layer))
