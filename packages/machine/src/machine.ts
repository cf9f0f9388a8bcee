/**
 * A machine: the actors of one world in one scope, every state change an event in the journal.
 *
 * In a simulation the same scenario, policy and seed give the same log, byte for byte, and a machine that is rebuilt
 * from any position of a log goes on as it would have. `live` runs the same actors on Effect's own scheduler and clock.
 *
 * @since 0.1.0
 */
import type { AppendError, BatchOpen, Closed, Envelope, Journal, ReadError, ReadOnly } from "@pfnscope/journal"
import { Evolve, initialState, L, LABELS, programOf, replay } from "@pfnscope/protocol"
import type { ActorId, Event, Program, State, Thread } from "@pfnscope/protocol"
import { nowNanos, run as simulate, seeded, sleepNanos } from "@pfnscope/schedule"
import type { SimulationError } from "@pfnscope/schedule"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Gpcs, KvmNotifier, PrimaryMmu, Threads } from "./actors.ts"
import { causes } from "./causes.ts"
import type { Causes } from "./causes.ts"
import { EventLog, RunHeader } from "./eventLog.ts"
import { Kernel } from "./kernel.ts"
import type { Message } from "./kernel.ts"
import { recorder } from "./recorder.ts"
import type { Recorder, Written } from "./recorder.ts"
import { stepTime } from "./timing.ts"

/** The log's header is not that of a machine's run. @category errors @since 0.1.0 */
export class NotARun extends Schema.TaggedError<NotARun>()("NotARun", { reason: Schema.String }) {
  override get message(): string {
    return `the log is not that of a run: ${this.reason}`
  }
}

/** A thread that is left waiting when a run ends, and the label it waits at. @category models @since 0.1.0 */
export interface Stuck {
  readonly thread: string
  readonly label: string
}

/**
 * How a run ended: every finite script is at its end, the time is up, or nobody can go on. `nanos` on the run's clock,
 * `steps` run since it was started or rebuilt.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome {
  readonly ended: "done" | "until" | "deadlock"
  readonly nanos: number
  readonly steps: number
  readonly seq: number
  readonly stuck: ReadonlyArray<Stuck>
}

/** Why a run fails: its log cannot be written, or the simulation cannot go on. @category errors @since 0.1.0 */
export type RunError = AppendError | SimulationError

/** The actors that a program inside a machine can use, and what they share. @category models @since 0.1.0 */
export type Actors = PrimaryMmu | KvmNotifier | Gpcs | Threads | Kernel

/** A machine, before or while it runs. @category models @since 0.1.0 */
export interface Machine {
  readonly header: RunHeader
  /** The state as of the last event; for reading. */
  readonly state: State
  /** Every event from the first, as it becomes durable. */
  readonly events: Stream.Stream<Envelope<Event>, ReadError>
  /** Runs the scripts to their end, or to `until`. */
  readonly run: Effect.Effect<Outcome, RunError>
  /** Runs a program among the actors; they stop when it does. */
  readonly among: <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RunError, Exclude<R, Actors>>
}

/** @category models @since 0.1.0 */
export interface MakeOptions {
  /** On Effect's own scheduler and clock instead of the simulation's. */
  readonly live?: boolean
  /** The steps to run, where they are not those of the policy: a test injects a fault. */
  readonly program?: Program
}

/**
 * A machine at the start of its run; the journal must be empty.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fn("Machine.make")(function*(header: RunHeader, options: MakeOptions = {}) {
  const state = initialState(header.world)
  const history: History = {
    state,
    causes: causes(state.threads.length, state.gpcs.length),
    lastTimes: new Float64Array(state.threads.length),
    seq: 0,
    now: 0,
    tail: []
  }
  return yield* assemble(header, history, options)
})

/** What a log's run is a function of. @category queries @since 0.1.0 */
export const runHeaderOf = ({ header }: Pick<Journal<Event>, "header">): Effect.Effect<RunHeader, NotARun> =>
  Schema.decodeUnknownEffect(RunHeader)(header.meta).pipe(
    Effect.mapError((error) => new NotARun({ reason: error.message.split("\n").join(" ") }))
  )

/** @category models @since 0.1.0 */
export interface RecoverOptions extends MakeOptions {
  /** The last step of the log is known to be there in whole, and must not be run again. */
  readonly lastStepIsWhole?: boolean
}

/**
 * Rebuilds a machine from its journal: every actor, every thread in mid-program, also in the middle of a step.
 *
 * @category constructors
 * @since 0.1.0
 */
export const recover = Effect.fn("Machine.recover")(function*(options: RecoverOptions = {}) {
  const log = yield* EventLog
  const header = yield* runHeaderOf(log)
  return yield* assemble(header, yield* readHistory(log, header, options.lastStepIsWhole ?? false), options)
})

/** One step of a path: the thread that goes, and which way where its step has several. @category models @since 0.1.0 */
export interface Move {
  readonly thread: number
  readonly way: number
}

/** Virtual time between two steps of a path, ns: a path has an order, and no times. */
const PATH_STEP = 1_000

/**
 * Writes the log of a path through a world: a checker's counterexample, as a run would have recorded it. The journal
 * must be empty.
 *
 * @category constructors
 * @since 0.1.0
 */
export const record = Effect.fn("Machine.record")(function*(header: RunHeader, path: ReadonlyArray<Move>) {
  const log = yield* EventLog
  const state = initialState(header.world)
  const rec = yield* recorder({
    state,
    program: programOf(header.policy),
    batch: yield* log.batch,
    causes: causes(state.threads.length, state.gpcs.length),
    head: 0,
    seed: header.seed
  })
  for (const [i, { thread, way }] of path.entries()) {
    rec.now = (i + 1) * PATH_STEP
    rec.step(state.threads[thread]!, way)
  }
  yield* rec.close
}, Effect.scoped)

/** What a log says: the state before its last step, and that step's events as far as they are there. */
interface History {
  readonly state: State
  readonly causes: Causes
  readonly lastTimes: Float64Array
  seq: number
  now: number
  tail: Array<Written>
}

/**
 * Folds a log up to its last step. That one is left to be run again, since it may be there in part: the machine then
 * writes what is missing.
 */
const readHistory = Effect.fnUntraced(function*(log: Journal<Event>, header: RunHeader, isWhole: boolean) {
  const state = initialState(header.world)
  const evolve = new Evolve(state)
  const history: History = {
    state,
    causes: causes(state.threads.length, state.gpcs.length),
    lastTimes: new Float64Array(state.threads.length),
    seq: 0,
    now: 0,
    tail: []
  }
  const apply = () => {
    for (const { event, seq } of history.tail) {
      replay(event, evolve)
      if (event.to !== undefined) evolve.moved(event.thread, L[event.to])
      history.causes.note(seq, event)
    }
    history.tail = []
  }
  let ended = false
  yield* Stream.runForEach(log.read(), (envelope) =>
    Effect.sync(() => {
      const { data: event, seq, t } = envelope
      if (ended && event._tag !== "PropertyViolated") apply()
      ended = event.to !== undefined || event._tag === "Blocked" || (ended && event._tag === "PropertyViolated")
      history.tail.push({ seq, event })
      history.seq = seq
      history.now = t
      if (event._tag !== "PropertyViolated") history.lastTimes[event.thread] = t
    }))
  const first = history.tail[0]?.event
  // A block is whole in itself, and so is a call from outside: there is no script to run it from.
  if (
    isWhole || first?._tag === "Blocked" ||
    (first?._tag === "Called" && header.world.threads[first.thread]!.ops.length === 0)
  ) {
    apply()
  }
  return history
})

const assemble = Effect.fnUntraced(function*(
  header: RunHeader,
  history: History,
  options: MakeOptions
): Effect.fn.Return<Machine, BatchOpen | ReadOnly | Closed, EventLog | Scope.Scope> {
  const log = yield* EventLog
  const rec = yield* recorder({
    state: history.state,
    program: options.program ?? programOf(header.policy),
    batch: yield* log.batch,
    causes: history.causes,
    head: history.seq,
    seed: header.seed
  })
  finishTail(rec, history)
  const inWorld = <A, E, R>(program: Effect.Effect<A, E, R>) =>
    options.live === true
      ? withActors(header, history, rec, program, liveClock(history.now))
      : simulate(withActors(header, history, rec, program, Effect.succeed(nowNanos)), {
        strategy: seeded(header.seed, rec.head),
        granularity: "point",
        startNanos: history.now
      })
  const toTheEnd = Effect.flatMap(Kernel, (kernel) => play(header, kernel, history.now)).pipe(
    inWorld,
    Effect.catchTag("Deadlock", ({ at }) => Effect.succeed(outcomeOf(rec, "deadlock", at)))
  )
  return {
    header,
    state: history.state,
    events: log.follow(),
    among: (program) => durable(rec, inWorld(program)),
    run: durable(rec, toTheEnd)
  }
})

/** However a run ends, what it has written is made durable. */
const durable = <A, E, R>(rec: Recorder, run: Effect.Effect<A, E, R>): Effect.Effect<A, E | AppendError, R> =>
  Effect.onExit(run, (exit) => exit._tag === "Success" ? rec.close : Effect.ignore(rec.close))

/** Runs the last step of the log again: its events are there, whole or in part, and what is missing gets written. */
const finishTail = (rec: Recorder, history: History): void => {
  const first = history.tail[0]?.event
  rec.now = history.now
  if (first === undefined) return
  rec.complete(history.state.threads[first.thread]!, history.tail)
}

/** A live clock that starts at `from` ns. */
const liveClock = (from: number): Effect.Effect<Effect.Effect<number>> =>
  Effect.map(Clock.Clock, (clock) => {
    const origin = clock.monotonicTimeNanosUnsafe()
    return Effect.sync(() => from + Number(clock.monotonicTimeNanosUnsafe() - origin))
  })

/** Starts the actors, runs the program among them, and stops them. */
const withActors = <A, E, R>(
  header: RunHeader,
  history: History,
  rec: Recorder,
  program: Effect.Effect<A, E, R>,
  clockOf: Effect.Effect<Effect.Effect<number>>
): Effect.Effect<A, E | AppendError, Exclude<R, Actors>> =>
  Effect.scoped(Effect.gen(function*() {
    const crashed = yield* Deferred.make<never, AppendError>()
    const finished = yield* Deferred.make<void>()
    const clock = yield* clockOf
    const kernel = Kernel.of({
      recorder: rec,
      queues: yield* Effect.forEach(history.state.threads, () => Queue.unbounded<Message>()),
      waitingIn: waitingIn(rec),
      lastTimes: history.state.threads.map(({ blocked, id }) => blocked === 1 ? undefined : history.lastTimes[id]!),
      stepTime: stepTime(header.timing, header.seed),
      clock,
      crashed,
      finished
    })
    const actors = Threads.layer.pipe(
      Layer.provideMerge(Layer.mergeAll(PrimaryMmu.layer, KvmNotifier.layer, Gpcs.layer)),
      Layer.provideMerge(Layer.succeed(Kernel, kernel))
    )
    const context = yield* Layer.build(actors)
    return yield* Effect.raceFirst(Effect.provide(program, context), Deferred.await(crashed))
  }))

/** The blocked threads, by the actor they wait in, in the order in which they began to wait. */
const waitingIn = ({ causes, program, state }: Recorder) => (actor: ActorId): Array<Thread> =>
  state.threads
    .filter((thread) => thread.blocked === 1 && program[thread.pc]!.actor(state, thread) === actor)
    .sort((a, b) => causes.last(a.id) - causes.last(b.id))

/** Lets the scripts run to their end, or to `until`. */
const play = Effect.fnUntraced(function*(header: RunHeader, kernel: Kernel["Service"], from: number) {
  const done = Effect.as(Deferred.await(kernel.finished), "done" as const)
  const ended = header.until === 0
    ? yield* done
    : yield* Effect.raceFirst(done, Effect.as(sleepNanos(Math.max(0, header.until - from)), "until" as const))
  return outcomeOf(kernel.recorder, ended, yield* kernel.clock)
})

const outcomeOf = (rec: Recorder, ended: Outcome["ended"], nanos: number): Outcome => {
  const { geo, threads } = rec.state
  const stuck = threads
    .filter((thread) => thread.blocked === 1)
    .map((thread): Stuck => ({ thread: geo.world.threads[thread.id]!.name, label: LABELS[thread.pc]! }))
  return { ended, nanos, steps: rec.steps(), seq: rec.head(), stuck }
}

/** A page of a memslot that holds a word which is not its own guest address. @category models @since 0.1.0 */
export interface ForeignWord {
  readonly gpa: number
  readonly word: number
}

/**
 * The torture's own oracle: every page of guest memory holds 0 or its own address. Gives the pages that do not.
 *
 * Source: gpc_test.c (LKML 2024-08-21, v3 5/5), whose host compares each page's first word with its address.
 *
 * @category queries
 * @since 0.1.0
 */
export const foreignWords = ({ geo, kvm, mmu }: State): ReadonlyArray<ForeignWord> =>
  geo.world.memslots.flatMap((slot, i) =>
    Array.from({ length: slot.pages }, (_, page): ForeignWord => {
      const at = mmu.frame(mmu.pfn(geo.pageOf(kvm.slotHva(i) + page * geo.pageSize)))
      return { gpa: slot.gpa + page * geo.pageSize, word: at < 0 ? 0 : mmu.word(at) }
    }).filter(({ gpa, word }) => word !== 0 && word !== gpa)
  )
