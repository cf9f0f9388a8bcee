/**
 * Real captures against what an independent script counted in them.
 *
 * The captures lie beside the checkout (`shared/traces`); without them the suite is skipped, and says so.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { activity, fold, quantile } from "@pfnscope/projections"
import type { Activity, GpcValidity } from "@pfnscope/projections"
import { NOTIFIER_EVENTS } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { importBytes, importTrace } from "./import.ts"
import type { Census } from "./reading/census.ts"
import { BUNDLED, recordings, skipped } from "./recordings.ts"
import { envelopesOf, reportTrace } from "./report.ts"

/** What is used of what `expected.json` says of a capture; times in µs. */
interface Expected {
  readonly lines: number
  readonly span_s: number
  readonly events: Readonly<Record<string, number>>
  readonly invalidations: number
  readonly inv_us: Spread
  readonly inv_events: Readonly<Record<string, number>>
  readonly inv_max_concurrent: number
  readonly refreshes: number
  readonly refreshes_with_lookup: number
  readonly refresh_failed: number
  readonly retries: { readonly total: number; readonly max: number; readonly hist: Readonly<Record<string, number>> }
  readonly retry_cause: { readonly active_count: number; readonly seq_changed: number }
  readonly retries_without_any_overlapping_invalidation: number
  readonly refresh_us: Spread & { readonly mean: number }
  readonly gpc_invalidated_hits: number
  readonly check: Readonly<Record<string, number>>
  readonly pf_stale: Readonly<Record<string, number>>
  readonly unfinished_refreshes: number
  readonly memslot_swaps: number
  readonly swap_us: { readonly max: number; readonly waits: number }
  readonly distinct_tasks: number
  readonly stale_commits: number
  readonly stale_commit_examples: ReadonlyArray<readonly [number, string, string, number, number]>
  readonly invalidation_inside_window_caught_by_seq: number
}

interface Spread {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

const expectations: ReadonlyArray<readonly [string, Expected]> = recordings === undefined
  ? []
  : Object.entries(JSON.parse(readFileSync(join(recordings, "expected.json"), "utf8")) as Record<string, Expected>)

/** Folds the events of a capture, and imports it but once. */
const read = Effect.fnUntraced(function*(path: string) {
  const trace = yield* importTrace(path)
  const state = yield* fold(activity, envelopesOf(trace))
  return { state, census: yield* trace.census }
})

/**
 * Where the script and this project count differently, and why.
 *
 * The script takes laps that the sequence count saved from its `gpc_retry_seq` records. The probes of 6.1 have none:
 * there the next `gpc_snap` says in `via` which test was met, so that these six are seen here.
 */
const CAUGHT_ON_6_1: Readonly<Record<string, number>> = { "6.1/M-2vcpu.trace.gz": 6 }

/** Stale faults of 6.1 M-2vcpu in the union of the ranges in flight and in none of them; of the others there are none. */
const HULL_ONLY: Readonly<Record<string, number>> = { "6.1/M-2vcpu.trace.gz": 290 }

describe.skipIf(recordings === undefined)(`a real capture${skipped}`, () => {
  for (const [name, expected] of expectations) {
    it.effect(`counts as an independent script counted: ${name}`, () =>
      Effect.gen(function*() {
        const { census, state } = yield* read(join(recordings!, name))
        assert.deepStrictEqual(countsOf(state, census), wanted(name, expected))
        assertTimes(state, expected, census)
      }).pipe(Effect.provide(NodeFileSystem.layer)))
  }

  it.effect("shows the stale publishes where the script saw them", () =>
    Effect.gen(function*() {
      const report = yield* reportTrace(join(recordings!, "6.12/X2.trace.gz"))
      const lines = gunzipSync(readFileSync(join(recordings!, "6.12/X2.trace.gz"))).toString().split("\n")
      const stale = report.verdicts.find(({ id }) => id === "stale-publish")!
      const published = stale.evidence.map(({ line }) => lines[line - 1]!).filter((line) => line.includes("gpc_commit"))
      const examples = expectations.find(([name]) => name === "6.12/X2.trace.gz")![1].stale_commit_examples
      assert.strictEqual(stale.verdict, "found")
      assert.deepStrictEqual(
        published.map((line) => /([\d.]+): gpc_commit/.exec(line)![1]),
        examples.map(([t]) => t.toFixed(6))
      )
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})

/** A line of ftrace: what stands before the event, and the event. */
const LINE = /^(.{16})-(\d+) +\[(\d+)\] (\S+) +(\d+\.\d+): (.*)$/

/** The event as trace-cmd and perf spell it: a syscall has `enter` or `exit` in its name. */
const spelled = (event: string): readonly [name: string, body: string] => {
  const entered = /^sys_(\w+)\((.*)\)$/.exec(event)
  if (entered !== null) return [`sys_enter_${entered[1]}`, entered[2]!.replaceAll(/: (\w+)/g, ": 0x$1")]
  const left = /^sys_(\w+) -> (.*)$/.exec(event)
  if (left !== null) return [`sys_exit_${left[1]}`, left[2]!]
  return [event.slice(0, event.indexOf(":")), event.slice(event.indexOf(":") + 2)]
}

/** A capture in ftrace's text, rewritten as another tool prints the same events. */
const rewritten = (text: string, line: (context: RegExpExecArray, name: string, body: string) => string): string =>
  text.replaceAll(/^#.*\n/gm, "").split("\n").map((one) => {
    const match = LINE.exec(one)
    return match === null ? one : line(match, ...spelled(match[6]!))
  }).join("\n")

const asTraceCmd = (text: string): string =>
  `cpus=2\n${
    rewritten(text, ([, comm, pid, cpu, , t], name, body) =>
      `${comm}-${pid!.padEnd(5)} [${cpu}] ${t!.padStart(12)}: ${`${name}:`.padEnd(21)} ${body}`)
  }`

const asPerf = (text: string): string =>
  rewritten(
    text,
    ([, comm, pid, cpu, , t], name, body) =>
      `${comm} ${pid!.padStart(5)} [${cpu}] ${t!.padStart(12)}: ${`x:${name}`.padStart(26)}: ${body}`
  )

/** What an import says, but for files and lines. */
const saidBy = Effect.fnUntraced(function*(text: string) {
  const trace = importBytes("t", Stream.make(new TextEncoder().encode(text)))
  const events = yield* Stream.runCollect(trace.events)
  const { format, records, rejected } = yield* trace.census
  const plain = Object.entries(records).map(([name, n]) => [name.replace(/^sys_(?:enter_|exit_)?/, "sys_"), n] as const)
  const counts = new Map<string, number>()
  for (const [name, n] of plain) counts.set(name, (counts.get(name) ?? 0) + n)
  return {
    events: events.map(({ cause, corr, data, how, stream, t }) => JSON.stringify([stream, t, cause, corr, how, data]))
      .join("\n"),
    counts: [...counts].sort(),
    format,
    rejected
  }
})

describe.skipIf(recordings === undefined)(`a capture in the texts of several tools${skipped}`, () => {
  it.effect("says the same in each", () =>
    Effect.gen(function*() {
      for (const name of ["6.12/A2", "6.12/E1", "6.1/M-2vcpu"]) {
        const whole = gunzipSync(readFileSync(join(recordings!, `${name}.trace.gz`))).toString()
        const text = whole.split("\n").slice(0, 10_000).join("\n") + "\n"
        const ftrace = yield* saidBy(text)
        const traceCmd = yield* saidBy(asTraceCmd(text))
        const perf = yield* saidBy(asPerf(text))
        assert.deepStrictEqual([ftrace.format, traceCmd.format, perf.format], [
          "ftrace",
          "trace-cmd report",
          "perf script"
        ])
        assert.deepStrictEqual(traceCmd, { ...ftrace, format: traceCmd.format })
        assert.deepStrictEqual(perf, { ...ftrace, format: perf.format })
      }
    }))

  it.effect.each([
    ["trace-cmd report", "formats/tracecmd-A2.report.txt.gz", / [\d.]+: (\w+):/],
    ["perf script", "formats/perf-A2.perfscript.gz", / [\d.]+: +\w+:(\w+):/]
  ])("that %s recorded itself is read whole", ([_name, file, event]) =>
    Effect.gen(function*() {
      const lines = gunzipSync(readFileSync(join(recordings!, file as string))).toString().split("\n").filter((line) =>
        line !== ""
      )
      const named = lines.flatMap((line) => (event as RegExp).exec(line)?.[1] ?? [])
      const { census, state } = yield* read(join(recordings!, file as string))
      const records: Record<string, number> = {}
      for (const name of named) records[name] = (records[name] ?? 0) + 1
      assert.deepStrictEqual(sorted(census.records), sorted(records))
      assert.deepStrictEqual([census.lines, census.rejected], [lines.length, []])
      assert.strictEqual(state.invalidations.count, records["inv_start"])
      assert.strictEqual(state.refreshes.completed, records["refresh_ret"])
      assert.strictEqual(state.refreshes.retries, records["gpc_snap"]! - state.refreshes.withLookup)
      assert.strictEqual(state.refreshes.unrelated, state.refreshes.retries)
      assert.strictEqual(state.invalidations.hits.count, records["gpc_inval_hit"])
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})

describe("the capture that comes with the package", () => {
  it.effect("shows the seed's problem: retries that no invalidation of the page explains", () =>
    Effect.gen(function*() {
      const report = yield* reportTrace(BUNDLED)
      const { census } = report.files[0]!
      assert.deepStrictEqual([census.parsed, census.rejected], [25_071, []])
      assert.deepInclude(report.refreshes, { completed: 195, retries: 150, unrelatedLaps: 150, lapsMax: 73 })
      assert.deepInclude(report.invalidators[0], { comm: "gpcstorm", pid: 239, call: "madvise" })
      const found = report.verdicts.filter(({ verdict }) => verdict !== "holds").map(({ id }) => id)
      assert.deepStrictEqual(found, ["pessimistic-retry"])
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})

const countsOf = (s: Activity, census: Census) => ({
  lines: census.parsed,
  rejected: census.rejected,
  events: sorted(census.records),
  invalidations: s.invalidations.count,
  byEvent: sorted(Object.fromEntries(s.invalidations.byEvent)),
  maxInFlight: Math.max(...[...s.ranges.vms.values()].map((vm) => vm.maxInFlight)),
  refreshes: s.refreshes.completed,
  withLookup: s.refreshes.withLookup,
  failed: s.refreshes.failed,
  unfinished: s.refreshes.running.size + s.refreshes.abandoned,
  retries: s.refreshes.retries,
  retriesMax: s.refreshes.lapsMax - 1,
  retriesOf: sorted(retriesOf(s.refreshes.laps)),
  byCount: s.refreshes.retriesBy.get("count") ?? 0,
  bySeq: s.refreshes.retriesBy.get("seq") ?? 0,
  unrelated: s.refreshes.unrelated,
  hits: s.invalidations.hits.count,
  checks: [sum(s, (gpc) => gpc.checks.miss), sum(s, (gpc) => gpc.checks.hit)],
  faults: [s.memory.mapped, s.memory.stale],
  hullOnly: s.memory.hullOnly.count,
  swaps: [s.memory.swaps, s.memory.waits],
  tasks: s.threads.size,
  stalePublishes: s.refreshes.stalePublishes.count,
  caughtBySeq: s.refreshes.caughtBySeq.count
})

const wanted = (name: string, e: Expected): ReturnType<typeof countsOf> => ({
  lines: e.lines,
  rejected: [],
  events: sorted(e.events),
  invalidations: e.invalidations,
  byEvent: sorted(
    Object.fromEntries(Object.entries(e.inv_events).map(([code, n]) => [NOTIFIER_EVENTS[Number(code)]!, n]))
  ),
  maxInFlight: e.inv_max_concurrent,
  refreshes: e.refreshes,
  withLookup: e.refreshes_with_lookup,
  failed: e.refresh_failed,
  unfinished: e.unfinished_refreshes,
  retries: e.retries.total,
  retriesMax: e.retries.max,
  retriesOf: sorted(e.retries.hist),
  byCount: e.retry_cause.active_count,
  bySeq: e.retry_cause.seq_changed,
  unrelated: e.retries_without_any_overlapping_invalidation,
  hits: e.gpc_invalidated_hits,
  checks: [e.check["0"] ?? 0, e.check["1"] ?? 0],
  faults: [e.pf_stale["0"] ?? 0, e.pf_stale["1"] ?? 0],
  hullOnly: HULL_ONLY[name] ?? 0,
  swaps: [e.memslot_swaps, e.swap_us.waits],
  tasks: e.distinct_tasks,
  stalePublishes: e.stale_commits,
  caughtBySeq: CAUGHT_ON_6_1[name] ?? e.invalidation_inside_window_caught_by_seq
})

/** The script counts retries; a refresh that kept its mapping made no lap, and is not in its histogram. */
const retriesOf = (laps: ReadonlyMap<number, number>): Record<string, number> =>
  Object.fromEntries([...laps].filter(([n]) => n > 0).map(([n, count]) => [String(n - 1), count]))

/** Exact sums and maxima; quantiles within the width of a bucket. */
const assertTimes = (s: Activity, e: Expected, census: Census): void => {
  // The script took the counter's ticks for seconds.
  const nsPerUs = census.clock === "ticks" ? 1e-6 : 1000
  const { durations } = s.invalidations
  const refreshed = s.refreshes.durations
  assert.approximately((s.to - s.from) / nsPerUs / 1e6, e.span_s, 0.0001)
  for (const [got, want] of [[durations, e.inv_us], [refreshed, e.refresh_us]] as const) {
    assert.strictEqual(got.max, Math.round(want.max * nsPerUs))
    for (const [q, us] of [[0.5, want.p50], [0.9, want.p90], [0.99, want.p99]] as const) {
      assert.approximately(quantile(got, q), us * nsPerUs, us * nsPerUs * 0.001)
    }
  }
  assert.approximately(refreshed.sum / refreshed.count / nsPerUs, e.refresh_us.mean, 0.06)
  assert.strictEqual(s.memory.swapDurations.max, Math.round(e.swap_us.max * nsPerUs))
}

const sorted = (record: Readonly<Record<string, number>>) => Object.fromEntries(Object.entries(record).sort())

const sum = (s: Activity, of: (gpc: GpcValidity) => number): number =>
  [...s.validity.gpcs.values()].reduce((total, gpc) => total + of(gpc), 0)
