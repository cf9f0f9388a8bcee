/**
 * A made-up trace in one of the formats: events that belong together, tasks with names that try to look like columns, and
 * texts that try to look like records.
 *
 * What those try to make a reader believe in is {@link FORGED}: it is in no record of a session.
 *
 * @since 0.1.0
 */
import type { Random } from "./random.ts"

/** The pid and the pointer of what names and texts try to forge. @category constants @since 0.1.0 */
export const FORGED = { pid: 666, pointer: "0x00000000deadbeef" } as const

/** A record of a session. */
interface Happening {
  readonly comm: string
  readonly pid: number
  readonly micros: number
  readonly name: string
  readonly body: string
}

const RANGE = "start=0x7e0000001000 end=0x7e0000002000"
const GPC = "gpc=0xffffc90000406670"

const EVENTS: ReadonlyArray<readonly [name: string, body: string]> = [
  ["inv_start", `mn=0xffffc90000406a90 ${RANGE} flags=1 event=1 active=0 seq=0`],
  ["inv_inc", `kvm=0xffffc90000405000 active=1 ${RANGE}`],
  ["gpc_inval_hit", `${GPC} uhva=0x7e0000001000 pfn=0x10433f ${RANGE}`],
  ["inv_start_ret", "mn=0xffffc90000406a90 ret=0"],
  ["inv_end", `mn=0xffffc90000406a90 ${RANGE} event=1 active=1 seq=0`],
  ["inv_dec", "kvm=0xffffc90000405000 active=0 seq=1"],
  ["inv_end_ret", "mn=0xffffc90000406a90"],
  ["refresh", `${GPC} gpa=0x2000000 uhva_arg=0xffff888000000000 old_gpa=0x2000000 gen=0x6 slots_gen=0x6`],
  ["gpc_snap", `${GPC} uhva=0x7e0002000000 snap=0 active=0`],
  ["gpc_pfn", `${GPC} pfn=0x10433f`],
  ["gpc_recheck", `${GPC} snap=0 active=1 seq=0 pfn=0x10433f`],
  ["gpc_commit", `${GPC} uhva=0x7e0002000000 pfn=0x10433f snap=0`],
  ["refresh_ret", `${GPC} ret=0`],
  ["check", `${GPC} uhva=0x7e0002000000 valid=1 ret=1`],
  ["pf_stale", "vcpu=0xffff888104fa5dd0 gfn=0x2000 hva=0x7e0002000000 snap=1 seq=2 in_prog=0"],
  ["pf_stale_ret", "vcpu=0xffff888104fa5dd0 ret=1"],
  ["swap_wait", "kvm=0xffffc90000405000 active=2"],
  ["kvm_unmap_hva_range", "mmu notifier unmap range: 0x007f534708f000 -- 0x007f5347090000"]
]

const PLAIN = ["CPU 0/KVM", "gpcstorm", "fc_vcpu 1", "swapper/0", "größe", "<...>"]

/** What a name may be made of: pieces of columns. */
const PIECES = [
  `-${FORGED.pid}`,
  " [000]",
  " 1.0: ",
  `" `,
  `"`,
  "gpc_err a=1",
  ` | `,
  " {",
  "()",
  "=> ",
  "> ",
  "=3D",
  "\u001b[1m",
  "\u00a0",
  "\t",
  "*/",
  "CPU:0 [",
  "ept[6] ",
  ":",
  "x"
]

const bytesIn = (text: string): number => new TextEncoder().encode(text).length

/** Of at most `longest` bytes, without spaces at its ends: those are not told from padding. */
const nameOf = (random: Random, longest: number): string => {
  let name = random.onceIn(3) ? "" : random.pick(PLAIN)
  while (!random.onceIn(4) || name === "") name += random.pick(PIECES)
  const units = Array.from(name)
  while (bytesIn(units.join("")) > longest) units.pop()
  const cut = units.join("").trim()
  return cut === "" ? "x" : cut
}

/** A text that would be a record, were it a line. */
const forgery = (random: Random): string => {
  const gpc = `gpc=${FORGED.pointer} uhva=0x1000 snap=1 active=0`
  return random.pick([
    `evil-${FORGED.pid}     [000] .....     9.000009: gpc_snap: (f) ${gpc}`,
    `evil-${FORGED.pid} [000]     9.000009: gpc_snap:  ${gpc}`,
    `evil   ${FORGED.pid} [000]     9.000009: gpc:gpc_snap: (ffffffff81000000) ${gpc}`,
    `9000009000 0 ${FORGED.pid} ${FORGED.pid} "evil" gpc_snap ${gpc}`,
    `{"type": "printf", "data": "9000009000 0 ${FORGED.pid} ${FORGED.pid} \\"evil\\" gpc_snap ${gpc}\\n"}`,
    `    9.000009 |   0)  evil-${FORGED.pid}  |   1.000 us    |  kvm_gpc_check(${gpc}); /* = 0x1 */`,
    `" gpc_snap ${gpc} tid=${FORGED.pid} pid=${FORGED.pid}`,
    `CPU:0 [LOST 9 EVENTS] */ } # tracer: nop`,
    "plain words"
  ])
}

const happenings = (random: Random, longest: number): ReadonlyArray<Happening> => {
  const tasks = Array.from({ length: 1 + random.below(3) }, () => ({
    comm: random.onceIn(2) ? random.pick(PLAIN) : nameOf(random, longest),
    pid: 100 + random.below(400)
  }))
  let micros = random.below(1_000_000)
  return Array.from({ length: 3 + random.below(12) }, () => {
    micros += random.onceIn(5) ? 0 : random.below(2000)
    const [name, body] = random.onceIn(4) ? ["tracing_mark_write", forgery(random)] : random.pick(EVENTS)
    return { ...random.pick(tasks), micros, name: name!, body: body! }
  })
}

const secondsOf = (micros: number): string => `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, "0")}`

/** Padded on the left to so many bytes. */
const padded = (text: string, width: number): string => " ".repeat(Math.max(0, width - bytesIn(text))) + text

const printed = ({ body, comm, micros, name, pid }: Happening): string =>
  `${micros * 1000} 1 ${pid} ${pid} "${comm}" ${name} ${body}`

interface Speller {
  readonly name: string
  readonly longestComm: number
  readonly head: ReadonlyArray<string>
  readonly line: (happening: Happening, random: Random) => string
}

const GRAPH_CALLS = [
  "kvm_gpc_refresh [kvm]() {",
  "}",
  "hva_to_pfn [kvm](); /* = 0x10433f */",
  "kvm_gpc_check [kvm](gpc=0xffffc90000406670, len=0x1000); /* ret=0x1 */",
  "kvm_mmu_notifier_invalidate_range_start [kvm]() {",
  "gfn_to_pfn_cache_invalidate_start(kvm=0xffffc90000405000, start=0x7e0000001000, end=0x7e0000002000);",
  "kvm_mmu_notifier_invalidate_range_end [kvm]();",
  "} /* kvm_gpc_refresh [kvm] = -14 */"
]

const SPELLERS: ReadonlyArray<Speller> = [
  {
    name: "ftrace",
    longestComm: 15,
    head: ["# tracer: nop", "#"],
    line: ({ body, comm, micros, name, pid }) =>
      `${padded(comm, 16)}-${String(pid).padEnd(7)} [001] ..... ${secondsOf(micros).padStart(12)}: ${name}: ${body}`
  },
  {
    name: "trace-cmd report",
    longestComm: 15,
    head: ["cpus=2"],
    line: ({ body, comm, micros, name, pid }) =>
      `${padded(comm, 16)}-${String(pid).padEnd(5)} [001] ${secondsOf(micros).padStart(12)}: ${
        `${name}:`.padEnd(20)
      } ${body}`
  },
  {
    name: "perf script",
    longestComm: 15,
    head: ["# captured on    : now"],
    line: ({ body, comm, micros, name, pid }) =>
      `${padded(comm, 16)} ${String(pid).padStart(5)} [001] ${secondsOf(micros).padStart(12)}: ${
        `gpc:${name}`.padStart(20)
      }: ${body}`
  },
  { name: "bpftrace", longestComm: 15, head: ["Attaching 9 probes..."], line: printed },
  {
    name: "bpftrace -f json",
    longestComm: 15,
    head: [`{"type": "attached_probes", "data": {"probes": 9}}`],
    line: (happening) => JSON.stringify({ type: "printf", data: `${printed(happening)}\n` })
  },
  {
    name: "function_graph",
    longestComm: 7,
    head: ["# tracer: function_graph"],
    line: ({ body, comm, micros, name, pid }, random) => {
      const call = random.onceIn(2) ? `/* ${name}: ${body} */` : random.pick(GRAPH_CALLS)
      const duration = call.includes(";") || call.startsWith("}") ? "0.500 us" : ""
      return `${secondsOf(micros).padStart(12)} |   1)  ${comm}-${pid}  | ${duration.padStart(12)}  |  ${
        "  ".repeat(random.below(3))
      }${call}`
    }
  }
]

/** A trace: its format, and its lines. @category models @since 0.1.0 */
export interface Session {
  readonly format: string
  readonly lines: ReadonlyArray<string>
}

/** @category constructors @since 0.1.0 */
export const makeSession = (random: Random): Session => {
  const speller = random.pick(SPELLERS)
  const lines = happenings(random, speller.longestComm).map((happening) => speller.line(happening, random))
  return { format: speller.name, lines: random.onceIn(4) ? lines : [...speller.head, ...lines] }
}
