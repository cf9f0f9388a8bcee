/**
 * The storm: whose invalidations the retries are put down to, and whether they were over a cache's page.
 *
 * @since 0.1.0
 */
import type { ReportedInvalidator } from "./report.ts"

/**
 * How a storm stands to the caches, by the retries that are put down to it: (almost) none, some, or most are for ranges
 * that held the page of a cache. `unknown` where the trace shows no cache.
 *
 * @category models
 * @since 0.1.0
 */
export type StormRelation = "unrelated" | "partly" | "on-page" | "unknown"

/** @category models @since 0.1.0 */
export interface Storm {
  /** Those to blame for most retries, most first, their call chains taken together. */
  readonly tasks: ReadonlyArray<
    Pick<
      ReportedInvalidator,
      "comm" | "pid" | "call" | "count" | "overlapping" | "retries" | "faultRetries" | "retriesOverPage"
    >
  >
  readonly count: number
  /** Ranges a second of the trace; null where it has no times. */
  readonly perSecond: number | null
  /** Ranges that held the page of a cache, and of which. */
  readonly overlapping: number
  readonly gpcs: ReadonlyArray<number>
  readonly relation: StormRelation
}

/** Who caused so great a part of what the first one caused belongs to the storm. */
const PART_OF_FIRST = 0.2

/** The storm is on the caches' own pages where so great a part of the retries is for ranges that held one. */
const ON_PAGE_PART = 0.5

/** It is unrelated where the part is so small: the guest's ordinary life goes on below a storm. */
const UNRELATED_PART = 0.1

/** What a storm is made out from. @category models @since 0.1.0 */
export interface StormInput {
  readonly invalidators: ReadonlyArray<ReportedInvalidator>
  /** Length of the trace in ns; 0 where it has no times. */
  readonly ns: number
  /** Whether the trace shows a cache's address, and whether it would show who had to try again. */
  readonly seesCaches: boolean
  readonly seesRetries: boolean
}

/**
 * The storm; null where nothing had to try again. Where the trace would not show that, those who invalidate most.
 *
 * @category reporting
 * @since 0.1.0
 */
export const stormOf = ({ invalidators, ns, seesCaches, seesRetries }: StormInput): Storm | null => {
  const tasks = byTask(invalidators)
  const isForRefreshes = tasks.some(({ retries }) => retries > 0)
  const caused = ({ count, faultRetries, retries }: ReportedInvalidator): number =>
    !seesRetries ? count : isForRefreshes ? retries : faultRetries
  tasks.sort((a, b) => caused(b) - caused(a) || b.count - a.count)
  const first = tasks[0]
  if (first === undefined || caused(first) === 0) return null
  const those = tasks.filter((task) => caused(task) >= PART_OF_FIRST * caused(first))
  const count = those.reduce((sum, task) => sum + task.count, 0)
  const overlapping = those.reduce((sum, task) => sum + task.overlapping, 0)
  return {
    tasks: those.map(({ call, comm, count, faultRetries, overlapping, pid, retries, retriesOverPage }) => ({
      comm,
      pid,
      call,
      count,
      overlapping,
      retries,
      faultRetries,
      retriesOverPage
    })),
    count,
    perSecond: ns > 0 ? Math.round(count / (ns / 1e9)) : null,
    overlapping,
    gpcs: [...new Set(those.flatMap(({ gpcs }) => gpcs.map(({ id }) => id)))].sort((a, b) => a - b),
    relation: seesCaches && seesRetries ? relationOf(those) : "unknown"
  }
}

const relationOf = (those: ReadonlyArray<ReportedInvalidator>): StormRelation => {
  const all = those.reduce((sum, { faultRetries, retries }) => sum + retries + faultRetries, 0)
  const overPage = those.reduce((sum, { retriesOverPage }) => sum + retriesOverPage, 0)
  if (overPage <= UNRELATED_PART * all) return "unrelated"
  return overPage >= ON_PAGE_PART * all ? "on-page" : "partly"
}

/** Takes the call chains of a task's call together. */
const byTask = (invalidators: ReadonlyArray<ReportedInvalidator>): Array<ReportedInvalidator> => {
  const all = new Map<string, ReportedInvalidator>()
  for (const invalidator of invalidators) {
    const key = `${invalidator.pid} ${invalidator.call} ${invalidator.comm}`
    const known = all.get(key)
    all.set(key, known === undefined ? invalidator : addInvalidator(known, invalidator))
  }
  return [...all.values()]
}

/** What two rows of one task come to. @category reporting @since 0.1.0 */
export const addInvalidator = (a: ReportedInvalidator, b: ReportedInvalidator): ReportedInvalidator => ({
  ...a,
  count: a.count + b.count,
  hits: a.hits + b.hits,
  overlapping: a.overlapping + b.overlapping,
  gpcs: addGpcs(a.gpcs, b.gpcs),
  retries: a.retries + b.retries,
  faultRetries: a.faultRetries + b.faultRetries,
  retriesOverPage: a.retriesOverPage + b.retriesOverPage
})

const addGpcs = (a: ReportedInvalidator["gpcs"], b: ReportedInvalidator["gpcs"]): ReportedInvalidator["gpcs"] => {
  const all = new Map(a.map(({ count, id }) => [id, count]))
  for (const { count, id } of b) all.set(id, count + (all.get(id) ?? 0))
  return [...all].map(([id, count]) => ({ id, count })).sort((x, y) => x.id - y.id)
}

/** Those who made most others try again stand first, then those who invalidate most. @category reporting @since 0.1.0 */
export const byBlame = (a: ReportedInvalidator, b: ReportedInvalidator): number =>
  b.retries - a.retries || b.faultRetries - a.faultRetries || b.count - a.count || a.pid - b.pid ||
  (a.call < b.call ? -1 : 1)
