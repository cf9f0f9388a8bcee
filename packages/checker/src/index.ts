/**
 * All interleavings of a bounded model.
 *
 * @since 0.1.0
 */
export type { Model, Move } from "./model.ts"
export { protocolModel } from "./protocol/model.ts"
export { BOUNDED, type Bounded } from "./protocol/scenarios.ts"
export { ReferenceConfig, type Variant, VARIANTS } from "./reference/config.ts"
export { KNOWN, type Known, REFERENCE_CONFIGS } from "./reference/known.ts"
export { referenceModel } from "./reference/model.ts"
export { type Counterexample, type Found, type Limits, type Progress, search } from "./search.ts"
