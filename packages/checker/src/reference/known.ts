/**
 * The configurations whose exact counts are known, and those counts: distinct states, generated, depth, and the steps
 * to the nearest violation of each property.
 *
 * Reached alike by independent implementations in JavaScript, Promela (Spin), TLA+ (TLC), Murphi (Rumur), Rust
 * (Stateright) and Quint.
 *
 * @since 0.1.0
 */
import type { ReferenceConfig, Variant } from "./config.ts"

/** The configurations, by name. @category data @since 0.1.0 */
export const REFERENCE_CONFIGS: ReadonlyArray<ReferenceConfig> = [
  {
    name: "tiny",
    V: 1,
    G: 1,
    I: 1,
    P: 1,
    NV: 1,
    gpcOf: [0],
    gpage: [0],
    lo: [0],
    hi: [1],
    ni: [1],
    slot: [1],
    errg: 1
  },
  {
    name: "tiny-hva",
    V: 1,
    G: 1,
    I: 1,
    P: 1,
    NV: 1,
    gpcOf: [0],
    gpage: [0],
    lo: [0],
    hi: [1],
    ni: [1],
    slot: [0],
    errg: 1
  },
  {
    name: "small",
    V: 2,
    G: 1,
    I: 2,
    P: 2,
    NV: 2,
    gpcOf: [0, 0],
    gpage: [0],
    lo: [0, 0],
    hi: [2, 1],
    ni: [1, 1],
    slot: [1, 1],
    errg: 1
  },
  {
    name: "small-hva",
    V: 2,
    G: 1,
    I: 2,
    P: 2,
    NV: 2,
    gpcOf: [0, 0],
    gpage: [0],
    lo: [0, 0],
    hi: [2, 1],
    ni: [1, 1],
    slot: [0, 0],
    errg: 1
  },
  {
    name: "small-noerrg",
    V: 2,
    G: 1,
    I: 2,
    P: 2,
    NV: 2,
    gpcOf: [0, 0],
    gpage: [0],
    lo: [0, 0],
    hi: [2, 1],
    ni: [1, 1],
    slot: [1, 1],
    errg: 0
  },
  {
    name: "medium",
    V: 3,
    G: 2,
    I: 2,
    P: 3,
    NV: 2,
    gpcOf: [0, 0, 1],
    gpage: [0, 1],
    lo: [0, 1],
    hi: [2, 3],
    ni: [2, 1],
    slot: [1, 1, 1],
    errg: 1
  },
  {
    name: "medium-noerrg",
    V: 3,
    G: 2,
    I: 2,
    P: 3,
    NV: 2,
    gpcOf: [0, 0, 1],
    gpage: [0, 1],
    lo: [0, 1],
    hi: [2, 3],
    ni: [2, 1],
    slot: [1, 1, 1],
    errg: 0
  },
  {
    name: "large",
    V: 3,
    G: 2,
    I: 2,
    P: 3,
    NV: 3,
    gpcOf: [0, 0, 1],
    gpage: [0, 1],
    lo: [0, 1],
    hi: [2, 3],
    ni: [3, 2],
    slot: [1, 1, 1],
    errg: 1
  },
  {
    name: "live-heap",
    V: 2,
    G: 1,
    I: 1,
    P: 3,
    NV: 2,
    gpcOf: [0, 0],
    gpage: [1],
    lo: [2],
    hi: [3],
    ni: [0],
    slot: [1, 1, 0],
    errg: 0
  },
  {
    name: "live-slot",
    V: 2,
    G: 1,
    I: 1,
    P: 3,
    NV: 2,
    gpcOf: [0, 0],
    gpage: [1],
    lo: [2],
    hi: [3],
    ni: [0],
    slot: [1, 1, 1],
    errg: 0
  },
  {
    name: "live-sides",
    V: 2,
    G: 1,
    I: 2,
    P: 3,
    NV: 2,
    gpcOf: [0, 0],
    gpage: [1],
    lo: [0, 2],
    hi: [1, 3],
    ni: [0, 0],
    slot: [0, 1, 0],
    errg: 0
  },
  {
    name: "live-own",
    V: 2,
    G: 1,
    I: 2,
    P: 3,
    NV: 2,
    gpcOf: [0, 0],
    gpage: [1],
    lo: [1, 2],
    hi: [2, 3],
    ni: [1, 0],
    slot: [1, 1, 0],
    errg: 0
  }
]

/** A configuration under a variant, and what every exact search of it must find. @category data @since 0.1.0 */
export interface Known {
  readonly config: string
  readonly variant: Variant
  readonly distinct: number
  readonly generated: number
  readonly depth: number
  /** `Property:steps`, in the order of the properties. */
  readonly violated: string
}

/** The known counts. @category data @since 0.1.0 */
export const KNOWN: ReadonlyArray<Known> = [
  { config: "tiny", variant: "A", distinct: 105, generated: 168, depth: 16, violated: "" },
  { config: "tiny", variant: "B", distinct: 105, generated: 168, depth: 16, violated: "" },
  {
    config: "tiny",
    variant: "C",
    distinct: 80,
    generated: 122,
    depth: 14,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "tiny",
    variant: "D",
    distinct: 79,
    generated: 119,
    depth: 16,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  {
    config: "tiny",
    variant: "E",
    distinct: 88,
    generated: 135,
    depth: 16,
    violated: "NoUseAfterFree:10 NoMapInInvalidation:8"
  },
  { config: "tiny-hva", variant: "A", distinct: 90, generated: 144, depth: 16, violated: "NoUseAfterFree:12" },
  { config: "tiny-hva", variant: "B", distinct: 90, generated: 144, depth: 16, violated: "NoUseAfterFree:12" },
  {
    config: "tiny-hva",
    variant: "C",
    distinct: 80,
    generated: 122,
    depth: 14,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "tiny-hva",
    variant: "D",
    distinct: 79,
    generated: 119,
    depth: 16,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  {
    config: "tiny-hva",
    variant: "E",
    distinct: 88,
    generated: 135,
    depth: 16,
    violated: "NoUseAfterFree:10 NoMapInInvalidation:8"
  },
  { config: "small", variant: "A", distinct: 9589, generated: 28128, depth: 30, violated: "" },
  { config: "small", variant: "B", distinct: 10689, generated: 30814, depth: 30, violated: "" },
  {
    config: "small",
    variant: "C",
    distinct: 6466,
    generated: 17879,
    depth: 28,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "small",
    variant: "D",
    distinct: 6651,
    generated: 17727,
    depth: 30,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  {
    config: "small",
    variant: "E",
    distinct: 8081,
    generated: 21953,
    depth: 30,
    violated: "NoUseAfterFree:10 NoMapInInvalidation:8"
  },
  { config: "small-hva", variant: "A", distinct: 7294, generated: 21624, depth: 30, violated: "NoUseAfterFree:12" },
  { config: "small-hva", variant: "B", distinct: 7986, generated: 23324, depth: 30, violated: "NoUseAfterFree:12" },
  {
    config: "small-hva",
    variant: "C",
    distinct: 6466,
    generated: 17879,
    depth: 28,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "small-hva",
    variant: "D",
    distinct: 6651,
    generated: 17727,
    depth: 30,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  {
    config: "small-hva",
    variant: "E",
    distinct: 8081,
    generated: 21953,
    depth: 30,
    violated: "NoUseAfterFree:10 NoMapInInvalidation:8"
  },
  { config: "small-noerrg", variant: "A", distinct: 9589, generated: 28128, depth: 30, violated: "" },
  { config: "small-noerrg", variant: "B", distinct: 10689, generated: 30814, depth: 30, violated: "" },
  {
    config: "small-noerrg",
    variant: "C",
    distinct: 6543,
    generated: 18079,
    depth: 28,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "small-noerrg",
    variant: "D",
    distinct: 6384,
    generated: 16773,
    depth: 30,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  { config: "small-noerrg", variant: "E", distinct: 5657, generated: 14244, depth: 30, violated: "" },
  { config: "medium", variant: "A", distinct: 1090160, generated: 4398613, depth: 52, violated: "" },
  { config: "medium", variant: "B", distinct: 1304673, generated: 5177669, depth: 52, violated: "" },
  {
    config: "medium",
    variant: "C",
    distinct: 771652,
    generated: 3031159,
    depth: 49,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "medium",
    variant: "D",
    distinct: 729933,
    generated: 2595756,
    depth: 53,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  {
    config: "medium",
    variant: "E",
    distinct: 955088,
    generated: 3427435,
    depth: 54,
    violated: "NoUseAfterFree:10 NoMapInInvalidation:8"
  },
  { config: "medium-noerrg", variant: "A", distinct: 1090160, generated: 4398613, depth: 52, violated: "" },
  { config: "medium-noerrg", variant: "B", distinct: 1304673, generated: 5177669, depth: 52, violated: "" },
  {
    config: "medium-noerrg",
    variant: "C",
    distinct: 853831,
    generated: 3382278,
    depth: 49,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "medium-noerrg",
    variant: "D",
    distinct: 744784,
    generated: 2633214,
    depth: 53,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  { config: "medium-noerrg", variant: "E", distinct: 628821, generated: 2155708, depth: 54, violated: "" },
  { config: "large", variant: "A", distinct: 9124890, generated: 38393076, depth: 71, violated: "" },
  { config: "large", variant: "B", distinct: 10841656, generated: 45238538, depth: 71, violated: "" },
  {
    config: "large",
    variant: "C",
    distinct: 9281690,
    generated: 39154989,
    depth: 68,
    violated: "NoUseAfterFree:8 NoMapInInvalidation:6"
  },
  {
    config: "large",
    variant: "D",
    distinct: 7924601,
    generated: 30131026,
    depth: 72,
    violated: "NoUseAfterFree:9 NoMapInInvalidation:7"
  },
  {
    config: "large",
    variant: "E",
    distinct: 9176595,
    generated: 34886917,
    depth: 73,
    violated: "NoUseAfterFree:10 NoMapInInvalidation:8"
  }
]
