/**
 * An explicit-state checker: every interleaving of the threads of a bounded model; shortest counterexamples, progress
 * under fairness, reductions, limits, checkpoints, workers. It knows models, not what they are about.
 *
 * A model is an object of a few functions over one flat working state ({@link Model}). A search over it is run by an
 * effect:
 *
 * ```ts
 * const report = yield* run(new Search(model, ALL_REDUCTIONS), { limits: { states: 10_000_000 } })
 * const live = yield* runLive(new Search(model))
 * ```
 *
 * @since 0.1.0
 */
export { checkpoint, resume } from "./checkpoint.ts"
export { DepthFirst } from "./depth-first.ts"
export { NotCheckable, NotResumable, Outgrown, WorkerFailed } from "./error.ts"
export type { Explorer, Order } from "./explorer.ts"
export { type Fairness, type Lasso, replayLasso } from "./lasso.ts"
export { type GoalVerdict, type LiveReport, runLive } from "./live.ts"
export { replacing } from "./model.ts"
export type { Branch, Footprint, Goal, Model, Move, Property, Symmetry } from "./model.ts"
export { type ParallelOptions, type ParallelSearch, parallelSearch } from "./parallel.ts"
export { enabledMoves, type Path, replay, type Replayed } from "./path.ts"
export { ProtocolConfig } from "./protocol/config.ts"
export { PROTOCOL_WORKER } from "./protocol/entry.ts"
export { protocolModel } from "./protocol/model.ts"
export { BOUNDED, type Bounded } from "./protocol/scenarios.ts"
export { RandomWalk, type WalkOptions } from "./random-walk.ts"
export { ALL_REDUCTIONS, NO_REDUCTIONS, type Reductions } from "./reduction.ts"
export { ReferenceConfig } from "./reference/config.ts"
export { REFERENCE_CONFIGS } from "./reference/configs.ts"
export { REFERENCE_WORKER } from "./reference/entry.ts"
export { referenceModel } from "./reference/model.ts"
export { COUNTS, type Counts } from "./reference/published.ts"
export { type Variant, type VariantLetter, VARIANTS } from "./reference/variant.ts"
export type { Counterexample, Progress, Report, Stop, Verdict } from "./report.ts"
export { run, type RunOptions } from "./run.ts"
export { Search } from "./search.ts"
export type { Limits } from "./slice.ts"
export { serveWorker } from "./worker.ts"
