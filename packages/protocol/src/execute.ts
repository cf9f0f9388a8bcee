/**
 * Runs steps against a state: the wiring between a step, the events it emits, the state they change and whoever
 * listens.
 *
 * The machine's fibers, the checker and the tests all run steps through here.
 *
 * @since 0.1.0
 */
import { EMITTED, makeEvent } from "./event.ts"
import type { Emit, EmittedTag, Event, PropertyId } from "./event.ts"
import { Evolve } from "./evolve.ts"
import type { LabelId } from "./label.ts"
import { judgeMove, JUDGES } from "./property.ts"
import type { Report } from "./property.ts"
import type { State, Thread } from "./state.ts"
import type { Step } from "./step.ts"

/** Hears of every event after it has changed the state, and of every violation. @category models @since 0.1.0 */
export interface Listener {
  /** `to` is the label the thread goes to, on a step's last event; otherwise -1. */
  readonly event: (tag: EmittedTag, thread: number, a: number, b: number, c: number, d: number, to: LabelId) => void
  readonly violated: (property: PropertyId, thread: number, gpc: number) => void
}

/** A way to run steps: {@link Executor.step} runs one and moves its thread. @category models @since 0.1.0 */
export interface Executor {
  readonly state: State
  /** Writes an event that belongs to no step of the program, such as `Blocked`. */
  readonly emit: Emit
  readonly step: (step: Step, thread: Thread, choice: number) => void
}

/**
 * An executor that tells a listener of every event and violation.
 *
 * An event is held back until the next one comes or the step is over, because the last one carries where the thread
 * went; the state is changed at once, so that a step reads what it wrote.
 *
 * @category constructors
 * @since 0.1.0
 */
export const execute = (state: State, listener: Listener): Executor => {
  const held = { tag: "Called" as EmittedTag, thread: 0, a: 0, b: 0, c: 0, d: 0, is: false }
  const violations: Array<{ readonly property: PropertyId; readonly gpc: number }> = []
  const report = (property: PropertyId, gpc: number) => {
    violations.push({ property, gpc })
  }
  const release = (to: LabelId) => {
    if (!held.is) return
    held.is = false
    listener.event(held.tag, held.thread, held.a, held.b, held.c, held.d, to)
    while (violations.length > 0) {
      const { gpc, property } = violations.shift()!
      listener.violated(property, held.thread, gpc)
    }
  }
  const evolve = judged(state, report)
  const emit = Object.fromEntries(EMITTED.map((tag) => {
    const write = (evolve[tag] as Write).bind(evolve)
    return [tag, (thread: number, a = 0, b = 0, c = 0, d = 0): void => {
      release(-1)
      write(thread, a, b, c, d)
      held.tag = tag
      held.thread = thread
      held.a = a
      held.b = b
      held.c = c
      held.d = d
      held.is = true
    }]
  })) as unknown as Emit
  return {
    state,
    emit: loose(emit, () => release(-1)),
    step: (step, thread, choice) => {
      const to = step.run(state, thread, emit, choice)
      if (!held.is) throw new Error(`step ${step.label} emitted nothing`)
      evolve.moved(thread.id, to)
      judgeMove(state, report, thread.id)
      release(to)
    }
  }
}

type Write = (thread: number, a: number, b: number, c: number, d: number) => void

/** Writes events to a state, and judges those at which a property is judged. */
const judged = (state: State, report: Report): Evolve => {
  const evolve = new Evolve(state)
  const judging = Object.entries(JUDGES).map(([tag, judge]) => {
    const write = (evolve[tag as EmittedTag] as Write).bind(evolve)
    return [tag, (thread: number, a = 0, b = 0, c = 0, d = 0): void => {
      write(thread, a, b, c, d)
      judge(state, report, thread, a, b, c, d)
    }]
  })
  return Object.assign(evolve, Object.fromEntries(judging))
}

/** Runs one step and moves its thread. @category models @since 0.1.0 */
export type Run = (step: Step, thread: Thread, choice: number) => void

/**
 * Runs steps of which nobody hears: for whoever tries very many and asks only where they lead and what they violate.
 *
 * @category constructors
 * @since 0.1.0
 */
export const executeUnheard = (state: State, report: Report): Run => {
  const evolve = judged(state, report)
  return (step, thread, choice) => {
    evolve.moved(thread.id, step.run(state, thread, evolve, choice))
    judgeMove(state, report, thread.id)
  }
}

/** An `emit` whose events are released at once: they end no step. */
const loose = (emit: Emit, release: () => void): Emit =>
  Object.fromEntries(EMITTED.map((tag) => {
    const write = emit[tag] as (thread: number, ...fields: ReadonlyArray<number>) => void
    return [tag, (thread: number, ...fields: ReadonlyArray<number>): void => {
      write(thread, ...fields)
      release()
    }]
  })) as unknown as Emit

const MAKERS = Object.fromEntries(EMITTED.map((tag) => [tag, makeEvent(tag)])) as {
  readonly [K in EmittedTag]: ReturnType<typeof makeEvent>
}

/**
 * Makes the object form of an event that a listener was told of; `to` is a label's number, or -1.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toEvent = (
  tag: EmittedTag,
  thread: number,
  a: number,
  b: number,
  c: number,
  d: number,
  to: LabelId
): Event => MAKERS[tag](thread, a, b, c, d, to)
