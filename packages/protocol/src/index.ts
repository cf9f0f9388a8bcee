/**
 * The protocol, written once: addresses, events, state, steps, policies, properties.
 *
 * It knows no Effect runtime: Schemas and plain data only.
 *
 * @since 0.1.0
 */
export * from "./address.ts"
export * from "./event.ts"
export * from "./evolve.ts"
export * from "./execute.ts"
export * from "./label.ts"
export { EFAULT, EINVAL, invalidatedBy, OutOfFrames, PAGES_PER_PMD } from "./mmu.ts"
export { covering, isPending } from "./notifier.ts"
export * from "./policies/index.ts"
export * from "./policy.ts"
export * from "./program.ts"
export * from "./property.ts"
export * from "./state.ts"
export * from "./step.ts"
export { entryOf } from "./vcpu.ts"
export * from "./world.ts"
