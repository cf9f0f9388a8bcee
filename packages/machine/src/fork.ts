/**
 * Forking a run: what it was up to a position, and from there on under another policy.
 *
 * The step that the position is in the middle of is finished as the run did it. What is under way then, a refresh or an
 * invalidation, goes on from where it stands: of what is found wrong with that, the change of policy may be the cause.
 *
 * @since 0.1.0
 */
import type { Envelope, Journal, ReadError } from "@pfnscope/journal"
import { traveller } from "@pfnscope/projections"
import { L, LABELS, labelsOf, programOf } from "@pfnscope/protocol"
import type { Event, Policy, State } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { EventLog } from "./eventLog.ts"
import type { RunHeader } from "./eventLog.ts"
import { recover, runHeaderOf } from "./machine.ts"

/** A thread stands at a step that the other policy has not. @category errors @since 0.1.0 */
export class NoSuchStep extends Schema.TaggedError<NoSuchStep>()("NoSuchStep", {
  seq: Schema.Int,
  thread: Schema.String,
  label: Schema.String,
  policy: Schema.String
}) {
  override get message(): string {
    return `after #${this.seq} ${this.thread} is at ${this.label}, a step that ${this.policy} does not have: ` +
      "expected a position where it is not"
  }
}

/** The run is shorter than that. @category errors @since 0.1.0 */
export class BeyondRun extends Schema.TaggedError<BeyondRun>()("BeyondRun", { seq: Schema.Int, head: Schema.Int }) {
  override get message(): string {
    return `fork at #${this.seq}: expected a position of the run, which ends at #${this.head}`
  }
}

/** Where a run is to be forked, what its log is called, the policy from there on, and when to end (the run's own time when not given). @category models @since 0.1.0 */
export interface ForkOptions {
  readonly name: string
  readonly seq: number
  readonly policy: Policy
  readonly until?: number | undefined
}

/**
 * The header of a fork: the run's, under the other policy, and where it comes from. Refuses a position at which a thread is
 * inside an operation at a step that the policy does not have.
 *
 * @category constructors
 * @since 0.1.0
 */
export const forkHeader = Effect.fn("Machine.forkHeader")(function*(source: Journal<Event>, options: ForkOptions) {
  const run = yield* runHeaderOf(source)
  const { hash, seq: head } = yield* source.head
  const { name: log, policy, seq, until = run.until } = options
  if (seq > head) return yield* new BeyondRun({ seq, head })
  const at = traveller(run.world)
  yield* Stream.runForEachArray(
    wholeSteps(source, seq),
    (chunk) => Effect.sync(() => chunk.forEach((event) => at.advance(event)))
  )
  const stranger = strangerTo(at.state, policy)
  if (stranger !== undefined) return yield* new NoSuchStep({ seq, policy: policy.name, ...stranger })
  return { ...run, policy, until, from: { log, hash, seq, policy: run.policy.name } } satisfies RunHeader
})

/**
 * A machine that goes on where a run was; the journal must be empty, and of a header by {@link forkHeader}. It gets the
 * run's events up to the position first.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fork = Effect.fn("Machine.fork")(function*(source: Journal<Event>, header: RunHeader) {
  const log = yield* EventLog
  const seq = header.from?.seq ?? 0
  yield* Stream.runForEachArray(wholeSteps(source, seq), (chunk) => log.append(chunk))
  return yield* recover({ lastStepIsWhole: true })
})

/** The events up to a position, and the rest of the step that it is in. */
const wholeSteps = (source: Journal<Event>, seq: number): Stream.Stream<Envelope<Event>, ReadError> =>
  Stream.suspend(() => {
    let ended = true
    return Stream.takeWhile(source.read(), ({ data, seq: at }) => {
      const isAudit = data._tag === "PropertyViolated"
      if (at > seq && ended && !isAudit) return false
      ended = data.to !== undefined || data._tag === "Blocked" || (ended && isAudit)
      return true
    })
  })

/** A thread inside an operation that has no such step under the policy. */
const strangerTo = ({ geo, threads }: State, policy: Policy) => {
  const program = programOf(policy)
  const thread = threads.find(({ op, pc }) => pc !== L.idle && !labelsOf(program, op).includes(pc))
  return thread === undefined
    ? undefined
    : { thread: geo.world.threads[thread.id]!.name, label: LABELS[thread.pc]! }
}
