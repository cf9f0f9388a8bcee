/**
 * Test support: an interleaving, written down as the rows of a two-column table and run row by row.
 *
 * ```ts
 * const s = stage(world([thread("vcpu/0", refresh), thread("mm/0", madvise(U))], { memory: "slots" }), mainline612)
 * s.run("vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done")
 * assert.deepStrictEqual(s.violated(), [])
 * ```
 *
 * @since 0.1.0
 */
import type { Event, EventOf, EventTag } from "./event.ts"
import { execute, toEvent } from "./execute.ts"
import { L } from "./label.ts"
import type { Label } from "./label.ts"
import type { Policy } from "./policy.ts"
import { isDone, isEnabled, programOf } from "./program.ts"
import { initialState } from "./state.ts"
import type { State, Thread } from "./state.ts"
import type { Program, Step } from "./step.ts"
import type { GpcConfig, Op, World } from "./world.ts"

type ThreadConfig = World["threads"][number]

/** A row: a thread runs (one step at least) until it stands at a label, is blocked there, or has done all it was asked. */
export type Row = `${string} to ${Label}` | `${string} blocked at ${Label}` | `${string} done` | `${string} once`

/** A world on its way through an interleaving. */
export interface Stage {
  readonly state: State
  /** Runs rows; throws where a thread does not do what its row says. */
  readonly run: (...rows: ReadonlyArray<Row>) => void
  /** Runs a row as far as it goes, and tells whether the thread did what it says. */
  readonly reaches: (row: Row) => boolean
  /** The events of one kind that were seen. */
  readonly seen: <K extends EventTag>(tag: K) => ReadonlyArray<EventOf<K>>
  /** All events, in order. */
  readonly events: () => ReadonlyArray<Event>
  /** The names of all events, in order. */
  readonly trail: () => ReadonlyArray<EventTag>
  /** What was violated and at which event, each once: `["P4 at Published"]`. */
  readonly violated: () => ReadonlyArray<string>
}

/** Puts a world on stage, under a policy or a program made of one. */
export const stage = (world: World, protocol: Policy | Program): Stage => {
  const program = "name" in protocol ? programOf(protocol) : protocol
  const events: Array<Event> = []
  const violations = new Set<string>()
  const executor = execute(initialState(world), {
    event: (...event) => events.push(toEvent(...event)),
    violated: (property) => violations.add(`${property} at ${events.at(-1)!._tag}`)
  })
  const { state } = executor
  const advance = (t: Thread, arrived: () => boolean): string | undefined => {
    for (let steps = 0; steps === 0 || !arrived(); steps++) {
      const { label } = program[t.pc]
      if (!isEnabled(program, state, t)) return `it is blocked at ${label}`
      if (steps === 1000) return `it does not get there, it is at ${label}`
      executor.step(program[t.pc], t, 0)
    }
    return undefined
  }
  /** Runs a row; the answer is what went wrong. */
  const play = (row: Row): string | undefined => {
    const [name, verb, ...at] = row.split(" ")
    const t = state.threads[world.threads.findIndex((thread) => thread.name === name)]
    const arrived = () => t.pc === L[at.at(-1) as Label]
    if (verb === "once") return advance(t, () => true)
    if (verb === "done") return isDone(state, t) ? undefined : advance(t, () => isDone(state, t))
    if (verb === "to") return advance(t, arrived)
    const wrong = arrived() ? undefined : advance(t, arrived)
    return wrong ?? (isEnabled(program, state, t) ? "it is not blocked" : undefined)
  }
  return {
    state,
    run: (...rows) => {
      for (const row of rows) {
        const wrong = play(row)
        if (wrong !== undefined) throw new Error(`"${row}": ${wrong}`)
      }
    },
    reaches: (row) => play(row) === undefined,
    seen: <K extends EventTag>(tag: K) => events.filter((event): event is EventOf<K> & Event => event._tag === tag),
    events: () => events,
    trail: () => events.map((event) => event._tag),
    violated: () => [...violations]
  }
}

/** Rounds of a storm that are enough to call a refresh starved. */
export const ROUNDS = 20

/**
 * How many rounds of a storm the refresh of vcpu/0 does not get through. In each it looks the page up, the storm goes
 * on, and it decides; a refresh that waits lets the round pass.
 */
export const starvation = (s: Stage, ...storm: ReadonlyArray<Row>): number => {
  for (let round = 0; round < ROUNDS; round++) {
    const mapped = s.reaches("vcpu/0 to retry.relock")
    s.run(...storm)
    if (!mapped || !s.reaches("vcpu/0 to retry.decide")) continue
    s.run("vcpu/0 once")
    if (s.seen("Published").length > 0) return round
  }
  return ROUNDS
}

/** A program with one step changed: a guard taken away, another order. */
export const changed = (protocol: Policy | Program, label: Label, part: Partial<Step>): Program =>
  ("name" in protocol ? programOf(protocol) : protocol).map((step) =>
    step.label === label ? { ...step, ...part } : step
  )

/** Bytes in a page. */
export const PAGE = 0x1000
/** The page that the cache maps. */
export const U = 0x40_0000
/** A page below it. */
export const LOW = 0x20_0000
/** A page above it. */
export const HIGH = 0x60_0000

/** The guest address of a page that a memslot covers. */
export const guest = (hva: number): number => hva + 0x1000_0000

/**
 * A world of three pages, `LOW` < `U` < `HIGH`, and one cache at `U`.
 *
 * `slots`: a memslot covers each page, and the cache is given by guest address; `heap`: no memslot covers any, and it
 * is given by host address; `heap-around`: a memslot covers `U` only.
 */
export const world = (
  threads: ReadonlyArray<ThreadConfig>,
  { gpc = "remap", memory = "slots" }: {
    readonly gpc?: (typeof GpcConfig.Type)["state"]
    readonly memory?: "slots" | "heap" | "heap-around"
  } = {}
): World => ({
  pageSize: PAGE,
  areas: [LOW, U, HIGH].map((hva) => ({ hva, pages: 1, populated: true })),
  memslots: (memory === "slots" ? [LOW, U, HIGH] : memory === "heap" ? [] : [U])
    .map((hva) => ({ gpa: guest(hva), hva, pages: 1, state: "present" })),
  gpcs: [memory === "heap" ? { uhva: U, state: gpc } : { gpa: guest(U), state: gpc }],
  threads,
  spareFrames: 9
})

/** A thread that does some operations once. */
export const thread = (name: string, ...ops: ReadonlyArray<Op>): ThreadConfig => ({ name, ops, repeat: 1 })

/** A thread that does some operations for ever. */
export const forever = (name: string, ...ops: ReadonlyArray<Op>): ThreadConfig => ({ name, ops, repeat: 0 })

/** madvise(DONTNEED) of one page. */
export const madvise = (hva: number, free: "before-end" | "after-end" = "before-end"): Op => ({
  _tag: "madvise",
  start: hva,
  end: hva + PAGE,
  free
})

/** kvm_gpc_refresh. */
export const refresh: Op = { _tag: "gpc_refresh", gpc: 0 }

/** One look at the cache: lock for reading, check, access, unlock. */
export const read: Op = { _tag: "gpc_read", gpc: 0 }
