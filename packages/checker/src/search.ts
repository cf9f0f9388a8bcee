/**
 * Every interleaving, breadth first: exact counts, and for each violated property a shortest path to it.
 *
 * The loop is plain code; the Effect around it lets others run between slices, can be interrupted, and ends at a
 * limit, with what was reached.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Model, Move } from "./model.ts"
import { States } from "./states.ts"

/** Where to stop. `all`: go on after a violation, so that every property is decided. @category models @since 0.1.0 */
export interface Limits {
  readonly all?: boolean
  readonly maxStates?: number | undefined
  /** ms. */
  readonly timeout?: number | undefined
  /** Bytes of the set of states. */
  readonly memory?: number | undefined
}

/** How far a search is. @category models @since 0.1.0 */
export interface Progress {
  readonly distinct: number
  readonly generated: number
  readonly depth: number
  readonly frontier: number
  readonly bytes: number
  readonly seconds: number
}

/** A property that does not hold, and a shortest path that shows it. @category models @since 0.1.0 */
export interface Counterexample {
  readonly property: string
  readonly path: ReadonlyArray<Move>
}

/**
 * What a search found. `complete`: every reachable state was seen, so that a property without a counterexample holds.
 * `generated` is 1 plus the enabled steps of all states seen; `depth` the longest shortest path. `untaken` are the
 * labels that no thread ever ran. `stuck` counts states in which nobody can go on though someone is not done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Found extends Progress {
  readonly complete: boolean
  readonly stopped: "complete" | "violation" | "states" | "timeout" | "memory"
  readonly counterexamples: ReadonlyArray<Counterexample>
  readonly untaken: ReadonlyArray<string>
  readonly stuck: number
}

/** States that are expanded between two looks at the clock. */
const SLICE = 2_000

/**
 * Searches a model breadth first. `onProgress` is told after each slice.
 *
 * @category searching
 * @since 0.1.0
 */
export const search = Effect.fn("checker.search")(function*(
  model: Model,
  limits: Limits = {},
  onProgress: (progress: Progress) => Effect.Effect<void> = () => Effect.void
) {
  const run = begin(model)
  const started = yield* Clock.currentTimeMillis
  while (true) {
    const end = run.expand(SLICE, limits.all === true)
    const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
    const progress = run.progress(seconds)
    const stopped = end ?? overLimit(progress, limits)
    if (stopped !== undefined) return run.found(seconds, stopped)
    yield* onProgress(progress)
    yield* Effect.yieldNow
  }
})

const overLimit = ({ bytes, distinct, seconds }: Progress, limits: Limits): Found["stopped"] | undefined => {
  if (limits.maxStates !== undefined && distinct >= limits.maxStates) return "states"
  if (limits.memory !== undefined && bytes >= limits.memory) return "memory"
  return limits.timeout !== undefined && seconds * 1000 >= limits.timeout ? "timeout" : undefined
}

/** A search under way. */
const begin = (model: Model) => {
  const states = new States(model.words)
  const { load, store } = model
  const threads = model.threads.length
  const every = 2 ** model.properties.length - 1
  const taken = new Uint8Array(model.labels.length)
  /** By property, the state in which it was first violated, or the step: its source state and move. */
  const witnesses = new Map<string, { readonly state: number; readonly last: number | undefined }>()
  let violated = 0
  let generated = 1
  let next = 0
  let depth = 0
  let levelEnd = 1
  let stuck = 0

  const report = (bits: number, state: number, last: number | undefined): void => {
    const fresh = bits & ~violated
    if (fresh === 0) return
    violated |= fresh
    model.properties.forEach((property, i) => {
      if ((fresh & (1 << i)) !== 0) witnesses.set(property, { state, last })
    })
  }
  /** Lets one thread go every way it can; how many ways there were. */
  const expandThread = (state: number, thread: number): number => {
    load(states.chunk(state), states.offset(state))
    const ways = model.ways(thread)
    for (let way = 0; way < ways; way++) {
      if (way > 0) load(states.chunk(state), states.offset(state))
      taken[model.label(thread)] = 1
      generated++
      const move = thread << 8 | way
      const bits = model.apply(thread, way)
      if (bits !== 0) report(bits, state, move)
      if (!states.add(store, state, move)) continue
      const judged = model.judge()
      if (judged !== 0) report(judged, states.count - 1, undefined)
    }
    return ways
  }
  const expandState = (state: number): void => {
    let enabled = 0
    for (let thread = 0; thread < threads; thread++) enabled += expandThread(state, thread)
    if (enabled > 0) return
    load(states.chunk(state), states.offset(state))
    if (model.threads.some((_, thread) => !model.isDone(thread))) stuck++
  }

  model.start()
  states.add(store, -1, 0)
  report(model.judge(), 0, undefined)

  return {
    expand: (slice: number, all: boolean): Found["stopped"] | undefined => {
      for (let n = 0; n < slice; n++) {
        if (violated !== 0 && (!all || violated === every)) return "violation"
        if (next === states.count) return "complete"
        if (next === levelEnd) {
          depth++
          levelEnd = states.count
        }
        expandState(next++)
      }
      return undefined
    },
    progress: (seconds: number): Progress => ({
      distinct: states.count,
      generated,
      depth,
      frontier: states.count - next,
      bytes: states.bytes,
      seconds
    }),
    found: (seconds: number, stopped: Found["stopped"]): Found => ({
      distinct: states.count,
      generated,
      depth,
      frontier: states.count - next,
      bytes: states.bytes,
      seconds,
      stopped,
      complete: stopped === "complete",
      counterexamples: model.properties.flatMap((property) => {
        const witness = witnesses.get(property)
        return witness === undefined ? [] : [{ property, path: pathTo(states, witness.state, witness.last) }]
      }),
      untaken: model.labels.filter((_, i) => taken[i] === 0),
      stuck
    })
  }
}

const pathTo = (states: States, state: number, last: number | undefined): ReadonlyArray<Move> => {
  const path: Array<Move> = []
  const put = (move: number) => path.push({ thread: move >> 8, way: move & 0xff })
  if (last !== undefined) put(last)
  for (let at = state; states.parent(at) >= 0; at = states.parent(at)) put(states.move(at))
  return path.toReversed()
}
