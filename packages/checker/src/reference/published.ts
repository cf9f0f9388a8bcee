/**
 * The published counts of the reference model: distinct states, generated states, depth, and the length of the shortest
 * violation of each property that has one. Five other tools agree on them.
 *
 * @since 0.1.0
 */
import type { VariantLetter } from "./variant.ts"

/** A row of the table. */
export interface Counts {
  readonly config: string
  readonly variant: VariantLetter
  readonly distinct: number
  readonly generated: number
  readonly depth: number
  readonly shortest: { readonly [property: string]: number }
}

type Row = readonly [string, VariantLetter, number, number, number, { readonly [property: string]: number }]

const ROWS: ReadonlyArray<Row> = [
  ["tiny", "A", 105, 168, 16, {}],
  ["tiny", "B", 105, 168, 16, {}],
  ["tiny", "C", 80, 122, 14, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["tiny", "D", 79, 119, 16, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["tiny", "E", 88, 135, 16, { NoMapInInvalidation: 8, NoUseAfterFree: 10 }],
  ["tiny-hva", "A", 90, 144, 16, { NoUseAfterFree: 12 }],
  ["tiny-hva", "B", 90, 144, 16, { NoUseAfterFree: 12 }],
  ["tiny-hva", "C", 80, 122, 14, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["tiny-hva", "D", 79, 119, 16, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["tiny-hva", "E", 88, 135, 16, { NoMapInInvalidation: 8, NoUseAfterFree: 10 }],
  ["small", "A", 9589, 28128, 30, {}],
  ["small", "B", 10689, 30814, 30, {}],
  ["small", "C", 6466, 17879, 28, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["small", "D", 6651, 17727, 30, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["small", "E", 8081, 21953, 30, { NoMapInInvalidation: 8, NoUseAfterFree: 10 }],
  ["small-hva", "A", 7294, 21624, 30, { NoUseAfterFree: 12 }],
  ["small-hva", "B", 7986, 23324, 30, { NoUseAfterFree: 12 }],
  ["small-hva", "C", 6466, 17879, 28, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["small-hva", "D", 6651, 17727, 30, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["small-hva", "E", 8081, 21953, 30, { NoMapInInvalidation: 8, NoUseAfterFree: 10 }],
  ["small-noerrg", "A", 9589, 28128, 30, {}],
  ["small-noerrg", "B", 10689, 30814, 30, {}],
  ["small-noerrg", "C", 6543, 18079, 28, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["small-noerrg", "D", 6384, 16773, 30, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["small-noerrg", "E", 5657, 14244, 30, {}],
  ["medium", "A", 1090160, 4398613, 52, {}],
  ["medium", "B", 1304673, 5177669, 52, {}],
  ["medium", "C", 771652, 3031159, 49, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["medium", "D", 729933, 2595756, 53, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["medium", "E", 955088, 3427435, 54, { NoMapInInvalidation: 8, NoUseAfterFree: 10 }],
  ["medium-noerrg", "A", 1090160, 4398613, 52, {}],
  ["medium-noerrg", "B", 1304673, 5177669, 52, {}],
  ["medium-noerrg", "C", 853831, 3382278, 49, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["medium-noerrg", "D", 744784, 2633214, 53, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["medium-noerrg", "E", 628821, 2155708, 54, {}],
  ["large", "A", 9124890, 38393076, 71, {}],
  ["large", "B", 10841656, 45238538, 71, {}],
  ["large", "C", 9281690, 39154989, 68, { NoMapInInvalidation: 6, NoUseAfterFree: 8 }],
  ["large", "D", 7924601, 30131026, 72, { NoMapInInvalidation: 7, NoUseAfterFree: 9 }],
  ["large", "E", 9176595, 34886917, 73, { NoMapInInvalidation: 8, NoUseAfterFree: 10 }]
]

/** The table. */
export const COUNTS: ReadonlyArray<Counts> = ROWS.map(([config, variant, distinct, generated, depth, shortest]) => ({
  config,
  variant,
  distinct,
  generated,
  depth,
  shortest
}))
