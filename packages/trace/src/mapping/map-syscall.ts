/**
 * Records of syscalls that change an address space: who invalidates, and by what call.
 *
 * @since 0.1.0
 */
import { FREES, PROTECTIONS } from "@pfnscope/protocol"
import type { Operation } from "@pfnscope/protocol"
import type { Task } from "./cast.ts"
import { F } from "./fields.ts"
import { endInferred } from "./map-notifier.ts"
import { boundField, write } from "./writer.ts"
import type { Writer } from "./writer.ts"

/** A syscall: the operation it is in the protocol, and how its arguments become `a`, `b`, `c`. */
interface Syscall {
  readonly name: string
  readonly op: Operation
  readonly args: (w: Writer) => readonly [a: number, b: number, c: number]
}

const span = (w: Writer, start: number, length: number): readonly [number, number] => {
  const from = boundField(w.fields, start)
  return [from, from + w.fields.signed(length)]
}

const PROT_READ_WRITE = 2

const protection = (prot: number): number =>
  PROTECTIONS.indexOf((prot & PROT_READ_WRITE) !== 0 ? "write" : prot !== 0 ? "read-only" : "none")

/** When the frames of a range are freed is not recorded. */
const EITHER = FREES.indexOf("either")

export const SYSCALLS: ReadonlyArray<Syscall> = [
  { name: "madvise", op: "madvise", args: (w) => [...span(w, F.start, F.len_in), EITHER] },
  { name: "munmap", op: "munmap", args: (w) => [...span(w, F.addr, F.len), EITHER] },
  { name: "mmap", op: "mmap", args: (w) => [...span(w, F.addr, F.len), 0] },
  { name: "mprotect", op: "mprotect", args: (w) => [...span(w, F.start, F.len), protection(w.fields.signed(F.prot))] },
  { name: "mremap", op: "mremap", args: (w) => [...span(w, F.addr, F.old_len), boundField(w.fields, F.new_addr)] },
  { name: "brk", op: "brk", args: (w) => [boundField(w.fields, F.brk), 0, 0] }
]

/** The syscall is entered. */
export const entered = (syscall: Syscall) => (w: Writer, task: Task): boolean => {
  endInferred(w, task)
  const [a, b, c] = syscall.args(w)
  const data = { _tag: "Called", thread: task.thread, op: syscall.op, a, b, c } as const
  task.call = { seq: write(w, task.stream, "observed", data, w.seq + 1), name: syscall.name }
  return true
}

const HIGHEST_ERRNO = 4095

/** The syscall is left; `ret` is what it returned: an address or a length counts as success. */
export const left = (w: Writer, task: Task, ret: number): boolean => {
  endInferred(w, task)
  const data = { _tag: "Returned", thread: task.thread, ret: ret < 0 && ret >= -HIGHEST_ERRNO ? ret : 0 } as const
  write(w, task.stream, "observed", data, task.call?.seq)
  task.call = undefined
  return true
}
