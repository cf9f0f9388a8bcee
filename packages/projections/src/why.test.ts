import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "@pfnscope/journal"
import { flagWait, mainline612, needsInvalidationV32 } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { logOf } from "./log.ts"
import type { Log } from "./log.ts"
import { atSeq, END } from "./position.ts"
import type { Position } from "./position.ts"
import { HIGH, play, U, use, worldOfThreads, zap } from "./staging.ts"
import { why } from "./why.ts"

const world = worldOfThreads({ "vcpu/0": [1, use], "mm/0": [1, zap(U)], "mm/1": [1, zap(HIGH)] })

const ask = (log: Log<never>, subject: string, at: Position = END) => Effect.runSync(why(log, subject, at))
const chainOf = (log: Log<never>, subject: string, at?: Position) =>
  ask(log, subject, at).chain.map(({ seq, type }) => `#${seq} ${type}`)
const refusal = (log: Log<never>, subject: string) => Effect.runSync(Effect.flip(why(log, subject, END))).message

describe("why, of a page that is gone (I-06)", () => {
  const { log } = play(world, mainline612, "vcpu/0 to retry.map", "mm/0 done", "vcpu/0 done")

  it("tells what became of the page of a valid cache", () => {
    assert.strictEqual(
      ask(log, "gpc/0").answer,
      "gpc/0 is valid since #31 (1.3 us ago): vcpu/0 published pfn 0x1, looked up at #11; " +
        "but that page has been freed at #34"
    )
    assert.deepStrictEqual(ask(log, "gpc/0.valid").answer, ask(log, "gpc/0").answer)
  })

  it("tells the life of the page that an access went to, back to the calls of both threads", () => {
    assert.match(
      ask(log, "P1@#39").answer,
      /^P1 NoUAF is violated by gpc\/0: .*; pfn 0x1 was looked up by vcpu\/0 at #11, unmapped by mm\/0 at #20, published by vcpu\/0 at #31, freed by vcpu\/0 at #34, used through khva by vcpu\/0 at #39$/
    )
    assert.deepStrictEqual(chainOf(log, "P1@#39"), [
      "#40 PropertyViolated",
      "#39 KhvaAccessed",
      "#34 PageFreed",
      "#33 RefPut",
      "#31 Published",
      "#20 PteChanged",
      "#14 RangeStartCalled",
      "#12 Called",
      "#11 PfnResolved",
      "#6 RefreshEntered",
      "#1 Called"
    ])
  })

  it("finds a violation by where it is written down, or by the event it was judged at", () => {
    assert.strictEqual(ask(log, "P2@#39").seq, 41)
    assert.deepStrictEqual({ ...ask(log, "P2@#41"), subject: "" }, { ...ask(log, "P2@39"), subject: "" })
  })

  it("is as of the position", () => {
    assert.strictEqual(
      ask(log, "gpc/0", atSeq(11)).answer,
      "gpc/0 is invalid since #8 (300 ns ago): the refresh by vcpu/0 cleared it before looking the page up; " +
        "vcpu/0 is in lap 1 of a refresh of gpc/0 that began at #6 (500 ns ago)"
    )
    assert.strictEqual(ask(log, "gpc/0", atSeq(5)).answer, "gpc/0 is invalid: nothing in this log has made it valid")
    assert.strictEqual(ask(log, "#31").seq, 31)
  })

  it("names the event that changed a field last", () => {
    assert.match(
      ask(log, "gpc/0.pfn").answer,
      /^gpc\/0\.pfn is 0x1 since #31 .*: vcpu\/0: Published uhva=0x400000 pfn=0x1$/
    )
    assert.match(ask(log, "mmu/0.frames.0x1.gup", atSeq(12)).answer, /is 1 since #11 .*PfnResolved/)
    assert.strictEqual(ask(log, "gpc/0.uhva").answer, "gpc/0.uhva is 0x400000: no event up to here has changed it")
  })

  it("of something that is not there says what is", () => {
    assert.strictEqual(
      refusal(log, "gpc/7"),
      "subject \"gpc/7\": expected one of mn/0, gpc/0, vcpu/0, mm/0, mm/1, #SEQ, P1@#SEQ, gpc/0.valid"
    )
    assert.match(refusal(log, "gpc/0.vaild"), /expected one of gpc\/0\.active, gpc\/0\.valid/)
    assert.match(refusal(log, "P3@#39"), /expected one of #39$/)
    assert.match(refusal(log, "P14@#39"), /expected one of mn\/0/)
    assert.strictEqual(refusal(log, "#400"), "position #400: expected one of the log, which ends at #44")
  })
})

describe("why, of a thread", () => {
  it("that retries names the invalidations in its way, and counts those that were not over its page", () => {
    const { log } = play(
      world,
      mainline612,
      "mm/1 to change",
      "vcpu/0 to retry.relock",
      "vcpu/0 to retry.relock",
      "vcpu/0 to retry.relock"
    )
    assert.strictEqual(
      ask(log, "vcpu/0").answer,
      "vcpu/0 is in lap 3 of a refresh of gpc/0 that began at #14 (2.2 us ago): the last one was thrown away at #31 " +
        "because 1 invalidation was in flight, not over the page (2 of 2 laps were thrown away for nothing that " +
        "touched its page); its next step is retry.relock"
    )
    assert.includeMembers(chainOf(log, "vcpu/0"), ["#31 RetryDecided", "#3 RangeStartCalled", "#1 Called"])
    assert.strictEqual(
      ask(log, "mn/0").answer,
      "mn_active_invalidate_count is 1: mm/1 since #3 (3.3 us ago) over [0x600000, 0x601000) (madvise)"
    )
  })

  it("that is blocked names the lock and who holds it", () => {
    const { log } = play(world, mainline612, "vcpu/0 to refresh.decide", "mm/0 blocks")
    assert.strictEqual(
      ask(log, "mm/0").answer,
      "mm/0 waits since #13 (just now) for the lock of gpc/0, held by vcpu/0 since #7"
    )
  })

  it("that holds its own obstacle says so (I-26)", () => {
    const { log } = play(world, needsInvalidationV32, "mm/0 to change", "vcpu/0 blocks")
    assert.match(ask(log, "vcpu/0").answer, /for the lock of gpc\/0, it holds it itself \(#21\)$/)
  })

  it("that sleeps names the ranges it waits for, whatever it is asked through", () => {
    const { log } = play(world, flagWait, "mm/0 to change", "vcpu/0 blocks")
    const asleep = /vcpu\/0 sleeps since #22 .*; in flight: mm\/0 \[0x400000, 0x401000\) \(madvise\)$/
    assert.match(ask(log, "vcpu/0").answer, asleep)
    assert.match(ask(log, "gpc/0").answer, asleep)
  })

  it("names who waits for what it holds, for its invalidation and for its read section", () => {
    const held = play(world, mainline612, "vcpu/0 to refresh.decide", "mm/0 blocks").log
    assert.match(ask(held, "vcpu/0").answer, /; mm\/0 waits for its hold of the lock of gpc\/0 since #13 \(just now\)$/)
    assert.includeMembers(chainOf(held, "vcpu/0"), ["#13 Blocked", "#7 Locked"])
    const slept = play(world, flagWait, "mm/0 to change", "vcpu/0 blocks").log
    assert.match(ask(slept, "mm/0").answer, /; vcpu\/0 waits for its invalidation since #22 \(.* ago\)$/)
    assert.notMatch(ask(slept, "vcpu/0").answer, /waits for/)
    const update = worldOfThreads({
      "vcpu/0": [1, { _tag: "gpc_read", gpc: 0 }],
      "mm/0": [1, { _tag: "set_memslot", slot: 0, hva: HIGH }]
    }, { slots: true })
    const swapped = play(update, mainline612, "vcpu/0 to use.check", "mm/0 blocks").log
    assert.match(
      ask(swapped, "vcpu/0").answer,
      /; mm\/0 waits for its read section of kvm->srcu since #\d+ \(just now\)$/
    )
  })

  it("waits for a lock, as the lock's own field has it", () => {
    const { log } = play(world, mainline612, "vcpu/0 to refresh.decide", "mm/0 blocks")
    assert.match(
      ask(log, "gpc/0.lock.writer").answer,
      /^gpc\/0\.lock\.writer is vcpu\/0 since #7 .*; mm\/0 waits for it$/
    )
    assert.notMatch(ask(log, "gpc/0.refresh_lock").answer, /waits for it/)
    assert.notMatch(ask(log, "mn/0.gpc_lock").answer, /waits for it/)
  })

  it("that is done says so", () => {
    const { log } = play(world, mainline612, "mm/0 done")
    assert.match(ask(log, "mm/0").answer, /^mm\/0 is between operations: it has done all it was asked for$/)
  })
})

const event = (seq: number, data: Partial<Event>, cause?: number): Envelope<Event> => ({
  seq,
  stream: data._tag === "Noted" ? "mm/0" : "gpc/0",
  rev: seq,
  type: data._tag!,
  version: 1,
  t: seq,
  how: "observed",
  src: { file: "a.trace", line: seq * 10 },
  ...(cause === undefined ? {} : { cause }),
  data: { thread: 0, ...data } as Event
})

describe("why, of a trace", () => {
  it("needs no labels and no calls, and cites lines", () => {
    const log = logOf({ kind: "import" }, [
      event(1, { _tag: "RefreshEntered", gpc: 0, gpa: -1, uhva: 0x7000 }),
      event(2, { _tag: "PfnResolved", hva: 0x7000, pfn: 9 }),
      event(3, { _tag: "Published", gpc: 0, uhva: 0x7000, pfn: 9 })
    ])
    const { answer, chain } = ask(log, "gpc/0")
    assert.strictEqual(answer, "gpc/0 is valid since #3 (just now): thread/0 published pfn 0x9, looked up at #2")
    assert.deepStrictEqual(chain.map(({ seq, src }) => [seq, src?.line]), [[3, 30], [2, 20], [1, 10]])
    assert.strictEqual(
      ask(log, "thread/0", atSeq(2)).answer,
      "thread/0 is in lap 1 of a refresh of gpc/0 that began at #1 (1 ns ago)"
    )
  })

  it("follows the causes that the log itself names where it has no others", () => {
    const log = logOf({ kind: "import" }, [
      event(1, { _tag: "Noted", text: "\u001b[2Jone" }),
      event(2, { _tag: "Noted", text: "two" }, 1),
      event(3, { _tag: "Noted", text: "three" }, 2)
    ])
    assert.deepStrictEqual(ask(log, "#3").chain.map(({ text }) => text), [
      "mm/0 text=three",
      "mm/0 text=two",
      "mm/0 text=\\x1b[2Jone"
    ])
  })
})
