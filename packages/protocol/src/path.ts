/**
 * The order in which a policy runs the parts of `hva_to_pfn_retry`: where each part leads.
 *
 * @since 0.1.0
 */
import { L } from "./label.ts"
import type { LabelId } from "./label.ts"
import type { Policy } from "./policy.ts"

/** Whether a lap waits before it puts the last lap's frame. @category paths @since 0.1.0 */
export const waitsBeforePut = ({ wait }: Policy): boolean => wait.how !== "none" && wait.when === "before-put"

/** From the put of the last lap's frame (or none to put) to the lookup. @category paths @since 0.1.0 */
export const afterPut = (policy: Policy): LabelId =>
  policy.wait.how !== "none" && policy.wait.when === "before-lookup" ? L["retry.wait"] : afterEarlyWait(policy)

/** From the wait before the lookup (or none) to the lookup. @category paths @since 0.1.0 */
export const afterEarlyWait = (policy: Policy): LabelId =>
  policy.snapshot.of !== "none" && policy.snapshot.when === "before-lookup" ? L["retry.snapshot"] : L.gup

/** From the snapshot onwards. @category paths @since 0.1.0 */
export const afterSnapshot = (policy: Policy): LabelId => policy.snapshot.when === "locked" ? L["retry.unlock"] : L.gup

/** From a successful lookup: 5.17 tests before it maps, everyone else maps first. @category paths @since 0.1.0 */
export const afterLookup = (policy: Policy): LabelId =>
  policy.publish === "before-lookup" ? firstTest(policy) : L["retry.map"]

/** From the kernel mapping onwards. @category paths @since 0.1.0 */
export const afterMap = (policy: Policy): LabelId =>
  policy.wait.how !== "none" && policy.wait.when === "after-map" ? L["retry.wait"] : L["retry.relock"]

/** The first test of the retry condition. @category paths @since 0.1.0 */
export const firstTest = (policy: Policy): LabelId => testsRange(policy) ? L["retry.count"] : afterRangeTest(policy)

/** From a range test that found nothing. @category paths @since 0.1.0 */
export const afterRangeTest = (policy: Policy): LabelId =>
  policy.retry.includes("seq") ? L["retry.seq"] : afterTests(policy)

/** From tests that all passed: 5.17 has still to map, everyone else decides under gpc->lock. @category paths @since 0.1.0 */
export const afterTests = (policy: Policy): LabelId =>
  policy.publish === "before-lookup" ? L["retry.map"] : L["retry.decide"]

/** Whether the policy looks at the count or a hull when it decides. @category paths @since 0.1.0 */
export const testsRange = (policy: Policy): boolean =>
  policy.retry.includes("count") || policy.retry.includes("hull") || policy.retry.includes("in-progress")
