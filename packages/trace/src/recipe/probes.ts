/**
 * Probes at the entries and returns of functions: they fit every build of a kernel.
 *
 * The names of the events and of their fields are those that the mapping knows (`mapper.ts`).
 *
 * @since 0.1.0
 */
import { LAYOUTS } from "./kernels.ts"
import type { Kernel, Layout } from "./kernels.ts"

/**
 * A probe: at the entry (`p`) or the return (`r`) of a function. In a field's value `{n}` stands for the function's
 * argument number n.
 *
 * @category models
 * @since 0.1.0
 */
export interface Probe {
  readonly at: "p" | "r"
  readonly event: string
  readonly on: string
  readonly fields: ReadonlyArray<string>
}

/** How an argument is written: by its number, where the kernel knows the calling convention, or its register. @category models @since 0.1.0 */
export type Arguments = "numbers" | "registers"

/** The System V calling convention on x86-64. */
const REGISTERS = ["%di", "%si", "%dx", "%cx", "%r8", "%r9"]

/** A probe as it is written to `kprobe_events`. At a return only numbers can name arguments (since 6.9). @category text @since 0.1.0 */
export const probeText = ({ at, event, fields, on }: Probe, style: Arguments): string => {
  const argument = (n: number): string => style === "registers" && at === "p" ? REGISTERS[n - 1]! : `$arg${n}`
  const values = fields.map((field) => ` ${field.replaceAll(/\{(\d)\}/g, (_, n) => argument(Number(n)))}`)
  return `${at}:gpc/${event} kvm:${on}${values.join("")}`
}

const hex = (n: number): string => n < 0 ? `-0x${(-n).toString(16)}` : `+0x${n.toString(16)}`

const p = (event: string, on: string, ...fields: ReadonlyArray<string>): Probe => ({ at: "p", event, on, fields })
const r = (event: string, on: string, ...fields: ReadonlyArray<string>): Probe => ({ at: "r", event, on, fields })

/** Fields that a return has of its function's arguments: the kernel can since 6.9. */
const atReturn = (kernel: Kernel, ...fields: ReadonlyArray<string>): ReadonlyArray<string> =>
  kernel === "6.1" ? [] : fields

/** The probes of a kernel, in the order of the protocol. @category data @since 0.1.0 */
export const probesOf = (kernel: Kernel): ReadonlyArray<Probe> => {
  const layout = LAYOUTS[kernel]
  return [
    ...notifierProbes(layout, kernel),
    ...(kernel === "6.1" ? cacheProbesOf61(layout) : cacheProbes(layout)),
    ...lookupProbes(layout, kernel),
    ...memslotProbes(layout, kernel),
    ...faultProbes(layout, kernel)
  ]
}

/** The counters, seen from the notifier that lies beside them in `struct kvm`. */
const counters = ({ kvm }: Layout): ReadonlyArray<string> => [
  `active=${hex(kvm.mn_active_invalidate_count - kvm.mmu_notifier)}({1}):s64`,
  `seq=${hex(kvm.mmu_invalidate_seq - kvm.mmu_notifier)}({1}):u64`,
  ...(kvm.gpc_invalidate_seq === undefined ? [] : [`gseq=${hex(kvm.gpc_invalidate_seq - kvm.mmu_notifier)}({1}):u64`])
]

/** What invalidations of guest memory have in `struct kvm`. */
const inProgress = ({ kvm }: Layout, of = "{1}"): ReadonlyArray<string> => [
  `in_prog=${hex(kvm.mmu_invalidate_in_progress)}(${of}):s64`,
  `hull_start=${hex(kvm.mmu_invalidate_range_start)}(${of}):x64`,
  `hull_end=${hex(kvm.mmu_invalidate_range_end)}(${of}):x64`
]

const notifierProbes = (layout: Layout, kernel: Kernel): ReadonlyArray<Probe> => {
  const { kvm, kvm_gfn_range: gfn, mmu_notifier_range: range } = layout
  const bounds = [`start=+${range.start}({2}):x64`, `end=+${range.end}({2}):x64`]
  const seq = `seq=${hex(kvm.mmu_invalidate_seq)}({1}):u64`
  return [
    p(
      "inv_start",
      "kvm_mmu_notifier_invalidate_range_start",
      "mn={1}:x64",
      ...bounds,
      `flags=+${range.flags}({2}):u32`,
      `event=+${range.event}({2}):u32`,
      ...counters(layout)
    ),
    r("inv_start_ret", "kvm_mmu_notifier_invalidate_range_start", ...atReturn(kernel, "mn={1}:x64"), "ret=$retval:s32"),
    p("gpc_inval", "gfn_to_pfn_cache_invalidate_start", "kvm={1}:x64", "start={2}:x64", "end={3}:x64"),
    r("gpc_inval_ret", "gfn_to_pfn_cache_invalidate_start", ...atReturn(kernel, "kvm={1}:x64")),
    p(
      "unmap_gfn",
      "kvm_unmap_gfn_range",
      "kvm={1}:x64",
      `slot=+${gfn.slot}({2}):x64`,
      `gfn_start=+${gfn.start}({2}):x64`,
      `gfn_end=+${gfn.end}({2}):x64`,
      ...inProgress(layout),
      seq
    ),
    // In 6.1 it is inlined: the notifier's own end tells.
    ...(kernel === "6.1"
      ? []
      : [p("mmu_inval_end", "kvm_mmu_invalidate_end", "kvm={1}:x64", seq, ...inProgress(layout))]),
    p(
      "inv_end",
      "kvm_mmu_notifier_invalidate_range_end",
      "mn={1}:x64",
      ...bounds,
      `event=+${range.event}({2}):u32`,
      ...counters(layout)
    ),
    r("inv_end_ret", "kvm_mmu_notifier_invalidate_range_end", ...atReturn(kernel, "mn={1}:x64"))
  ]
}

/** Up to 6.1 the functions take the VM first, and a return does not tell of which cache it is. */
const cacheProbesOf61 = ({ gfn_to_pfn_cache: gpc, kvm }: Layout): ReadonlyArray<Probe> => [
  p(
    "refresh",
    "kvm_gfn_to_pfn_cache_refresh",
    "kvm={1}:x64",
    "gpc={2}:x64",
    "gpa={3}:x64",
    "len={4}:u64",
    `old_gpa=+${gpc.gpa}({2}):x64`,
    `old_uhva=+${gpc.uhva}({2}):x64`,
    `gen=+${gpc.generation}({2}):x64`,
    `slots_gen=+0(${hex(kvm.memslots)}({1})):x64`,
    `pfn=+${gpc.pfn}({2}):x64`,
    `active=+${gpc.active}({2}):u8`,
    `valid=+${gpc.valid}({2}):u8`
  ),
  r("refresh_ret", "kvm_gfn_to_pfn_cache_refresh", "ret=$retval:s32"),
  p(
    "check_in",
    "kvm_gfn_to_pfn_cache_check",
    "kvm={1}:x64",
    "gpc={2}:x64",
    "gpa={3}:x64",
    `uhva=+${gpc.uhva}({2}):x64`,
    `valid=+${gpc.valid}({2}):u8`
  ),
  r("check", "kvm_gfn_to_pfn_cache_check", "ret=$retval:u8"),
  p(
    "activate",
    "kvm_gpc_activate",
    "kvm={1}:x64",
    "gpc={2}:x64",
    "vcpu={3}:x64",
    "usage={4}:u32",
    "gpa={5}:x64",
    "len={6}:u64",
    `active=+${gpc.active}({2}):u8`
  ),
  r("activate_ret", "kvm_gpc_activate", "ret=$retval:s32"),
  p(
    "deactivate",
    "kvm_gpc_deactivate",
    "kvm={1}:x64",
    "gpc={2}:x64",
    `gpa=+${gpc.gpa}({2}):x64`,
    `uhva=+${gpc.uhva}({2}):x64`,
    `active=+${gpc.active}({2}):u8`,
    `valid=+${gpc.valid}({2}):u8`
  ),
  r("deactivate_ret", "kvm_gpc_deactivate"),
  p("gpc_init", "kvm_gpc_init", "gpc={1}:x64")
]

const cacheProbes = ({ gfn_to_pfn_cache: gpc, kvm }: Layout): ReadonlyArray<Probe> => [
  p(
    "refresh_outer",
    "kvm_gpc_refresh",
    "gpc={1}:x64",
    "len={2}:u64",
    `gpa=+${gpc.gpa}({1}):x64`,
    `uhva=+${gpc.uhva}({1}):x64`,
    `valid=+${gpc.valid}({1}):u8`
  ),
  r("refresh_outer_ret", "kvm_gpc_refresh", "gpc={1}:x64", "ret=$retval:s32"),
  p(
    "refresh",
    "__kvm_gpc_refresh",
    "gpc={1}:x64",
    "gpa={2}:x64",
    "uhva_arg={3}:x64",
    `old_gpa=+${gpc.gpa}({1}):x64`,
    `old_uhva=+${gpc.uhva}({1}):x64`,
    `gen=+${gpc.generation}({1}):x64`,
    `slots_gen=+0(${hex(kvm.memslots)}(+${gpc.kvm}({1}))):x64`,
    `pfn=+${gpc.pfn}({1}):x64`,
    `active=+${gpc.active}({1}):u8`,
    `valid=+${gpc.valid}({1}):u8`
  ),
  r("refresh_ret", "__kvm_gpc_refresh", "gpc={1}:x64", "ret=$retval:s32"),
  r(
    "check",
    "kvm_gpc_check",
    "gpc={1}:x64",
    `uhva=+${gpc.uhva}({1}):x64`,
    `valid=+${gpc.valid}({1}):u8`,
    "ret=$retval:u8"
  ),
  p(
    "activate",
    "__kvm_gpc_activate",
    "gpc={1}:x64",
    "gpa={2}:x64",
    "uhva={3}:x64",
    "len={4}:u64",
    `active=+${gpc.active}({1}):u8`
  ),
  r("activate_ret", "__kvm_gpc_activate", "gpc={1}:x64", "ret=$retval:s32"),
  p(
    "deactivate",
    "kvm_gpc_deactivate",
    "gpc={1}:x64",
    `gpa=+${gpc.gpa}({1}):x64`,
    `uhva=+${gpc.uhva}({1}):x64`,
    `active=+${gpc.active}({1}):u8`,
    `valid=+${gpc.valid}({1}):u8`
  ),
  r("deactivate_ret", "kvm_gpc_deactivate", "gpc={1}:x64"),
  p("gpc_init", "kvm_gpc_init", "gpc={1}:x64", "kvm={2}:x64")
]

/** Each lookup within a refresh is a lap; those of guest faults are told apart by that. */
const lookupProbes = ({ kvm_follow_pfn: follow }: Layout, kernel: Kernel): ReadonlyArray<Probe> => {
  const hva = follow === undefined ? "hva={1}:x64" : `hva=+${follow.hva}({1}):x64`
  return [
    p("hva2pfn", "hva_to_pfn", hva),
    r("hva2pfn_ret", "hva_to_pfn", ...atReturn(kernel, hva), "pfn=$retval:x64")
  ]
}

const memslotProbes = ({ kvm }: Layout, kernel: Kernel): ReadonlyArray<Probe> => [
  p(
    "swap_slots",
    "kvm_swap_active_memslots",
    "kvm={1}:x64",
    "as_id={2}:s32",
    `active=${hex(kvm.mn_active_invalidate_count)}({1}):s64`
  ),
  r(
    "swap_slots_ret",
    "kvm_swap_active_memslots",
    ...atReturn(kernel, "kvm={1}:x64", `gen=+0(${hex(kvm.memslots)}({1})):x64`)
  )
]

const faultProbes = (layout: Layout, kernel: Kernel): ReadonlyArray<Probe> => {
  const { kvm, kvm_page_fault: fault } = layout
  return [
    p(
      "pf_stale",
      "is_page_fault_stale",
      "vcpu={1}:x64",
      `gfn=${hex(fault.gfn)}({2}):x64`,
      ...(fault.hva === undefined ? [] : [`hva=${hex(fault.hva)}({2}):x64`]),
      `snap=${hex(fault.mmu_seq)}({2}):u64`,
      `seq=${hex(kvm.mmu_invalidate_seq)}(+0({1})):u64`,
      ...inProgress(layout, "+0({1})")
    ),
    r("pf_stale_ret", "is_page_fault_stale", ...atReturn(kernel, "vcpu={1}:x64"), "ret=$retval:u8")
  ]
}
