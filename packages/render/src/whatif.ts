/**
 * What a trace's world would have met under other protocols, as a table.
 *
 * @since 0.1.0
 */
import type { WhatIf, WhatIfRow } from "@pfnscope/trace"
import { CAVEAT, counted, duration, table } from "./table.ts"

const violations = ({ refreshes, violations: found }: WhatIfRow): string => {
  const parts = found.map(({ count, property }) => `${property} (x${count})`)
  if (refreshes.stalePublishes > 0) parts.unshift(counted(refreshes.stalePublishes, "stale publish", "stale publishes"))
  return parts.join(", ") || "-"
}

const cells = (row: WhatIfRow): ReadonlyArray<string | number> => {
  const { completed, lapsMax, laps, latency, started, unrelatedLaps, waitNs, waits } = row.refreshes
  return [
    row.policy,
    `${completed}/${started}`,
    laps,
    lapsMax,
    unrelatedLaps,
    waits === 0 ? "-" : `${waits} (${duration(waitNs)})`,
    duration(latency.p50),
    duration(latency.p99),
    duration(latency.max),
    violations(row)
  ]
}

const HEADER = ["policy", "refreshes", "laps", "max", "unrelated", "waits", "median", "99 %", "max", "violations"]

const fidelity = ({ kernel, off, recorded, replayed, tolerance }: WhatIf): string => {
  const exact = replayed.refreshes.laps === recorded.refreshes.laps
  const word = off <= tolerance ? "" : "; MORE than is tolerated: do not trust the rows below"
  return `${kernel} replayed on the recorded world makes ${replayed.refreshes.laps} laps, ` +
    `${exact ? "as recorded" : `${recorded.refreshes.laps} were recorded (${(off * 100).toFixed(1)} % off)`} ` +
    `(tolerance ${tolerance * 100} %)${word}`
}

/**
 * The rows as text: the trace as it was recorded, its kernel's own policy replayed, then the others.
 *
 * @category text
 * @since 0.1.0
 */
export const whatIfText = (result: WhatIf): string => {
  const own = { ...result.replayed, policy: `${result.kernel} (replayed)` }
  return [
    table(HEADER, [cells(result.recorded), cells(own), ...result.policies.map(cells)]),
    "",
    fidelity(result),
    ...(result.vms > 1
      ? [`The trace has ${result.vms} VMs; this is ${result.vm}, whose caches were refreshed most.`]
      : []),
    "Kept from the trace: invalidations, their ranges, times and tasks; requests to refresh; how long lookups took.",
    "laps: lookups made; unrelated: thrown away though nothing touched the cache's page; median … max: entry to return.",
    CAVEAT
  ].join("\n")
}

/** The rows as JSON. @category json @since 0.1.0 */
export const whatIfJson = (result: WhatIf): unknown => result
