/**
 * A step is one critical section of the kernel: it runs at one actor (the owner of the lock), reads that actor's state
 * and the calling thread's registers, and changes state only by emitting events.
 *
 * @since 0.1.0
 */
import type { Emit } from "./event.ts"
import { L } from "./label.ts"
import type { Label, LabelId } from "./label.ts"
import type { State, Thread } from "./state.ts"

/**
 * An actor's number: 0 the primary MMU, 1 the KVM notifier, then the caches, then the threads.
 *
 * @category models
 * @since 0.1.0
 */
export type ActorId = number

/** The primary MMU. @category constants @since 0.1.0 */
export const MMU: ActorId = 0

/** The KVM notifier: `struct kvm`. @category constants @since 0.1.0 */
export const KVM: ActorId = 1

/** The actor of a cache. @category constructors @since 0.1.0 */
export const gpcActor = (gpc: number): ActorId => 2 + gpc

/** The actor of a thread. @category constructors @since 0.1.0 */
export const threadActor = (state: State, thread: number): ActorId => 2 + state.gpcs.length + thread

/**
 * One step.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly label: Label
  /** Where it runs: may read the thread's registers and what never changes, nothing else. */
  readonly actor: (s: State, t: Thread) => ActorId
  /** Whether it can run now; absent: always. A thread whose guard is not met waits in the actor. */
  readonly guard?: (s: State, t: Thread) => boolean
  /** How many ways it can go (absent: one); which is a choice of the run. */
  readonly choices?: (s: State, t: Thread) => number
  /** Every label that `run` can return for a thread that is at the operation `op`. */
  readonly to: (op: number) => ReadonlyArray<LabelId>
  /** Emits at least one event and returns the label the thread goes to. */
  readonly run: (s: State, t: Thread, emit: Emit, choice: number) => LabelId
}

/** The steps of a policy, by label. @category models @since 0.1.0 */
export type Program = ReadonlyArray<Step>

/** A set of steps by label, as the files of this package write them. @category models @since 0.1.0 */
export type Steps = { readonly [K in Label]?: Omit<Step, "label"> }

/** A step that leads to the same labels whatever the operation. @category constructors @since 0.1.0 */
export const to = (...labels: ReadonlyArray<Label>): Step["to"] => {
  const ids = labels.map((label) => L[label])
  return () => ids
}

/** At the primary MMU. @category constructors @since 0.1.0 */
export const atMmu = (): ActorId => MMU

/** At the KVM notifier. @category constructors @since 0.1.0 */
export const atKvm = (): ActorId => KVM

/** At the thread itself. @category constructors @since 0.1.0 */
export const atSelf = (s: State, t: Thread): ActorId => threadActor(s, t.id)

/** At the cache the thread's operation is about: its first argument. @category constructors @since 0.1.0 */
export const atGpc = (_s: State, t: Thread): ActorId => gpcActor(t.a)

/** At the cache the thread's walk has come to. @category constructors @since 0.1.0 */
export const atCursor = (_s: State, t: Thread): ActorId => gpcActor(t.cursor)
