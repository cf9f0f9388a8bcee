/**
 * What the world did in a trace, replayed in virtual time under a policy: the same invalidations and requests at the
 * same times, and the policy's own steps to decide.
 *
 * A task does one thing after the other: what keeps it longer than in the trace makes it late for the next. Where two
 * steps have one time, those that the trace has keep its order.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import {
  entryOf,
  execute,
  initialState,
  INVALID_GPA,
  isEnabled,
  L,
  OP,
  ownerOf,
  programOf,
  PROPERTY_IDS,
  toEvent
} from "@pfnscope/protocol"
import type { EmittedTag, Event, LabelId, Policy, Program, State, Step, Thread } from "@pfnscope/protocol"
import type { Facts } from "../conform/facts.ts"
import { placeSlot, showSlots } from "../conform/slots.ts"
import { UPDATED_SLOT, worldOf } from "../conform/world.ts"
import type { Doing, Doings, Moment } from "./doings.ts"
import { paceOf } from "./pace.ts"
import type { LapTimes, Pace } from "./pace.ts"

/** Hears of every event of the simulation. */
export type OnEvent = (event: Envelope<Event>) => void

/** A doing under way. */
interface Running {
  readonly doing: Doing
  readonly thread: Thread
  readonly pace: Pace
  at: Moment
  blocked: boolean
}

/** Threads beside those that the trace kept busy at once: a task that is late meets what it was spared there. */
const MORE_THREADS = 8

/** Frames beside those mapped: a page can be zapped while the frames of its last lives are still referred to. */
const FRAMES_PER_THREAD = 4

const before = (a: Moment, b: Moment): boolean => a.t < b.t || (a.t === b.t && a.order < b.order)

/** Replays the doings of a VM to the end of its trace. */
export const simulate = (doings: Doings, facts: Facts, policy: Policy, typical: LapTimes, onEvent: OnEvent): void => {
  const wide = { ...facts, busiest: facts.busiest + MORE_THREADS }
  const world = worldOf(wide, facts.caches)
  const state = initialState({ ...world, spareFrames: FRAMES_PER_THREAD * world.threads.length + facts.pages.size })
  const program = programOf(policy)
  let now: Moment = { t: 0, order: 0 }
  const executor = execute(state, listener(state, () => now.t, onEvent))
  const free = [...state.threads]
  const running = new Set<Running>()
  const tasks = new Map<number, { busy: boolean; readonly queue: Array<Doing> }>()
  let next = 0

  const taskOf = (task: number) => {
    const known = tasks.get(task) ?? { busy: false, queue: [] }
    tasks.set(task, known)
    return known
  }

  /** Gives a doing to a thread, at its time or as soon as its task is free. */
  const begin = (doing: Doing): void => {
    const thread = free.pop()
    if (thread === undefined) throw new Error("more doings at once than there are threads")
    const shift = Math.max(0, now.t - doing.begun.t)
    const pace = paceOf(doing, shift, typical)
    executor.step(opening(doing), thread, 0)
    const run: Running = { doing, thread, pace, at: pace.next(thread.pc, atLeast(doing.begun, now)), blocked: false }
    running.add(run)
  }

  const arrive = (doing: Doing): void => {
    if (doing.kind === "invalidation" && doing.nested) return begin(doing)
    const task = taskOf(doing.task)
    if (task.busy) return void task.queue.push(doing)
    task.busy = true
    begin(doing)
  }

  const end = (run: Running): void => {
    running.delete(run)
    free.push(run.thread)
    if (run.doing.kind === "invalidation" && run.doing.nested) return
    const task = taskOf(run.doing.task)
    const waiting = task.queue.shift()
    if (waiting === undefined) task.busy = false
    else begin(waiting)
  }

  const step = (run: Running): void => {
    const { thread } = run
    if (!isEnabled(program, state, thread)) {
      run.blocked = true
      return
    }
    takeStep(state, program, run.doing, thread, (taken) => executor.step(taken, thread, 0))
    if (isOver(run.doing, thread.pc)) {
      if (thread.pc !== L.idle) executor.step(LEAVING, thread, 0)
      end(run)
    } else {
      run.at = atLeast(run.pace.next(thread.pc, run.at), now)
    }
    for (const other of running) {
      if (!other.blocked || !isEnabled(program, state, other.thread)) continue
      other.blocked = false
      other.at = atLeast(other.at, now)
    }
  }

  while (true) {
    let first: Running | undefined
    for (const run of running) if (!run.blocked && (first === undefined || before(run.at, first.at))) first = run
    const coming = doings.all[next]
    if (coming !== undefined && (first === undefined || before(coming.begun, first.at))) {
      next++
      now = atLeast(coming.begun, now)
      arrive(coming)
    } else if (first !== undefined && first.at.t <= doings.last.t) {
      now = atLeast(first.at, now)
      step(first)
    } else {
      return
    }
  }
}

const atLeast = (moment: Moment, now: Moment): Moment => moment.t < now.t ? { ...moment, t: now.t } : moment

/** Makes envelopes of what the executor does. */
const listener = (state: State, time: () => number, onEvent: OnEvent) => {
  let seq = 0
  const streams: Readonly<Record<string, string>> = { mn: "mn/0", mmu: "mmu/0", audit: "audit/0" }
  const write = (tag: EmittedTag, thread: number, a: number, b: number, c: number, d: number, to: LabelId): void => {
    const owner = ownerOf(tag)
    const stream = owner === "gpc" ? `gpc/${a}` : streams[owner] ?? state.geo.world.threads[thread]!.name
    const data = toEvent(tag, thread, a, b, c, d, to)
    seq++
    onEvent({ seq, stream, rev: seq, type: tag, version: 1, t: time(), how: "simulated", data })
  }
  return {
    event: write,
    violated: (property: (typeof PROPERTY_IDS)[number], thread: number, gpc: number) =>
      write("PropertyViolated", thread, PROPERTY_IDS.indexOf(property), gpc, 0, 0, -1)
  }
}

/** What an invalidation does to its pages: what unmaps them, drops them; what only protects them, nothing. */
const dropsPages = (event: string): boolean => event === "UNMAP" || event === "CLEAR" || event === "RELEASE"

/** The operation that a doing is, and where a thread begins it. */
const operationOf = (doing: Doing): { readonly op: number; readonly a: number; readonly b: number; at: LabelId } => {
  switch (doing.kind) {
    case "invalidation": {
      const op = dropsPages(doing.event) ? OP.madvise : OP.thp_split
      return { op, a: doing.start, b: doing.end, at: op === OP.madvise ? entryOf(op) : L["start.count"] }
    }
    case "refresh": {
      const hva = doing.gpa === INVALID_GPA
      const op = hva ? OP.gpc_activate_hva : OP.gpc_activate
      return doing.activates
        ? { op, a: doing.gpc, b: hva ? doing.uhva : doing.gpa, at: L["activate.lock"] }
        : { op: OP.gpc_refresh, a: doing.gpc, b: 0, at: L["refresh.lock"] }
    }
    case "check":
      return { op: OP.gpc_read, a: doing.gpc, b: 0, at: L["use.enter"] }
    case "deactivation":
      return { op: OP.gpc_deactivate, a: doing.gpc, b: 0, at: L["deactivate.lock"] }
    case "update":
      return { op: OP.set_memslot, a: UPDATED_SLOT, b: 0, at: L["slots.lock"] }
  }
}

const opening = (doing: Doing): Step => {
  const { a, at, b, op } = operationOf(doing)
  return {
    label: "idle",
    actor: () => 0,
    to: () => [at],
    run: (_s, t, emit) => {
      emit.Called(t.id, op, a, b, 0)
      return at
    }
  }
}

/** The step by which a thread leaves an operation whose caller's part is not recorded. */
const LEAVING: Step = {
  label: "return",
  actor: () => 0,
  to: () => [L.idle],
  run: (_s, t, emit) => {
    emit.Returned(t.id, t.ret)
    return L.idle
  }
}

/** Whether a doing is over where its thread stands. */
const isOver = (doing: Doing, pc: LabelId): boolean => {
  if (pc === L.idle || pc === L.return || pc === L["srcu.leave"]) return true
  return doing.kind === "invalidation" && !dropsPages(doing.event) && pc === L.finish
}

/** Takes a thread's step, with the memslots and the lookups as the trace has them. */
const takeStep = (state: State, program: Program, doing: Doing, thread: Thread, take: (step: Step) => void): void => {
  const step = program[thread.pc]!
  if (doing.kind === "invalidation" && (step.label === "start.mmu" || step.label === "end.mmu")) {
    const restore = showSlots([state], doing, doing.overlap)
    take(step)
    return restore([state])
  }
  if (doing.kind === "refresh" && step.label === "refresh.slots") {
    placeSlot(state, thread.gpa, doing.unmapped ? -1 : doing.uhva)
  }
  if (doing.kind === "refresh" && step.label === "gup" && doing.laps.at(-1)?.failed === true) return take(FAILING)
  take(step)
}

/** A lookup that failed in the trace fails again. */
const FAILING: Step = {
  label: "gup",
  actor: () => 0,
  to: () => [L["refresh.error"]],
  run: (_s, t, emit) => {
    emit.PfnResolved(t.id, t.hva, -1)
    return L["refresh.error"]
  }
}
