/**
 * Every shipped policy, in the order of their dates.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { endValidating } from "./end-validating.ts"
import { exactRanges } from "./exact-ranges.ts"
import { flagWait } from "./flag-wait.ts"
import { mainline517 } from "./mainline-5.17.ts"
import { mainline61 } from "./mainline-6.1.ts"
import { mainline612 } from "./mainline-6.12.ts"
import { mainline73 } from "./mainline-7.3.ts"
import { needsInvalidationV2 } from "./needs-invalidation-v2.ts"
import { needsInvalidationV31 } from "./needs-invalidation-v3-1.ts"
import { needsInvalidationV32 } from "./needs-invalidation-v3-2.ts"
import { needsInvalidationV33 } from "./needs-invalidation-v3-3.ts"
import { needsInvalidationV34 } from "./needs-invalidation-v3-4.ts"
import { pfncache2 } from "./pfncache-2.ts"
import { rangeRetryFixed } from "./range-retry-fixed.ts"
import { rangeRetry } from "./range-retry.ts"
import { rangeSpin } from "./range-spin.ts"

/** Every shipped policy. @category policies @since 0.1.0 */
export const POLICIES: ReadonlyArray<Policy> = [
  mainline517,
  mainline61,
  mainline612,
  mainline73,
  rangeRetry,
  rangeRetryFixed,
  endValidating,
  pfncache2,
  needsInvalidationV2,
  needsInvalidationV31,
  needsInvalidationV32,
  needsInvalidationV33,
  needsInvalidationV34,
  rangeSpin,
  flagWait,
  exactRanges
]

export {
  endValidating,
  exactRanges,
  flagWait,
  mainline517,
  mainline61,
  mainline612,
  mainline73,
  needsInvalidationV2,
  needsInvalidationV31,
  needsInvalidationV32,
  needsInvalidationV33,
  needsInvalidationV34,
  pfncache2,
  rangeRetry,
  rangeRetryFixed,
  rangeSpin
}
