/**
 * The configurations whose counts are published.
 *
 * @since 0.1.0
 */
import type { ReferenceConfig } from "./config.ts"

const tiny: ReferenceConfig = {
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
}

const small: ReferenceConfig = {
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
}

const medium: ReferenceConfig = {
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
}

/** One cache at page 1, and ranges invalidated for ever. */
const live: ReferenceConfig = {
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
}

/**
 * The published configurations, by name. The `live-` ones invalidate for ever: they are about progress.
 *
 * @category configurations
 * @since 0.1.0
 */
export const REFERENCE_CONFIGS: { readonly [name: string]: ReferenceConfig } = Object.fromEntries(
  [
    tiny,
    { ...tiny, name: "tiny-hva", slot: [0] },
    small,
    { ...small, name: "small-hva", slot: [0, 0] },
    { ...small, name: "small-noerrg", errg: 0 as const },
    medium,
    { ...medium, name: "medium-noerrg", errg: 0 as const },
    { ...medium, name: "large", NV: 3, ni: [3, 2] },
    live,
    { ...live, name: "live-slot", slot: [1, 1, 1] },
    { ...live, name: "live-sides", I: 2, lo: [0, 2], hi: [1, 3], ni: [0, 0], slot: [0, 1, 0] },
    { ...live, name: "live-own", I: 2, lo: [1, 2], hi: [2, 3], ni: [1, 0] }
  ].map((config) => [config.name, config as ReferenceConfig])
)
