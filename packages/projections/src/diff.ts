/**
 * What changed between two positions of a log, and which event changed each field last.
 *
 * @since 0.1.0
 */
import type { ActorId, State } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { worldOf } from "./log.ts"
import type { Log, NotAWorld } from "./log.ts"
import type { NoSuchPosition, Position } from "./position.ts"
import { leavesOf, pathOf, touchedBy } from "./state-view.ts"
import type { Leaf, Value } from "./state-view.ts"
import { arrived, travel, traveller } from "./time-travel.ts"

/** A changed field; null where it is absent. `seq` is the last event that changed it. @category models @since 0.1.0 */
export interface Change {
  readonly path: string
  readonly before: Value | null
  readonly after: Value | null
  readonly seq: number
}

/** The difference between two positions; `from` is the earlier one. @category models @since 0.1.0 */
export interface Diff {
  readonly from: number
  readonly to: number
  readonly changes: ReadonlyArray<Change>
}

/**
 * Compares the states at two positions, in whichever order they are given.
 *
 * Reads the log up to the later one, and the events between the two a second time.
 *
 * @category queries
 * @since 0.1.0
 */
export const diff = Effect.fn("projections.diff")(
  function*<E>(log: Log<E>, a: Position, b: Position): Effect.fn.Return<Diff, E | NotAWorld | NoSuchPosition> {
    const world = yield* worldOf(log)
    const there = traveller(world)
    const other = traveller(world)
    yield* travel(log, a, there.advance)
    yield* arrived(a, there.seq)
    yield* travel(log, b, other.advance)
    yield* arrived(b, other.seq)
    const [from, to] = there.seq <= other.seq ? [there, other] : [other, there]
    const range = { from: from.seq, to: to.seq }
    const changed = changedLeaves(from.state, to.state)
    if (changed.length === 0) return { ...range, changes: [] }
    const watched = changed.map((leaf) => watch(leaf, from.state))
    const byActor = groupByActor(watched)
    yield* Stream.runForEachArray(log.read({ from: from.seq + 1, to: to.seq }), (chunk) =>
      Effect.sync(() => {
        for (const event of chunk) {
          from.advance(event)
          for (const actor of touchedBy(from.state, event.data)) {
            byActor.get(actor)?.forEach(look(from.state, event.seq))
          }
        }
      }))
    const changes = watched.map(({ before, leaf, now, seq }): Change => ({
      path: pathOf(leaf),
      before: before ?? null,
      after: now ?? null,
      seq
    }))
    return { ...range, changes }
  }
)

/** A leaf on its way from one position to the other. */
interface Watched {
  readonly leaf: Leaf
  readonly before: Value | undefined
  now: Value | undefined
  /** The last event that changed it. */
  seq: number
}

const watch = (leaf: Leaf, s: State): Watched => {
  const before = leaf.read(s)
  return { leaf, before, now: before, seq: 0 }
}

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

/** The leaves that read differently, those of either state. */
const changedLeaves = (a: State, b: State): ReadonlyArray<Leaf> => {
  const all = new Map<string, Leaf>()
  for (const leaf of [...leavesOf(a), ...leavesOf(b)]) {
    const path = pathOf(leaf)
    if (!all.has(path)) all.set(path, leaf)
  }
  return [...all.values()].filter((leaf) => leaf.read(a) !== leaf.read(b))
}
