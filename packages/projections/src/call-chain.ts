/**
 * Call chains: which functions led to an invalidation, and which of them tell why.
 *
 * A chain is the functions' names, the innermost first: the tracer's, the notifier's, then those of core mm that say why
 * (`change_protection`, `change_prot_numa`, `task_numa_work`), then the way into the kernel, then the program's own.
 *
 * @since 0.1.0
 */

/** The names in a `CallChainSeen`; null where there are none. @category reading @since 0.1.0 */
export const chainOf = (frames: string): ReadonlyArray<string> | null => {
  const names = frames.split(" ").filter((name) => name !== "")
  return names.length === 0 ? null : names
}

/** What stands between a tracer and core mm: it is the same for every invalidation. */
const MACHINERY = [
  /^(trace_event_|__?bpf_|bpf_|perf_|__?traceiter_|__traceiter_|ftrace_|kprobe_|kretprobe_|stack_trace_|__stack_trace_)/,
  /^(kprobes?_|arch_ftrace_|rethook_|fprobe_|optimized_callback|int3|exc_int3|asm_exc_int3|trace_call_bpf|__trace_stack)/,
  /^_*(kvm_)?mmu_notifier_/,
  /^_*kvm_(unmap_hva_range|handle_hva_range|mmu_notifier)/,
  /^mn_(hlist|itree)_/
]

/** The way into the kernel, and out of a thread of its own: the same for every call. */
const ENTRIES = [
  /^(do_syscall_64|x64_sys_call|do_int80|do_fast_syscall_32|entry_SYSCALL|entry_SYSENTER|syscall_enter|syscall_exit)/,
  /^(asm_exc_|exc_page_fault|ret_from_fork|irqentry_|exit_to_user_mode|arch_do_signal)/,
  /^(\[unknown\]|0x[0-9a-f]+|<[0-9a-f]+>)$/
]

const isAny = (patterns: ReadonlyArray<RegExp>) => (name: string): boolean => patterns.some((one) => one.test(name))

/** `vms_clear_ptes.part.0+0x1a3/0x1f0` is vms_clear_ptes: what the compiler made of a function is no other function. */
const plain = (name: string): string =>
  name.replace(/\+0x[0-9a-f]+(\/0x[0-9a-f]+)?$/, "").replace(/\.(part|isra|constprop|cold|llvm)\b.*$/, "")

/**
 * The frames of a chain that say why, the innermost first: those above the notifier, without the way into the kernel. None
 * where the chain ends in the notifier.
 *
 * @category reading
 * @since 0.1.0
 */
export const tellingFrames = (chain: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = chain.map(plain)
  return names.slice(names.findLastIndex(isAny(MACHINERY)) + 1).filter((name) => !isAny(ENTRIES)(name))
}
