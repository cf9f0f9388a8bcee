import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "@pfnscope/journal"
import { logOf, stateAt } from "@pfnscope/projections"
import { END } from "@pfnscope/projections"
import { EMITTED, makeEvent } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { eventJson, eventText } from "./event.ts"
import { exportText } from "./export.ts"
import { repairText } from "./repair.ts"
import { runJson, runTable } from "./run.ts"
import type { ShownRun } from "./run.ts"
import { bar, CAVEAT, duration, percent } from "./table.ts"
import { atJson, atText, diffJson, diffText, whyJson, whyText } from "./travel.ts"
import { verifyText } from "./verify.ts"

const published: Envelope<Event> = {
  seq: 1234,
  stream: "gpc/0",
  rev: 17,
  type: "Published",
  version: 1,
  t: 12_345_678_000,
  cause: 1201,
  corr: 1100,
  how: "simulated",
  data: { _tag: "Published", thread: 2, gpc: 0, uhva: 0x7e00_0000_8000, pfn: 0x2b, to: "refresh.put" }
}

describe("an event", () => {
  it("is a line with position, time, stream, fields, where its thread goes, and its cause", () => {
    assert.strictEqual(
      eventText(published),
      "#1234   12.345678 gpc/0@17     thread=2 Published uhva=0x7e0000008000 pfn=0x2b -> refresh.put <-#1201"
    )
  })

  it("names its thread, where the world's names are known", () => {
    const line = eventText(published, ["vcpu/0", "vcpu/1", "mm/\u001b0"])
    assert.match(line, / gpc\/0@17 {5}mm\/\\x1b0 Published /)
    assert.match(eventText(published, ["vcpu/0"]), / thread=2 Published /)
  })

  it("from a trace cites file and line, and says where it is only inferred", () => {
    const { cause: _, ...known } = published
    assert.match(
      eventText({ ...known, how: "inferred", src: { file: "a\u001b.trace", line: 7 } }),
      /-> refresh\.put \(inferred\) a\\x1b\.trace:7$/
    )
  })

  it("is JSON with addresses as text, and numbers as numbers", () => {
    assert.deepStrictEqual(eventJson(published), {
      ...published,
      data: { thread: 2, gpc: 0, uhva: "0x7e0000008000", pfn: "0x2b", to: "refresh.put" }
    })
  })

  it.each(EMITTED)("%s has a line and a JSON form without undefined", (tag) => {
    const data = makeEvent(tag)(0, 1, 1, 1, 1, -1)
    const event = { ...published, type: tag, data }
    assert.include(eventText(event), ` ${tag}`)
    assert.notInclude(eventText(event) + JSON.stringify(eventJson(event)), "undefined")
  })
})

describe("the state at a position", () => {
  const at = Effect.runSync(
    stateAt(logOf({}, [{ ...published, seq: 1, data: { ...published.data, thread: 0 } as Event }]), END)
  )

  it("is JSON of the position, the hash and the four parts", () => {
    const json = atJson(at) as Record<"seq" | "t" | "stateHash" | "state", unknown>
    assert.deepInclude(json, { seq: 1, t: 12_345_678_000, stateHash: at.stateHash })
    assert.deepStrictEqual(Object.keys(json.state as object), ["mmu", "notifier", "gpcs", "threads"])
    assert.match(JSON.stringify(json), /"uhva":"0x7e0000008000","pfn":"0x2b"/)
  })

  it("is text with a line for each cache and thread", () => {
    assert.match(atText(at), /^After #1, 12\.345678 s, state [0-9a-f]{16}\n/)
    assert.match(atText(at), /^gpc\/0 {2}active=true valid=true .* uhva=0x7e0000008000 pfn=0x2b/m)
    assert.match(atText(at), /^thread\/0 {2}label=refresh\.put/m)
  })
})

describe("a difference", () => {
  const diff = {
    from: 3,
    to: 9,
    changes: [
      { path: "gpc/0.valid", before: false, after: true, seq: 9 },
      { path: "vcpu/0.new_pfn", before: "0x2b", after: null, seq: 8 }
    ]
  }

  it("is a table, and the JSON of the contract", () => {
    assert.deepStrictEqual(diffText(diff).split("\n"), [
      "From #3 to #9: 2 changes",
      "what            before  after  by",
      "--------------  ------  -----  --",
      "gpc/0.valid     false   true   #9",
      "vcpu/0.new_pfn  0x2b    -      #8"
    ])
    assert.deepStrictEqual(diffJson(diff), diff)
    assert.strictEqual(diffText({ from: 3, to: 3, changes: [] }), "From #3 to #3: 0 changes")
  })
})

describe("an answer", () => {
  const answer = {
    subject: "gpc/0",
    seq: 1234,
    answer: "gpc/0 is valid",
    chain: [{ seq: 1234, type: "Published", text: "vcpu/0 pfn=0x2b", src: { file: "a\u0007.trace", line: 7 } }]
  }

  it("is the sentence with the events behind it, and the JSON of the contract", () => {
    assert.strictEqual(whyText(answer), "gpc/0 is valid\n  #1234 Published  vcpu/0 pfn=0x2b  a\\x07.trace:7")
    assert.deepStrictEqual(whyJson(answer), {
      ...answer,
      chain: [{ seq: 1234, type: "Published", text: "vcpu/0 pfn=0x2b" }]
    })
  })
})

describe("runs", () => {
  const refreshes = { started: 20, completed: 19, lapsMax: 86, lapsMean: 23.25, unrelatedLaps: 444, waits: 0 }
  const run = (policy: string, violations: ShownRun["summary"]["violations"]): ShownRun => ({
    policy,
    outcome: { ended: "until", nanos: 1_200_000, steps: 9, stuck: [] },
    summary: { events: 12, refreshes, violations, verdicts: [] },
    log: null
  })
  const runs = [
    run("mainline-6.12", [{ property: "P1", seq: 39, count: 3 }, { property: "P6", seq: 72, count: 1 }]),
    {
      ...run("exact-ranges", []),
      outcome: { ended: "deadlock" as const, nanos: 40, steps: 9, stuck: [{ thread: "vcpu/0", label: "retry.sleep" }] }
    }
  ]

  it("are a row a policy, with what was violated where, who is stuck, and what it is worth", () => {
    const lines = runTable("hva-cache", 7, runs).split("\n")
    assert.deepStrictEqual(lines.slice(0, 7), [
      "hva-cache, seed 7",
      "",
      "policy         ended       after   refreshes  laps max  mean  unrelated  waits  findings",
      "-------------  ----------  ------  ---------  --------  ----  ---------  -----  ---------------------------",
      "mainline-6.12  time is up  1.2 ms  19/20            86  23.3        444      0  P1 #39 (x3), P6 starves #72",
      "exact-ranges   deadlock    40 ns   19/20            86  23.3        444      0  -",
      "  exact-ranges: nobody can go on: vcpu/0 at retry.sleep"
    ])
    assert.strictEqual(lines.filter((line) => line === CAVEAT).length, 1)
  })

  it("are the JSON of the contract", () => {
    const json = runJson("hva-cache", 7, runs) as { readonly scenario: string; readonly runs: ReadonlyArray<object> }
    assert.deepStrictEqual(Object.keys(json), ["scenario", "seed", "runs"])
    assert.deepInclude(json.runs[0]!, {
      policy: "mainline-6.12",
      events: 12,
      steps: 9,
      log: null,
      refreshes,
      violations: [{ property: "P1", seq: 39, count: 3 }, { property: "P6", seq: 72, count: 1 }]
    })
  })
})

describe("a verification", () => {
  const verified = { ok: true, events: 3, batches: 1, head: "ab", damage: null, torn: null }

  it("says what is sound, and where it is not by byte and event", () => {
    assert.strictEqual(
      verifyText("a.log", verified),
      "a.log: 3 events in 1 batch, head ab\n  sound: every frame, checksum and hash"
    )
    assert.match(
      verifyText("a.log", {
        ...verified,
        ok: false,
        damage: { segment: "a.log", byte: 20, seq: 4, reason: "a checksum is wrong" }
      }),
      /\n {2}damaged at byte 20, event #4: a checksum is wrong$/
    )
    assert.match(
      verifyText("a.log", { ...verified, torn: { segment: "a.log", byte: 90, bytes: 1 } }),
      /\n {2}torn at byte 90: 1 byte of/
    )
    const later = { segment: "a.log.seg-000002", byte: 90, bytes: 2 }
    assert.match(
      verifyText("a.log", { ...verified, torn: later }),
      /\n {2}torn at byte 90 of a\.log\.seg-000002: 2 bytes/
    )
    const asked = (seq: number | null) => verifyText("a.log", { ...verified, asked: { head: "cd", seq } })
    assert.match(asked(2), /\n {2}up to #2 what it was at head cd$/)
    assert.match(asked(null), /\n {2}not a continuation of head cd: rewritten before it, or cut short$/)
  })
})

describe("a repair", () => {
  it("says what was cut off and where it is, what would be, or that there is nothing", () => {
    const torn = { segment: "a.log", byte: 90, bytes: 1 }
    const repair = { dryRun: false, events: 3, torn, kept: "a.log.torn-90" }
    assert.strictEqual(
      repairText("a.log", repair),
      "a.log: cut off 1 byte from byte 90 on, kept in a.log.torn-90; 3 events stay"
    )
    assert.match(
      repairText("a.log", { ...repair, dryRun: true, kept: null }),
      /^a\.log: would cut off 1 byte from byte 90/
    )
    assert.match(repairText("a.log", { ...repair, torn: null, kept: null }), /^a\.log: nothing to repair/)
  })
})

describe("an export", () => {
  it("says what it took, and every loss by byte and position", () => {
    const loss = { segment: "a.log", byte: 90, first: 4, reason: "a checksum is wrong" }
    const text = (count: number | null) =>
      exportText("a.log", { output: "b.log", events: 3, head: "ab", lost: [{ ...loss, count }] })
    assert.strictEqual(
      text(1),
      "b.log: 3 events of a.log, head ab\n  lost at byte 90: 1 event from #4 on (a checksum is wrong)"
    )
    assert.match(text(null), /: everything from #4 on \(/)
    assert.match(text(0), /: nothing, but #4 may not belong to what is before it \(/)
  })
})

describe("figures", () => {
  it.each([[999, "999 ns"], [1_200, "1.2 us"], [53_500_000, "53.5 ms"], [2_100_000_000, "2.10 s"]] as const)(
    "%d ns is %s",
    (ns, text) => assert.strictEqual(duration(ns), text)
  )

  it("a bar is as long as its share, and what is not nothing is seen", () => {
    assert.deepStrictEqual([0, 1, 50, 100].map((n) => bar(n, 100, 10)), ["", "#", "#####", "##########"])
    assert.deepStrictEqual([percent(1, 3), percent(0, 0)], ["33 %", "-"])
  })
})
