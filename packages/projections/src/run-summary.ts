/**
 * A run in one row: its refreshes and what it violated.
 *
 * @since 0.1.0
 */
import type { PropertyId } from "@pfnscope/protocol"
import type { Projection } from "./projection.ts"
import type { Refreshes } from "./refreshes.ts"
import { verdictsOf, verdictState } from "./violations.ts"
import type { PropertyVerdict, VerdictState } from "./violations.ts"

/**
 * How the refreshes of a log went. The laps of a refresh are the lookups it made; those of refreshes that are still
 * running count. `unrelatedLaps` were thrown away for nothing that touched the cache's page. `waits` were entered.
 *
 * @category models
 * @since 0.1.0
 */
export interface RefreshSummary {
  readonly started: number
  readonly completed: number
  readonly lapsMax: number
  readonly lapsMean: number
  readonly unrelatedLaps: number
  readonly waits: number
}

/**
 * A run. `violations` names each violated property once, with the position of its first violation and their number;
 * `starved` are refreshes that got nowhere.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunSummary {
  readonly events: number
  readonly refreshes: RefreshSummary
  readonly violations: ReadonlyArray<{ readonly property: PropertyId; readonly seq: number; readonly count: number }>
  readonly verdicts: ReadonlyArray<PropertyVerdict>
}

/** The fold from which {@link summaryOf} gives the row. @category projections @since 0.1.0 */
export const runSummary: Projection<{ readonly verdicts: VerdictState; events: number }> = {
  name: "run-summary",
  version: 1,
  init: () => ({ verdicts: verdictState.init(), events: 0 }),
  evolve: (state, event) => {
    verdictState.evolve(state.verdicts, event)
    state.events++
    return state
  }
}

/** The row of the run that was folded. @category reading @since 0.1.0 */
export const summaryOf = (state: { readonly verdicts: VerdictState; readonly events: number }): RunSummary => {
  const verdicts = verdictsOf(state.verdicts)
  return {
    events: state.events,
    refreshes: refreshSummary(state.verdicts.refreshes, state.verdicts.waits.entered),
    violations: verdicts.flatMap(({ count, first, id }) => first === null ? [] : [{ property: id, seq: first, count }]),
    verdicts
  }
}

/** How refreshes went that entered so many waits. @category reading @since 0.1.0 */
export const refreshSummary = (refreshes: Refreshes, waits: number): RefreshSummary => {
  let laps = 0
  for (const [n, count] of refreshes.laps) laps += n * count
  let lapsMax = refreshes.lapsMax
  for (const run of refreshes.running.values()) {
    const made = run.kept || !run.looked ? 0 : run.retries + 1
    laps += made
    lapsMax = Math.max(lapsMax, made)
  }
  const started = refreshes.completed + refreshes.running.size + refreshes.abandoned
  return {
    started,
    completed: refreshes.completed,
    lapsMax,
    lapsMean: started === 0 ? 0 : laps / started,
    unrelatedLaps: refreshes.unrelated,
    waits
  }
}
