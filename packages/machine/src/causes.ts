/**
 * Why an event happened, and what it belongs to: the `cause` and `corr` of its envelope.
 *
 * A fold over the events, fed by the recorder while a machine runs and by the log when it is rebuilt.
 *
 * @since 0.1.0
 */
import type { EmittedTag, Event } from "@pfnscope/protocol"

interface Thread {
  /** Positions: the thread's last event, its operation, its open invalidations, its refresh, what let it go on. */
  last: number
  call: number
  readonly open: Array<number>
  refresh: number
  released: number
}

/** The fold. @category models @since 0.1.0 */
export interface Causes {
  /** The position of the thread's last event. */
  readonly last: (thread: number) => number
  /** What led to an event that the thread is about to write; 0: nothing before it. */
  readonly causeOf: (tag: EmittedTag, thread: number, gpc: number, reason: string) => number
  /** The position of the event that opened the innermost operation the thread is in; 0: none. */
  readonly corrOf: (tag: EmittedTag, thread: number) => number
  /** Takes note of an event at its position. `sleeper` is that of a `Woken`. */
  readonly note: (seq: number, event: Event) => void
  /** The thread goes on because of what was last written. */
  readonly release: (thread: number) => void
}

/**
 * An empty fold for so many threads and caches.
 *
 * @category constructors
 * @since 0.1.0
 */
export const causes = (threads: number, gpcs: number): Causes => {
  const all = Array.from({ length: threads }, (): Thread => ({ last: 0, call: 0, open: [], refresh: 0, released: 0 }))
  const invalidated = new Float64Array(gpcs)
  let head = 0
  let raised = 0
  let bumped = 0

  const retryCause = (gpc: number, reason: string): number =>
    reason === "seq" ? bumped : reason === "flag" ? invalidated[gpc]! : raised

  return {
    last: (thread) => all[thread]!.last,
    corrOf: (tag, thread) => {
      const t = all[thread]!
      if (tag === "Called") return 0
      return t.open.length > 0 ? t.open.at(-1)! : t.refresh > 0 ? t.refresh : t.call
    },
    causeOf: (tag, thread, gpc, reason) => {
      const t = all[thread]!
      switch (tag) {
        case "Called":
          return 0
        case "RangeStartCalled":
          return t.open.at(-1) ?? (t.refresh > 0 ? t.refresh : t.call)
        case "RetryDecided":
          return retryCause(gpc, reason)
        case "PropertyViolated":
          return head
        default:
          return t.released > 0 ? t.released : t.last
      }
    },
    note: (seq, event) => {
      // Several violations can be written at one event: each is caused by that one.
      if (event._tag === "PropertyViolated") return
      const t = all[event.thread]!
      head = seq
      t.last = seq
      if (event._tag !== "Blocked") t.released = 0
      switch (event._tag) {
        case "Called":
          t.call = seq
          break
        case "RangeStartCalled":
          t.open.push(seq)
          break
        case "EndReturned":
          t.open.pop()
          break
        case "RefreshEntered":
          t.refresh = seq
          break
        case "RefreshReturned":
          t.refresh = 0
          break
        case "CountIncremented":
          raised = seq
          break
        case "SeqBumped":
        case "GpcSeqBumped":
          bumped = seq
          break
        case "GpcInvalidated":
          invalidated[event.gpc] = seq
          break
        case "Woken":
          all[event.sleeper]!.released = seq
          break
        default:
      }
    },
    release: (thread) => {
      all[thread]!.released = head
    }
  }
}
