/**
 * What a thread that cannot go on waits for.
 *
 * Read from the label of its next step: each label's guard is one lock, one queue or one counter.
 *
 * @since 0.1.0
 */
import { LABELS } from "@pfnscope/protocol"
import type { Label, State } from "@pfnscope/protocol"

/**
 * What is waited for: a lock by its name (of a cache, where `gpc` is not -1; for writing, readers keep it too), the
 * invalidations in flight, or the readers of an SRCU index. `text` is how it is called.
 *
 * @category models
 * @since 0.1.0
 */
export type Obstacle =
  | {
    readonly kind: "lock"
    readonly lock: string
    readonly gpc: number
    readonly write: boolean
    readonly text: string
  }
  | { readonly kind: "invalidations"; readonly text: string }
  | { readonly kind: "srcu"; readonly index: number; readonly text: string }

const kvmLock = (lock: string, text = lock): Obstacle => ({ kind: "lock", lock, gpc: -1, write: true, text })

const gpcLock = (gpc: number, write: boolean): Obstacle => ({
  kind: "lock",
  lock: "gpc->lock",
  gpc,
  write,
  text: `the lock of gpc/${gpc}`
})

/**
 * What the guard of a thread's next step is about, met or not; undefined where the step has none.
 *
 * @category queries
 * @since 0.1.0
 */
export const obstacleOf = (s: State, thread: number): Obstacle | undefined => {
  const t = s.threads[thread]!
  switch (LABELS[t.pc] as Label) {
    case "mmap.read":
    case "mmap.write":
    case "fault":
    case "gup":
      return kvmLock("mmap_lock")
    case "start.count":
    case "end.count":
    case "retry.wait":
    case "swap.wait":
      return kvmLock("mn_invalidate_lock")
    case "start.gpc_lock":
    case "end.gpc_lock":
    case "activate.gpc_lock":
    case "deactivate.gpc_lock":
      return kvmLock("gpc_lock", "kvm->gpc_lock")
    case "slots.lock":
      return kvmLock("slots_lock")
    case "start.visit":
    case "start.invalidate":
    case "end.visit":
    case "end.invalidate":
      return gpcLock(t.cursor, true)
    case "refresh.lock":
    case "activate.lock":
    case "deactivate.lock":
      return { kind: "lock", lock: "gpc->refresh_lock", gpc: t.a, write: true, text: `the refresh_lock of gpc/${t.a}` }
    case "refresh.write":
    case "refresh.error":
    case "retry.relock":
    case "retry.relock_inner":
    case "activate.active":
    case "deactivate.clear":
      return gpcLock(t.a, true)
    case "use.enter":
      return gpcLock(t.a, false)
    case "retry.sleep":
    case "swap.sleep":
      return { kind: "invalidations", text: "the invalidations in flight" }
    case "swap.drain":
      return { kind: "srcu", index: 1 - s.kvm.srcuIndex, text: "the readers in kvm->srcu" }
    default:
      return undefined
  }
}
