import { assert, describe, it } from "@effect/vitest"
import { bytesOf, decode } from "../reading/text.ts"
import { emptyLine } from "./format.ts"
import type { Format } from "./format.ts"
import { ftrace } from "./ftrace.ts"
import { perfScript } from "./perf-script.ts"
import { traceCmd } from "./trace-cmd.ts"

/** Reads lines with one reader and gives, of each, what the record says or what else it is. */
const readAll = (format: Format, ...texts: ReadonlyArray<string>) => {
  const reader = format.open()
  const line = emptyLine()
  return texts.map((text) => {
    const bytes = bytesOf(text)
    const reading = reader.read(bytes, 0, bytes.length, line)
    const piece = (from: number, to: number) => decode(line.bytes, from, to)
    switch (reading.kind) {
      case "rejected":
        return reading.reason
      case "marker":
        return `lost ${reading.lost.count} of ${reading.lost.cpu}`
      case "frame":
        return `frame ${piece(line.bodyFrom, line.bodyTo)}`
      case "record":
        return [
          piece(line.commFrom, line.commTo),
          line.pid,
          line.cpu,
          `${line.seconds}.${String(line.nanos).padStart(9, "0")}`,
          line.host,
          piece(line.nameFrom, line.nameTo),
          piece(line.bodyFrom, line.bodyTo)
        ]
      default:
        return reading.kind
    }
  })
}

const read = (format: Format, text: string) => readAll(format, text)[0]

const RANGE = "mmu notifier unmap range: 0x007f92ac400000 -- 0x007f92b0000000"
const UNMAP = "kvm_unmap_hva_range"

describe("a line of trace-cmd report", () => {
  it.each<readonly [string, string, ReadonlyArray<string | number>]>([
    [
      "the columns of 3.1",
      `       CPU 0/KVM-13259 [000]   924.913888: kvm_unmap_hva_range:  ${RANGE}`,
      ["CPU 0/KVM", 13259, 0, "924.913888000", 0, UNMAP, RANGE]
    ],
    [
      "the columns of 3.2 and later, which have flags",
      `       CPU 0/KVM-13259   [000] d..1.   924.913888: kvm_unmap_hva_range:  ${RANGE}`,
      ["CPU 0/KVM", 13259, 0, "924.913888000", 0, UNMAP, RANGE]
    ],
    [
      "nanoseconds (-t)",
      `         python3-13218 [000]   924.913840650: kvm_unmap_hva_range:  ${RANGE}`,
      ["python3", 13218, 0, "924.913840650", 0, UNMAP, RANGE]
    ],
    [
      "raw fields (-R)",
      "         python3-13218 [000]   924.913841: kvm_unmap_hva_range:   start=0x007f92b45da000 end=0x007f92b4dda000",
      ["python3", 13218, 0, "924.913841000", 0, UNMAP, "start=0x007f92b45da000 end=0x007f92b4dda000"]
    ],
    [
      "a name with spaces and a point at its end, behind the name of an instance",
      "es:  npm i effect@4.-13149 [001]   924.838692: sys_enter_madvise:    start: 0x14a8cf400000, len_in: 0x00076000",
      [
        "npm i effect@4.",
        13149,
        1,
        "924.838692000",
        0,
        "sys_enter_madvise",
        "start: 0x14a8cf400000, len_in: 0x00076000"
      ]
    ],
    [
      "spaces for the name of an instance",
      `            python3-13218 [000]   924.913841: kvm_unmap_hva_range:  ${RANGE}`,
      ["python3", 13218, 0, "924.913841000", 0, UNMAP, RANGE]
    ],
    [
      "differences (--ts-diff)",
      `es:          python3-13218 [000]   924.913841: (+77)    kvm_unmap_hva_range:  ${RANGE}`,
      ["python3", 13218, 0, "924.913841000", 0, UNMAP, RANGE]
    ],
    [
      "raw times (--raw-ts)",
      `es:          python3-13218 [000]924913840650: kvm_unmap_hva_range:  ${RANGE}`,
      ["python3", 13218, 0, "924.913840650", 0, UNMAP, RANGE]
    ],
    [
      "the latency format (-l), which cuts the name",
      `es: CPU 0/KV-13259   0.....   924.913888: kvm_unmap_hva_range:  ${RANGE}`,
      ["CPU 0/KV", 13259, 0, "924.913888000", 0, UNMAP, RANGE]
    ],
    [
      "the latency format, without an instance",
      ` python3-13218   1d..1.   924.913888: kvm_unmap_hva_range:  ${RANGE}`,
      ["python3", 13218, 1, "924.913888000", 0, UNMAP, RANGE]
    ],
    [
      "a name that old versions cut at its space",
      "             CPU-2386625 [094] 6598425.465404: kvm_entry:            vcpu 1, rip 0xffffffffc0771aa2",
      ["CPU", 2386625, 94, "6598425.465404000", 0, "kvm_entry", "vcpu 1, rip 0xffffffffc0771aa2"]
    ],
    [
      "a name that looks like a line",
      ` a-b [003] 1.2: -12635   [000]   895.607883: kvm_unmap_hva_range:  ${RANGE}`,
      ["a-b [003] 1.2: ", 12635, 0, "895.607883000", 0, UNMAP, RANGE]
    ],
    [
      "a name that looks like a line with a raw time",
      `es:  -1 [000]3: a: b-12635   [000]924913840650: kvm_unmap_hva_range:  ${RANGE}`,
      ["-1 [000]3: a: b", 12635, 0, "924.913840650", 0, UNMAP, RANGE]
    ],
    [
      "a body that looks like a line",
      "         python3-13218 [000]   924.913841: print:                tracing_mark_write: x-1 [000] 1.000000: inv_start:  y",
      ["python3", 13218, 0, "924.913841000", 0, "print", "tracing_mark_write: x-1 [000] 1.000000: inv_start:  y"]
    ]
  ])("is read with %s", (_name, text, expected) => {
    assert.deepStrictEqual(read(traceCmd, text) as unknown, expected)
  })

  it.each([
    ["a mark of dropped events", "CPU:1 [1740 EVENTS DROPPED]", "lost 1740 of 1"],
    ["one that does not say how many", "CPU:0 [EVENTS DROPPED]", "lost -1 of 0"],
    ["one in an instance", "es: CPU:1 [1740 EVENTS DROPPED]", "lost 1740 of 1"],
    ["one of the kernel", "CPU:1 [LOST 3 EVENTS]", "lost 3 of 1"],
    ["the start of a sub-buffer", "CPU:1 [SUBBUFFER START]", "comment"],
    ["the number of CPUs", "cpus=2", "comment"],
    ["a version", "version = 6", "comment"],
    ["an empty CPU", "CPU 1 is empty", "comment"],
    [
      "a stack trace's head",
      "         python3-13218 [000]   924.913841: kernel_stack:         <stack trace >",
      "chain"
    ],
    [
      "a user's stack trace's head",
      "         python3-13218 [000]   924.913841: user_stack:           <user stack trace>",
      "continuation"
    ],
    [
      "a frame",
      "=> kvm_mmu_notifier_invalidate_range_start (ffffffff8127ec17)",
      "frame kvm_mmu_notifier_invalidate_range_start"
    ],
    ["anything else", "Segmentation fault", "no task, cpu and time"],
    ["no event", "         python3-13218 [000]   924.913841: ?", "no event name"],
    ["a date", "         python3-13218 [000] 2026-11-23 11:00:00: x:  y", "no task, cpu and time"]
  ])("is told as what it is: %s", (_name, text, expected) => {
    assert.strictEqual(read(traceCmd, text), expected)
  })

  it("that lacks its prefix behind a mark of dropped events is of the machine that the mark names", () => {
    const line = `         python3-13218 [000]   924.913841: kvm_unmap_hva_range:  ${RANGE}`
    const read = readAll(
      traceCmd,
      `host.dat: ${line}`,
      `guest.dat: ${line}`,
      "guest.dat: CPU:1 [2 EVENTS DROPPED]",
      line,
      line
    )
    assert.deepStrictEqual(read.map((one) => typeof one === "string" ? one : one[4]), [0, 1, "lost 2 of 1", 1, 0])
  })

  it("has a whole time only where every time is whole", () => {
    const whole = `         python3-13218 [000]924913840650: kvm_unmap_hva_range:  ${RANGE}`
    const first = `         python3-13218 [000]   924.913841: kvm_unmap_hva_range:  ${RANGE}`
    assert.strictEqual(readAll(traceCmd, first, whole)[1], "no task, cpu and time")
  })

  it("is known by the padding of its event, which a name or a body cannot forge", () => {
    assert.isTrue(traceCmd.owns("cpus=2"))
    assert.isTrue(
      traceCmd.owns("        gpcstorm-272   [000]    17.697433745: gpc_init:             (ffffffffc0318084) x")
    )
    assert.isFalse(traceCmd.owns("        gpcstorm-272   [000] .....    17.697433: gpc_init: (f) gpc=0x1"))
    assert.isFalse(
      traceCmd.owns("        gpcstorm-272   [000] .....    17.697433: tracing_mark_write: x-1 [000] 1.000000: y:   z")
    )
  })
})

describe("a line of perf script", () => {
  it.each<readonly [string, string, ReadonlyArray<string | number>]>([
    [
      "the default columns",
      "       CPU 0/KVM 14132 [000]   971.101523: syscalls:sys_enter_madvise: start: 0x7f1127bfc000, len_in: 0x00001000",
      ["CPU 0/KVM", 14132, 0, "971.101523000", 0, "sys_enter_madvise", "start: 0x7f1127bfc000, len_in: 0x00001000"]
    ],
    [
      "an event that is padded",
      `       CPU 0/KVM 14132 [000]   971.101524:    kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["CPU 0/KVM", 14132, 0, "971.101524000", 0, UNMAP, RANGE]
    ],
    [
      "process and thread",
      `         python3 14090/14132 [000]   971.101389:    kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["python3", 14132, 0, "971.101389000", 0, UNMAP, RANGE]
    ],
    [
      "nanoseconds (--ns)",
      `         python3 14090 [000]   971.101154501:    kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["python3", 14090, 0, "971.101154501", 0, UNMAP, RANGE]
    ],
    [
      "what ran (misc)",
      `         python3 14090 [000] K        971.101154: kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["python3", 14090, 0, "971.101154000", 0, UNMAP, RANGE]
    ],
    [
      "a period",
      `         python3 14090 [000]   971.101154:          1 kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["python3", 14090, 0, "971.101154000", 0, UNMAP, RANGE]
    ],
    [
      "a guest",
      `VM: 1234 VCPU:01          python3 14090 [000]   971.101154: kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["python3", 14090, 0, "971.101154000", 1234, UNMAP, RANGE]
    ],
    [
      "no name and no thread",
      `[000]   971.101154:    kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["", -1, 0, "971.101154000", 0, UNMAP, RANGE]
    ],
    [
      "no CPU",
      `   a 5 3.000000: 14090   971.101154: kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["a 5 3.000000:", 14090, -1, "971.101154000", 0, UNMAP, RANGE]
    ],
    [
      "no padding, as with call chains",
      `python3 14315 [000]   994.042273: kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["python3", 14315, 0, "994.042273000", 0, UNMAP, RANGE]
    ],
    [
      "an empty name",
      `                 14315 [000]   994.042273: kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["", 14315, 0, "994.042273000", 0, UNMAP, RANGE]
    ],
    [
      "a name that perf does not know",
      `          :14407 14407 [000]   994.042273: kvm:kvm_unmap_hva_range: ${RANGE}`,
      [":14407", 14407, 0, "994.042273000", 0, UNMAP, RANGE]
    ],
    [
      "a name that looks like a line",
      ` x 1 [000] 1.00: 14315 [003]   994.042273: kvm:kvm_unmap_hva_range: ${RANGE}`,
      ["x 1 [000] 1.00:", 14315, 3, "994.042273000", 0, UNMAP, RANGE]
    ],
    [
      "a probe of perf probe",
      "        gpcstorm   290 [000]    29.416944: probe:kvm_gpc_refresh__return: (ffffffffc03 <- ffffffffc04) arg1=0x0",
      ["gpcstorm", 290, 0, "29.416944000", 0, "kvm_gpc_refresh__return", "(ffffffffc03 <- ffffffffc04) arg1=0x0"]
    ],
    [
      "an event of the hardware",
      "        gpcstorm   290 [000]    29.416944:     250000 cpu-clock:pppH: ",
      ["gpcstorm", 290, 0, "29.416944000", 0, "pppH", ""]
    ]
  ])("is read with %s", (_name, text, expected) => {
    assert.deepStrictEqual(read(perfScript, text) as unknown, expected)
  })

  it.each([
    ["a loss", "       fc_vcpu 1 32477 [001]  2059.023076: PERF_RECORD_LOST lost 698", "lost 698 of 1"],
    ["lost samples", "            perf     0 [001]  2059.023076: PERF_RECORD_LOST_SAMPLES lost 5", "lost 5 of 1"],
    ["a task event", "            bash 32477 [001]  2059.023076: PERF_RECORD_COMM exec: bash:32477/32477", "comment"],
    ["one with a colon", "            bash 32477 [001]  2059.023076: PERF_RECORD_FORK(1:1):(2:2)", "comment"],
    ["a header", "# captured on    : Mon Nov 23 10:00:00 2026", "comment"],
    [
      "a frame",
      "\tffffffff8127ec17 kvm_mmu_notifier_invalidate_range_start+0x337 ([kernel.kallsyms])",
      "frame kvm_mmu_notifier_invalidate_range_start"
    ],
    ["a frame without a name", "\t    7f1127bfc000 [unknown] (/usr/bin/python3)", "frame "],
    ["a frame that looks like a line", "\t          401136 [000] 1.000000: inv_start: start=0x1+0x0 (/x)", "frame "],
    ["no CPU and no columns", "python3 14090   971.101154: kvm:kvm_unmap_hva_range: x", "no task, cpu and time"],
    ["no event", "         python3 14090 [000]   971.101154: what is this", "no event name"]
  ])("is told as what it is: %s", (_name, text, expected) => {
    assert.strictEqual(read(perfScript, text), expected)
  })

  it("is refused where times are relative, which begin at nought", () => {
    const [first, second] = readAll(
      perfScript,
      `python3 14315 [000]     0.000000: kvm:kvm_unmap_hva_range: ${RANGE}`,
      `python3 14315 [000]     0.000012: kvm:kvm_unmap_hva_range: ${RANGE}`
    )
    assert.match(first as string, /relative/)
    assert.strictEqual(second, first)
  })
})

describe("a name of at most 15 bytes", () => {
  it.each([
    ["ftrace", ftrace, (comm: string) => `${comm.padStart(16)}-77      [001] .....     9.059515: x: y`],
    [
      "trace-cmd report",
      traceCmd,
      (comm: string) => `${comm.padStart(16)}-77    [001]     9.059515: x:                    y`
    ],
    ["perf script", perfScript, (comm: string) => `${comm.padStart(16)}    77 [001]     9.059515: gpc:x: y`]
  ])("does not change what a line of %s says, whatever it holds", (_name, format, lineOf) => {
    const pieces = [
      " ",
      "-1 ",
      "1 ",
      "[000]",
      " 1.000000:",
      "1.2: ",
      ":",
      "-",
      "a",
      "VM:",
      "CPU:0 ",
      "[LOST",
      "=> ",
      "\t",
      "#",
      "<",
      ">"
    ]
    for (const a of pieces) {
      for (const b of pieces) {
        for (const c of pieces) {
          const comm = `x${a}${b}${c}`.slice(0, 15)
          const line = read(format, lineOf(comm))
          assert.deepStrictEqual([comm, (line as ReadonlyArray<unknown>).slice(1, 4)], [comm, [77, 1, "9.059515000"]])
        }
      }
    }
  })
})
