/**
 * The replays of a trace's VMs: which of them an event concerns, and what is done with it there.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event, EventTag } from "@pfnscope/protocol"
import type { Facts } from "./facts.ts"
import * as invalidation from "./on-invalidation.ts"
import * as refresh from "./on-refresh.ts"
import * as use from "./on-use.ts"
import { Replay } from "./replay.ts"
import type { Replayed, Seen } from "./replay.ts"

type Handlers = { readonly [K in EventTag]?: (r: Replay, event: Seen<K>) => void }

const HANDLERS: Handlers = {
  RangeStartCalled: invalidation.rangeStartCalled,
  CountIncremented: invalidation.countIncremented,
  GpcInvalidated: invalidation.gpcInvalidated,
  WalkReturned: invalidation.walkReturned,
  MmuLockHeld: invalidation.mmuLockHeld,
  StartReturned: invalidation.startReturned,
  EndCalled: invalidation.endCalled,
  SeqBumped: invalidation.seqBumped,
  GpcSeqBumped: invalidation.gpcSeqBumped,
  CountDecremented: invalidation.countDecremented,
  EndReturned: invalidation.endReturned,
  RefreshEntered: refresh.refreshEntered,
  Translated: refresh.translated,
  ValidCleared: refresh.validCleared,
  Snapshotted: refresh.snapshotted,
  PfnResolved: refresh.pfnResolved,
  RetryTested: refresh.retryTested,
  RetryDecided: refresh.retryDecided,
  Published: refresh.published,
  MappingKept: refresh.mappingKept,
  RefreshFailed: refresh.refreshFailed,
  RefreshReturned: refresh.refreshReturned,
  Checked: use.checked,
  GuestFaulted: (r, event) => use.guestFaultJudged(r, event, "none"),
  GuestFaultRetried: (r, event) => use.guestFaultJudged(r, event, event.data.reason),
  GpcSeen: use.gpcSeen,
  Activated: use.activated,
  Deactivated: use.deactivated,
  Called: use.called,
  Returned: use.returned,
  SwapWaited: use.swapWaited,
  MemslotsSwapped: use.memslotsSwapped,
  GenerationChanged: use.generationChanged
}

/** The replays of a trace's VMs, each by the stream of its notifier. */
export interface Replays {
  readonly facts: Facts
  readonly byVm: ReadonlyMap<string, Replay>
  /** The VM that each task was seen with last. */
  readonly tasks: Map<number, Replay>
}

export const replaysOf = (replayed: Omit<Replayed, "caches">): Replays => {
  const { facts } = replayed
  return {
    facts,
    byVm: new Map([...facts.vms].map((vm) => [vm, new Replay({ ...replayed, caches: facts.caches })])),
    tasks: new Map()
  }
}

/** The replay that an event concerns: of the VM whose stream it is in, of the VM of its cache, or of its task's. */
export const replayOf = (replays: Replays, event: Envelope<Event>): Replay | undefined => {
  const gpc = "gpc" in event.data ? replays.facts.vmOf.get(event.data.gpc) : undefined
  const named = replays.byVm.get(event.stream) ?? (gpc === undefined ? undefined : replays.byVm.get(gpc))
  if (named !== undefined) replays.tasks.set(event.data.thread, named)
  return named ?? replays.tasks.get(event.data.thread) ?? replays.byVm.values().next().value
}

/** Takes an event into account; gives the replay that it concerned. */
export const takeInto = (replays: Replays, event: Envelope<Event>): Replay | undefined => {
  if (event.data._tag === "EventsLost") { for (const replay of replays.byVm.values()) replay.forget() }
  const replay = replayOf(replays, event)
  const handler = HANDLERS[event.data._tag] as ((r: Replay, event: Envelope<Event>) => void) | undefined
  if (replay === undefined || handler === undefined) return replay
  replay.at(event)
  handler(replay, event)
  replay.seen(event)
  return replay
}
