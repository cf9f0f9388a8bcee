/** Small texts of every tool and option, with the same few things happening in each. */
import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import { FREES } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { zstdCompressSync } from "node:zlib"
import { importBytes } from "../import.ts"
import type { ImportOptions } from "../import.ts"
import { bytesOf } from "../reading/text.ts"

const load = Effect.fnUntraced(function*(text: string | Uint8Array, options?: ImportOptions) {
  const trace = importBytes("t", Stream.make(typeof text === "string" ? bytesOf(text) : text), options)
  const events = yield* Stream.runCollect(trace.events)
  return { events, census: yield* trace.census }
})

const tell = ({ data, how }: NewEvent<Event>): string => {
  const { _tag, thread: _thread, ...fields } = data as Event & Record<string, unknown>
  return `${how === "inferred" ? "~" : ""}${_tag} ${Object.values(fields).join(" ")}`
}

const START = 0x7f534708f000
const END = 0x7f5347090000

/** A munmap, and what the stock tracepoint says of its invalidation. */
const munmap = [
  `Called munmap ${START} ${END} ${FREES.indexOf("either")}`,
  `RangeStartCalled ${START} ${END} UNMAP unknown`,
  "~CountIncremented 1",
  `~EndCalled ${START} ${END}`,
  "~CountDecremented 0",
  `~EndReturned ${START} ${END}`,
  "Returned 0"
]

/** The same three records in every text. */
const texts: ReadonlyArray<readonly [name: string, format: string, comm: string, text: string]> = [
  [
    "ftrace",
    "ftrace",
    "CPU 0/KVM",
    `# tracer: nop
#
# entries-in-buffer/entries-written: 3/3   #P:2
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
       CPU 0/KVM-12633   [000] .....   895.607501: sys_munmap(addr: 7f534708f000, len: 1000)
       CPU 0/KVM-12633   [000] .....   895.607505: kvm_unmap_hva_range: mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
       CPU 0/KVM-12633   [000] .....   895.607509: sys_munmap -> 0x0
`
  ],
  [
    "ftrace's option fields",
    "ftrace",
    "CPU 0/KVM",
    `       CPU 0/KVM-12633   [000] .....   895.607501: sys_enter_munmap: __syscall_nr=0xb (11) addr=0x7f534708f000 (139995935862784) len=0x1000 (4096)
       CPU 0/KVM-12633   [000] .....   895.607505: kvm_unmap_hva_range: start=0x7f534708f000 (139995935862784) end=0x7f5347090000 (139995935866880)
       CPU 0/KVM-12633   [000] .....   895.607509: sys_exit_munmap: __syscall_nr=0xb (11) ret=0x0 (0)
`
  ],
  [
    "ftrace's option latency-format",
    "ftrace",
    "CPU 0/KV",
    `# tracer: nop
#
# nop latency trace v1.1.5 on 6.18.44
# --------------------------------------------------------------------
CPU 0/KV-12633     0..... 209801us : sys_munmap(addr: 7f534708f000, len: 1000)
CPU 0/KV-12633     0..... 209805us!: kvm_unmap_hva_range: mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
CPU 0/KV-12633     0..... 209809us : sys_munmap -> 0x0
`
  ],
  [
    "ftrace's options latency-format and verbose",
    "ftrace",
    "CPU 0/KVM",
    `       CPU 0/KVM   12633   0 0 00000000 00000000 [3362dc41] 177.742ms (+0.004ms): sys_munmap(addr: 7f534708f000, len: 1000)
       CPU 0/KVM   12633   0 0 00000000 00000001 [3362dc45] 177.746ms (+0.004ms): kvm_unmap_hva_range: mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
       CPU 0/KVM   12633   0 0 00000000 00000002 [3362dc49] 177.750ms (+0.080ms): sys_munmap -> 0x0
`
  ],
  [
    "ftrace's clock x86-tsc",
    "ftrace",
    "CPU 0/KVM",
    `# tracer: nop
       CPU 0/KVM-12633   [000] ..... 2247051240761: sys_munmap(addr: 7f534708f000, len: 1000)
       CPU 0/KVM-12633   [000] ..... 2247051241761: kvm_unmap_hva_range: mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
       CPU 0/KVM-12633   [000] ..... 2247051242761: sys_munmap -> 0x0
`
  ],
  [
    "trace-cmd report",
    "trace-cmd report",
    "CPU 0/KVM",
    `cpus=2
       CPU 0/KVM-12633   [000]   895.607501: sys_enter_munmap:     addr: 0x7f534708f000, len: 0x00001000
       CPU 0/KVM-12633   [000]   895.607505: kvm_unmap_hva_range:  mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
       CPU 0/KVM-12633   [000]   895.607509: sys_exit_munmap:      0x0
`
  ],
  [
    "trace-cmd report -t -R in an instance, with differences",
    "trace-cmd report",
    "CPU 0/KVM",
    `es:        CPU 0/KVM-12633   [000]   895.607501123: (+0)     sys_enter_munmap:      __syscall_nr=11 addr=0x7f534708f000 len=0x1000
es:        CPU 0/KVM-12633   [000]   895.607505123: (+4000)  kvm_unmap_hva_range:   start=0x7f534708f000 end=0x7f5347090000
es:        CPU 0/KVM-12633   [000]   895.607509123: (+4000)  sys_exit_munmap:       __syscall_nr=11 ret=0x0
`
  ],
  [
    "trace-cmd report --raw-ts",
    "trace-cmd report",
    "CPU 0/KVM",
    `       CPU 0/KVM-12633 [000]895607501123: sys_enter_munmap:     addr: 0x7f534708f000, len: 0x00001000
       CPU 0/KVM-12633 [000]895607505123: kvm_unmap_hva_range:  mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
       CPU 0/KVM-12633 [000]895607509123: sys_exit_munmap:      0x0
`
  ],
  [
    "perf script",
    "perf script",
    "CPU 0/KVM",
    `       CPU 0/KVM 12633 [000]   895.607501: syscalls:sys_enter_munmap: addr: 0x7f534708f000, len: 0x00001000
       CPU 0/KVM 12633 [000]   895.607505:  kvm:kvm_unmap_hva_range: mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
       CPU 0/KVM 12633 [000]   895.607509:  syscalls:sys_exit_munmap: 0x0
`
  ],
  [
    "perf script -F with process, misc and nanoseconds",
    "perf script",
    "CPU 0/KVM",
    `       CPU 0/KVM 12600/12633 [000] K        895.607501123: syscalls:sys_enter_munmap: addr: 0x7f534708f000, len: 0x00001000
       CPU 0/KVM 12600/12633 [000] K        895.607505123:  kvm:kvm_unmap_hva_range: mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000
       CPU 0/KVM 12600/12633 [000] K        895.607509123:  syscalls:sys_exit_munmap: 0x0
`
  ]
]

describe("the stock tracepoints tell an invalidation, whose end is inferred at the return of its call", () => {
  it.each(texts)("in a text of %s", (_name, format, comm, text) =>
    Effect.runPromise(Effect.gen(function*() {
      const { census, events } = yield* load(text)
      assert.deepStrictEqual(events.map(tell), [`TaskSeen ${comm} 12633`, ...munmap])
      assert.deepInclude(census, { format, parsed: 3, rejected: [], unmapped: [] })
      assert.deepStrictEqual(events.map(({ t }) => t).toSorted((a, b) => a - b), events.map(({ t }) => t))
    })))

  it.effect("under the CPU's name where a text shows no task", () =>
    Effect.gen(function*() {
      const text = texts.at(-2)![3].replaceAll("       CPU 0/KVM 12633 ", "")
      const { events } = yield* load(text)
      assert.deepStrictEqual(events.map(tell), ["TaskSeen cpu 0 -1", ...munmap])
    }))

  it.effect("also compressed by zstd, and a damaged one is told", () =>
    Effect.gen(function*() {
      const packed = zstdCompressSync(bytesOf(texts[0]![3]))
      const { census } = yield* load(packed)
      assert.deepInclude(census, { parsed: 3, bytes: packed.length })
      for (const damaged of [packed.subarray(0, -6), Buffer.concat([packed.subarray(0, 20), Buffer.alloc(40)])]) {
        const error = yield* Effect.flip(load(damaged))
        assert.deepInclude(error, { problem: "damaged", file: "t" })
        assert.match(error.message, /a whole zstd file/)
      }
    }))
})

const chainOf = (events: ReadonlyArray<NewEvent<Event>>) =>
  events.flatMap(({ cause, data, src }) =>
    data._tag === "CallChainSeen" ? [[data.frames, tell(events[cause! - 1]!), src!.line]] : []
  )

describe("a call chain", () => {
  it.effect("of ftrace belongs to its task's last record, whatever stands between", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(`# tracer: nop
         python3-11959   [000] .....   862.727130: kvm_unmap_hva_range: mmu notifier unmap range: 0x1000 -- 0x2000
          qemu-x-200     [001] .....   862.727134: kvm_unmap_hva_range: mmu notifier unmap range: 0x8000 -- 0x9000
         python3-11959   [000] .....   862.727138: <stack trace>
 => trace_event_raw_event_kvm_unmap_hva_range
 => kvm_mmu_notifier_invalidate_range_start+0x337/0x400
 => vms_clear_ptes.part.0 <ffffffff8127ec17>
 =>  <00007f150d63fb00>
         python3-11959   [000] .....   862.727139: <user stack trace>
 =>  <00007f150d63fb00>
 => /usr/lib/libc.so.6[+0x1234]
`)
      assert.deepStrictEqual(chainOf(events), [[
        "trace_event_raw_event_kvm_unmap_hva_range kvm_mmu_notifier_invalidate_range_start vms_clear_ptes.part.0",
        "~CountIncremented 1",
        5
      ]])
      assert.deepInclude(census, { lines: 11, parsed: 2, comments: 9, continuations: 8, rejected: [] })
    }))

  it.effect("of trace-cmd has its own head", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(`cpus=1
         python3-11959   [000]   862.727130: kvm_unmap_hva_range:  mmu notifier unmap range: 0x1000 -- 0x2000
         python3-11959   [000]   862.727138: kernel_stack:         <stack trace >
=> kvm_mmu_notifier_invalidate_range_start (ffffffff8127ec17)
=> __mmu_notifier_invalidate_range_start (ffffffff816637e5)
`)
      assert.deepStrictEqual(chainOf(events), [[
        "kvm_mmu_notifier_invalidate_range_start __mmu_notifier_invalidate_range_start",
        "~CountIncremented 1",
        4
      ]])
      assert.deepInclude(census, { lines: 5, parsed: 1, continuations: 3, rejected: [] })
    }))

  it.effect("of perf follows its record, and one of a record that says nothing is counted only", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(`# captured on    : Mon Nov 23 10:00:00 2026
python3 14315 [000]   994.042273: kvm:kvm_unmap_hva_range: mmu notifier unmap range: 0x007f9bb372d000 -- 0x007f9bb376e000
	ffffffff8127ec17 kvm_mmu_notifier_invalidate_range_start+0x337 ([kernel.kallsyms])
	ffffffff816637e5 __mmu_notifier_invalidate_range_start+0x85 ([kernel.kallsyms])
	    7f1127bfc000 [unknown] (/usr/bin/python3)

python3 14315 [000]   994.042274: kvm:kvm_exit: vcpu 0 reason HLT
	ffffffff815f8664 change_protection+0x794 ([kernel.kallsyms])

`)
      assert.deepStrictEqual(chainOf(events), [[
        "kvm_mmu_notifier_invalidate_range_start __mmu_notifier_invalidate_range_start",
        "~CountIncremented 1",
        3
      ]])
      assert.deepInclude(census, { lines: 9, parsed: 2, comments: 7, continuations: 4, rejected: [] })
      assert.deepStrictEqual(census.unmapped.map(({ event }) => event), ["kvm_exit"])
    }))

  it.effect("has at most 32 frames, of characters that can be printed", () =>
    Effect.gen(function*() {
      const frames = Array.from({ length: 40 }, (_, i) => ` => f\u0007${i}`).join("\n")
      const { events } = yield* load(`# tracer: nop
         python3-11959   [000] .....   862.727130: kvm_unmap_hva_range: mmu notifier unmap range: 0x1000 -- 0x2000
         python3-11959   [000] .....   862.727138: <stack trace>
${frames.replaceAll("\u0007", "_")}
`)
      const [chain] = chainOf(events)
      assert.strictEqual((chain![0] as string).split(" ").length, 32)
    }))
})

describe("losses", () => {
  it.effect("of every spelling become events of the CPU they name", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(`# tracer: nop
# entries-in-buffer/entries-written: 217/9001   #P:2
##### CPU 1 buffer started ####
CPU:0 [LOST 870 EVENTS]
CPU:1 [LOST EVENTS]
CPU:2 [1740 EVENTS DROPPED]
CPU:3 [EVENTS DROPPED]
         python3-11959   [000] .....   862.727130: kvm_unmap_hva_range: mmu notifier unmap range: 0x1000 -- 0x2000
`)
      assert.deepStrictEqual(census.lost.map(({ count, cpu }) => [cpu, count]), [
        [-1, 8784],
        [1, -1],
        [0, 870],
        [1, -1],
        [2, 1740],
        [3, -1]
      ])
      assert.strictEqual(events.filter(({ data }) => data._tag === "EventsLost").length, 6)
      assert.deepInclude(census, { markers: 5, comments: 2 })
    }))

  it.effect("of perf are records of their own", () =>
    Effect.gen(function*() {
      const { census } = yield* load(`       CPU 0/KVM 12633 [000]   895.607505:  kvm:kvm_exit: x
       fc_vcpu 1 32477 [001]  2059.023076: PERF_RECORD_LOST lost 698
`)
      assert.deepStrictEqual(census.lost, [{ cpu: 1, count: 698, line: 2 }])
    }))
})

const GPC = "gpc=0xffffc900001b2670"

const text = (event: string, body: string) =>
  `# tracer: nop\n        gpcstorm-234     [001] .....     9.059515: ${event}: (f+0x0/0x1 [kvm]) ${body}\n`

describe("what a recorder calls its probes", () => {
  it.effect.each([
    ["the kernel's function", "kvm_mmu_notifier_invalidate_range_start", "start=0x1000 end=0x2000 ev=1"],
    ["kprobe_events' own name", "p_kvm_mmu_notifier_invalidate_range_start_0", "start=0x1000 end=0x2000 event=1"],
    ["fprobe's name", "kvm_mmu_notifier_invalidate_range_start__entry", "start=0x1000 end=0x2000 event=1"],
    ["hexadecimal without 0x", "inv_start", "mn=ffffc900001b2a90 start=1000 end=2000 event=1"]
  ])("may be %s", ([_name, event, body]) =>
    Effect.gen(function*() {
      const { events } = yield* load(text(event!, body!))
      assert.deepStrictEqual(events.map(tell).at(-1), "RangeStartCalled 4096 8192 CLEAR unknown")
    }))

  it.effect("is read in decimal where no address of the text has a hexadecimal digit", () =>
    Effect.gen(function*() {
      const { events } = yield* load(text("inv_start", "start=4096 end=8192 event=1"))
      assert.deepStrictEqual(events.map(tell).at(-1), "RangeStartCalled 4096 8192 CLEAR unknown")
    }))

  it.effect("is said by maps, theirs first", () =>
    Effect.gen(function*() {
      const { census, events } = yield* load(text("myinv", "arg1=0x1000 arg2=0x2000 start=0x7 event=1"), {
        maps: ["myinv=inv_start", "myinv.arg1=start", "myinv.arg2=end"]
      })
      assert.deepStrictEqual(events.map(tell).at(-1), "RangeStartCalled 4096 8192 CLEAR unknown")
      assert.deepStrictEqual(census.records, { myinv: 1 })
    }))

  it.effect("tells a refresh by kvm_gpc_refresh alone, and once where what it calls is recorded, too", () =>
    Effect.gen(function*() {
      const whole = ["kvm_gpc_refresh", `${GPC} uhva=0x7e0002000000 len=4096`] as const
      const ret = ["kvm_gpc_refresh__return", "$retval=0x0"] as const
      const inner = ["__kvm_gpc_refresh", `${GPC} gpa=0x2000000 uhva_arg=0xffff888000000000`] as const
      const innerRet = ["refresh_ret", `${GPC} ret=0`] as const
      const tagsOf = Effect.fnUntraced(function*(...records: ReadonlyArray<readonly [string, string]>) {
        const { events } = yield* load(records.map(([event, body]) => text(event, body)).join(""))
        return events.map(tell).filter((line) => !line.includes("Seen "))
      })
      assert.deepStrictEqual(yield* tagsOf(whole, ret), [
        "RefreshEntered 0 -1 -1",
        `~Translated 0 -1 ${0x7e0002000000} 0`,
        "~MappingKept 0",
        "RefreshReturned 0 0"
      ])
      const both = yield* tagsOf(whole, inner, innerRet, ret, whole, inner, innerRet, ret)
      assert.deepStrictEqual(both.filter((line) => line.startsWith("Refresh")).map((line) => line.split(" ")[0]), [
        "RefreshEntered",
        "RefreshReturned",
        "RefreshEntered",
        "RefreshReturned"
      ])
    }))

  it.effect.each([
    ["myinv", /^t: map: myinv: expected THEIRS=OURS: .*myrefresh=refresh/],
    ["myinv=inv_strat", /^t: map: myinv=inv_strat: no probe "inv_strat"; the nearest: inv_start/],
    ["inv_start.a=strat", /^t: map: inv_start.a=strat: no field "strat"; the nearest: start/],
    ["myinv.a=start", /^t: map: myinv.*: myinv is no probe: say which, as in myinv=refresh/]
  ])("is refused where a map cannot be understood: %s", ([map, message]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(load(text("x", "y=1"), { maps: [map as string] }))
      assert.match(error.message, message as RegExp)
      assert.notInclude(error.message, "\n")
    }))

  it.effect("has what the kernel returned as an int, whatever the register holds", () =>
    Effect.gen(function*() {
      for (const ret of ["ret=-14", "$retval=0xfffffff2", "$retval=fffffffffffffff2", "ret=0x12345678fffffff2"]) {
        const { events } = yield* load(text("refresh", GPC) + text("refresh_ret", `${GPC} ${ret}`))
        assert.strictEqual(events.map(tell).at(-1), "RefreshReturned 0 -14")
      }
    }))
})

describe("guests that a line names", () => {
  it.effect("have tasks of their own", () =>
    Effect.gen(function*() {
      const line = "python3 7 [000]   971.101154: syscalls:sys_exit_munmap: 0x0\n"
      const { events } = yield* load(line + `VM:12 VCPU:00 ${line}` + line)
      const seen = events.flatMap(({ data }) => data._tag === "TaskSeen" ? [data.thread] : [])
      assert.deepStrictEqual(seen, [0, 1])
      assert.deepStrictEqual(events.filter(({ data }) => data._tag === "Returned").map(({ data }) => data.thread), [
        0,
        1,
        0
      ])
    }))
})

describe("times", () => {
  it.effect("are moved by an offset, exactly", () =>
    Effect.gen(function*() {
      const text = texts.at(-1)![3]
      const at = (offset?: number) => Effect.map(load(text, { offset }), ({ events }) => events[0]!.t)
      assert.strictEqual(yield* at(), 895_607_501_123)
      assert.strictEqual(yield* at(500_000_001), 896_107_501_124)
      assert.strictEqual(yield* at(-895_607_501_123), 0)
    }))
})
