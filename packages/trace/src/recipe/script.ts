/**
 * Recording scripts for a host: ftrace, trace-cmd, bpftrace.
 *
 * @since 0.1.0
 */
import { bpftraceProgram } from "./bpftrace.ts"
import { BUILDS } from "./kernels.ts"
import type { Kernel } from "./kernels.ts"
import { probesOf, probeText } from "./probes.ts"

/** @category models @since 0.1.0 */
export const TOOLS = ["ftrace", "bpftrace", "trace-cmd"] as const

/** @category models @since 0.1.0 */
export type Tool = (typeof TOOLS)[number]

/** What is wanted: probes in the middle of functions are for one build only, the one of the kernel that was taken apart. @category models @since 0.1.0 */
export interface RecipeOptions {
  readonly kernel: Kernel
  readonly tool: Tool
  readonly forBuild: boolean
}

/** Stock tracepoints of KVM: the start of every invalidation, guest faults, and a successful write of a guest's clock. */
const TRACEPOINTS = ["kvm_unmap_hva_range", "kvm_page_fault", "kvm_pvclock_update"]

/** The syscalls that change an address space: who invalidates. */
const SYSCALLS = ["madvise", "munmap", "mmap", "mremap", "mprotect", "brk"]

/** The lines for `kprobe_events`. @category text @since 0.1.0 */
export const kprobeLines = (kernel: Kernel, forBuild: boolean): ReadonlyArray<string> => {
  const atFunctions = probesOf(kernel)
  if (!forBuild) return atFunctions.map((probe) => probeText(probe, "numbers"))
  const { probes } = BUILDS[kernel]
  const own = new Set(probes.map((line) => /^[pr]:gpc\/\w+/.exec(line)![0]))
  return [
    ...atFunctions.filter(({ at, event }) => !own.has(`${at}:gpc/${event}`)).map((probe) =>
      probeText(probe, "registers")
    ),
    ...probes
  ]
}

const comment = (lines: ReadonlyArray<string>): ReadonlyArray<string> => lines.map((line) => `# ${line}`.trimEnd())

/** What the probes at functions leave open. */
const LOST = [
  "These probes stand at the entries and returns of functions: they fit every build of this version. They show who",
  "invalidates what and for how long, and each refresh with its laps and whether they were for its page. They do not",
  "show the count and the sequence at a retry's test (why a lap was thrown away), when a cache becomes valid or is marked",
  "invalid, nor an update of the memslots that waits: such verdicts are \"unknown\"."
]

const buildNote = (kernel: Kernel): ReadonlyArray<string> => {
  const { name, sha256 } = BUILDS[kernel]
  return [
    `ONLY for the build ${name} (uname -r), whose kvm.ko has a sha256 that begins with ${sha256}:`,
    "probes with +0x… stand in the middle of functions, where another build has something else.",
    "Registers are those of x86-64."
  ]
}

const offsetsNote = (kernel: Kernel): ReadonlyArray<string> => [
  `Offsets into struct kvm are those of Debian's ${kernel}: another configuration moves them. Check with`,
  "pahole -C kvm, or use --tool bpftrace, which finds them by itself."
]

const guard = (kernel: Kernel): ReadonlyArray<string> => {
  const { name, sha256 } = BUILDS[kernel]
  return [
    `[ "$(uname -r)" = ${name} ] || { echo "this is $(uname -r), not ${name}" >&2; exit 1; }`,
    `case $(modinfo -n kvm) in *.xz) cat="xz -dc" ;; *) cat=cat ;; esac`,
    `$cat "$(modinfo -n kvm)" | sha256sum | grep -q ^${sha256} || { echo "another kvm.ko" >&2; exit 1; }`
  ]
}

/** Places the probes one by one, so that one that cannot be placed is told and does not take the others with it. */
const placing = (kernel: Kernel, forBuild: boolean): ReadonlyArray<string> => [
  "while read -r probe; do",
  "  printf '%s\\n' \"$probe\" >> $T/kprobe_events || printf 'not placed: %s\\n' \"$probe\" >&2",
  "done <<'PROBES'",
  ...kprobeLines(kernel, forBuild),
  "PROBES"
]

const TRACEFS = "T=${TRACEFS:-/sys/kernel/tracing}"

/** Leaves the host as it was found, also where the script is interrupted. */
const leaving = (...first: ReadonlyArray<string>): ReadonlyArray<string> => [
  "leave() {",
  ...first.map((line) => `  ${line}`),
  "  sed -n 's,^[pr][0-9]*:\\(gpc/[a-z0-9_]*\\) .*,-:\\1,p' $T/kprobe_events | sort -u |",
  "    while read -r probe; do printf '%s\\n' \"$probe\" >> $T/kprobe_events; done",
  "}",
  "trap leave EXIT",
  "trap 'exit 130' INT TERM"
]

const header = ({ forBuild, kernel, tool }: RecipeOptions, use: string): ReadonlyArray<string> => [
  "#!/bin/sh",
  ...comment([
    `KVM's gfn_to_pfn_cache protocol on Linux ${kernel}, recorded with ${tool}. As root:`,
    `    ${use}`,
    "Then, anywhere: pfnscope report trace.txt",
    "",
    ...(forBuild ? buildNote(kernel) : [...LOST, ...offsetsNote(kernel)])
  ])
]

const ftraceScript = (options: RecipeOptions): ReadonlyArray<string> => [
  ...header(options, "sh record.sh [SECONDS] > trace.txt"),
  ...(options.forBuild ? guard(options.kernel) : []),
  TRACEFS,
  "I=$T/instances/pfnscope   # a buffer of its own: nobody else's tracing is touched",
  "mkdir $I || exit 1",
  ...leaving("rmdir $I"),
  ...placing(options.kernel, options.forBuild),
  "echo mono > $I/trace_clock",
  "echo 65536 > $I/buffer_size_kb   # per CPU; the report says if events were lost",
  "echo 1 > $I/events/gpc/enable",
  ...TRACEPOINTS.map((name) => `echo 1 > $I/events/kvm/${name}/enable`),
  `for s in ${SYSCALLS.join(" ")}; do`,
  "  echo 1 > $I/events/syscalls/sys_enter_$s/enable",
  "  echo 1 > $I/events/syscalls/sys_exit_$s/enable",
  "done",
  "# For the call chain of each invalidation (who in the kernel wants it), at the price of a larger trace:",
  "# echo stacktrace > $I/events/gpc/inv_start/trigger",
  "echo 1 > $I/tracing_on",
  "sleep \"${1:-5}\"",
  "echo 0 > $I/tracing_on",
  "cat $I/trace"
]

const traceCmdScript = (options: RecipeOptions): ReadonlyArray<string> => {
  const stock = [
    ...TRACEPOINTS.map((name) => `-e kvm:${name}`),
    ...SYSCALLS.map((name) => `-e syscalls:sys_enter_${name} -e syscalls:sys_exit_${name}`)
  ]
  return [
    ...header(options, "sh record.sh [SECONDS] > trace.txt"),
    ...comment([
      "",
      "Without any probe, safe on every host, it is still known who invalidates how much, if not for whom. That is",
      "all but the probes and \"-e gpc\":",
      "    trace-cmd record -C mono -b 65536 \\",
      ...stock.map((events) => `      ${events} \\`),
      "      sleep 5 >&2 && trace-cmd report -t > trace.txt"
    ]),
    ...(options.forBuild ? guard(options.kernel) : []),
    TRACEFS,
    "D=$(mktemp)",
    ...leaving("rm -f $D"),
    ...placing(options.kernel, options.forBuild),
    "trace-cmd record -o $D -C mono -b 65536 -e gpc \\",
    ...stock.map((events) => `  ${events} \\`),
    "  sleep \"${1:-5}\" >&2   # -T adds the call chain of every event",
    "trace-cmd report -t -i $D"
  ]
}

const bpftraceScript = ({ kernel }: RecipeOptions): ReadonlyArray<string> => [
  "#!/usr/bin/env bpftrace",
  ...[
    `KVM's gfn_to_pfn_cache protocol on Linux ${kernel}, recorded with bpftrace 0.17 or newer. As root:`,
    "    BPFTRACE_PERF_RB_PAGES=4096 bpftrace record.bt [PID] > trace.txt",
    "PID is the VMM's: of other processes no syscalls are recorded. Stop with Ctrl-C. Then, anywhere:",
    "    pfnscope report trace.txt",
    "",
    ...LOST,
    "Members of struct kvm are found by the kernel's BTF, so that any configuration will do."
  ].map((line) => `// ${line}`.trimEnd()),
  ...bpftraceProgram(kernel)
]

/** A recipe, as a script to run on the host. @category text @since 0.1.0 */
export const recipeText = (options: RecipeOptions): string => {
  switch (options.tool) {
    case "ftrace":
      return ftraceScript(options).join("\n")
    case "trace-cmd":
      return traceCmdScript(options).join("\n")
    case "bpftrace":
      return bpftraceScript(options).join("\n")
  }
}
