/**
 * A hypothesis: one state that the machine may be in, given what the trace has shown so far.
 *
 * Where the trace leaves open which of two steps came first, and it makes a difference, there are several. They are
 * flat arrays: making one of another is one copy.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { executeUnheard, isEnabled, L, layout } from "@pfnscope/protocol"
import type { Event, Geography, LabelId, Program, Run, State } from "@pfnscope/protocol"

/** A step that was taken on the way to a hypothesis: which, and at which event it was placed. */
export interface Taken {
  readonly before: Taken | undefined
  /** The position of the event that opened its operation. */
  readonly opened: number
  readonly label: LabelId
  readonly event: Envelope<Event>
}

/** One possible state. */
export interface Hypothesis {
  readonly state: State
  readonly run: Run
  /** What is noted of each thread: why it decided for another lap when it did last, a place in RETRY_REASONS. */
  readonly reasons: Int8Array
  /** How many steps each thread has taken in its operation. */
  readonly steps: Int32Array
  /** The last step on the way to it, as far back as it is not told yet. */
  taken: Taken | undefined
}

/** Where the replay is: the event it is at, and which operation runs on a thread. */
export interface Place {
  readonly event: Envelope<Event>
  readonly openedBy: (thread: number) => number
}

/** Makes, copies and compares hypotheses; those that are given back are used again. */
export interface Hypotheses {
  readonly fork: (from: Hypothesis) => Hypothesis
  readonly recycle: (h: Hypothesis) => void
  /** Runs the next step of a thread; false where its guard is not met. */
  readonly step: (h: Hypothesis, thread: number) => boolean
}

const ignore = (): void => {}

/** The first hypothesis, over a state. */
export const hypothesisOf = (state: State): Hypothesis => ({
  state,
  run: executeUnheard(state, ignore),
  reasons: new Int8Array(state.threads.length),
  steps: new Int32Array(state.threads.length),
  taken: undefined
})

/** `place` is asked at every step that is to be remembered; none: no step is. */
export const makeHypotheses = (geo: Geography, program: Program, place: (() => Place) | undefined): Hypotheses => {
  const free: Array<Hypothesis> = []
  const { decide, tests } = { decide: L["retry.decide"], tests: [L["retry.count"], L["retry.seq"]] }
  return {
    fork: (from) => {
      const h = free.pop() ?? hypothesisOf(layout(geo))
      h.state.cells.set(from.state.cells)
      h.reasons.set(from.reasons)
      h.steps.set(from.steps)
      h.taken = from.taken
      return h
    },
    recycle: (h) => {
      free.push(h)
    },
    step: (h, thread) => {
      const t = h.state.threads[thread]!
      if (!isEnabled(program, h.state, t)) return false
      const label = t.pc
      if (label === decide) h.reasons[thread] = t.reason
      h.run(program[label]!, t, 0)
      h.steps[thread]!++
      if (place !== undefined) {
        const { event, openedBy } = place()
        h.taken = { before: h.taken, opened: openedBy(thread), label, event }
      }
      // What was in flight at a test is noted for an audit; no decision reads it, and orders that differ in it are one.
      if (tests.includes(label)) t.inFlight = t.covering = 0
      return true
    }
  }
}

/** Whether two hypotheses are the same state. */
export const isSame = (a: Hypothesis, b: Hypothesis): boolean => {
  const x = a.state.cells
  const y = b.state.cells
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  for (let i = 0; i < a.reasons.length; i++) if (a.reasons[i] !== b.reasons[i]) return false
  return true
}
