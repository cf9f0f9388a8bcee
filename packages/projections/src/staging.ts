/**
 * Test support: a world played row by row (or by drawn numbers), as the log that a run would have written.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import {
  execute,
  hashState,
  initialState,
  isDone,
  isEnabled,
  L,
  ownerOf,
  programOf,
  PROPERTY_IDS,
  toEvent
} from "@pfnscope/protocol"
import type { Event, Label, Op, Policy, State, Thread, World } from "@pfnscope/protocol"
import { logOf } from "./log.ts"
import type { Log } from "./log.ts"

/** Bytes of a page, the page of the cache, and one above it. */
export const PAGE = 0x1000
export const U = 0x40_0000
export const HIGH = 0x60_0000

/** A played world: its log, its events, and the hash of the state after each (from position 0). */
export interface Played {
  readonly log: Log<never>
  readonly events: ReadonlyArray<Envelope<Event>>
  readonly hashes: ReadonlyArray<string>
}

interface Stage {
  readonly state: State
  readonly step: (t: Thread) => void
  readonly canStep: (t: Thread) => boolean
  readonly block: (t: Thread) => void
  readonly played: () => Played
}

/** One event every 100 ns, from 1 us on. */
const timeOf = (seq: number): number => 1_000 + 100 * seq

const stage = (world: World, policy: Policy): Stage => {
  const state = initialState(world)
  const program = programOf(policy)
  const events: Array<Envelope<Event>> = []
  const hashes = [hashState(state)]
  const revisions = new Map<string, number>()
  const write = (data: Event): void => {
    const owner = ownerOf(data._tag)
    const named = owner === "thread" ? world.threads[data.thread]!.name : `${owner}/0`
    const stream = owner === "gpc" && "gpc" in data ? `gpc/${data.gpc}` : named
    const rev = (revisions.get(stream) ?? 0) + 1
    const seq = events.length + 1
    revisions.set(stream, rev)
    const cause = data._tag === "PropertyViolated" ? { cause: seq - 1 } : {}
    events.push({ seq, stream, rev, type: data._tag, version: 1, t: timeOf(seq), ...cause, how: "simulated", data })
    hashes.push(hashState(state))
  }
  const executor = execute(state, {
    event: (...event) => write(toEvent(...event)),
    violated: (property, thread, gpc) =>
      write(toEvent("PropertyViolated", thread, PROPERTY_IDS.indexOf(property), gpc, 0, 0, -1))
  })
  return {
    state,
    step: (t) => executor.step(program[t.pc]!, t, 0),
    canStep: (t) => isEnabled(program, state, t) && !isDone(state, t),
    block: (t) => executor.emit.Blocked(t.id, program[t.pc]!.actor(state, t)),
    played: () => ({ log: logOf({ world }, events), events, hashes })
  }
}

/** A row: a thread runs until it stands at a label, is blocked, or has done all it was asked. */
export type Row = `${string} to ${Label}` | `${string} blocks` | `${string} done`

/** Steps that are enough for any row. */
const ENOUGH = 10_000

/** Plays rows; throws where a thread does not do what its row says. */
export const play = (world: World, policy: Policy, ...rows: ReadonlyArray<Row>): Played => {
  const { block, canStep, played, state, step } = stage(world, policy)
  for (const row of rows) {
    const [name, verb, label] = row.split(" ")
    const t = state.threads[world.threads.findIndex((thread) => thread.name === name)]!
    const to = L[label as Label]
    let steps = 0
    const isThere = () => verb === "to" && t.pc === to && steps > 0
    while (canStep(t) && !isThere()) {
      if (++steps > ENOUGH) throw new Error(`"${row}": it does not get there`)
      step(t)
    }
    if (verb === "blocks" && !isDone(state, t)) block(t)
    else if (verb === "to" ? t.pc !== to : !isDone(state, t)) throw new Error(`"${row}": it cannot go on`)
  }
  return played()
}

/** Plays as many steps as there are numbers: each picks one of the threads that can go on. */
export const playDrawn = (world: World, policy: Policy, drawn: ReadonlyArray<number>): Played => {
  const { canStep, played, state, step } = stage(world, policy)
  for (const n of drawn) {
    const able = state.threads.filter(canStep)
    if (able.length > 0) step(able[n % able.length]!)
  }
  return played()
}

/** One cache at `U`, in no memslot unless `slots`, and the threads by name with what they do (`times` 0: for ever). */
export const worldOfThreads = (
  threads: Readonly<Record<string, readonly [times: number, ...ops: ReadonlyArray<Op>]>>,
  { slots = false } = {}
): World => ({
  pageSize: PAGE,
  areas: [U, HIGH].map((hva) => ({ hva, pages: 1, populated: true })),
  memslots: slots ? [{ gpa: 0x1000_0000, hva: U, pages: 1, state: "present" }] : [],
  gpcs: [slots ? { gpa: 0x1000_0000, state: "active" } : { uhva: U, state: "active" }],
  threads: Object.entries(threads).map(([name, [repeat, ...ops]]) => ({ name, repeat, ops })),
  spareFrames: 16
})

/** madvise(DONTNEED) of one page; what it held is freed before range_end. */
export const zap = (hva: number): Op => ({ _tag: "madvise", start: hva, end: hva + PAGE, free: "before-end" })

/** A use of the cache: check, refresh if need be, access. */
export const use: Op = { _tag: "gpc_use", gpc: 0 }
