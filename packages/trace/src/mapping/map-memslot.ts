/**
 * Records of a memslot update: kvm_swap_active_memslots.
 *
 * The records name no slot: an update is known by its generation only, its slot is -1.
 *
 * @since 0.1.0
 */
import { KVM_HVA_ERR_BAD } from "@pfnscope/protocol"
import type { Task } from "./cast.ts"
import { F } from "./fields.ts"
import { generationField, vmOf, write } from "./writer.ts"
import type { Writer } from "./writer.ts"

/** Guest address spaces on x86 (SMM has its own): an update moves the generation on by so many. */
const ADDRESS_SPACES = 2

/** Entry: the new set is ready, and may be published once no invalidation is in flight. */
export const swapSlots = (w: Writer, task: Task): boolean => {
  vmOf(w, task)
  const data = { _tag: "Called", thread: task.thread, op: "set_memslot", a: -1, b: KVM_HVA_ERR_BAD, c: 0 } as const
  task.swapping = { seq: write(w, task.stream, "inferred", data, w.seq + 1), name: "set_memslot" }
  return true
}

/** One round of sleeping for the count to reach 0. */
export const swapWait = (w: Writer, task: Task): boolean => {
  if (!w.fields.has(F.active)) return false
  const data = { _tag: "SwapWaited", thread: task.thread, count: w.fields.signed(F.active) } as const
  write(w, vmOf(w, task).stream, "observed", data, task.swapping?.seq)
  return true
}

/** The set is published; `newgen` is the old generation, marked in flight. */
export const swapPublish = (w: Writer, task: Task): boolean => {
  const f = w.fields
  if (!f.has(F.newgen)) return false
  const vm = vmOf(w, task)
  vm.generation = generationField(f, F.newgen)
  const slot = { slot: -1, state: "present", hva: KVM_HVA_ERR_BAD } as const
  const data = { _tag: "MemslotsSwapped", thread: task.thread, ...slot, generation: vm.generation } as const
  write(w, vm.stream, "observed", data, task.swapping?.seq, task.swapping?.seq)
  return true
}

/** Return: the new generation. 6.1's probe does not show it. */
export const swapSlotsRet = (w: Writer, task: Task): boolean => {
  const shown = w.fields.has(F.gen)
  const vm = vmOf(w, task)
  const generation = shown ? generationField(w.fields, F.gen) : vm.generation - (vm.generation & 1) + ADDRESS_SPACES
  vm.generation = generation
  const data = { _tag: "GenerationChanged", thread: task.thread, generation } as const
  write(w, vm.stream, shown ? "observed" : "inferred", data, task.swapping?.seq)
  write(w, task.stream, "inferred", { _tag: "Returned", thread: task.thread, ret: 0 }, task.swapping?.seq)
  task.swapping = undefined
  return true
}
