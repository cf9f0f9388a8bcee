import { assert, describe, it } from "@effect/vitest"
import { combine } from "./combine.ts"
import { closed, entered, lap, opened, published, report, retry, UHVA } from "./hand-made.ts"
import type { Line } from "./hand-made.ts"

const task = (thread: number, comm: string): Line => ({ _tag: "TaskSeen", thread, comm, pid: 70 + thread }) as Line
const bumped = (thread: number, seq: number): Line => ({ _tag: "SeqBumped", thread, seq, inProgress: 0 }) as Line
const blamed = (...lines: ReadonlyArray<Line>) =>
  report([task(2, "storm"), task(3, "other"), ...lines]).invalidators.map(({ comm, faultRetries, retries }) => [
    comm,
    retries,
    faultRetries
  ])

const stale = (reason: string): Line => ({ _tag: "GuestFaultRetried", gfn: 9, reason }) as Line

describe("blame for a retry", () => {
  it("for what is in flight is on those who were counted at its test", () => {
    assert.deepStrictEqual(
      blamed(
        ...opened(3, 0x9000, 1),
        ...closed(3, 0x9000, 0),
        entered,
        ...opened(2, 0x9000, 1),
        ...lap,
        ...closed(2, 0x9000, 0),
        ...opened(3, 0x9000, 1),
        retry("count"),
        ...lap,
        ...published
      ),
      [["storm", 1, 0], ["other", 0, 0]]
    )
  })

  it("for a changed sequence is on those who changed it in the lap", () => {
    assert.deepStrictEqual(
      blamed(
        ...opened(3, 0x9000, 1),
        bumped(3, 1),
        ...closed(3, 0x9000, 0),
        entered,
        lap[0]!,
        ...opened(2, 0x9000, 1),
        bumped(2, 2),
        ...closed(2, 0x9000, 0),
        ...lap.slice(1),
        retry("seq")
      ),
      [["storm", 1, 0], ["other", 0, 0]]
    )
  })

  it("where no test is recorded is on whoever was there", () => {
    assert.deepStrictEqual(
      blamed(entered, ...opened(2, 0x9000, 1), ...closed(2, 0x9000, 0), retry("none"), ...opened(3, 0x9000, 1)),
      [["storm", 1, 0], ["other", 0, 0]]
    )
  })

  it("of a guest fault is on those who zap guest memory, or have moved the sequence on from its snapshot", () => {
    const held = { _tag: "MmuLockHeld", thread: 3, inProgress: 1, start: 9, end: 10 } as Line
    assert.deepStrictEqual(
      blamed(
        ...opened(2, 0x9000, 1),
        bumped(2, 1),
        ...closed(2, 0x9000, 0),
        ...opened(3, 0x9000, 1),
        held,
        stale("in-progress"),
        bumped(3, 2),
        { _tag: "Snapshotted", seq: 1 } as Line,
        stale("seq")
      ),
      [["other", 0, 2], ["storm", 0, 0]]
    )
  })
})

const chainFor = (cause: number, frames: string): Line => ({ _tag: "CallChainSeen", thread: 2, frames, cause }) as Line

describe("a call chain", () => {
  const { invalidators } = report([
    ...opened(2, 0x9000, 1),
    chainFor(1, "change_protection change_prot_numa task_numa_work"),
    ...closed(2, 0x9000, 0),
    ...opened(2, 0x9000, 1),
    // The record at the count may be the one with the chain.
    chainFor(9, "unmap_vmas do_vmi_align_munmap"),
    ...closed(2, 0x9000, 0),
    ...opened(2, 0xa000, 1)
  ])

  it("tells what a task invalidates for", () => {
    assert.deepStrictEqual(
      invalidators.map(({ chain, count }) => `${chain?.[0] ?? "untold"} ${count}`).sort(),
      ["change_protection 1", "unmap_vmas 1", "untold 1"]
    )
  })
})

const stormOn = (uhva: number) =>
  report([
    entered,
    ...lap,
    ...published,
    entered,
    ...Array.from({ length: 20 }, () => [...opened(2, uhva, 1), ...lap, ...closed(2, uhva, 0), retry("count")])
      .flat(),
    ...lap,
    ...published
  ]).storm!

describe("a storm", () => {
  it("is unrelated where no range was over a cache's page, and on the page where all were", () => {
    assert.deepInclude(stormOn(0x9000), { relation: "unrelated", count: 20, overlapping: 0, gpcs: [] })
    assert.deepInclude(stormOn(UHVA), { relation: "on-page", count: 20, overlapping: 20, gpcs: [0] })
  })

  it("is on the page, too, where the cache's address is known only when the range is open already", () => {
    const { refreshes, storm } = report([
      ...opened(2, UHVA, 1),
      entered,
      ...lap,
      retry("count"),
      ...lap,
      retry("count")
    ])
    assert.deepInclude(storm, { relation: "on-page", count: 1, overlapping: 1 })
    assert.deepInclude(refreshes.running[0], { laps: 3, unrelated: 0, line: 4 })
  })

  it("is none where nothing had to try again; where nobody would be seen trying, it is who invalidates most", () => {
    assert.isNull(report([entered, ...lap, ...published, ...opened(2, 0x9000, 1)]).storm)
    assert.deepInclude(report(opened(2, 0x9000, 1)).storm, { relation: "unknown", count: 1 })
  })

  it("of several files is the greater one, and its caches are numbered on", () => {
    const one = report([entered, ...opened(2, 0x9000, 1), ...lap, retry("count"), ...lap, ...published])
    const many = report([
      entered,
      ...lap,
      ...published,
      entered,
      ...opened(2, UHVA, 1),
      ...lap,
      retry("count"),
      ...lap,
      retry("count"),
      ...lap,
      ...published
    ])
    assert.deepInclude(combine(one, many).storm, { gpcs: [1], relation: "on-page" })
    assert.deepStrictEqual(combine(one, many).invalidators[0]!.gpcs, [{ id: 1, count: 1 }])
  })
})
