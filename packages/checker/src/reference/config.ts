/**
 * A configuration of the reference model: plain data, checked by a Schema that names the place of every error.
 *
 * The keys are those of the published tables of counts, so that a file written for another tool is read as it is.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const between = (from: number, to: number) =>
  Schema.Int.check(
    Schema.isBetween({ minimum: from, maximum: to }, { expected: `a whole number from ${from} to ${to}` })
  )
const many = between(1, 200)
const index = between(0, 199)
const bound = between(0, 255)
const bit = Schema.Literals([0, 1])

const Parts = Schema.Struct({
  name: Schema.optionalKey(Schema.String),
  /** How many vCPU threads, caches, invalidator threads and pages. */
  V: many,
  G: many,
  I: between(0, 200),
  P: many,
  /** Uses that each vCPU makes. */
  NV: bound,
  /** The cache of each vCPU. */
  gpcOf: Schema.Array(index),
  /** The page of each cache. */
  gpage: Schema.Array(index),
  /** The pages `[lo, hi)` of each invalidator. */
  lo: Schema.Array(index),
  hi: Schema.Array(between(0, 200)),
  /** Invalidations that each invalidator makes; 0: it never stops. */
  ni: Schema.Array(bound),
  /** Whether a memslot covers each page. */
  slot: Schema.Array(bit),
  /** 1: a walk leaves a cache alone whose pfn is the error value. */
  errg: bit
})

const misfits = (c: typeof Parts.Type): ReadonlyArray<Schema.FilterIssue> => {
  const issues: Array<Schema.FilterIssue> = []
  const expect = (fits: boolean, path: ReadonlyArray<PropertyKey>, issue: string) => {
    if (!fits) issues.push({ path, issue })
  }
  const sized = (key: "gpcOf" | "gpage" | "lo" | "hi" | "ni" | "slot", count: "V" | "G" | "I" | "P") =>
    expect(c[key].length === c[count], [key], `expected ${c[count]} entries (${count}), not ${c[key].length}`)
  sized("gpcOf", "V")
  sized("gpage", "G")
  sized("lo", "I")
  sized("hi", "I")
  sized("ni", "I")
  sized("slot", "P")
  c.gpcOf.forEach((g, v) => expect(g < c.G, ["gpcOf", v], `expected one of the ${c.G} caches, not ${g}`))
  c.gpage.forEach((p, g) => expect(p < c.P, ["gpage", g], `expected one of the ${c.P} pages, not ${p}`))
  c.lo.forEach((lo, i) => {
    const hi = c.hi[i] ?? Infinity
    expect(lo < hi, ["hi", i], `expected a range that is not empty: more than lo, ${lo}`)
    expect(hi === Infinity || hi <= c.P, ["hi", i], `expected at most the number of pages, ${c.P}`)
  })
  return issues
}

/**
 * A configuration: threads, caches, pages, ranges and bounds. Every list has the length that its count says, every
 * cache lies on a page, and no range is empty.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ReferenceConfig = Parts.check(Schema.makeFilter(misfits))

/** A configuration of the reference model. @category models @since 0.1.0 */
export type ReferenceConfig = typeof ReferenceConfig.Type
