/**
 * Random walks: runs that take any enabled step. For spaces that do not fit; seeded, so that a run can be had again.
 *
 * @since 0.1.0
 */
import type { Explorer } from "./explorer.ts"
import type { Model, Move } from "./model.ts"
import type { Path } from "./path.ts"
import { NO_REDUCTIONS } from "./reduction.ts"
import { isSomebodyLeft } from "./stuck.ts"

/** `runs` walks of at most `length` steps each. @category models @since 0.1.0 */
export interface WalkOptions {
  readonly seed: number
  readonly runs: number
  readonly length: number
}

/** Random walks; `count` is of states visited, not of distinct ones. @category models @since 0.1.0 */
export class RandomWalk implements Explorer {
  readonly model: Model
  readonly order = "random"
  readonly reductions = NO_REDUCTIONS
  readonly isExhaustive = false
  readonly frontier = 0
  readonly bytes = 0
  count = 0
  steps = 0
  depth = 0
  terminal = 0
  stuck = 0
  broken = 0
  readonly taken: Float64Array
  private readonly options: WalkOptions
  private readonly paths = new Map<number, Path>()
  private here: Int32Array
  private initial = 0
  private moves: Array<Move> = []
  private isUnderWay = false
  private runs = 0
  private random: number

  constructor(model: Model, options: WalkOptions) {
    this.model = model
    this.options = options
    this.taken = new Float64Array(model.branches.length)
    this.here = new Int32Array(model.words)
    this.random = options.seed | 0
  }

  /** Takes the walk under way again. */
  restart(): void {
    this.here = new Int32Array(this.model.words)
    this.isUnderWay = false
  }

  get isDone(): boolean {
    return this.runs === this.options.runs
  }

  counterexample(property: number) {
    return { path: this.paths.get(property)!, isShortest: false }
  }

  advance(most: number): void {
    const { broken } = this
    for (let n = 0; n < most && !this.isDone && this.broken === broken; n++) this.step()
  }

  private step(): void {
    const { here, model } = this
    if (!this.isUnderWay) return this.start()
    model.unpack(here, 0)
    let enabled = 0
    for (let t = 0; t < model.threads.length; t++) enabled += model.ways(t)
    if (enabled === 0) {
      this.terminal++
      if (isSomebodyLeft(model)) this.stuck++
      if (model.brokenAtEnd !== undefined) this.breach(model.brokenAtEnd())
      return this.end()
    }
    let way = this.below(enabled)
    let thread = 0
    for (; way >= model.ways(thread); thread++) way -= model.ways(thread)
    this.taken[model.apply(thread, way)]++
    this.steps++
    this.count++
    this.moves.push({ thread, way })
    model.pack(here, 0)
    this.breach(model.brokenByStep() | (model.brokenInState?.() ?? 0))
    if (this.moves.length > this.depth) this.depth = this.moves.length
    if (this.moves.length >= this.options.length) this.end()
  }

  private start(): void {
    this.initial = this.below(this.model.initials)
    this.model.initial(this.initial)
    this.model.pack(this.here, 0)
    this.moves = []
    this.isUnderWay = true
    this.count++
    this.breach(this.model.brokenInState?.() ?? 0)
  }

  private end(): void {
    this.isUnderWay = false
    this.runs++
  }

  private breach(set: number): void {
    const broken = set & ~this.broken
    if (broken === 0) return
    this.broken |= broken
    for (let property = 0; property < this.model.properties.length; property++) {
      if ((broken >>> property & 1) === 1) {
        this.paths.set(property, { initial: this.initial, moves: [...this.moves] })
      }
    }
  }

  /** A number in `[0, n)` (mulberry32). */
  private below(n: number): number {
    this.random = (this.random + 0x6d2b79f5) | 0
    let x = Math.imul(this.random ^ (this.random >>> 15), 1 | this.random)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return Math.floor(((x ^ (x >>> 14)) >>> 0) / 0x1_0000_0000 * n)
  }
}
