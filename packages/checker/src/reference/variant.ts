/**
 * The five variants of the reference model, each a record of choices.
 *
 * @since 0.1.0
 */

/**
 * - `snapshot`: what a refresh compares: `seq`, whether `mmu_invalidate_seq` moved; `flag`, whether its flag was cleared.
 * - `walk`: when an invalidation visits the caches: at its `start`, at its end `before-count` or `after-count` is lowered.
 * - `ranged`: whether the hull of the ranges in flight is tracked, and asked.
 * - `wait`: where a refresh sleeps until no range in flight covers it: `never`, `before-lookup`, `after-map`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Variant {
  readonly letter: VariantLetter
  readonly title: string
  readonly snapshot: "seq" | "flag"
  readonly walk: "start" | "before-count" | "after-count"
  readonly ranged: boolean
  readonly wait: "never" | "before-lookup" | "after-map"
}

/** @category models @since 0.1.0 */
export type VariantLetter = "A" | "B" | "C" | "D" | "E"

/** The variants by letter. @category variants @since 0.1.0 */
export const VARIANTS: { readonly [K in VariantLetter]: Variant } = {
  A: { letter: "A", title: "mainline", snapshot: "seq", walk: "start", ranged: false, wait: "never" },
  B: { letter: "B", title: "range retry", snapshot: "seq", walk: "start", ranged: true, wait: "never" },
  C: { letter: "C", title: "validating flag", snapshot: "flag", walk: "after-count", ranged: false, wait: "never" },
  D: { letter: "D", title: "flag and wait", snapshot: "flag", walk: "before-count", ranged: true, wait: "after-map" },
  E: { letter: "E", title: "flag, walk at start", snapshot: "flag", walk: "start", ranged: true, wait: "before-lookup" }
}
