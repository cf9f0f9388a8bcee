/**
 * One simulated run: a scheduler for Effect's fibers, a virtual clock, and the loop that drives both.
 *
 * How it gets hold of the fibers, with public interfaces only: Effect asks `shouldYield(fiber)` before every primitive,
 * first of all after any wake-up, whoever caused it. A fiber that is not to go on now gets `true`; it then hands its
 * continuation to `scheduleTask` at once, and is parked. Everything else that comes to `scheduleTask` (a fork, a
 * queue's release of its takers) wakes fibers and is run first come, first served, before any choice.
 *
 * So one fiber runs at a time (`active`), from the driver's loop, until it suspends; whoever it wakes waits for its
 * turn. Nothing but the loop in `advance` starts a fiber; what arrives while the loop stands still came from outside.
 *
 * Hot: `shouldYield` runs before every primitive, a turn of `advance` for every wake-up. Measured by bench/hot-loop.ts.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { Naming, nextName } from "./FiberName.ts"
import { addAllReady, addReady, removeReady, removeReadyAt, type SimFiber, TimerHeap } from "./SimFiber.ts"
import { type Blocked, Deadlock, OutsideWakeup, type SimulationError, StepLimit } from "./SimulationError.ts"
import { fifo, type Strategy } from "./Strategy.ts"
import { TaskQueue } from "./TaskQueue.ts"
import { realised } from "./World.ts"

/**
 * What is a choice: every wake-up, or only points and timers; see `RunOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Granularity = "resume" | "point"

/**
 * How far a run is. Once it is not `Running` any more its outcome is decided, what is left is to end the fibers: first
 * main (which ends its children), then all others. Choices are made first come, first served then, and the world does
 * not stand still.
 */
const Running = 0
const EndingMain = 1
const EndingAll = 2
const Over = 3

const ignore = (): void => {}

export class Simulation implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly executionMode = "async"
  readonly moment: { position: number; nowNanos: number; steps: number }

  private readonly outer: Context.Context<never>
  private readonly strategy: Strategy
  private readonly everyWakeup: boolean
  private readonly maxSteps: number
  private stepLimit: number

  private readonly live = new Map<Fiber.Fiber<unknown, unknown>, SimFiber>()
  private readonly names = new Set<string>()
  private main: Fiber.Fiber<unknown, unknown> | undefined
  private phase = Running
  private failure: Exit.Exit<never, SimulationError> | undefined

  /** Wake-ups to be run, in order. */
  private readonly tasks = new TaskQueue()
  /** The choices, by name. */
  private readonly ready: Array<SimFiber> = []
  private readonly timers = new TimerHeap()
  private arrivals = 0

  /** True while `advance` is on the stack. */
  private driving = false
  /** The fiber that runs, or ran last in this turn. */
  private active: SimFiber | undefined
  /** The fiber whose continuation the next `scheduleTask` brings. */
  private yielding: SimFiber | undefined
  /** Collects names instead of letting fibers run; see `stepLimitReached`. */
  private census: Set<string> | undefined

  /** Real work in progress on behalf of fibers, and continuations of those whose work is done. */
  private externals = 0
  private readonly returned = new TaskQueue()
  private outside: OutsideWakeup | undefined
  private quietAt = -1
  /** Called when something arrived while the driver waits. */
  private notify: (() => void) | undefined

  constructor(options: {
    readonly strategy: Strategy
    readonly granularity: Granularity
    readonly startNanos: number
    readonly maxSteps: number
    readonly outer: Context.Context<never>
  }) {
    this.outer = options.outer
    this.strategy = options.strategy
    this.everyWakeup = options.granularity === "resume"
    this.maxSteps = options.maxSteps
    this.stepLimit = options.maxSteps
    this.moment = { position: 0, nowNanos: options.startNanos, steps: 0 }
  }

  // ------------------------------------------------------------------ what Effect's run loop calls

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  flush(): void {
    // Tasks run from the driver's loop only.
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber.currentOpCount === 1) return this.wokenUp(fiber)
    if (fiber.currentOpCount < fiber.cache.maxOpsBeforeYield) return false
    // A fiber that never suspends on its own: let others in, and let its steps count.
    if (this.everyWakeup && this.active?.fiber === fiber) this.yielding = this.active
    return true
  }

  /** `fiber` is about to run its first primitive after a suspension. True parks it. */
  private wokenUp(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    const active = this.active
    if (active !== undefined && active.fiber === fiber) return false
    const entry = this.live.get(fiber) ?? this.admit(fiber)
    if (entry.parked !== "no") this.unpark(entry)
    if (!this.driving) this.arrived(entry.name)
    if (this.census !== undefined) {
      this.census.add(entry.name)
      return true
    }
    if (this.everyWakeup) {
      entry.kind = "woken"
      this.yielding = entry
      return true
    }
    if (active !== undefined || !this.driving) return true
    this.active = entry
    this.moment.steps++
    return false
  }

  scheduleTask(task: () => void): void {
    const entry = this.yielding
    if (entry !== undefined) {
      this.yielding = undefined
      this.parkReady(entry, task)
      return
    }
    if (!this.driving) this.arrived(undefined)
    this.tasks.push(task)
  }

  /** Registers a fiber that is seen for the first time, which is before its first primitive. */
  private admit(fiber: Fiber.Fiber<unknown, unknown>): SimFiber {
    const name = this.freeName(nextName(fiber.getRef(Naming)))
    const entry: SimFiber = {
      fiber,
      name,
      kind: "woken",
      since: 0,
      waitsFor: undefined,
      parked: "no",
      due: 0,
      place: 0,
      resume: ignore
    }
    this.live.set(fiber, entry)
    this.names.add(name)
    fiber.setContext(Context.add(fiber.context, Naming, { base: name, claimed: false, children: 0 }))
    fiber.addObserver(() => {
      this.live.delete(fiber)
      this.names.delete(name)
    })
    return entry
  }

  private freeName(wanted: string): string {
    let name = wanted
    for (let n = 2; this.names.has(name); n++) name = `${wanted}#${n}`
    return name
  }

  // ------------------------------------------------------------------ what the running fiber calls

  /** Parks the running fiber as a choice. */
  point(resume: SimFiber["resume"]): void {
    const entry = this.active!
    entry.kind = "point"
    this.parkReady(entry, resume)
  }

  /** Parks the running fiber for `ns`, after which it is a choice; for ever if that is infinite. */
  sleep(ns: number, resume: SimFiber["resume"]): void {
    if (ns === Infinity) return
    const entry = this.active!
    entry.kind = "timer"
    if (!(ns > 0)) {
      this.parkReady(entry, resume)
      return
    }
    if (entry.parked !== "no") this.unpark(entry)
    entry.parked = "timer"
    entry.resume = resume
    entry.since = ++this.arrivals
    entry.due = this.moment.nowNanos + ns
    this.timers.add(entry)
  }

  /** Notes what the running fiber waits for while it is suspended in `effect`. */
  waiting<A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const entry = this.active!
    const around = entry.waitsFor
    entry.waitsFor = what
    return Effect.onExitPrimitive(effect, () => {
      entry.waitsFor = around
      return undefined
    })
  }

  /**
   * Runs `effect` on the real runtime on behalf of the running fiber, which goes on with its result in the same turn:
   * nothing of the simulation happens in between, unless the run is being ended.
   */
  external<A, E, R>(effect: Effect.Effect<A, E, R>, context: Context.Context<R>): Effect.Effect<A, E> {
    return Effect.callback<A, E>((resume) => {
      const entry = this.active!
      const worker = Effect.runForkWith(realised(context, this.outer))(effect)
      const exit = worker.pollUnsafe()
      if (exit !== undefined) return resume(exit)
      this.externals++
      worker.addObserver((exit) => {
        this.externals--
        this.returned.push(() => {
          this.active = entry
          resume(exit)
        })
        this.wakeDriver()
      })
      return this.external(Fiber.interrupt(worker), context)
    })
  }

  private parkReady(entry: SimFiber, resume: SimFiber["resume"]): void {
    if (entry.parked !== "no") this.unpark(entry)
    entry.parked = "ready"
    entry.resume = resume
    entry.since = ++this.arrivals
    addReady(this.ready, entry)
  }

  private unpark(entry: SimFiber): void {
    if (entry.parked === "ready") removeReady(this.ready, entry)
    else this.timers.remove(entry)
    entry.parked = "no"
  }

  // ------------------------------------------------------------------ what the driver calls

  /** Starts the main fiber, whose context must have this simulation as its scheduler. */
  start<A, E, R>(effect: Effect.Effect<A, E, R>, context: Context.Context<R>): void {
    this.driving = true
    this.main = Effect.runForkWith(context)(effect)
    this.driving = false
  }

  /**
   * Runs up to `turns` turns. `again`: there is more to do, but let the real runtime have its turn; `waiting`: nothing
   * can be done before `arrival`; `over`: every fiber has ended.
   */
  advance(turns: number): "again" | "waiting" | "over" {
    this.driving = true
    let outcome: "again" | "waiting" | "over" | undefined
    for (let left = turns; left > 0 && outcome === undefined; left--) {
      this.active = undefined
      outcome = this.turn()
    }
    this.active = undefined
    this.driving = false
    return outcome ?? "again"
  }

  /** Resumes when something has arrived from the real world. */
  readonly arrival: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const something = this.phase === Running ? this.outside !== undefined : this.tasks.length + this.ready.length > 0
    if (something || this.returned.length > 0) return resume(Effect.void)
    // Not at once: whoever arrived is still in the middle of its wake-up.
    this.notify = () => resume(Effect.yieldNow)
  })

  /** Ends the run from outside: interrupts main, then whatever is left. */
  interrupt(): void {
    if (this.phase === Running) this.endMain()
  }

  /** How the run ended, once it is over. */
  get exit(): Exit.Exit<unknown, unknown> {
    return this.failure ?? this.main!.pollUnsafe()!
  }

  private turn(): "again" | "waiting" | "over" | undefined {
    if (this.returned.length > 0) {
      this.returned.shift()!()
      return undefined
    }
    if (this.phase === Running) {
      if (this.outside !== undefined) return this.fail(this.outside)
      if (this.externals > 0) return "waiting"
    }
    if (this.phase < EndingAll && this.main!.pollUnsafe() !== undefined) return this.endAll()
    if (this.moment.steps >= this.stepLimit && (this.tasks.length + this.ready.length > 0 || this.passTime())) {
      return this.stepLimitReached()
    }
    const task = this.tasks.shift()
    if (task !== undefined) {
      task()
      return undefined
    }
    if (this.ready.length === 0 && !this.passTime()) return this.quiet()
    const next = this.choose()
    if (next === undefined) return undefined
    next.parked = "no"
    this.active = next
    this.moment.steps++
    next.resume(Effect.void)
    return undefined
  }

  /** Takes a fiber out of the ready; none if the strategy gave up. */
  private choose(): SimFiber | undefined {
    const ready = this.ready
    if (ready.length === 1) return ready.pop()
    const strategy = this.phase === Running ? this.strategy : fifo
    const index = strategy.next(ready, this.moment)
    if (typeof index !== "number") return this.fail(index)
    const chosen = ready[index]
    if (chosen === undefined) {
      return this.end(Exit.die(new RangeError(`the strategy chose ${index} of ${ready.length} ready fibers`)))
    }
    this.moment.position++
    removeReadyAt(ready, index)
    return chosen
  }

  /** Moves time to the next timer and puts all that are due then among the choices. False if there is none. */
  private passTime(): boolean {
    let timer = this.timers.first
    if (timer === undefined) return false
    const now = timer.due
    this.moment.nowNanos = now
    this.timers.remove(timer)
    timer.parked = "ready"
    const first = timer
    timer = this.timers.first
    if (timer === undefined || timer.due !== now) {
      addReady(this.ready, first)
      return true
    }
    const due = [first]
    do {
      this.timers.remove(timer)
      timer.parked = "ready"
      due.push(timer)
      timer = this.timers.first
    } while (timer !== undefined && timer.due === now)
    addAllReady(this.ready, due)
    return true
  }

  /** Nobody can run and no timer is pending. */
  private quiet(): "again" | "waiting" | "over" | undefined {
    if (this.externals > 0) return "waiting"
    if (this.live.size === 0) {
      this.phase = Over
      return "over"
    }
    // One turn of the real runtime, so that a wake-up from outside is reported as such and not as a deadlock.
    if (this.quietAt !== this.moment.steps) {
      this.quietAt = this.moment.steps
      return "again"
    }
    const { nowNanos: at, steps } = this.moment
    const deadlock = new Deadlock({ blocked: this.blocked(), at, steps })
    if (this.phase === Running) return this.fail(deadlock)
    if (this.phase === EndingMain) return this.endAll()
    // Uninterruptible and waiting for what will never come.
    return this.abandon(deadlock)
  }

  private blocked(): Array<Blocked> {
    const blocked = Array.from(
      this.live.values(),
      ({ name, waitsFor }): Blocked => waitsFor === undefined ? { fiber: name } : { fiber: name, waitsFor }
    )
    return blocked.sort((a, b) => a.fiber < b.fiber ? -1 : 1)
  }

  /**
   * Who could go on? The choices; and whoever the pending tasks wake, which is found out by running them while every
   * fiber that wakes up parks at once.
   */
  private stepLimitReached(): "over" | undefined {
    const census = new Set(this.ready.map((entry) => entry.name))
    this.census = census
    for (let left = this.tasks.length; left > 0; left--) this.tasks.shift()!()
    this.census = undefined
    const runnable = Array.from(census).sort()
    const error = new StepLimit({ limit: this.maxSteps, runnable, at: this.moment.nowNanos })
    return this.phase === Running ? this.fail(error) : this.abandon(error)
  }

  /** Gives up on fibers that do not end. */
  private abandon(error: SimulationError): "over" {
    this.failure ??= Exit.fail(error)
    this.phase = Over
    return "over"
  }

  private fail(error: SimulationError): undefined {
    return this.end(Exit.fail(error))
  }

  private end(failure: Exit.Exit<never, SimulationError>): undefined {
    this.failure = failure
    return this.endMain()
  }

  private endMain(): undefined {
    this.phase = EndingMain
    this.stepLimit = this.moment.steps + this.maxSteps
    this.tasks.push(() => this.main!.interruptUnsafe())
  }

  private endAll(): undefined {
    if (this.phase === Running) this.stepLimit = this.moment.steps + this.maxSteps
    this.phase = EndingAll
    for (const fiber of this.live.keys()) this.tasks.push(() => fiber.interruptUnsafe())
  }

  // ------------------------------------------------------------------ what comes from outside

  private arrived(fiber: string | undefined): void {
    const { nowNanos: at, steps } = this.moment
    this.outside ??= new OutsideWakeup(fiber === undefined ? { at, steps } : { fiber, at, steps })
    this.wakeDriver()
  }

  private wakeDriver(): void {
    const notify = this.notify
    this.notify = undefined
    if (notify !== undefined) notify()
  }
}
