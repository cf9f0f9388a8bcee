/**
 * A scenario under a policy: the header of a run, and the run from a header.
 *
 * @since 0.1.0
 */
import type { Policy } from "@pfnscope/protocol"
import type { RunHeader } from "./eventLog.ts"
import type { Knobs, Scenario } from "./scenario.ts"

/** What a run can be given beside its scenario and policy. @category models @since 0.1.0 */
export interface RunSettings {
  /** 1 by default. */
  readonly seed?: number | undefined
  /** Knobs that differ from the scenario's. */
  readonly knobs?: Knobs | undefined
  /** When to end at the latest, ns of the run's clock; the scenario's by default, 0: never. */
  readonly until?: number | undefined
}

/**
 * The header of a run: all that it is a function of.
 *
 * @category constructors
 * @since 0.1.0
 */
export const runHeader = (scenario: Scenario, policy: Policy, settings: RunSettings = {}): RunHeader => {
  const seed = settings.seed ?? 1
  return {
    kind: "simulation",
    scenario: scenario.name,
    policy,
    seed,
    until: settings.until ?? scenario.until,
    timing: scenario.timing,
    world: scenario.world({ ...scenario.knobs, ...settings.knobs }, seed)
  }
}
