/**
 * Configurations of the reference model: a bounded machine whose exact state counts are known from other checkers.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Bit = Schema.Literals([0, 1])
const Some = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 8 }))

const Parts = Schema.Struct({
  name: Schema.String,
  V: Some,
  G: Some,
  I: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8 })),
  P: Some,
  NV: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 })),
  gpcOf: Schema.Array(Natural),
  gpage: Schema.Array(Natural),
  lo: Schema.Array(Natural),
  hi: Schema.Array(Natural),
  ni: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 }))),
  slot: Schema.Array(Bit),
  errg: Bit
})

const misfits = (c: typeof Parts.Type): ReadonlyArray<Schema.FilterIssue> => {
  const issues: Array<Schema.FilterIssue> = []
  const expect = (fits: boolean, path: ReadonlyArray<PropertyKey>, issue: string) => {
    if (!fits) issues.push({ path, issue })
  }
  const sized = (key: "gpcOf" | "gpage" | "lo" | "hi" | "ni" | "slot", n: number) =>
    expect(c[key].length === n, [key], `expected ${n} entries`)
  sized("gpcOf", c.V)
  sized("gpage", c.G)
  sized("lo", c.I)
  sized("hi", c.I)
  sized("ni", c.I)
  sized("slot", c.P)
  c.gpcOf.forEach((g, v) => expect(g < c.G, ["gpcOf", v], `expected one of the ${c.G} caches`))
  c.gpage.forEach((p, g) => expect(p < c.P, ["gpage", g], `expected one of the ${c.P} pages`))
  c.hi.forEach((hi, i) => {
    expect(hi <= c.P, ["hi", i], `expected at most ${c.P}, the number of pages`)
    expect(i >= c.lo.length || c.lo[i] < hi, ["lo", i], "expected less than hi: an empty range invalidates nothing")
  })
  return issues
}

/**
 * A configuration: `V` vCPU threads with `NV` uses each, `G` caches (`gpcOf` each vCPU's, `gpage` each one's page), `I`
 * invalidators over the pages `[lo, hi)`, `ni` times each (0: for ever), `P` pages, `slot` whether a memslot covers
 * each; `errg` 1 keeps the test of the error pfn in the patches.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ReferenceConfig = Parts.check(Schema.makeFilter(misfits))

/** A configuration of the reference model. @category models @since 0.1.0 */
export type ReferenceConfig = typeof ReferenceConfig.Type

/** The variants: mainline, range retry, invalidate at end, with a wait, and the flag with the walk at start. @category models @since 0.1.0 */
export const VARIANTS = ["A", "B", "C", "D", "E"] as const

/** A variant of the reference model. @category models @since 0.1.0 */
export type Variant = (typeof VARIANTS)[number]
