/**
 * What the protocol's steps touch, for partial-order reduction.
 *
 * A step runs at one actor and touches that actor's cells and its thread's registers; the protocol's own tests watch
 * that. So the classes are the actors: the primary MMU, the notifier, each cache; threads are local. Beside that a step
 * reads what the property judged at it reads. The memslots' part of the notifier is a class of its own, and none where
 * no thread of the world changes a memslot.
 *
 * @since 0.1.0
 */
import { atCursor, atGpc, atKvm, atMmu, L, LABELS, labelsOf, OP } from "@pfnscope/protocol"
import type { Label, LabelId, OpCode, Policy, Program, State, Thread } from "@pfnscope/protocol"
import type { Footprint } from "../model.ts"

const MMU = 1
const KVM = 2
const SLOTS = 4
const FIRST_GPC = 3

/** Classes there is room for: see {@link Footprint}. */
const MOST_GPCS = 31 - FIRST_GPC

/** Steps at the notifier that touch the memslots, their generation and kvm->srcu, and nothing else there. */
const OF_SLOTS: ReadonlySet<Label> = new Set(["srcu.enter", "srcu.leave", "use.slots", "refresh.slots"])

/** Steps that write nothing but their thread's registers. */
const readsOnly = (label: Label, op: number, policy: Policy): boolean =>
  label === "retry.snapshot" ||
  label === "retry.count" ||
  label === "retry.seq" ||
  label === "use.slots" ||
  label === "refresh.slots" ||
  (label === "use.access" && op !== OP.gpc_write_own) ||
  ((label === "start.visit" || label === "end.visit") && policy.startWalk.look !== "write")

/** Reads and writes of a step, as sets of classes. */
interface Touched {
  readonly reads: number
  readonly writes: number
}

const NOTHING: Touched = { reads: 0, writes: 0 }

const union = (a: Touched, b: Touched): Touched => ({ reads: a.reads | b.reads, writes: a.writes | b.writes })

/** The footprints of a world's threads; undefined when it has more caches than there are classes. @category constructors @since 0.1.0 */
export const footprintOf = (state: State, policy: Policy, program: Program): Footprint | undefined => {
  const { geo, gpcs, threads } = state
  if (gpcs.length > MOST_GPCS) return undefined
  const everyGpc = 2 ** gpcs.length - 1 << FIRST_GPC
  const movesSlots = geo.scripts.some((ops) => ops.some(({ op }) => op === OP.set_memslot || op === OP.delete_memslot))

  /** What the properties judged at a step read beside its actor. */
  const judged = (label: Label, gpc: number): number => {
    if (label === "use.access") return gpc
    if (label === "start.mmu") return everyGpc
    if (label === "refresh.decide" || label === "retry.relock" || label === "retry.decide") return MMU | KVM
    return label === "end.count" || label === "end.gpc_unlock" || label === "end.wake" ? MMU | everyGpc : 0
  }
  const touched = (label: LabelId, { a, op }: Pick<OpCode, "a" | "op">, cursor: number): Touched => {
    const step = program[label]
    const gpc = 1 << FIRST_GPC + a
    const actor = step.actor === atMmu
      ? MMU
      : step.actor === atGpc
      ? gpc
      : step.actor === atCursor
      ? cursor
      : step.actor !== atKvm
      ? 0
      : OF_SLOTS.has(step.label)
      ? movesSlots ? SLOTS : 0
      : KVM | (movesSlots ? SLOTS : 0)
    return { reads: actor | judged(step.label, gpc), writes: readsOnly(step.label, op, policy) ? 0 : actor }
  }

  /** What an operation touches from a label to its end; from its entry, unless told. */
  const ahead = (op: OpCode, from?: LabelId): Touched =>
    labelsOf(program, op.op, from).filter((label) => label !== L.idle)
      .reduce((all, label) => union(all, touched(label, op, everyGpc)), NOTHING)
  const allOf = (ops: ReadonlyArray<OpCode>): Touched => ops.map((op) => ahead(op)).reduce(union, NOTHING)
  /** For each thread and operation: from each label to the end of the operation, and the operations that follow. */
  const tables = geo.scripts.map((ops) =>
    ops.map((op, i) => ({
      rest: LABELS.map((_, label) => label === L.idle ? ahead(op) : ahead(op, label)),
      after: allOf(ops.slice(i + 1))
    }))
  )
  const everything = geo.scripts.map(allOf)

  const future = (t: Thread): Touched => {
    const { ops, repeat } = geo.world.threads[t.id]
    if (ops.length === 0 || (repeat > 0 && t.round >= repeat)) return NOTHING
    if (repeat !== 1) return everything[t.id]
    const { after, rest } = tables[t.id][t.opIndex]
    return union(rest[t.pc], after)
  }
  return (thread, into, at) => {
    const t = threads[thread]
    const now = t.pc === L.idle ? NOTHING : touched(t.pc, t, 1 << FIRST_GPC + t.cursor)
    const { reads, writes } = future(t)
    into[at] = now.reads
    into[at + 1] = now.writes
    into[at + 2] = reads
    into[at + 3] = writes
  }
}
