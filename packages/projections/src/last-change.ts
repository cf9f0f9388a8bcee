/**
 * Which event changed a field last: looked for backwards, from checkpoint to checkpoint, since most fields changed not
 * long ago. What has no checkpoints is folded once from its beginning.
 *
 * @since 0.1.0
 */
import type { ActorId, State, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Log } from "./log.ts"
import { atSeq } from "./position.ts"
import { touchedBy } from "./state-view.ts"
import type { Leaf, Value } from "./state-view.ts"
import { states, traveller } from "./time-travel.ts"

/** Events behind `from` (exclusive), up to `to`. @category models @since 0.1.0 */
export interface Span {
  readonly from: number
  readonly to: number
}

/**
 * The position of the event that changed each leaf last, for those that changed in the span.
 *
 * @category queries
 * @since 0.1.0
 */
export const lastChanges = Effect.fn("projections.lastChanges")(
  function*<E>(
    log: Log<E>,
    world: World,
    leaves: ReadonlyArray<Leaf>,
    { from, to }: Span
  ): Effect.fn.Return<ReadonlyMap<Leaf, number>, E> {
    const found = new Map<Leaf, number>()
    for (let end = to, left = leaves; end > from && left.length > 0;) {
      const stop = yield* log.checkpoints?.nearest(states, world, atSeq(end - 1)) ?? Effect.succeedNone
      const at = Option.getOrElse(stop, () => traveller(world))
      const begin = at.seq
      if (begin < from) yield* walk(log, { from: begin, to: from }, at.advance)
      const watched = left.map((leaf) => watch(leaf, at.state))
      const byActor = groupByActor(watched)
      yield* walk(log, { from: Math.max(begin, from), to: end }, (event) => {
        at.advance(event)
        for (const actor of touchedBy(at.state, event.data)) byActor.get(actor)?.forEach(look(at.state, event.seq))
      })
      for (const { leaf, seq } of watched) if (seq > 0) found.set(leaf, seq)
      left = left.filter((leaf) => !found.has(leaf))
      end = begin
    }
    return found
  }
)

type Advance = ReturnType<typeof traveller>["advance"]

const walk = <E>(log: Log<E>, { from, to }: Span, advance: Advance): Effect.Effect<void, E> =>
  Stream.runForEachArray(
    log.read({ from: from + 1, to }),
    (chunk) => Effect.sync(() => chunk.forEach((event) => advance(event)))
  )

/** A leaf on its way through a span. */
interface Watched {
  readonly leaf: Leaf
  now: Value | undefined
  /** The last event that changed it. */
  seq: number
}

const watch = (leaf: Leaf, s: State): Watched => ({ leaf, now: leaf.read(s), seq: 0 })

/** The leaves to look at after an event of an actor: there can be a great many events, and reading a leaf is slow. */
const groupByActor = (watched: ReadonlyArray<Watched>): ReadonlyMap<ActorId, ReadonlyArray<Watched>> => {
  const groups = new Map<ActorId, Array<Watched>>()
  for (const one of watched) {
    for (const actor of one.leaf.actors) {
      const group = groups.get(actor)
      if (group === undefined) groups.set(actor, [one])
      else group.push(one)
    }
  }
  return groups
}

const look = (s: State, seq: number) => (watched: Watched): void => {
  const value = watched.leaf.read(s)
  if (value === watched.now) return
  watched.now = value
  watched.seq = seq
}
