/**
 * Who is in a trace: tasks by pid, caches and VMs by kernel pointer, each with a dense number from 0.
 *
 * A pointer is an identity. As a signed 64-bit number every kernel pointer is exact.
 *
 * @since 0.1.0
 */
import type { OpenRange } from "@pfnscope/projections"
import { decode, isText } from "../reading/text.ts"

/** An operation that a task is in: the position of its Called event. */
export interface Call {
  readonly seq: number
  readonly name: string
}

/** A vCPU's fault that is being judged (`is_page_fault_stale`). */
export interface Fault {
  readonly gfn: number
  readonly snap: number
  readonly seq: number
  readonly inProgress: number
  readonly inHull: boolean
}

/** The calls that a task is in, as the function_graph tracer shows them. */
export interface Graph {
  /** Stands for the caches of calls whose arguments are not shown. */
  unnamed: Cache | undefined
  /** The refresh: whether kvm_gpc_refresh began it, which waits for the lock first, and the lookups in it. */
  refresh: { readonly seq: number; readonly cache: Cache; readonly outer: boolean; lookups: number } | undefined
  /** The cache of the check that it is in. */
  checking: Cache | undefined
  /** Whether it is in an operation on a cache that is named. */
  changing: boolean
  /** Whether it is in range_start, and for which range. */
  inStart: boolean
  started: OpenRange | undefined
}

const noGraph = (): Graph => ({
  unnamed: undefined,
  refresh: undefined,
  checking: undefined,
  changing: false,
  inStart: false,
  started: undefined
})

/** A task, and what it is in the middle of. */
export interface Task {
  readonly thread: number
  readonly pid: number
  readonly stream: string
  comm: Uint8Array
  /** The syscall it is in. */
  call: Call | undefined
  /** The cache that it refreshes. */
  refreshing: Cache | undefined
  /** The cache of the check, the activation or the deactivation that it is in. */
  checking: Cache | undefined
  changing: Cache | undefined
  /** Whether the change will have an effect: the cache was active. */
  wasActive: boolean
  fault: Fault | undefined
  /** What its last `hva_to_pfn` outside a refresh gave. */
  resolved: number
  /** The memslot update that it is in. */
  swapping: Call | undefined
  /** Its invalidation is known from the start tracepoint only: the end is inferred. */
  untilReturn: OpenRange | undefined
  readonly graph: Graph
  vm: Vm | undefined
  /** Position of the last event that its last record became; 0 where that became none. */
  said: number
}

/** A refresh of a cache, from entry to return. */
export interface Refresh {
  readonly seq: number
  snapshots: number
  /** Calls of hva_to_pfn: its laps, where no probe in the middle of it tells them. */
  lookups: number
  resolvedAt: number | undefined
  testedAt: number | undefined
  inFlight: number
  covering: number
  sequenceChanged: boolean
  done: boolean
}

/** A cache: its address as it was told last, and its refresh. */
export interface Cache {
  readonly id: number
  readonly stream: string
  uhva: number | undefined
  /** The address that it had when the trace began, as a refresh that keeps it told. */
  untold: number | undefined
  gpa: number
  generation: number
  moved: boolean
  vm: Vm | undefined
  refresh: Refresh | undefined
}

/** A VM: its `struct kvm` and the notifier in it, and what its memslots and its hull are known to be. */
export interface Vm {
  readonly id: number
  readonly stream: string
  kvm: number | undefined
  notifier: number | undefined
  /** Position of the last change of the sequence count. */
  bumpedAt: number | undefined
  /** Generation of the memslots that were published last. */
  generation: number
  /** The guest frames that are being zapped, `[start, end)`, by the task's thread. */
  readonly zaps: Array<{ readonly thread: number; readonly start: number; readonly end: number }>
  hullStart: number
  hullEnd: number
}

/** The notifier lies inside `struct kvm`, which is below 64 KiB in every kernel from 5.17 to 7.3. */
const STRUCT_KVM_BYTES = 65_536

const UNNAMED = new TextEncoder().encode("<...>")

/** How many there are of each, over all machines: their numbers are dense. */
interface Numbers {
  threads: number
  caches: number
  vms: number
}

/** Who is on one machine, and what is recorded there: pids and pointers mean nothing on another. */
export interface Cast {
  readonly tasks: Map<number, Task>
  readonly caches: Map<number, Cache>
  readonly vms: Array<Vm>
  readonly numbers: Numbers
  /** There are records of the notifier's own functions: nothing about them needs to be inferred. */
  probed: boolean
  /** There are records of `__kvm_gpc_refresh`: those of `kvm_gpc_refresh` around it add nothing. */
  innerRefresh: boolean
  /** The calls of range_end are shown. */
  endsShown: boolean
  /** Stands for the task of a record that tells neither a task nor a CPU. */
  readonly nobody: Task
}

const castWith = (numbers: Numbers): Cast => ({
  tasks: new Map(),
  caches: new Map(),
  vms: [],
  numbers,
  probed: false,
  innerRefresh: false,
  endsShown: false,
  nobody: { ...makeTask(NO_THREAD, -1, new Uint8Array(0)), stream: "audit/0" }
})

const NO_THREAD = -1

/** The casts of all machines, each made when its machine is first named. */
export const makeCasts = (): (machine: string) => Cast => {
  const numbers = { threads: 0, caches: 0, vms: 0 }
  const casts = new Map<string, Cast>()
  return (machine) => {
    const known = casts.get(machine)
    if (known !== undefined) return known
    const cast = castWith(numbers)
    casts.set(machine, cast)
    return cast
  }
}

/** Adds a task that is seen for the first time. */
export const addTask = (cast: Cast, pid: number, comm: Uint8Array): Task => {
  const task = makeTask(cast.numbers.threads++, pid, comm)
  cast.tasks.set(pid, task)
  return task
}

const makeTask = (thread: number, pid: number, comm: Uint8Array): Task => ({
  thread,
  pid,
  stream: `mm/${thread}`,
  comm,
  call: undefined,
  refreshing: undefined,
  checking: undefined,
  changing: undefined,
  wasActive: false,
  fault: undefined,
  resolved: 0,
  swapping: undefined,
  untilReturn: undefined,
  graph: noGraph(),
  vm: undefined,
  said: 0
})

/** Whether the tracer shows a name other than the one it showed before; `<...>` stands for a name it forgot. */
export const isRenamed = (task: Task, bytes: Uint8Array, from: number, to: number): boolean =>
  !isText(bytes, from, to, task.comm) && !isText(bytes, from, to, UNNAMED)

/** The name of a task. */
export const commOf = (task: Task): string => decode(task.comm, 0, task.comm.length)

/** Adds a cache that is seen for the first time. */
export const addCache = (cast: Cast, pointer: number): Cache => {
  const id = cast.numbers.caches++
  const cache: Cache = {
    id,
    stream: `gpc/${id}`,
    uhva: undefined,
    untold: undefined,
    gpa: -1,
    generation: 0,
    moved: true,
    vm: undefined,
    refresh: undefined
  }
  cast.caches.set(pointer, cache)
  return cache
}

const addVm = (cast: Cast): Vm => {
  const id = cast.numbers.vms++
  const vm: Vm = {
    id,
    stream: `mn/${id}`,
    kvm: undefined,
    notifier: undefined,
    bumpedAt: undefined,
    generation: 0,
    zaps: [],
    hullStart: 0,
    hullEnd: 0
  }
  cast.vms.push(vm)
  return vm
}

/** A VM that records spoke of before any named it: the first that is named is taken for it. */
const nameless = (cast: Cast): Vm | undefined =>
  cast.vms.find((vm) => vm.kvm === undefined && vm.notifier === undefined)

/** The VM of a `struct kvm`: one that is known by it, or whose notifier lies inside it. */
export const vmOfKvm = (cast: Cast, kvm: number): Vm => {
  for (const vm of cast.vms) if (vm.kvm === kvm) return vm
  for (const vm of cast.vms) {
    if (vm.kvm === undefined && vm.notifier !== undefined && isInside(vm.notifier, kvm)) {
      vm.kvm = kvm
      return vm
    }
  }
  const vm = nameless(cast) ?? addVm(cast)
  vm.kvm = kvm
  return vm
}

/** The VM of a notifier: one that is known by it, or the nearest `struct kvm` that it lies in. */
export const vmOfNotifier = (cast: Cast, notifier: number): Vm => {
  let nearest: Vm | undefined
  for (const vm of cast.vms) {
    if (vm.notifier === notifier) return vm
    if (vm.notifier !== undefined || vm.kvm === undefined || !isInside(notifier, vm.kvm)) continue
    if (nearest === undefined || vm.kvm > nearest.kvm!) nearest = vm
  }
  const vm = nearest ?? nameless(cast) ?? addVm(cast)
  vm.notifier = notifier
  return vm
}

const isInside = (notifier: number, kvm: number): boolean => notifier > kvm && notifier - kvm < STRUCT_KVM_BYTES

/** The VM that stands first, for records that name none. */
export const anyVm = (cast: Cast): Vm => cast.vms[0] ?? addVm(cast)
