/**
 * How to search: what the flags ask for, the search that does it, and how it is said.
 */
import { ALL_REDUCTIONS, DepthFirst, NO_REDUCTIONS, parallelSearch, RandomWalk, Search } from "@pfnscope/checker"
import type { Explorer, Model, Order, Reductions } from "@pfnscope/checker"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { badInput } from "../ended.ts"
import type { Refused } from "../ended.ts"
import type { Subject } from "./subject.ts"

/** How to search. `bitstate` is a number of bytes. */
export interface Way {
  readonly order: Order
  readonly live: boolean
  readonly reductions: Reductions
  readonly workers: number
  readonly seed: number
  readonly bitstate: number | undefined
}

/** Random walks, and the steps of each. */
const WALKS = 10_000
const WALK_STEPS = 1_000

/** What the flags say. */
export interface WayFlags {
  readonly order: Order | undefined
  readonly live: boolean
  readonly reduces: boolean
  readonly workers: number | undefined
  readonly seed: number | undefined
  /** MB. */
  readonly bitstate: number | undefined
  readonly resume: boolean
}

/** The way that the flags ask for; some do not go together. */
export const wayOf = (flags: WayFlags): Effect.Effect<Way, Refused> => {
  const order = flags.order ?? (flags.bitstate === undefined ? "breadth-first" : "depth-first")
  const workers = flags.workers ?? 1
  const refusals: ReadonlyArray<readonly [refused: boolean, message: string]> = [
    [workers > 1 && order !== "breadth-first", "--workers: only a breadth-first search can be shared"],
    [workers > 1 && flags.live, "--workers: progress is checked by one worker"],
    [workers > 1 && flags.resume, "--workers: a search is resumed by one worker"],
    [flags.bitstate !== undefined && order !== "depth-first", "--bitstate: goes with --order depth-first"],
    [flags.seed !== undefined && order !== "random", "--seed: goes with --order random"],
    [flags.live && order !== "breadth-first", `--live: goes with --order breadth-first, not ${order}`],
    [flags.resume && order !== "breadth-first", `--resume: goes with --order breadth-first, not ${order}`]
  ]
  const refusal = refusals.find(([refused]) => refused)
  if (refusal !== undefined) return Effect.fail(badInput(refusal[1]))
  const { partialOrder: _p, symmetry: _s, merge: _m, ...kept } = ALL_REDUCTIONS
  return Effect.succeed({
    order,
    live: flags.live,
    // Progress: of the reductions, only this one keeps every fair run.
    reductions: !flags.reduces ? NO_REDUCTIONS : flags.live ? { ...NO_REDUCTIONS, ...kept } : ALL_REDUCTIONS,
    workers,
    seed: flags.seed ?? 1,
    bitstate: flags.bitstate === undefined ? undefined : flags.bitstate * 1e6
  })
}

/** The module that a worker runs: beside this one in the sources, beside the bundle when bundled. */
const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)

/** A search of the subject, this way. */
export const explorerOf = (
  { bitstate, order, reductions, seed, workers }: Way,
  model: Model,
  subject: Subject
): Effect.Effect<Explorer, Refused, Scope.Scope> => {
  if (workers > 1) {
    return Effect.mapError(
      parallelSearch({ model, entry: WORKER, config: subject, workers, reductions }),
      ({ message }) => badInput(message)
    )
  }
  switch (order) {
    case "depth-first":
      return Effect.try({
        try: () => new DepthFirst(model, reductions, { bitstateBytes: bitstate }),
        catch: (error) => badInput(`--bitstate ${(bitstate ?? 0) / 1e6}: expected fewer MB: ${String(error)}`)
      })
    case "random":
      return Effect.sync(() => new RandomWalk(model, { seed, runs: WALKS, length: WALK_STEPS }))
    case "breadth-first":
      return Effect.sync(() => new Search(model, reductions))
  }
}

/** The way in words. */
export const wayText = ({ bitstate, order, seed, workers }: Way): string => {
  if (order === "random") return `${WALKS} random walks of at most ${WALK_STEPS} steps, seed ${seed}`
  const by = workers > 1 ? ` by ${workers} workers` : ""
  return `${order.replace("-", " ")}${bitstate === undefined ? "" : ` over ${bitstate / 1e6} MB of bits`}${by}`
}
