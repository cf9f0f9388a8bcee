import { assert, describe, it } from "@effect/vitest"
import { bytesOf, decode } from "../reading/text.ts"
import { emptyLine } from "./format.ts"
import { readFtraceLine } from "./ftrace.ts"
import { readLoss, readOverwritten } from "./loss.ts"

/** Reads one line and gives what the record says, or why it is none. */
const read = (text: string, wholeTimes = false) => {
  const bytes = bytesOf(text)
  const line = emptyLine()
  const rejection = readFtraceLine(bytes, 0, bytes.length, wholeTimes, line)
  if (rejection !== undefined) return rejection
  const piece = (from: number, to: number) => decode(bytes, from, to)
  return [
    piece(line.commFrom, line.commTo),
    line.pid,
    line.cpu,
    piece(line.flagsFrom, line.flagsTo),
    `${line.seconds}.${String(line.nanos).padStart(9, "0")}`,
    line.form,
    piece(line.nameFrom, line.nameTo),
    piece(line.bodyFrom, line.bodyTo)
  ] as const
}

const event = "gpc_keep: (f+0x1/0x2 [kvm]) gpc=0x1"
const body = "(f+0x1/0x2 [kvm]) gpc=0x1"

describe("a line of ftrace", () => {
  it.each([
    [
      "the default columns",
      `        gpcstorm-234     [001] d.Z1.     9.059515: ${event}`,
      ["gpcstorm", 234, 1, "d.Z1.", "9.059515000", "event", "gpc_keep", body]
    ],
    [
      "nanoseconds",
      `        gpcstorm-234     [001] .....     9.059515123: ${event}`,
      ["gpcstorm", 234, 1, ".....", "9.059515123", "event", "gpc_keep", body]
    ],
    [
      "no irq column",
      `         python3-11689   [000]    861.497270: ${event}`,
      ["python3", 11689, 0, "", "861.497270000", "event", "gpc_keep", body]
    ],
    [
      "four flags, of a kernel before 5.13",
      `         python3-11689   [000] d.h1   861.497270: ${event}`,
      ["python3", 11689, 0, "d.h1", "861.497270000", "event", "gpc_keep", body]
    ],
    [
      "eight flags, of a kernel with lazy preemption",
      `         python3-11689   [000] d.hB1.2.   861.497270: ${event}`,
      ["python3", 11689, 0, "d.hB1.2.", "861.497270000", "event", "gpc_keep", body]
    ],
    [
      "a thread group",
      `         python3-11734   (  11730) [000] .....   861.709142: ${event}`,
      ["python3", 11734, 0, ".....", "861.709142000", "event", "gpc_keep", body]
    ],
    [
      "a thread group that is not known",
      `           <...>-11734   (-------) [000] .....   861.709142: ${event}`,
      ["<...>", 11734, 0, ".....", "861.709142000", "event", "gpc_keep", body]
    ],
    [
      "more than a thousand CPUs",
      `          <idle>-0       [1023] d....   861.709142: ${event}`,
      ["<idle>", 0, 1023, "d....", "861.709142000", "event", "gpc_keep", body]
    ],
    [
      "a name with spaces and a slash",
      `       CPU 0/KVM-12633   [000] .....   895.607505: ${event}`,
      ["CPU 0/KVM", 12633, 0, ".....", "895.607505000", "event", "gpc_keep", body]
    ],
    [
      "a name that begins like a record",
      ` a-b [003] 1.2: -12635   [000] .....   895.607883: ${event}`,
      ["a-b [003] 1.2: ", 12635, 0, ".....", "895.607883000", "event", "gpc_keep", body]
    ],
    [
      "a name that is the longest start of a record that fits",
      `-1 [000] 1.0000-12635   [000] .....   895.607883: ${event}`,
      ["-1 [000] 1.0000", 12635, 0, ".....", "895.607883000", "event", "gpc_keep", body]
    ],
    [
      "no name at all",
      `                -77      [000] .....   895.607883: ${event}`,
      ["", 77, 0, ".....", "895.607883000", "event", "gpc_keep", body]
    ],
    [
      "a name in UTF-8",
      `          größe-77      [000] .....   895.607883: ${event}`,
      ["größe", 77, 0, ".....", "895.607883000", "event", "gpc_keep", body]
    ],
    [
      "a body that holds a record",
      "        gpcstorm-5       [003] .....     1.000000: tracing_mark_write: evil-6 [000] ..... 9.000009: inv_start: start=0x1",
      [
        "gpcstorm",
        5,
        3,
        ".....",
        "1.000000000",
        "event",
        "tracing_mark_write",
        "evil-6 [000] ..... 9.000009: inv_start: start=0x1"
      ]
    ],
    [
      "leading spaces that were lost",
      `gpcstorm-234 [001] d.Z1. 9.059515: ${event}`,
      ["gpcstorm", 234, 1, "d.Z1.", "9.059515000", "event", "gpc_keep", body]
    ],
    [
      "a syscall that is entered",
      "         python3-11437   [000] .....   809.429738: sys_madvise(start: 7f8b52588000, len_in: 2000, behavior: 4)",
      [
        "python3",
        11437,
        0,
        ".....",
        "809.429738000",
        "enter",
        "sys_madvise",
        "start: 7f8b52588000, len_in: 2000, behavior: 4)"
      ]
    ],
    [
      "the columns of latency-format, which cut the name",
      ` python3-11644     0..... 209898us!: ${event}`,
      ["python3", 11644, 0, ".....", "0.209898000", "event", "gpc_keep", body]
    ],
    [
      "those of latency-format and verbose",
      `         python3   11824   0 0 00000000 00000000 [3362dc49] 177.790ms (+0.080ms): ${event}`,
      ["python3", 11824, 0, "", "862.116937000", "event", "gpc_keep", body]
    ],
    [
      "flags of a user's probe, which are all ones",
      "         python3-15824   [000] DBZff  1067.513027: umadv: (0x7f150d63fb00) start=0x1e350da80000 len=0x7f000",
      [
        "python3",
        15824,
        0,
        "DBZff",
        "1067.513027000",
        "event",
        "umadv",
        "(0x7f150d63fb00) start=0x1e350da80000 len=0x7f000"
      ]
    ],
    [
      "a syscall that is left",
      "         python3-11437   [000] .....   809.429749: sys_madvise -> 0xfffffffffffffff4",
      ["python3", 11437, 0, ".....", "809.429749000", "exit", "sys_madvise", "0xfffffffffffffff4"]
    ]
  ])("is read with %s", (_name, text, expected) => {
    assert.deepStrictEqual(read(text), expected as unknown as ReturnType<typeof read>)
  })

  it.each([
    ["no context", "kvm_unmap_hva_range: mmu notifier unmap range: 0x007fbb229e6000 -- 0x007fbb22a27000", "no context"],
    [
      "no context, but a record in the body",
      "tracing_mark_write: evil-6 [000] ..... 9.000009: inv_start: start=0x1",
      "no context"
    ],
    ["raw columns", "11869 0 862312830838 type: 27", "raw"],
    ["seven digits behind the point", `        gpcstorm-234     [001] .....     9.0595151: ${event}`, undefined],
    ["no CPU", `        gpcstorm-234     .....     9.059515: ${event}`, undefined],
    ["two digits of CPU", `        gpcstorm-234     [01] .....     9.059515: ${event}`, undefined],
    ["a name that is too long", `  a-name-of-sixteen!-234     [001] .....     9.059515: ${event}`, undefined],
    [
      "a function, without an event",
      "        gpcstorm-234     [001] .....     9.059515: kvm_gpc_refresh <-kvm_setup_guest_pvclock",
      "a function without values"
    ],
    ["no event", "        gpcstorm-234     [001] .....     9.059515: ", "no event name"]
  ])("is refused with %s", (_name, text, reason) => {
    assert.strictEqual(read(text) as unknown, reason ?? "no task, cpu and time")
  })

  it("is told from the head of a stack trace", () => {
    assert.strictEqual(read("        gpcstorm-234     [001] .....     9.059515: <stack trace>"), "stack trace")
  })

  it("has a whole time only where that is allowed", () => {
    const text = `        gpcstorm-199     [000] .....            3: ${event}`
    assert.strictEqual(read(text), "no task, cpu and time")
    assert.deepStrictEqual(read(text, true), ["gpcstorm", 199, 0, ".....", "0.000000003", "event", "gpc_keep", body])
  })

  it("has a whole time of 64 bits in two exact parts", () => {
    const text = `        gpcstorm-199     [000] ..... 18446744073709551615: ${event}`
    assert.deepStrictEqual(read(text, true)[4], "18446744073.709551615")
  })

  it("does not take a whole time from a name, which can forge it", () => {
    const text = `  -1 [000] 3: ok-199     [000] .....            7: ${event}`
    assert.deepStrictEqual(read(text, true), [
      "-1 [000] 3: ok",
      199,
      0,
      ".....",
      "0.000000007",
      "event",
      "gpc_keep",
      body
    ])
  })
})

const loss = (text: string) => readLoss(bytesOf(text), 0, text.length)

describe("a loss", () => {
  it("is read with its count", () => assert.deepStrictEqual(loss("CPU:12 [LOST 870 EVENTS]"), { cpu: 12, count: 870 }))
  it("is read without a count", () => assert.deepStrictEqual(loss("CPU:0 [LOST EVENTS]"), { cpu: 0, count: -1 }))
  it("is read where a buffer begins late", () =>
    assert.deepStrictEqual(loss("##### CPU 1 buffer started ####"), { cpu: 1, count: -1 }))
  it("is not seen in another line", () => assert.isUndefined(loss("CPU: 3 is hot")))
  it("is what the header says was overwritten", () => {
    const text = "# entries-in-buffer/entries-written: 217/9001   #P:2"
    assert.strictEqual(readOverwritten(bytesOf(text), 0, text.length), 8784)
  })
})
