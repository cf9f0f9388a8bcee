/**
 * Where steps become history: runs a step, writes its events to the journal's open batch, and lets the audit see each.
 *
 * An event is in the log before the actor that ran the step tells anyone. What is in the log becomes durable and
 * visible from outside in batches: `commit`.
 *
 * @since 0.1.0
 */
import type { AppendError, Batch } from "@pfnscope/journal"
import { atSelf, entryOf, execute, ownerOf, PROPERTY_IDS, RETRY_REASONS, toEvent } from "@pfnscope/protocol"
import type { EmittedTag, Event, Executor, LabelId, OpCode, Program, State, Step, Thread } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Causes } from "./causes.ts"
import { draw } from "./timing.ts"

/** Events after which a batch is committed. */
const COMMIT_EVERY = 4096

/** An event that is in the log already, at its position. @category models @since 0.1.0 */
export interface Written {
  readonly seq: number
  readonly event: Event
}

/** Runs and records steps. @category models @since 0.1.0 */
export interface Recorder {
  readonly state: State
  readonly program: Program
  readonly causes: Causes
  /** The time of what is recorded next, ns. */
  now: number
  /** The last position of the log. */
  readonly head: () => number
  /** Steps run. */
  readonly steps: () => number
  /** Whether the thread's next step can run now. */
  readonly isEnabled: (thread: Thread) => boolean
  /** Runs the thread's next step, in the way given, or else in one that the seed chooses. */
  readonly step: (thread: Thread, way?: number) => void
  /** Runs the step whose first events are in the log already: writes only the rest. */
  readonly complete: (thread: Thread, written: ReadonlyArray<Written>) => void
  /** Notes that the thread waits in an actor. */
  readonly block: (thread: Thread, actor: number) => void
  /** Starts an operation on a thread that has no script. */
  readonly call: (thread: Thread, op: OpCode) => void
  /** What the thread's last operation returned. */
  readonly lastReturn: (thread: number) => number
  /** Whether enough is in the open batch to commit it. */
  readonly isFull: () => boolean
  /** Begins to make the batch durable; waits for the one before. */
  readonly commit: Effect.Effect<void, AppendError>
  /** Makes everything durable. */
  readonly close: Effect.Effect<void, AppendError>
}

/**
 * A recorder over a state and an open batch that both stand at position `head`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const recorder = Effect.fnUntraced(function*(options: {
  readonly state: State
  readonly program: Program
  readonly batch: Batch<Event>
  readonly causes: Causes
  readonly head: number
  readonly seed: number
}) {
  const { batch, causes, program, seed, state } = options
  const live = yield* Effect.context<never>()
  const streams = streamNames(state)
  let head = options.head
  const returns = new Int32Array(state.threads.length)
  let steps = 0
  let now = 0
  /** Events of a half-written step that are in the log already. */
  let already: Array<Written> = []
  let committing: Fiber.Fiber<unknown, AppendError> | undefined

  const write = (tag: EmittedTag, thread: number, a: number, b: number, c: number, d: number, to: LabelId): void => {
    const data = toEvent(tag, thread, a, b, c, d, to)
    if (already.length > 0) return causes.note(skip(already, data), data)
    const owner = ownerOf(tag)
    const cause = causes.causeOf(tag, thread, a, tag === "RetryDecided" ? RETRY_REASONS[b]! : "")
    const corr = causes.corrOf(tag, thread)
    head = batch.add({
      stream: owner === "gpc" ? streams.gpcs[a]! : owner === "thread" ? streams.threads[thread]! : streams[owner],
      t: now,
      cause: cause === 0 ? undefined : cause,
      corr: corr === 0 ? undefined : corr,
      how: "simulated",
      data
    })
    causes.note(head, data)
    if (tag === "Returned") returns[thread] = a
  }
  const executor: Executor = execute(state, {
    event: write,
    violated: (property, thread, gpc) => {
      write("PropertyViolated", thread, PROPERTY_IDS.indexOf(property), gpc, 0, 0, -1)
    }
  })
  const choose = (thread: Thread): number => {
    const { choices } = program[thread.pc]!
    const ways = choices === undefined ? 1 : choices(state, thread)
    return ways === 1 ? 0 : draw(seed, causes.last(thread.id), thread.pc) % ways
  }
  const step = (thread: Thread, way = choose(thread)): void => {
    steps++
    executor.step(program[thread.pc]!, thread, way)
  }
  const settle = Effect.suspend(() => committing === undefined ? Effect.void : Fiber.join(committing))

  const self: Recorder = {
    state,
    program,
    causes,
    get now() {
      return now
    },
    set now(t) {
      now = t
    },
    head: () => head,
    steps: () => steps,
    isEnabled: (thread) => {
      const { guard } = program[thread.pc]!
      return guard === undefined || guard(state, thread)
    },
    step,
    complete: (thread, written) => {
      already = [...written]
      step(thread)
    },
    block: (thread, actor) => executor.emit.Blocked(thread.id, actor),
    call: (thread, op) => executor.step(calling(op), thread, 0),
    lastReturn: (thread) => returns[thread]!,
    isFull: () => batch.size >= COMMIT_EVERY,
    commit: Effect.andThen(
      settle,
      Effect.sync(() => {
        committing = Effect.runForkWith(live)(batch.commit)
      })
    ),
    close: Effect.andThen(settle, Effect.asVoid(batch.commit))
  }
  return self
})

/** The step of a thread that is told what to do. */
const calling = (op: OpCode): Step => ({
  label: "idle",
  actor: atSelf,
  to: () => [entryOf(op.op)],
  run: (_s, t, emit) => {
    emit.Called(t.id, op.op, op.a, op.b, op.c)
    return entryOf(op.op)
  }
})

/** Checks that a step does again what the log says it did, and returns the position. */
const skip = (already: Array<Written>, data: Event): number => {
  const { event, seq } = already.shift()!
  if (JSON.stringify(event) === JSON.stringify(data)) return seq
  throw new Error(`event #${seq} is ${JSON.stringify(event)}, and the step does ${JSON.stringify(data)}`)
}

const streamNames = (state: State) => ({
  mn: "mn/0",
  mmu: "mmu/0",
  audit: "audit/0",
  gpcs: state.gpcs.map((gpc) => `gpc/${gpc.id}`),
  threads: state.geo.world.threads.map((thread) => thread.name)
})
