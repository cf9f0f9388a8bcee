/**
 * Paths: which thread took which of its ways, from an initial state. A path is never a list of states or hashes, so that
 * it can be replayed, shown as steps, and branched from after any prefix.
 *
 * @since 0.1.0
 */
import { canonical } from "./canonical.ts"
import type { Breach } from "./expander.ts"
import { MOST_MERGED } from "./expander.ts"
import { Independence } from "./independence.ts"
import type { Model, Move } from "./model.ts"
import type { Reductions } from "./reduction.ts"
import { NO_STATE } from "./states.ts"
import type { Records } from "./states.ts"

/** A path: the number of its initial state, and its steps. @category models @since 0.1.0 */
export interface Path {
  readonly initial: number
  readonly moves: ReadonlyArray<Move>
}

/**
 * What a replay met: a step and the branch it took, with the properties broken by it or in the state it led to (a set).
 *
 * @category models
 * @since 0.1.0
 */
export interface Replayed {
  readonly move: Move
  readonly branch: number
  readonly broken: number
}

/**
 * Replays a path; afterwards the working state is where it leads. Undefined when a step is not enabled where the path
 * takes it.
 *
 * @category queries
 * @since 0.1.0
 */
export const replay = (model: Model, { initial, moves }: Path): ReadonlyArray<Replayed> | undefined => {
  model.initial(initial)
  const steps: Array<Replayed> = []
  for (const move of moves) {
    if (move.way >= model.ways(move.thread)) return undefined
    const branch = model.apply(move.thread, move.way)
    steps.push({ move, branch, broken: model.brokenByStep() | (model.brokenInState?.() ?? 0) })
  }
  return steps
}

/**
 * The steps enabled in the working state: where a path can be branched.
 *
 * @category queries
 * @since 0.1.0
 */
export const enabledMoves = (model: Model): ReadonlyArray<Move> =>
  model.threads.flatMap((_, thread) => Array.from({ length: model.ways(thread) }, (_, way) => ({ thread, way })))

/**
 * Finds real paths to recorded states.
 *
 * A record is a canonical form, in which alike threads may have changed places, so the step that led to it cannot be
 * taken from it. Instead the path is walked again from the start: some enabled step must lead to a state whose canonical
 * form is the next record.
 *
 * @category models
 * @since 0.1.0
 */
export class Tracer {
  private readonly model: Model
  private readonly records: Pick<Records, "chunk" | "offset" | "parent">
  private readonly normalise: () => void
  private readonly independence: Independence | undefined
  /** The real state the walk has come to. */
  private readonly here: Int32Array
  private readonly there: Int32Array

  constructor(model: Model, records: Pick<Records, "chunk" | "offset" | "parent">, reductions: Reductions) {
    this.model = model
    this.records = records
    this.normalise = canonical(model, reductions)
    this.independence = reductions.merge ? new Independence(model) : undefined
    this.here = new Int32Array(model.words)
    this.there = new Int32Array(model.words)
  }

  /** A path to a state of the records. */
  pathTo(state: number): Path {
    const chain = [state]
    for (let at = this.records.parent(state); at !== NO_STATE; at = this.records.parent(at)) chain.unshift(at)
    const initial = this.initial(chain[0])
    const moves: Array<Move> = []
    for (const next of chain.slice(1)) moves.push(...this.stepTo(next))
    return { initial, moves }
  }

  /** A path to where a property was first seen broken. */
  pathToBreach(breach: Breach): Path {
    const { initial, moves } = this.pathTo(breach.state)
    return { initial, moves: breach.beyond ? [...moves, ...this.stepInto(breach.property)] : moves }
  }

  private initial(record: number): number {
    for (let k = 0; k < this.model.initials; k++) {
      this.model.initial(k)
      this.model.pack(this.here, 0)
      if (this.isAt(record)) return k
    }
    throw new Error("a recorded path starts at no initial state of the model")
  }

  private stepTo(record: number): ReadonlyArray<Move> {
    for (const moves of this.waysOn()) {
      this.model.pack(this.there, 0)
      if (!this.isAt(record)) continue
      this.here.set(this.there)
      return moves
    }
    throw new Error("no step leads to the next state of a recorded path: is the model's symmetry one, does it forget?")
  }

  private stepInto(property: number): ReadonlyArray<Move> {
    for (const moves of this.waysOn(property)) {
      const last = this.model.brokenByStep() | (this.model.brokenInState?.() ?? 0)
      if ((last >>> property & 1) === 1) return moves
    }
    throw new Error("no step breaks the property where one was seen to")
  }

  /** Every step from here with what was merged into it; the working state is where it leads. */
  private *waysOn(property = -1): Generator<ReadonlyArray<Move>> {
    const { here, model } = this
    model.unpack(here, 0)
    for (const move of enabledMoves(model)) {
      model.unpack(here, 0)
      model.apply(move.thread, move.way)
      const merged = this.settle(property)
      if (merged === undefined) {
        model.unpack(here, 0)
        model.apply(move.thread, move.way)
      }
      yield [move, ...merged ?? []]
    }
  }

  /** The local steps that follow, up to where `property` breaks; undefined when they do not end. */
  private settle(property: number): ReadonlyArray<Move> | undefined {
    const { independence, model } = this
    const moves: Array<Move> = []
    if (independence === undefined) return moves
    for (let n = 0; n < MOST_MERGED; n++) {
      const isBroken = property >= 0 && ((model.brokenByStep() | (model.brokenInState?.() ?? 0)) >>> property & 1) === 1
      const thread = isBroken ? -1 : independence.local(model)
      if (thread < 0) return moves
      model.apply(thread, 0)
      moves.push({ thread, way: 0 })
    }
    return undefined
  }

  /** Whether the working state's canonical form is a record; leaves the working state in that form. */
  private isAt(record: number): boolean {
    const { model } = this
    this.normalise()
    const form = new Int32Array(model.words)
    model.pack(form, 0)
    const chunk = this.records.chunk(record)
    const at = this.records.offset(record)
    return form.every((word, i) => word === chunk[at + i])
  }
}
