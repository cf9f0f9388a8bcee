import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ftrace } from "../formats/ftrace.ts"
import { importBytes } from "../import.ts"
import { makeReader } from "../reading/reader.ts"
import { bytesOf } from "../reading/text.ts"
import { reportOfTrace } from "../report.ts"

const GPC = "gpc=0xffffc900001b2670"
const KVM = "kvm=0xffffc900001b1000"
const MN = "mn=0xffffc900001b2a90"
const PAGE = "start=0x7e0002000000 end=0x7e0002001000"
const OTHER = "start=0x7e00406c6000 end=0x7e00406c7000"

/** Lines of `PID event` one µs apart from 1 s on. */
const textOf = (lines: ReadonlyArray<string>): Uint8Array =>
  bytesOf(
    lines.map((line, i) => {
      const [, pid, event] = /^(\d+) (.*)$/.exec(line)!
      return `        gpcstorm-${pid!.padEnd(7)} [000] ..... ${
        `1.${String(i).padStart(6, "0")}`.padStart(12)
      }: ${event}\n`
    }).join("")
  )

const map = (...lines: ReadonlyArray<string>): ReadonlyArray<NewEvent<Event>> => {
  const reader = makeReader("t", ftrace)
  return [...reader.push(textOf(lines)), ...reader.end()]
}

/** The events that are left when tasks and caches have been announced. */
const said = (events: ReadonlyArray<NewEvent<Event>>) =>
  events.map((event, i) => ({ seq: i + 1, ...event })).filter(({ data }) => !data._tag.endsWith("Seen"))

const invalidation = (pid: number, range: string, active: number, ...inside: ReadonlyArray<string>) => [
  `${pid} inv_start: (f) ${MN} ${range} flags=1 event=1 active=${active} seq=16`,
  `${pid} inv_inc: (f) ${KVM} active=${active + 1} ${range}`,
  `${pid} gpc_inval: (f) ${KVM} ${range}`,
  `${pid} gpc_inval_ret: (f <- g) ${KVM}`,
  `${pid} inv_start_ret: (f <- g) ${MN} ret=0`,
  ...inside,
  `${pid} inv_end: (f) ${MN} ${range} event=1 active=${active + 1} seq=16`,
  `${pid} inv_dec: (f) ${KVM} active=${active} seq=16`,
  `${pid} inv_end_ret: (f <- g) ${MN}`
]

const entry = `5 refresh: (f) ${GPC} gpa=0x2000000 uhva_arg=0xffff888000000000 old_gpa=0x2000000 ` +
  "old_uhva=0x7e0002000000 gen=0x6 slots_gen=0x6 pfn=0x7ff0000000000000 active=1 valid=0"

const lap = (snap: number, active: number) => [
  `5 gpc_snap: (f) ${GPC} uhva=0x7e0002000000 snap=${snap} active=${active}`,
  `5 gpc_pfn: (f) ${GPC} pfn=0x10435e`,
  `5 gpc_recheck: (f) ${GPC} snap=${snap} active=${active} seq=${snap} pfn=0x10435e`
]

const publish = [
  `5 gpc_commit: (f) ${GPC} uhva=0x7e0002000000 pfn=0x10435e snap=17`,
  `5 refresh_ret: (f <- g) ${GPC} ret=0`
]

describe("an invalidation in a trace", () => {
  const events = said(map(
    "7 sys_madvise(start: 7e0002000000, len_in: 1000, behavior: 4)",
    ...invalidation(7, PAGE, 0, `7 gpc_inval_hit: (f) ${GPC} uhva=0x7e0002000000 pfn=0x10435e ${PAGE}`),
    "7 sys_madvise -> 0x0"
  ))
  const of = (tag: Event["_tag"]) => events.find(({ data }) => data._tag === tag)!

  it("is told step by step", () => {
    assert.deepStrictEqual(events.map(({ data }) => data._tag), [
      "Called",
      "RangeStartCalled",
      "CountIncremented",
      "WalkReturned",
      "StartReturned",
      "GpcVisited",
      "GpcInvalidated",
      "EndCalled",
      "CountDecremented",
      "EndReturned",
      "Returned"
    ])
  })

  it("is caused by the syscall, and marks the cache because of its start", () => {
    assert.strictEqual(of("RangeStartCalled").cause, of("Called").seq)
    assert.strictEqual(of("GpcInvalidated").cause, of("RangeStartCalled").seq)
  })

  it("is one operation from its start to the return of its end", () => {
    const start = of("RangeStartCalled").seq
    for (const { corr } of events.slice(1, -1)) assert.strictEqual(corr, start)
  })

  it("carries the kernel's values", () => {
    const bounds = { start: 0x7e0002000000, end: 0x7e0002001000 }
    assert.deepStrictEqual(of("RangeStartCalled").data, {
      _tag: "RangeStartCalled",
      thread: 0,
      ...bounds,
      event: "CLEAR",
      change: "unknown"
    })
    assert.deepInclude(of("CountIncremented").data, { count: 1 })
    assert.deepInclude(of("Called").data, { op: "madvise", a: bounds.start, b: bounds.end })
  })

  it("bumps the sequence counts where the probes say so", () => {
    const [bumped, own, left] = said(map(
      ...invalidation(7, PAGE, 0).slice(0, 6),
      `7 mmu_inval_end: (f) ${KVM} seq=16 in_prog=1 hull_start=0x2000 hull_end=0x2001`,
      `7 inv_dec: (f) ${KVM} active=0 seq=17 gseq=9`
    )).slice(-3)
    assert.deepStrictEqual(bumped!.data, { _tag: "SeqBumped", thread: 0, seq: 17, inProgress: 0 })
    assert.strictEqual(bumped!.how, "inferred")
    assert.deepStrictEqual(own!.data, { _tag: "GpcSeqBumped", thread: 0, seq: 9 })
    assert.deepStrictEqual(left!.data, { _tag: "CountDecremented", thread: 0, count: 0 })
  })

  it("inside another of the same task is matched by its range", () => {
    const nested = said(map(...invalidation(7, PAGE, 0, ...invalidation(7, OTHER, 1))))
    const starts = nested.filter(({ data }) => data._tag === "RangeStartCalled").map(({ seq }) => seq)
    const ends = nested.filter(({ data }) => data._tag === "EndReturned").map(({ corr }) => corr)
    assert.deepStrictEqual(ends, [starts[1], starts[0]])
  })

  it("without a start is kept, and belongs to nothing", () => {
    const [end] = said(map(`7 inv_end: (f) ${MN} ${PAGE} event=1 active=1 seq=16`))
    assert.strictEqual(end!.data._tag, "EndCalled")
    assert.isUndefined(end!.corr)
  })

  it("of the whole address space ends where user memory ends", () => {
    const [start] = said(map(`7 inv_start: (f) ${MN} start=0x0 end=0xffffffffffffffff event=5 active=0 seq=0`))
    assert.deepInclude(start!.data, { start: 0, end: 2 ** 47, event: "RELEASE" })
  })

  it("known by the stock tracepoint only is ended by inference, when its task comes back", () => {
    const bare = said(map(
      "7 sys_munmap(addr: 7e0002000000, len: 1000)",
      "7 kvm_unmap_hva_range: mmu notifier unmap range: 0x007e0002000000 -- 0x007e0002001000",
      "7 sys_munmap -> 0x0"
    ))
    assert.deepStrictEqual(bare.map(({ data, how }) => `${data._tag} ${how}`), [
      "Called observed",
      "RangeStartCalled observed",
      "CountIncremented inferred",
      "EndCalled inferred",
      "CountDecremented inferred",
      "EndReturned inferred",
      "Returned observed"
    ])
  })

  it("belongs to its VM, which the notifier lies in", () => {
    const second = invalidation(8, OTHER, 0).map((line) =>
      line.replace(KVM, "kvm=0xffffc900002b1000").replace(MN, "mn=0xffffc900002b2a90")
    )
    const events = said(map(...invalidation(7, PAGE, 0), ...second))
    assert.deepStrictEqual(events.map(({ stream }) => stream), [...Array(7).fill("mn/0"), ...Array(7).fill("mn/1")])
  })
})

const there = (line: string) => line.replace(KVM, "kvm=0xffffc900002b1000").replace(MN, "mn=0xffffc900002b2a90")

describe("an invalidation that two VMs in one address space see", () => {
  it("is one of each, matched by the notifier", () => {
    const lines = invalidation(7, PAGE, 0)
    const starts = lines.slice(0, 5)
    const ends = lines.slice(5)
    const events = said(map(...starts, ...starts.map(there), ...ends, ...ends.map(there)))
    const called = events.filter(({ data }) => data._tag === "RangeStartCalled")
    assert.deepStrictEqual(called.map(({ stream }) => stream), ["mn/0", "mn/1"])
    for (const { stream, seq } of called) {
      const own = events.filter((event) => event.corr === seq)
      assert.deepStrictEqual(own.map((event) => event.stream), Array(7).fill(stream))
    }
  })
})

describe("a refresh in a trace", () => {
  const lines = [entry, ...lap(16, 0), ...publish]

  it("is told step by step, and is one operation", () => {
    const events = said(map(...lines))
    assert.deepStrictEqual(events.map(({ data }) => data._tag), [
      "RefreshEntered",
      "Translated",
      "ValidCleared",
      "Snapshotted",
      "PfnResolved",
      "RetryTested",
      "Published",
      "RefreshReturned"
    ])
    for (const { corr } of events) assert.strictEqual(corr, events[0]!.seq)
    assert.strictEqual(events[6]!.cause, events[4]!.seq)
  })

  it("gives its address once, and again when it moves", () => {
    const moved = entry.replace("gpa=0x2000000 ", "gpa=0x3000000 ")
    const snap = lap(16, 0).map((line) => line.replace("uhva=0x7e0002000000", "uhva=0x7e0003000000"))
    const events = said(map(...lines, ...lines, moved, ...snap, ...publish))
    const addresses = events.flatMap(({ data }) => data._tag === "Translated" ? [[data.gpa, data.uhva]] : [])
    assert.deepStrictEqual(addresses, [[0x2000000, 0x7e0002000000], [0x3000000, 0x7e0003000000]])
  })

  it("retries for the count, because of the invalidation in flight, and says that it is none of its own", () => {
    const events = said(map(
      entry,
      ...invalidation(7, OTHER, 0).slice(0, 5),
      ...lap(16, 1),
      ...lap(16, 1),
      ...publish
    ))
    const retry = events.find(({ data }) => data._tag === "RetryDecided")!
    const counted = events.find(({ data }) => data._tag === "CountIncremented")!
    assert.deepInclude(retry.data, { reason: "count", inFlight: 1, covering: 0 })
    assert.strictEqual(retry.cause, counted.seq)
  })

  it("retries for the sequence where the probe on that path says so, or 6.1's via", () => {
    const said612 = said(map(entry, ...lap(16, 0), `5 gpc_retry_seq: (f) ${GPC} snap=16`, ...lap(17, 0)))
    const said61 = said(map(entry, ...lap(16, 0), ...lap(17, 0).map((line) => `${line} via=0`)))
    for (const events of [said612, said61]) {
      assert.deepInclude(events.find(({ data }) => data._tag === "RetryDecided")!.data, { reason: "seq" })
    }
  })

  it("that fails without a word is told as failed, by inference", () => {
    const events = said(map(entry, `5 refresh_ret: (f <- g) ${GPC} ret=-14`))
    assert.deepStrictEqual(events.map(({ data, how }) => `${data._tag} ${how}`), [
      "RefreshEntered observed",
      "RefreshFailed inferred",
      "RefreshReturned observed"
    ])
  })

  it("of 6.1 is known by its task at the return, as is the cache of a check", () => {
    const events = said(
      map(entry, "5 refresh_ret: (f <- g) ret=0", `5 check_in: (f) ${GPC}`, "5 check: (f <- g) ret=1")
    )
    assert.deepStrictEqual(events.map(({ data }) => data._tag), [
      "RefreshEntered",
      "MappingKept",
      "RefreshReturned",
      "Checked"
    ])
  })

  it("has laps without probes in its middle: its lookups, which do not say why there are several", () => {
    const looked = `5 hva2pfn_ret: (f <- g) hva=0x7e0002000000 pfn=0x10435e`
    const events = said(map(
      entry,
      looked,
      `7 inv_start: (f) ${MN} ${PAGE} flags=1 event=1 active=0 seq=16`,
      looked,
      `5 refresh_ret: (f <- g) ${GPC} ret=0`
    ))
    assert.deepStrictEqual(events.map(({ data, how }) => `${data._tag} ${how}`), [
      "RefreshEntered observed",
      "Translated observed",
      "PfnResolved observed",
      "RangeStartCalled observed",
      "RetryDecided inferred",
      "PfnResolved observed",
      "RefreshReturned observed"
    ])
    assert.deepInclude(events[4]!.data, { reason: "none", inFlight: 1, covering: 1 })
  })

  it("of 6.1 has the address that it kept, where the lookup does not name it", () => {
    const events = said(map(entry, "5 hva2pfn_ret: (f <- g) pfn=0x10435e"))
    assert.deepInclude(events.at(-1)!.data, { _tag: "PfnResolved", hva: 0x7e0002000000 })
  })

  it("has error values where the kernel has", () => {
    const events = said(map(
      `5 activate: (f) ${GPC} gpa=0xffffffffffffffff uhva=0x7e0040000000 len=4096 active=0`,
      "5 refresh: (f) gpc=0xffffc900001b2670 gpa=0xffffffffffffffff uhva_arg=0x7e0040000000 old_gpa=0xffffffffffffffff " +
        "old_uhva=0xffff888000000000 gen=0x0 slots_gen=0x8000000000000006 pfn=0x7ff0000000000000",
      `5 gpc_snap: (f) ${GPC} uhva=0x7e0040000000 snap=0 active=0`,
      `5 gpc_pfn: (f) ${GPC} pfn=0x7ff0000000000000`
    ))
    const of = (tag: Event["_tag"]) => events.find(({ data }) => data._tag === tag)!.data
    assert.deepInclude(of("Called"), { op: "gpc_activate_hva", a: 0, b: 0x7e0040000000 })
    assert.deepInclude(of("RefreshEntered"), { gpa: -1, uhva: 0x7e0040000000 })
    assert.deepInclude(of("Translated"), { gpa: -1, generation: 7 })
    assert.deepInclude(of("PfnResolved"), { pfn: -1 })
  })

  it("announces a cache by its pointer", () => {
    const events = map(`5 gpc_init: (f) ${GPC} ${KVM}`)
    assert.deepInclude(events[1]!.data, { _tag: "GpcSeen", gpc: 0, pointer: "0xffffc900001b2670" })
    assert.strictEqual(events[1]!.stream, "gpc/0")
  })
})

const fault = (gfn: number, snap: string, seq: number, inProgress: number, ret: number) => [
  `9 pf_stale: (f) vcpu=0xffff888104fa0000 gfn=0x${gfn.toString(16)} hva=0x7e0000001000 snap=${snap} seq=${seq} ` +
  `in_prog=${inProgress} hull_start=0x1 hull_end=0x9`,
  `9 pf_stale_ret: (f <- g) vcpu=0xffff888104fa0000 ret=${ret}`
]

const last = (...lines: ReadonlyArray<string>) => said(map(...lines)).slice(-2).map(({ data }) => data)

describe("guest memory in a trace", () => {
  const zap = `7 unmap_gfn: (f) ${KVM} gfn_start=0x8 gfn_end=0x9 in_prog=1 hull_start=0x1 hull_end=0x9 seq=1`

  it("a fault that maps gives the frame that was looked up", () => {
    assert.deepInclude(last("9 hva2pfn_ret: (f <- g) pfn=0x77", ...fault(5, "1", 1, 0, 0))[1], {
      _tag: "GuestFaulted",
      gfn: 5,
      pfn: 0x77
    })
  })

  it("a stale fault in the hull tells how many ranges hold its frame", () => {
    assert.deepInclude(last(zap, ...fault(5, "1", 1, 1, 1))[0], { reason: "in-progress", inFlight: 1, covering: 0 })
    assert.deepInclude(last(zap, ...fault(8, "1", 1, 1, 1))[0], { reason: "in-progress", inFlight: 1, covering: 1 })
  })

  it("a stale fault behind a completed invalidation is so for the sequence", () => {
    assert.deepInclude(last(...fault(5, "1", 2, 0, 1))[1], { _tag: "GuestFaultRetried", reason: "seq" })
  })

  it("6.1 keeps its hull in host addresses: the one in frames is put together", () => {
    const old = zap.replace("hull_start=0x1 hull_end=0x9", "hull_start=0x7e0000008000 hull_end=0x7e0000009000")
    const held = said(
      map(old, old.replace("gfn_start=0x8 gfn_end=0x9 in_prog=1", "gfn_start=0x2 gfn_end=0x3 in_prog=2"))
    )
    assert.deepStrictEqual(held.map(({ data, how }) => ({ ...data, how })), [
      { _tag: "MmuLockHeld", thread: 0, inProgress: 1, start: 8, end: 9, how: "inferred" },
      { _tag: "MmuLockHeld", thread: 0, inProgress: 2, start: 2, end: 9, how: "inferred" }
    ])
  })

  it("an update of the memslots waits, publishes and ends with a new generation", () => {
    const events = said(map(
      `3 swap_slots: (f) ${KVM} as_id=0 active=1`,
      `3 swap_wait: (f) ${KVM} active=1`,
      `3 swap_publish: (f) ${KVM} active=0 newgen=0x8000000000000004`,
      `3 swap_slots_ret: (f <- g) ${KVM} gen=0x6`
    ))
    assert.deepStrictEqual(events.map(({ data }) => data._tag), [
      "Called",
      "SwapWaited",
      "MemslotsSwapped",
      "GenerationChanged",
      "Returned"
    ])
    assert.deepInclude(events[2]!.data, { slot: -1, generation: 5 })
    assert.deepInclude(events[3]!.data, { generation: 6 })
  })
})

const verdictsOf = (...lines: ReadonlyArray<string>) =>
  reportOfTrace(importBytes("t", Stream.make(textOf(lines)))).pipe(
    Effect.map(({ verdicts }) => new Map(verdicts.map((verdict) => [verdict.id, verdict])))
  )

describe("the verdict on a trace", () => {
  it.effect("is a stale publish where the page is invalidated from end to end between lookup and test", () =>
    Effect.gen(function*() {
      const [snap, pfn, test] = lap(0, 0)
      const verdicts = yield* verdictsOf(entry, snap!, pfn!, ...invalidation(7, PAGE, 0), test!, ...publish)
      const stale = verdicts.get("stale-publish")!
      assert.deepStrictEqual([stale.verdict, stale.count], ["found", 1])
      assert.deepStrictEqual(stale.evidence.map(({ line }) => line), [3, 4, 13])
      assert.strictEqual(verdicts.get("P5")!.verdict, "violated")
    }))

  it.effect("is none where it is another page, or the invalidation had begun before the lookup", () =>
    Effect.gen(function*() {
      const [snap, pfn, test] = lap(0, 0)
      const others = yield* verdictsOf(entry, snap!, pfn!, ...invalidation(7, OTHER, 0), test!, ...publish)
      const [start, inc, ...rest] = invalidation(7, PAGE, 0)
      const before = yield* verdictsOf(entry, snap!, start!, inc!, pfn!, ...rest, test!, ...publish)
      for (const verdicts of [others, before]) assert.strictEqual(verdicts.get("stale-publish")!.verdict, "holds")
    }))

  it.effect("is the sign extension of 6.1 where a snapshot has the upper half all ones", () =>
    Effect.gen(function*() {
      const bad = yield* verdictsOf(...fault(5, "18446744071562071615", 2_147_487_295, 0, 1))
      const good = yield* verdictsOf(...fault(5, "2147487295", 2_147_487_295, 0, 1))
      assert.strictEqual(bad.get("sign-extended-seq")!.verdict, "found")
      assert.strictEqual(good.get("sign-extended-seq")!.verdict, "holds")
    }))

  it.effect("is that a range was left open where its task comes back from the call", () =>
    Effect.gen(function*() {
      const call = "7 sys_madvise(start: 7e0002000000, len_in: 1000, behavior: 4)"
      const back = "7 sys_madvise -> 0x0"
      const open = yield* verdictsOf(call, ...invalidation(7, PAGE, 0).slice(0, 5), back)
      const closed = yield* verdictsOf(call, ...invalidation(7, PAGE, 0), back)
      assert.deepStrictEqual(open.get("unpaired-range")!.evidence.map(({ line }) => line), [2, 7])
      assert.strictEqual(open.get("P8")!.verdict, "violated")
      assert.strictEqual(closed.get("unpaired-range")!.verdict, "holds")
    }))
})
