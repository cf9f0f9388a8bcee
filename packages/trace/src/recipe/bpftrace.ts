/**
 * A bpftrace program that prints what the probes at the entries and returns of functions see, one line each:
 *
 *     TIME CPU PID TID "COMM" EVENT name=value …
 *
 * It finds the members of `struct kvm` and `struct gfn_to_pfn_cache` by the kernel's BTF, so that it fits any build and any
 * configuration. What only kvm.ko's own BTF knows, which older versions of bpftrace do not read, is taken from the table.
 * It needs no more than bpftrace 0.17 (Debian 12) has: no `offsetof`, no arguments at a return.
 *
 * @since 0.1.0
 */
import { LAYOUTS } from "./kernels.ts"
import type { Kernel, Layout } from "./kernels.ts"

/** A value that is printed: `%d` where it is a C expression of another format than hexadecimal. */
type Value = readonly [name: string, format: "0x%lx" | "%ld" | "%lu" | "%d", expression: string]

/** One probe of the program: what it does before it prints, what it prints, and what it forgets after. @category models @since 0.1.0 */
export interface Action {
  readonly probe: string
  readonly before: ReadonlyArray<string>
  readonly event: string
  readonly values: ReadonlyArray<Value>
  readonly after: ReadonlyArray<string>
}

const x = (name: string, expression: string): Value => [name, "0x%lx", expression]
const d = (name: string, expression: string): Value => [name, "%ld", expression]
const u = (name: string, expression: string): Value => [name, "%lu", expression]

/** A word of memory. */
const word = (address: string): string => `*(uint64 *)(${address})`

const CACHE = "(struct gfn_to_pfn_cache *)"
const SEQ = "arg0 + sizeof(struct mmu_notifier)"

/** Words between `mmu_invalidate_seq`, which lies behind the notifier, and `gpc_invalidate_seq`. */
const toGpcSeq = ({ kvm }: Layout): number | undefined =>
  kvm.gpc_invalidate_seq === undefined ? undefined : kvm.gpc_invalidate_seq - kvm.mmu_invalidate_seq

/** What the program does on a kernel, in the order of the protocol. @category data @since 0.1.0 */
export const actionsOf = (kernel: Kernel): ReadonlyArray<Action> => {
  const layout = LAYOUTS[kernel]
  return [
    ...notifierActions(layout, kernel),
    ...(kernel === "6.1" ? cacheActionsOf61 : cacheActions),
    ...lookupActions(layout),
    ...memslotActions,
    ...faultActions(layout),
    ...SYSCALLS.flatMap(syscallActions)
  ]
}

const action = (
  probe: string,
  event: string,
  values: ReadonlyArray<Value>,
  { after = [], before = [] }: Partial<Pick<Action, "after" | "before">> = {}
): Action => ({ probe, event, values, before, after })

const notifierActions = (layout: Layout, kernel: Kernel): ReadonlyArray<Action> => {
  const { kvm_gfn_range: gfn } = layout
  const gseq = toGpcSeq(layout)
  const range = "$r = (struct mmu_notifier_range *)arg1;"
  const bounds = [x("start", "$r->start"), x("end", "$r->end")]
  const counts = [u("seq", word(SEQ)), ...(gseq === undefined ? [] : [u("gseq", word(`${SEQ} + ${gseq}`))])]
  const inProgress = [
    d("in_prog", "$k->mmu_invalidate_in_progress"),
    x("hull_start", "$k->mmu_invalidate_range_start"),
    x("hull_end", "$k->mmu_invalidate_range_end")
  ]
  return [
    action(
      "kprobe:kvm_mmu_notifier_invalidate_range_start",
      "inv_start",
      [x("mn", "arg0"), ...bounds, d("flags", "$r->flags"), d("event", "$r->event"), ...counts],
      { before: [range, "@mn[tid] = arg0;"] }
    ),
    action("kretprobe:kvm_mmu_notifier_invalidate_range_start", "inv_start_ret", [
      x("mn", "@mn[tid]"),
      ["ret", "%d", "(int32)retval"]
    ], { after: ["delete(@mn[tid]);"] }),
    // The walk over the caches is told the VM, of which the notifier is a part: from here on its counts are known.
    action("kprobe:gfn_to_pfn_cache_invalidate_start", "gpc_inval", [
      x("kvm", "arg0"),
      x("start", "arg1"),
      x("end", "arg2"),
      d("active", "((struct kvm *)arg0)->mn_active_invalidate_count")
    ], { before: ["@kvm[@mn[tid]] = arg0;", "@walk[tid] = arg0;"] }),
    action("kretprobe:gfn_to_pfn_cache_invalidate_start", "gpc_inval_ret", [x("kvm", "@walk[tid]")], {
      after: ["delete(@walk[tid]);"]
    }),
    action("kprobe:kvm_unmap_gfn_range", "unmap_gfn", [
      x("kvm", "arg0"),
      x("slot", word(`arg1 + ${gfn.slot}`)),
      x("gfn_start", word(`arg1 + ${gfn.start}`)),
      x("gfn_end", word(`arg1 + ${gfn.end}`)),
      ...inProgress,
      u("seq", "$k->mmu_invalidate_seq")
    ], { before: ["$k = (struct kvm *)arg0;"] }),
    ...(kernel === "6.1" ? [] : [
      action("kprobe:kvm_mmu_invalidate_end", "mmu_inval_end", [
        x("kvm", "arg0"),
        u("seq", "$k->mmu_invalidate_seq"),
        ...inProgress
      ], { before: ["$k = (struct kvm *)arg0;"] })
    ]),
    action(
      "kprobe:kvm_mmu_notifier_invalidate_range_end",
      "inv_end",
      [
        x("mn", "arg0"),
        ...bounds,
        d("event", "$r->event"),
        d("active", "((struct kvm *)@kvm[arg0])->mn_active_invalidate_count"),
        ...counts
      ],
      { before: [range, "@mn[tid] = arg0;"] }
    ),
    action("kretprobe:kvm_mmu_notifier_invalidate_range_end", "inv_end_ret", [x("mn", "@mn[tid]")], {
      after: ["delete(@mn[tid]);"]
    })
  ]
}

/** The state of a cache, after its entry has set `$g`. */
const state = [
  x("pfn", "$g->pfn"),
  d("active", "$g->active"),
  d("valid", "$g->valid")
]

const old = [x("old_gpa", "$g->gpa"), x("old_uhva", "$g->uhva"), x("gen", "$g->generation")]

/** A function that takes the cache as an argument and whose return tells of which it was. */
const entryAndReturn = (
  name: string,
  event: string,
  { before, map, ret, returned, values }: {
    readonly map: string
    readonly before: ReadonlyArray<string>
    readonly values: ReadonlyArray<Value>
    readonly returned: string
    readonly ret: boolean
  }
): ReadonlyArray<Action> => [
  action(`kprobe:${name}`, event, values, { before: [...before, `@${map}[tid] = (uint64)$g;`] }),
  action(`kretprobe:${name}`, returned, [
    x("gpc", `@${map}[tid]`),
    ...(ret ? [["ret", "%d", "(int32)retval"] as const] : [])
  ], { after: [`delete(@${map}[tid]);`] })
]

/** The return of a check: the answer is its lowest byte. */
const checked = (name: string): ReadonlyArray<Action> => [
  action(`kretprobe:${name}`, "check", [
    x("gpc", "@checked[tid]"),
    x("uhva", "$g->uhva"),
    d("valid", "$g->valid"),
    ["ret", "%d", "retval & 0xff"]
  ], { before: [`$g = ${CACHE}@checked[tid];`], after: ["delete(@checked[tid]);"] })
]

/** Deactivation of the cache `gpc`, with what else its arguments tell. */
const deactivate = (gpc: string, ...others: ReadonlyArray<ReturnType<typeof x>>): ReadonlyArray<Action> =>
  entryAndReturn("kvm_gpc_deactivate", "deactivate", {
    map: "deactivated",
    before: [`$g = ${CACHE}${gpc};`],
    values: [
      ...others,
      x("gpc", gpc),
      x("gpa", "$g->gpa"),
      x("uhva", "$g->uhva"),
      d("active", "$g->active"),
      d("valid", "$g->valid")
    ],
    returned: "deactivate_ret",
    ret: false
  })

const cacheActionsOf61: ReadonlyArray<Action> = [
  ...entryAndReturn("kvm_gfn_to_pfn_cache_refresh", "refresh", {
    map: "refreshed",
    before: ["$k = (struct kvm *)arg0;", `$g = ${CACHE}arg1;`],
    values: [
      x("kvm", "arg0"),
      x("gpc", "arg1"),
      x("gpa", "arg2"),
      u("len", "arg3"),
      ...old,
      x("slots_gen", word("(uint64)$k->memslots[0]")),
      ...state
    ],
    returned: "refresh_ret",
    ret: true
  }),
  action("kprobe:kvm_gfn_to_pfn_cache_check", "check_in", [
    x("kvm", "arg0"),
    x("gpc", "arg1"),
    x("gpa", "arg2"),
    x("uhva", "$g->uhva"),
    d("valid", "$g->valid")
  ], { before: [`$g = ${CACHE}arg1;`, "@checked[tid] = arg1;"] }),
  ...checked("kvm_gfn_to_pfn_cache_check"),
  ...entryAndReturn("kvm_gpc_activate", "activate", {
    map: "activated",
    before: [`$g = ${CACHE}arg1;`],
    values: [
      x("kvm", "arg0"),
      x("gpc", "arg1"),
      x("vcpu", "arg2"),
      x("gpa", "arg4"),
      u("len", "arg5"),
      d("active", "$g->active")
    ],
    returned: "activate_ret",
    ret: true
  }),
  ...deactivate("arg1", x("kvm", "arg0")),
  action("kprobe:kvm_gpc_init", "gpc_init", [x("gpc", "arg0")])
]

const cacheActions: ReadonlyArray<Action> = [
  ...entryAndReturn("__kvm_gpc_refresh", "refresh", {
    map: "refreshed",
    before: [`$g = ${CACHE}arg0;`],
    values: [
      x("gpc", "arg0"),
      x("kvm", "$g->kvm"),
      x("gpa", "arg1"),
      x("uhva_arg", "arg2"),
      ...old,
      x("slots_gen", word("(uint64)$g->kvm->memslots[0]")),
      ...state
    ],
    returned: "refresh_ret",
    ret: true
  }),
  { probe: "kprobe:kvm_gpc_check", event: "", values: [], before: ["@checked[tid] = arg0;"], after: [] },
  ...checked("kvm_gpc_check"),
  ...entryAndReturn("__kvm_gpc_activate", "activate", {
    map: "activated",
    before: [`$g = ${CACHE}arg0;`],
    values: [x("gpc", "arg0"), x("gpa", "arg1"), x("uhva", "arg2"), u("len", "arg3"), d("active", "$g->active")],
    returned: "activate_ret",
    ret: true
  }),
  ...deactivate("arg0"),
  action("kprobe:kvm_gpc_init", "gpc_init", [x("gpc", "arg0"), x("kvm", "arg1")])
]

const lookupActions = ({ kvm_follow_pfn: follow }: Layout): ReadonlyArray<Action> => {
  const hva = follow === undefined ? "arg0" : word(`arg0 + ${follow.hva}`)
  return [
    action("kprobe:hva_to_pfn", "hva2pfn", [x("hva", hva)], { before: [`@hva[tid] = ${hva};`] }),
    action("kretprobe:hva_to_pfn", "hva2pfn_ret", [x("hva", "@hva[tid]"), x("pfn", "retval")], {
      after: ["delete(@hva[tid]);"]
    })
  ]
}

const memslotActions: ReadonlyArray<Action> = [
  action("kprobe:kvm_swap_active_memslots", "swap_slots", [
    x("kvm", "arg0"),
    d("as_id", "arg1"),
    d("active", "((struct kvm *)arg0)->mn_active_invalidate_count")
  ], { before: ["@swapped[tid] = arg0;"] }),
  action("kretprobe:kvm_swap_active_memslots", "swap_slots_ret", [
    x("kvm", "@swapped[tid]"),
    x("gen", word("(uint64)$k->memslots[0]"))
  ], { before: ["$k = (struct kvm *)@swapped[tid];"], after: ["delete(@swapped[tid]);"] })
]

const faultActions = ({ kvm_page_fault: fault }: Layout): ReadonlyArray<Action> => [
  action("kprobe:is_page_fault_stale", "pf_stale", [
    x("vcpu", "arg0"),
    x("gfn", word(`arg1 + ${fault.gfn}`)),
    ...(fault.hva === undefined ? [] : [x("hva", word(`arg1 + ${fault.hva}`))]),
    u("snap", word(`arg1 + ${fault.mmu_seq}`)),
    u("seq", "$k->mmu_invalidate_seq"),
    d("in_prog", "$k->mmu_invalidate_in_progress"),
    x("hull_start", "$k->mmu_invalidate_range_start"),
    x("hull_end", "$k->mmu_invalidate_range_end")
  ], { before: ["$k = ((struct kvm_vcpu *)arg0)->kvm;", "@fault[tid] = arg0;"] }),
  action("kretprobe:is_page_fault_stale", "pf_stale_ret", [
    x("vcpu", "@fault[tid]"),
    ["ret", "%d", "retval & 0xff"]
  ], { after: ["delete(@fault[tid]);"] })
]

/** The syscalls that change an address space, and their arguments as the tracepoints name them. */
const SYSCALLS: ReadonlyArray<readonly [name: string, ...args: ReadonlyArray<string>]> = [
  ["madvise", "start", "len_in", "behavior"],
  ["munmap", "addr", "len"],
  ["mmap", "addr", "len", "prot"],
  ["mprotect", "start", "len", "prot"],
  ["mremap", "addr", "old_len", "new_len", "new_addr"],
  ["brk", "brk"]
]

const syscallActions = ([name, ...args]: (typeof SYSCALLS)[number]): ReadonlyArray<Action> => [
  action(`tracepoint:syscalls:sys_enter_${name}`, `sys_enter_${name}`, args.map((arg) => x(arg, `args->${arg}`))),
  action(`tracepoint:syscalls:sys_exit_${name}`, `sys_exit_${name}`, [x("ret", "args->ret")])
]

const MAPS = ["mn", "kvm", "walk", "refreshed", "checked", "activated", "deactivated", "hva", "swapped", "fault"]

const actionText = ({ after, before, event, probe, values }: Action): ReadonlyArray<string> => {
  const isReturn = probe.startsWith("kretprobe:")
  // What a return tells is kept from its entry: one whose entry came before the program began is left out.
  const needed = /@(\w+)\[tid\]/.exec([...before, ...values.map(([, , of]) => of)].join(" "))?.[1]
  const guard = isReturn && needed !== undefined ? ` /@${needed}[tid]/` : ""
  const isSyscall = probe.startsWith("tracepoint:")
  const own = isSyscall && before.length === 0 ? " /$1 == 0 || pid == $1/" : guard
  const format = values.map(([name, how]) => ` ${name}=${how}`).join("")
  const print = event === "" ? [] : [
    `printf("%llu %d %d %d \\"%s\\" ${event}${format}\\n", nsecs, cpu, pid, tid, comm${
      values.map(([, , of]) => `, ${of}`).join("")
    });`
  ]
  return [`${probe}${own}`, "{", ...[...before, ...print, ...after].map((line) => `  ${line}`), "}"]
}

/** The program for a kernel. @category text @since 0.1.0 */
export const bpftraceProgram = (kernel: Kernel): ReadonlyArray<string> => [
  ...actionsOf(kernel).flatMap(actionText),
  "END",
  "{",
  ...MAPS.map((map) => `  clear(@${map});`),
  "}"
]
