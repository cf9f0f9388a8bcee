import { assert, describe, it } from "@effect/vitest"
import type { Envelope, Journal } from "@pfnscope/journal"
import { memory } from "@pfnscope/journal"
import { Evolve, hashState, initialState, isDone, L, POLICIES, programOf, replay } from "@pfnscope/protocol"
import type { Emit, Event, Program, State, Step } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS, Threads } from "./index.ts"
import type { RunHeader } from "./index.ts"

const scenario = (name: string) => SCENARIOS.find((s) => s.name === name)!
const policy = (name: string) => POLICIES.find((p) => p.name === name)!

/** A run small enough that every position of its log can be tried. */
const small = (name: string, policyName: string, seed: number, knobs = {}): RunHeader =>
  runHeader(scenario(name), policy(policyName), { seed, knobs, until: 60_000 })

const runIn = Effect.fnUntraced(function*(header: RunHeader, options: Machine.MakeOptions = {}) {
  const log = yield* memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) })
  const machine = yield* Effect.provideService(Machine.make(header, options), EventLog, log)
  const outcome = yield* machine.run
  return { log, machine, outcome }
})

const eventsOf = (log: Journal<Event>) => Stream.runCollect(log.read())

const copyTo = Effect.fnUntraced(function*(header: RunHeader, events: ReadonlyArray<Envelope<Event>>) {
  const log = yield* memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) })
  if (events.length > 0) yield* log.append(events)
  return log
})

const violationsOf = (events: ReadonlyArray<Envelope<Event>>) =>
  new Set(events.flatMap(({ data }) => data._tag === "PropertyViolated" ? [data.property] : []))

/** The state after each event, by replaying a log. */
const hashes = (header: RunHeader, events: ReadonlyArray<Envelope<Event>>): ReadonlyArray<string> => {
  const state: State = initialState(header.world)
  const evolve = new Evolve(state)
  return events.map(({ data }) => {
    replay(data, evolve)
    if (data.to !== undefined) evolve.moved(data.thread, L[data.to])
    return hashState(state)
  })
}

/** A step that notes the state after each of its events. */
const watched = (step: Step, had: Array<string>): Step => ({
  ...step,
  run: (s, t, emit, choice) => {
    const noting = Object.fromEntries(
      Object.entries(emit).map(([tag, write]) => [tag, (...args: ReadonlyArray<number>) => {
        ;(write as (...args: ReadonlyArray<number>) => void)(...args)
        had.push(hashState(s))
      }])
    ) as unknown as Emit
    return step.run(s, t, noting, choice)
  }
})

describe("a run", () => {
  it.effect("is the same log, byte for byte, for the same scenario, policy and seed", () =>
    Effect.gen(function*() {
      const header = small("migration", "mainline-6.12", 7)
      const first = yield* (yield* runIn(header)).log.head
      const second = yield* (yield* runIn(header)).log.head
      const other = yield* (yield* runIn(small("migration", "mainline-6.12", 8))).log.head
      assert.strictEqual(first.hash, second.hash)
      assert.notStrictEqual(first.hash, other.hash)
    }))

  it.effect("writes every event before its state is told of: the log alone gives the same state", () =>
    Effect.forEach(SCENARIOS, (s) =>
      Effect.gen(function*() {
        const header = runHeader(s, policy("flag-wait"), { until: 40_000, knobs: { writes: 2, operations: 3 } })
        const { log, machine } = yield* runIn(header)
        const events = Array.from(yield* eventsOf(log))
        assert.strictEqual(hashes(header, events).at(-1), hashState(machine.state), s.name)
      })))

  it.effect("had at every event the state that a replay of its log has there", () =>
    Effect.gen(function*() {
      const header = small("memslot-update", "mainline-7.3", 5, { updates: 1 })
      const had: Array<string> = []
      const { log } = yield* runIn(header, { program: programOf(header.policy).map((step) => watched(step, had)) })
      const state = initialState(header.world)
      const evolve = new Evolve(state)
      const replayed: Array<string> = []
      for (const { data } of yield* eventsOf(log)) {
        replay(data, evolve)
        if (data._tag !== "Blocked") replayed.push(hashState(state))
        if (data.to !== undefined) evolve.moved(data.thread, L[data.to])
      }
      assert.isAbove(had.length, 300)
      assert.deepStrictEqual(replayed, had)
    }))

  it.effect("gives an event its stream, its cause and the operation it belongs to", () =>
    Effect.gen(function*() {
      const { log } = yield* runIn(small("first-map", "mainline-6.12", 3))
      const events = Array.from(yield* eventsOf(log))
      for (const e of events) {
        assert.isTrue(e.cause === undefined || e.cause < e.seq)
        const opener = e.corr === undefined ? undefined : events[e.corr - 1]!.data._tag
        assert.include([undefined, "Called", "RangeStartCalled", "RefreshEntered"], opener)
        if (e.data._tag === "RangeStartCalled") assert.strictEqual(events[e.cause! - 1]!.data._tag, "Called")
        if (e.data._tag === "RetryDecided" && e.data.reason === "count") {
          assert.strictEqual(events[e.cause! - 1]!.data._tag, "CountIncremented")
        }
      }
    }))

  it.effect("ends at its time, with nobody left running", () =>
    Effect.gen(function*() {
      const { outcome } = yield* runIn(runHeader(scenario("madvise-storm"), policy("mainline-6.12"), { until: 50_000 }))
      assert.strictEqual(outcome.ended, "until")
      assert.strictEqual(outcome.nanos, 50_000)
    }))

  it.effect("that nobody can go on with ends as a deadlock, and says who is stuck where", () =>
    Effect.gen(function*() {
      const { log, outcome } = yield* runIn(
        runHeader(scenario("torture"), policy("needs-invalidation-v3-2"), {
          knobs: { vcpus: 2, writes: 200, operations: 20 }
        })
      )
      assert.strictEqual(outcome.ended, "deadlock")
      assert.isTrue(outcome.stuck.some(({ label }) => label === "retry.relock_inner"))
      assert.isTrue(violationsOf(Array.from(yield* eventsOf(log))).has("P10"))
    }))

  it.effect("of no cache and no thread is over at once", () =>
    Effect.gen(function*() {
      const world = { pageSize: 4096, areas: [], memslots: [], gpcs: [], threads: [], spareFrames: 0 }
      const { outcome } = yield* runIn({ ...small("first-map", "flag-wait", 1), world, until: 0 })
      assert.deepStrictEqual(outcome, { ended: "done", nanos: 0, steps: 0, seq: 0, stuck: [] })
    }))
})

describe("recovery", () => {
  /** Cuts a run at every position, rebuilds it from what is left, and finishes it from there. */
  const cutEverywhere = Effect.fnUntraced(function*(header: RunHeader) {
    const whole = yield* runIn(header)
    const events = Array.from(yield* eventsOf(whole.log))
    const end = hashState(whole.machine.state)
    for (let cut = 0; cut <= events.length; cut++) {
      const log = yield* copyTo(header, events.slice(0, cut))
      const machine = yield* Effect.provideService(Machine.recover(), EventLog, log)
      const outcome = yield* machine.run
      assert.strictEqual(hashState(machine.state), end, `cut at #${cut} of ${events.length}`)
      assert.strictEqual(outcome.seq, events.length, `cut at #${cut}`)
      const again = Array.from(yield* eventsOf(log))
      assert.deepStrictEqual(
        again.map(({ data, t }) => [t, data]),
        events.map(({ data, t }) => [t, data]),
        `cut at #${cut}`
      )
    }
    return events.length
  })

  it.effect.each(
    [
      ["first-map", "flag-wait", 1],
      ["hva-cache", "mainline-6.12", 4],
      ["storm-on-page", "end-validating", 2],
      ["memslot-update", "mainline-7.3", 5],
      ["madvise-storm", "needs-invalidation-v2", 3]
    ] as const
  )(
    "from every position of a run of %s under %s goes on to the same end",
    ([name, policyName, seed]) =>
      Effect.gen(function*() {
        const header = runHeader(scenario(name), policy(policyName), {
          seed,
          until: 9_000,
          knobs: { uses: 2, rounds: 2, updates: 1, pages: 2, writers: 2, pause: 500 }
        })
        assert.isAbove(yield* cutEverywhere(header), 80)
      }),
    120_000
  )

  it.effect("refuses a log that is not that of a run", () =>
    Effect.gen(function*() {
      const log = yield* memory(eventCodec, { meta: { kind: "import" } })
      const exit = yield* Effect.exit(Effect.provideService(Machine.recover(), EventLog, log))
      assert.isTrue(Exit.isFailure(exit))
      assert.match(String(Exit.isFailure(exit) ? exit.cause : ""), /not that of a run/)
    }))

  it.effect("notices a log whose last step did something else", () =>
    Effect.gen(function*() {
      const header = small("first-map", "flag-wait", 1)
      const { log } = yield* runIn(header)
      const events = Array.from(yield* eventsOf(log))
      const at = events.findIndex(({ data }) => data._tag === "CountIncremented")
      const forged = events.slice(0, at + 1).map((e, i) =>
        i === at && e.data._tag === "CountIncremented" ? { ...e, data: { ...e.data, count: 9 } } : e
      )
      const exit = yield* Effect.exit(
        Effect.provideService(Machine.recover(), EventLog, yield* copyTo(header, forged))
      )
      assert.match(String(Exit.isFailure(exit) ? exit.cause : ""), /CountIncremented/)
    }))
})

/** The walk forgets to invalidate what it hits. */
const faulty = (): Program => {
  const program = programOf(policy("mainline-6.12"))
  return program.map((step) =>
    step.label !== "start.invalidate" ? step : {
      ...step,
      run: (s, t, emit) => {
        const { cursor } = t
        emit.GpcVisited(t.id, cursor, 0)
        return cursor + 1 < s.gpcs.length ? L["start.visit"] : L["start.gpc_unlock"]
      }
    }
  )
}

describe("the audit", () => {
  it.effect("catches one faulty step, and is silent without it", () =>
    Effect.gen(function*() {
      const header = runHeader(scenario("storm-on-page"), policy("mainline-6.12"), { until: 400_000 })
      const sound = yield* runIn(header)
      const broken = yield* runIn(header, { program: faulty() })
      assert.deepStrictEqual([...violationsOf(Array.from(yield* eventsOf(sound.log)))], [])
      assert.isTrue(violationsOf(Array.from(yield* eventsOf(broken.log))).has("P3"))
    }))

  it.effect("finds the torture's pages with nobody's address but their own, under a sound policy", () =>
    Effect.gen(function*() {
      const header = runHeader(scenario("torture"), policy("mainline-6.12"), {
        knobs: { vcpus: 4, writes: 60, operations: 20 }
      })
      const { log, machine, outcome } = yield* runIn(header)
      assert.strictEqual(outcome.ended, "done")
      assert.deepStrictEqual([...violationsOf(Array.from(yield* eventsOf(log)))], [])
      assert.deepStrictEqual(Machine.foreignWords(machine.state), [])
      const { mmu } = machine.state
      const written = Array.from({ length: mmu.frames }, (_, i) => mmu.word(mmu.at(i))).filter((word) => word !== 0)
      assert.isAbove(written.length, 0)
    }))
})

describe("supervision", () => {
  it.effect("an actor that dies fails the run with its cause, and what was written is kept", () =>
    Effect.gen(function*() {
      const header = small("first-map", "mainline-6.12", 1)
      const program = programOf(header.policy).map((step) =>
        step.label !== "start.mmu" ? step : {
          ...step,
          run: (): number => {
            throw new Error("the notifier is out of order")
          }
        }
      )
      const log = yield* memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) })
      const machine = yield* Effect.provideService(Machine.make(header, { program }), EventLog, log)
      const exit = yield* Effect.exit(machine.run)
      assert.match(String(Exit.isFailure(exit) ? exit.cause : ""), /the notifier is out of order/)
      assert.isAbove((yield* log.head).seq, 0)
    }))

  it.effect("a run that is interrupted leaves no fiber behind", () =>
    Effect.gen(function*() {
      const header = runHeader(scenario("madvise-storm"), policy("mainline-7.3"), { until: 0 })
      const log = yield* memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) })
      const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
      yield* Effect.raceFirst(machine.run, Stream.runDrain(Stream.take(machine.events, 5_000)))
      const head = yield* log.head
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.strictEqual((yield* log.head).seq, head.seq)
      assert.isAtLeast(head.seq, 5_000)
    }))
})

describe("a machine as a library", () => {
  it.effect("lets a program drive threads that have no script, and streams what happens", () =>
    Effect.gen(function*() {
      const base = small("first-map", "flag-wait", 1)
      const header: RunHeader = {
        ...base,
        until: 0,
        world: {
          ...base.world,
          threads: [{ name: "vcpu/0", ops: [], repeat: 0 }, { name: "mm/0", ops: [], repeat: 0 }]
        }
      }
      const log = yield* memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) })
      const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
      const gpa = 0x10_8000
      const returned = yield* machine.among(Effect.gen(function*() {
        const threads = yield* Threads
        const activated = yield* threads.call("vcpu/0", { _tag: "gpc_activate", gpc: 0, gpa })
        const outside = yield* threads.call("vcpu/0", { _tag: "gpc_activate", gpc: 0, gpa: 0x7000_0000 })
        const both = yield* Effect.all([
          threads.call("vcpu/0", { _tag: "gpc_use", gpc: 0 }),
          threads.call("mm/0", { _tag: "madvise", start: 0x7e00_0000_8000, end: 0x7e00_0000_9000, free: "either" })
        ], { concurrency: "unbounded" })
        const unknown = yield* Effect.flip(threads.call("mm/7", { _tag: "clear_soft_dirty" }))
        return [activated, outside, ...both, unknown.message]
      }))
      assert.deepStrictEqual(returned, [0, -14, -14, 0, "no thread mm/7 takes calls, expected one of: vcpu/0, mm/0"])
      const recovered = yield* Effect.provideService(
        Machine.recover(),
        EventLog,
        yield* copyTo(header, Array.from(yield* eventsOf(log)))
      )
      assert.strictEqual(hashState(recovered.state), hashState(machine.state))
      assert.isTrue(recovered.state.threads.every((thread) => isDone(recovered.state, thread)))
    }))

  it.live("runs the same actors on Effect's own scheduler and clock", () =>
    Effect.gen(function*() {
      const header = runHeader(scenario("first-map"), policy("flag-wait"), {
        knobs: { rounds: 2, pause: 20_000_000 },
        until: 0
      })
      const { log, outcome } = yield* runIn(header, { live: true })
      assert.strictEqual(outcome.ended, "done")
      assert.deepStrictEqual([...violationsOf(Array.from(yield* eventsOf(log)))], [])
    }))
})
