/**
 * The memslots as a trace shows them: which there are is the world's, not the protocol's, and no record names them.
 *
 * @since 0.1.0
 */
import { SLOT, translate } from "@pfnscope/protocol"
import type { State } from "@pfnscope/protocol"
import { SPARE_SLOT } from "./world.ts"

/** Gives states their memslots back. */
export type Restore = (states: ReadonlyArray<State>) => void

const nothing: Restore = () => {}

/**
 * Lets steps of the invalidation of `[start, end)` find that a memslot overlaps, or that none does, until they are given
 * back; undefined: nothing is known, and the memslots are left as they are. All states have the same memslots.
 */
export const showSlots = (
  states: ReadonlyArray<State>,
  { end, start }: { readonly start: number; readonly end: number },
  overlap: boolean | undefined
): Restore => {
  const [first] = states
  if (overlap === undefined || first === undefined) return nothing
  const { geo, kvm } = first
  const slots = geo.world.memslots.map((_, i) => ({ state: kvm.slotState(i), hva: kvm.slotHva(i) }))
  const overlapping = slots.flatMap(({ hva, state }, i) => {
    const slotEnd = hva + geo.world.memslots[i]!.pages * geo.pageSize
    return state !== SLOT.absent && hva < end && start < slotEnd ? [i] : []
  })
  if (overlap === overlapping.length > 0) return nothing
  for (const s of states) {
    if (overlap) s.kvm.setSlot(SPARE_SLOT, SLOT.present, start)
    for (const i of overlapping) s.kvm.setSlot(i, SLOT.absent, slots[i]!.hva)
  }
  return (after) => {
    for (const s of after) for (const [i, { hva, state }] of slots.entries()) s.kvm.setSlot(i, state, hva)
  }
}

/** Lets a guest address be backed by `hva`, or by nothing (-1). */
export const placeSlot = (s: State, gpa: number, hva: number): void => {
  const slot = gpa < 0 ? -1 : s.geo.slotOf(gpa)
  if (slot < 0 || translate(s.geo, s.kvm, gpa) === hva) return
  if (hva < 0) s.kvm.setSlot(slot, SLOT.absent, s.kvm.slotHva(slot))
  else s.kvm.setSlot(slot, SLOT.present, hva - gpa + s.geo.world.memslots[slot]!.gpa)
}
