/**
 * Cells of the protocol's state that nothing reads before they are written again.
 *
 * Each is set to one value; what reads a cell is named beside it. The tests compare every verdict with and without.
 *
 * Hot: once a generated state.
 *
 * @since 0.1.0
 */
import { KVM_PFN_ERR_FAULT, L, LABELS, labelsOf, NO_PFN, NOT_READ, OP, OPERATIONS } from "@pfnscope/protocol"
import type { Label, Policy, Program, State, Thread } from "@pfnscope/protocol"
import { deadFrame } from "./canonical.ts"

/** Registers of a thread, with the steps that read them and those that always write them first. */
const REGISTERS = {
  khva: { read: ["use.access"], written: ["use.check"] },
  // kvm_gpc_check and __kvm_gpc_refresh compare it with the cache's.
  generation: { read: ["use.check", "refresh.decide"], written: ["use.slots", "refresh.slots", "guest.snapshot"] },
  snapshot: { read: ["retry.seq", "guest.stale"], written: ["retry.snapshot", "guest.snapshot"] },
  newKhva: {
    read: ["retry.decide", "retry.relock", "refresh.decide"],
    written: ["retry.map", "retry.put", "refresh.put", "refresh.error"]
  },
  // The address under refresh; a lookup that has to copy first announces it.
  hva: {
    read: ["refresh.decide", "gup", "start.count", "finish", "retry.wait", "retry.sleep", "retry.count", "guest.stale"],
    written: ["refresh.lock", "activate.lock", "activate.active", "guest.snapshot"]
  },
  gpa: {
    read: ["refresh.write", "refresh.slots", "refresh.decide", "retry.count"],
    written: ["refresh.lock", "activate.lock", "activate.active"]
  }
} as const satisfies { readonly [register: string]: { readonly [how in "read" | "written"]: ReadonlyArray<Label> } }

type Register = keyof typeof REGISTERS

/** For each label of an operation, whether a register can be read from there on before it is written. */
const liveness = (program: Program, op: number, register: Register): ReadonlyArray<boolean> => {
  const read: ReadonlyArray<Label> = REGISTERS[register].read
  const written: ReadonlyArray<Label> = REGISTERS[register].written
  const labels = labelsOf(program, op).filter((label) => label !== L.idle)
  const live = LABELS.map((label, id) => labels.includes(id) && read.includes(label))
  const comesToBeRead = (label: number) =>
    !live[label] && !written.includes(LABELS[label]) && program[label].to(op).some((next) => live[next])
  for (let more = labels.filter(comesToBeRead); more.length > 0; more = labels.filter(comesToBeRead)) {
    for (const label of more) live[label] = true
  }
  return live
}

/** What forgets the cells of a state that are dead in it, in place. @category constructors @since 0.1.0 */
export const forgetDead = (state: State, policy: Policy, program: Program): () => void => {
  const { geo, gpcs, kvm, mmu, threads } = state
  const dead = deadFrame(mmu.frames)
  const merges = geo.scripts.some((ops) => ops.some(({ op }) => op === OP.ksm_merge))
  const forgetsHull = policy.hull.under === "mn" && policy.hull.ranges === 1 && policy.hull.reset !== "never"
  // Whether a walk leaves a cache alone that has no pfn is all that is asked of the pfn of one that is not valid.
  const unknown = policy.hit.pfn === "ignored" ? KVM_PFN_ERR_FAULT : dead

  const ops = [...new Set(geo.scripts.flatMap((script) => script.map(({ op }) => op)))]
  /** By register: the operations and labels at which it is live. */
  const liveAt = (register: Register): Uint8Array => {
    const table = new Uint8Array(OPERATIONS.length * LABELS.length)
    for (const op of ops) {
      liveness(program, op, register).forEach((live, label) => {
        table[op * LABELS.length + label] = live ? 1 : 0
      })
    }
    return table
  }
  const live = {
    khva: liveAt("khva"),
    generation: liveAt("generation"),
    snapshot: liveAt("snapshot"),
    newKhva: liveAt("newKhva"),
    hva: liveAt("hva"),
    gpa: liveAt("gpa")
  }
  const forgetRegisters = (t: Thread): void => {
    const at = t.op * LABELS.length + t.pc
    if (live.khva[at] === 0) t.khva = NO_PFN
    if (live.generation[at] === 0) t.generation = NOT_READ
    if (live.snapshot[at] === 0) t.snapshot = NOT_READ
    if (live.newKhva[at] === 0) t.newKhva = NO_PFN
    if (live.hva[at] === 0) t.hva = 0
    if (live.gpa[at] === 0) t.gpa = 0
  }
  return () => {
    // Guest mappings are written and never read by a step.
    for (let page = 0; page < geo.guestPages; page++) kvm.setSpte(page, NO_PFN)
    if (kvm.inProgress === 0) kvm.rangeStart = kvm.rangeEnd = 0
    if (forgetsHull && kvm.count === 0) kvm.setHull(0, 0, 0, kvm.hullUsers(0))
    for (let g = 0; g < gpcs.length; g++) {
      const gpc = gpcs[g]
      if (gpc.valid === 1) continue
      gpc.khva = NO_PFN
      if (gpc.pfn > NO_PFN) gpc.pfn = unknown
    }
    // Contents are compared by KSM only.
    if (!merges) { for (let i = 0; i < mmu.frames; i++) mmu.setWord(mmu.at(i), 0) }
    for (let i = 0; i < threads.length; i++) forgetRegisters(threads[i])
  }
}
