/**
 * Test support: arbitrary small configurations of the reference model.
 *
 * @since 0.1.0
 */
import * as fc from "fast-check"
import type { ReferenceConfig } from "./config.ts"
import type { VariantLetter } from "./variant.ts"

const list = <T>(n: number, of: fc.Arbitrary<T>) => fc.array(of, { minLength: n, maxLength: n })
const bit = fc.constantFrom(0 as const, 1 as const)

/** Configurations whose spaces have some thousands of states at most. */
export const configs: fc.Arbitrary<ReferenceConfig> = fc.record({
  V: fc.integer({ min: 1, max: 2 }),
  G: fc.integer({ min: 1, max: 2 }),
  I: fc.integer({ min: 1, max: 2 }),
  P: fc.integer({ min: 1, max: 3 })
}).chain(({ G, I, P, V }) => {
  const range = fc.integer({ min: 0, max: P - 1 }).chain((lo) =>
    fc.tuple(fc.constant(lo), fc.integer({ min: lo + 1, max: P }))
  )
  return fc.record({
    V: fc.constant(V),
    G: fc.constant(G),
    I: fc.constant(I),
    P: fc.constant(P),
    NV: fc.integer({ min: 1, max: V === 1 ? 2 : 1 }),
    gpcOf: list(V, fc.integer({ min: 0, max: G - 1 })),
    gpage: list(G, fc.integer({ min: 0, max: P - 1 })),
    ranges: list(I, range),
    ni: list(I, fc.integer({ min: 0, max: 1 })),
    slot: list(P, bit),
    errg: bit
  }).map(({ ranges, ...rest }) => ({ ...rest, lo: ranges.map(([lo]) => lo), hi: ranges.map(([, hi]) => hi) }))
})

/** Any of the five. */
export const variants: fc.Arbitrary<VariantLetter> = fc.constantFrom("A", "B", "C", "D", "E")
