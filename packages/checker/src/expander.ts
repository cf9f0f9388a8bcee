/**
 * Finds the successors of states and adds them to the records: what every exact search does to a state.
 *
 * Hot. Successors are gathered in a batch before they are looked up: in that tight loop the processor overlaps the cache
 * misses of one lookup with those of the next. Looked up one by one between the steps of the model, the same search of
 * nine million states took nearly twice as long.
 *
 * @since 0.1.0
 */
import { canonical } from "./canonical.ts"
import { hashWords } from "./hash.ts"
import { Independence } from "./independence.ts"
import type { Model } from "./model.ts"
import type { Reductions } from "./reduction.ts"
import type { Records } from "./states.ts"
import { isSomebodyLeft, isStuck } from "./stuck.ts"

const BATCH = 256

/** Local steps merged into one at most; where there are more, none is. @category constants @since 0.1.0 */
export const MOST_MERGED = 64

/**
 * Where a property was first seen broken: in a state, or (`beyond`) on the way from it to the next.
 *
 * @category models
 * @since 0.1.0
 */
export interface Breach {
  readonly property: number
  readonly state: number
  readonly beyond: boolean
}

/** Expands states of a model into records. @category models @since 0.1.0 */
export class Expander {
  /** The steps taken. */
  steps = 0
  /** States with no enabled step. */
  terminal = 0
  /** Of those, states in which some thread is not done. */
  stuck = 0
  /** How often each branch was taken. */
  readonly taken: Float64Array
  /** The first breach of each property. */
  readonly breaches: Array<Breach> = []
  /** The properties in `breaches`, as a set. */
  broken = 0

  private readonly model: Model
  private readonly records: Records
  private readonly isLater: (state: number) => boolean
  private readonly normalise: () => void
  private readonly independence: Independence | undefined
  private readonly partialOrder: boolean
  private readonly merge: boolean
  private readonly ways: Int32Array
  private readonly words: Int32Array
  private readonly hashes = new Int32Array(BATCH)
  private readonly parents = new Int32Array(BATCH)
  private gathered = 0
  /** Whether a successor of the state under expansion was found in a later level. */
  private advanced = false

  /** `isLater` tells whether a known state belongs to the next level, so that it is still to be expanded. */
  constructor(model: Model, records: Records, reductions: Reductions, isLater: (state: number) => boolean) {
    this.model = model
    this.records = records
    this.isLater = isLater
    this.normalise = canonical(model, reductions)
    this.partialOrder = reductions.partialOrder
    this.merge = reductions.merge
    this.independence = this.merge || this.partialOrder ? new Independence(model) : undefined
    this.ways = new Int32Array(model.threads.length)
    this.words = new Int32Array(BATCH * model.words)
    this.taken = new Float64Array(model.branches.length)
  }

  /** Adds the initial states. */
  begin(): void {
    const { model } = this
    for (let k = 0; k < model.initials; k++) {
      model.initial(k)
      this.gather(-1)
      if (this.gathered === BATCH) this.flush()
    }
    this.flush()
  }

  /** Gathers the successors of a state; they are in the records after {@link flush}. */
  expand(state: number): void {
    const { model, ways } = this
    model.unpack(this.records.chunk(state), this.records.offset(state))
    let enabled = 0
    for (let t = 0; t < ways.length; t++) enabled += ways[t] = model.ways(t)
    if (enabled === 0) return this.end()
    if (!this.partialOrder) return this.move(state, -1)
    const set = this.independence!.persistent(ways)
    this.flush()
    this.advanced = false
    this.move(state, set)
    this.flush()
    // The proviso: if nothing new came of it, the threads left out could be left out for ever.
    if (!this.advanced) this.move(state, ~set)
  }

  /** Adds what was gathered to the records. */
  flush(): void {
    const { gathered, hashes, model, parents, records, words } = this
    const size = model.words
    this.gathered = 0
    for (let i = 0; i < gathered; i++) {
      const found = records.add(words, i * size, hashes[i], parents[i])
      if (found >= 0) {
        this.advanced ||= this.isLater(found)
        continue
      }
      this.advanced = true
      model.unpack(words, i * size)
      const broken = ((model.brokenInState?.() ?? 0) | this.brokenAtEnd()) & ~this.broken
      if (broken !== 0) this.breach(broken, ~found, false)
    }
  }

  /** Takes every enabled way of a set of threads. */
  private move(state: number, set: number): void {
    const { model, taken, ways } = this
    const chunk = this.records.chunk(state)
    const at = this.records.offset(state)
    for (let t = 0; t < ways.length; t++) {
      if ((set >>> t & 1) === 0) continue
      for (let way = 0; way < ways[t]; way++) {
        if (this.gathered === BATCH) this.flush()
        model.unpack(chunk, at)
        taken[model.apply(t, way)]++
        this.steps++
        const broken = model.brokenByStep() & ~this.broken
        if (broken !== 0) this.breach(broken, state, true)
        if (this.merge && !this.settle(state)) {
          model.unpack(chunk, at)
          model.apply(t, way)
        }
        this.gather(state)
      }
    }
  }

  /**
   * Takes the steps that interfere with nobody, until there are none. False if there is no end to them: then what they
   * broke is left to be found again, step by step, since it could depend on whose steps were taken first.
   */
  private settle(state: number): boolean {
    const { independence, model, taken } = this
    let broken = 0
    for (let n = 0; n < MOST_MERGED; n++) {
      const t = independence!.local(model)
      if (t < 0) {
        if ((broken & ~this.broken) !== 0) this.breach(broken & ~this.broken, state, true)
        return true
      }
      broken |= model.brokenInState?.() ?? 0
      taken[model.apply(t, 0)]++
      this.steps++
      broken |= model.brokenByStep()
    }
    return false
  }

  private gather(parent: number): void {
    const { model, words } = this
    const i = this.gathered++
    this.normalise()
    model.pack(words, i * model.words)
    this.hashes[i] = hashWords(words, i * model.words, model.words)
    this.parents[i] = parent
  }

  private end(): void {
    this.terminal++
    if (isSomebodyLeft(this.model)) this.stuck++
  }

  /** Judged when the state is found, like the rest: judged when it is expanded, a longer path could come first. */
  private brokenAtEnd(): number {
    const { model } = this
    return model.brokenAtEnd !== undefined && isStuck(model) ? model.brokenAtEnd() : 0
  }

  private breach(broken: number, state: number, beyond: boolean): void {
    this.broken |= broken
    for (let property = 0; property < 31; property++) {
      if ((broken >>> property & 1) === 1) this.breaches.push({ property, state, beyond })
    }
  }
}
