import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { bpftrace } from "../formats/bpftrace.ts"
import type { Format } from "../formats/format.ts"
import { ftrace } from "../formats/ftrace.ts"
import { traceCmd } from "../formats/trace-cmd.ts"
import { importBytes } from "../import.ts"
import type { Census } from "../reading/census.ts"
import { makeReader } from "../reading/reader.ts"
import { sniff, SNIFFED_BYTES } from "../reading/sniff.ts"
import { bytesOf } from "../reading/text.ts"
import { mailed } from "./mail.ts"

const load = (format: Format, text: string) => {
  const reader = makeReader("t", mailed(format))
  const events = [...reader.push(bytesOf(text)), ...reader.end()]
  return { events, census: reader.census() }
}

const accounted = (census: Census) =>
  census.parsed + census.markers + census.comments + census.rejected.reduce((sum, { count }) => sum + count, 0)

/** What the states of a text are, each with its line. */
const states = (events: ReadonlyArray<NewEvent<Event>>) =>
  events.flatMap(({ data, src }) =>
    data._tag === "FaultStateSeen"
      ? [[src?.line, data.seq.toString(16), data.inProgress, data.end.toString(16), data.repeat]]
      : []
  )

const ranges = (events: ReadonlyArray<NewEvent<Event>>) =>
  events.flatMap(({ data, src }) =>
    data._tag === "RangeStartCalled" ? [[src?.line, data.start.toString(16), data.end.toString(16)]] : []
  )

describe("a mail of the thread of 2023", () => {
  it("is read among its prose, quoted", () => {
    const { census, events } = load(
      bpftrace,
      [
        "From: Eric Wheeler <kvm@lists.ewheeler.net>",
        "Subject: Re: Deadlock due to EPT_VIOLATION",
        "",
        "On Mon, 21 Aug 2023, Sean Christopherson wrote:",
        "> > Here is another one, I think you described exactly this: the vcpu is ",
        "> > always the same, and the sequence increments, forever:",
        "> > ",
        "> >       1 ept[0] vcpu=ffff9964cdc48000 seq=80854227 inprog=1 start=7fa3183a3000 end=7fa3183a4000",
        "> >       2 ept[0] vcpu=ffff9964cdc48000 seq=8085422d inprog=1 start=7fa3183a9000 end=7fa3183aa000",
        "> > ",
        "> Hrm, but the address range being invalidated is changing.",
        "",
        "4983329 ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000",
        "--",
        "Eric Wheeler",
        ""
      ].join("\n")
    )
    assert.deepStrictEqual(states(events), [
      [8, "80854227", 1, "7fa3183a4000", 1],
      [9, "8085422d", 1, "7fa3183aa000", 2],
      [13, "8002c058", 0, "7fb47c1f6000", 4983329]
    ])
    assert.deepStrictEqual(census.rejected, [{ reason: "prose of the mail", count: 8, lines: [1, 2, 4] }])
    assert.deepStrictEqual([census.parsed, census.comments, accounted(census)], [3, 4, 15])
  })

  it("is read where lines were broken, with and without marks of quotation", () => {
    const { census, events } = load(
      bpftrace,
      "      1 ept[0] vcpu=ffff9964cdc48000 seq=80854227 inprog=1 start=7fa3183a3000 \n" +
        "end=7fa3183a4000\n" +
        "> > 4983329 ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0\n> > start=7fb47c1f5000 end=7fb47c1f6000\n" +
        "> >       2 ept[0] vcpu=ffff9964cdc48000 seq=8085422d inprog=1 start=7fa3183a9000\nend=7fa3183aa000\n"
    )
    assert.deepStrictEqual(states(events), [
      [1, "80854227", 1, "7fa3183a4000", 1],
      [3, "8002c058", 0, "7fb47c1f6000", 4983329],
      [5, "8085422d", 1, "7fa3183aa000", 2]
    ])
    assert.deepStrictEqual([census.parsed, census.continuations, census.rejected], [3, 3, []])
  })

  const broken = [
    "Content-Type: text/plain; charset=UTF-8; format=flowed",
    "",
    "On Intel machines the trace ends up looking like:",
    "",
    "     CPU-2386625 [094] 6598425.465404: kvm_entry:            vcpu 1, rip ",
    "0xffffffffc0771aa2",
    "     CPU-2386625 [094] 6598425.465405: kvm_exit:             reason ",
    "EPT_VIOLATION rip 0xffffffffc0771aa2 info 683 800000ec",
    "     CPU-2386625 [094] 6598425.465406: kvm_inj_virq:         IRQ 0xec ",
    "[reinjected]",
    "     CPU-2386625 [094] 6598425.465407: kvm_unmap_hva_range:  mmu notifier ",
    "unmap range: 0x007fb47c1f5000 -- 0x007fb47c1f6000",
    "",
    "on AMD machines, we end up with:",
    ""
  ]

  it.each([
    ["where the header says so", broken],
    ["where the header was left out", broken.slice(2)]
  ])("is put together where lines flow, %s", (_name, lines) => {
    const { census, events } = load(traceCmd, lines.join("\n"))
    assert.deepStrictEqual(census.records, { kvm_entry: 1, kvm_exit: 1, kvm_inj_virq: 1, kvm_unmap_hva_range: 1 })
    assert.deepStrictEqual([census.parsed, census.continuations], [4, 4])
    assert.deepStrictEqual(ranges(events), [[lines.length - 4, "7fb47c1f5000", "7fb47c1f6000"]])
    assert.deepStrictEqual(census.rejected.map(({ reason }) => reason), ["prose of the mail"])
  })
})

const unmap = (time: string) =>
  `       CPU 0/KVM-12633   [000] .....   ${time}: kvm_unmap_hva_range: mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000`

describe("an ftrace text in a mail", () => {
  it("is read as quoted-printable, by the header or by itself", () => {
    const record =
      "        gpcstorm-234     [001] .....     9.059515: inv_start: (f) start=0x7e0000001000 end=0x7e0000002000"
    const encoded = `${record.slice(0, 70).replaceAll("=", "=3D")}=\n${record.slice(70).replaceAll("=", "=3D")}=20\n`
    for (const head of ["Content-Transfer-Encoding: quoted-printable\n\n", ""]) {
      const { events, census } = load(ftrace, `${head}${encoded}`)
      assert.deepStrictEqual(ranges(events), [[head === "" ? 1 : 3, "7e0000001000", "7e0000002000"]])
      assert.strictEqual(accounted(census), census.lines)
    }
  })

  it("leaves an equals sign alone where nothing is encoded", () => {
    const { events } = load(ftrace, "  gpcstorm-234     [001] .....     9.059515: inv_start: (f) start=20 end=30\n")
    assert.deepStrictEqual(ranges(events), [[1, "14", "1e"]])
  })

  it("is read with colours, no-break spaces, tabs, stamps of dmesg, and CR LF", () => {
    const { census, events } = load(
      ftrace,
      [
        `\x1b[1;31m${unmap("895.607505")}\x1b[0m`,
        unmap("895.607506").replaceAll(" ", "\u00a0"),
        unmap("895.607507").replace(/^ +/, "\t").replace("   [", "\t["),
        `[   12.345678] ${unmap("895.607508")}`,
        `<4>[   12.345678][  T123] ${unmap("895.607509")}`,
        `> > ${unmap("895.607510")}`,
        `>>${unmap("895.607511")}`,
        ""
      ].join("\r\n")
    )
    assert.deepStrictEqual(census.rejected, [])
    assert.deepStrictEqual(ranges(events).map(([line]) => line), [1, 2, 3, 4, 5, 6, 7])
    assert.deepStrictEqual(events.flatMap(({ data }) => data._tag === "TaskSeen" ? [data.comm] : []), ["CPU 0/KVM"])
  })

  it("takes a count in front of a line for what it is", () => {
    const { census } = load(ftrace, `      3 ${unmap("895.607505")}\n`)
    assert.deepStrictEqual(census.records, { kvm_unmap_hva_range: 1 })
  })

  it("takes no record from what may be the rest of a text that a program wrote", () => {
    const forged = "evil-6       [000] .....     9.000009: inv_start: (f) start=0x1000 end=0x2000"
    const { census, events } = load(
      ftrace,
      [
        `        gpcstorm-5       [003] .....     1.000000: tracing_mark_write: padding`,
        `padding padding padding padding padding padding padding padding pad`,
        forged,
        "",
        unmap("9.000010"),
        ""
      ].join("\n")
    )
    assert.deepStrictEqual(census.records, { tracing_mark_write: 1, kvm_unmap_hva_range: 1 })
    assert.deepStrictEqual(census.rejected.map(({ reason }) => reason), [
      "prose of the mail",
      "perhaps the rest of what a program wrote to the trace"
    ])
    assert.deepStrictEqual(ranges(events).map(([line]) => line), [5])
  })

  it("leaves unbroken records alone, however long they are", () => {
    const { census } = load(
      ftrace,
      `${unmap("1.000001")}\n${unmap("1.000002")}\nSee 0x12 above.\n${unmap("1.000003")}\n`
    )
    assert.deepStrictEqual([census.parsed, census.continuations], [3, 0])
  })
})

const named = (text: string, mail = false) => {
  const found = sniff("t", bytesOf(text), true, mail)
  return "name" in found ? found.name : `${found.problem}: ${found.expected}`
}

const state = "1 ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000\n"
const prose = "I see nothing here that could tell us more.\n".repeat(40)

describe("whether a text is a mail", () => {
  it.each([
    ["headers and prose", `From: a\nSubject: b\n\n${prose}${state}${prose}`, "bpftrace, in a mail"],
    ["an mbox", `From a@b Mon Aug 21 13:27:25 2023\nFrom: a\nTo: b\n\n${prose}> > ${state}`, "bpftrace, in a mail"],
    ["quoted lines", `> ${unmap("1.000000")}\n> ${unmap("1.000001")}\n`, "ftrace, in a mail"],
    ["prose alone around it", `${prose}${state}${state}`, "bpftrace, in a mail"],
    ["colours", `\x1b[31m${unmap("1.000000")}\n`, "ftrace, in a mail"],
    ["a trace", `${unmap("1.000000")}\n${unmap("1.000001")}\n`, "ftrace"],
    [
      "a trace with signs in what a program wrote",
      `${unmap("1.000000")}\n       CPU 0/KVM-12633   [000] .....   1.000001: tracing_mark_write: a=3Db \x1b[31m\n`,
      "ftrace"
    ]
  ])("%s", (_name, text, expected) => {
    assert.strictEqual(named(text), expected)
  })

  it.effect("is looked for farther where it was said", () =>
    Effect.gen(function*() {
      const text = bytesOf(`${prose.repeat(60)}\n${state}`)
      assert.isAbove(text.length, SNIFFED_BYTES)
      const trace = importBytes("t", Stream.make(text), { mail: true })
      assert.deepStrictEqual(states(yield* Stream.runCollect(trace.events)).length, 1)
      const error = yield* Effect.flip(Stream.runDrain(importBytes("t", Stream.make(text)).events))
      assert.match(error.message, /one in a mail takes --mail$/)
    }))

  it("is so where it was said", () => {
    assert.strictEqual(named(`${unmap("1.000000")}\n`, true), "ftrace, in a mail")
    assert.match(named(prose, true), /^unrecognised: a record of ftrace, .* in the mail$/)
  })
})
