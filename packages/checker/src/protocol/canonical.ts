/**
 * The canonical form of a machine's state: what two states differ in without mattering is made equal.
 *
 * - Sequence counts enter only as "equal to the snapshot or not": the counts become 0, a snapshot that differs STALE.
 * - Generations enter only by equality: the active one becomes its parity, any other a negative number by appearance.
 * - Frames are numbered by appearance; every reference to a life that is over becomes the same dead number.
 * - What an audit notes in registers (ranges in flight at a test) is forgotten.
 *
 * Source: the abstractions of the bounded reference model, which are exact; here they rest on what the steps read.
 *
 * Hot: once a generated state.
 *
 * @since 0.1.0
 */
import { NO_PFN, OP } from "@pfnscope/protocol"
import type { Policy, State } from "@pfnscope/protocol"

/** A snapshot that no sequence count equals. */
const STALE = -1

/** The number of every frame whose life is over; no living frame has it, and its slot holds another. */
const DEAD = 120

/** Makes a state canonical, in place. @category canonical @since 0.1.0 */
export const canonicalise = (state: State, policy: Policy): () => void => {
  const { gpcs, kvm, mmu, threads } = state
  const pages = state.geo.pages
  const slots = Array.from({ length: mmu.frames }, (_, i) => mmu.at(i))
  const lives: Array<ReadonlyArray<number>> = []
  /** Old numbers of living frames, by new number minus one. */
  const order: Array<number> = []
  const generations: Array<number> = []

  const sequences = (): void => {
    for (const t of threads) {
      const count = t.op === OP.guest_fault || policy.snapshot.of !== "gpc_invalidate_seq" ? kvm.seq : kvm.gpcSeq
      t.snapshot = t.snapshot === count ? 0 : STALE
      t.inFlight = t.covering = 0
    }
    kvm.seq = kvm.gpcSeq = 0
  }
  const generationOf = (generation: number): number => {
    if (generation === kvm.generation) return generation & 1
    let i = generations.indexOf(generation)
    if (i < 0) i = generations.push(generation) - 1
    return -2 - i
  }
  const renumberGenerations = (): void => {
    generations.length = 0
    for (const gpc of gpcs) gpc.generation = generationOf(gpc.generation)
    for (const t of threads) t.generation = generationOf(t.generation)
    kvm.generation &= 1
  }
  const meet = (pfn: number): void => {
    if (pfn > NO_PFN && mmu.frame(pfn) >= 0 && !order.includes(pfn)) order.push(pfn)
  }
  const renumbered = (pfn: number): number => pfn <= NO_PFN ? pfn : order.includes(pfn) ? order.indexOf(pfn) + 1 : DEAD
  const renumberFrames = (): void => {
    order.length = 0
    for (let page = 0; page < pages; page++) meet(mmu.pfn(page))
    for (const gpc of gpcs) meet(gpc.pfn)
    for (const t of threads) {
      meet(t.newPfn)
      meet(t.copy)
      for (let page = 0; page < pages; page++) meet(mmu.gathered(t.id, page))
    }
    for (const at of slots) if (!mmu.unreferenced(at)) meet(mmu.pfnAt(at))
    lives.length = 0
    for (const pfn of order) lives.push(cellsOf(pfn))
    for (let page = 0; page < pages; page++) mmu.setPte(page, renumbered(mmu.pfn(page)), mmu.protection(page))
    for (const gpc of gpcs) {
      gpc.pfn = renumbered(gpc.pfn)
      gpc.khva = renumbered(gpc.khva)
    }
    for (const t of threads) {
      t.newPfn = renumbered(t.newPfn)
      t.newKhva = renumbered(t.newKhva)
      t.copy = renumbered(t.copy)
      t.khva = renumbered(t.khva)
      for (let page = 0; page < pages; page++) mmu.setGathered(t.id, page, renumbered(mmu.gathered(t.id, page)))
    }
    for (const at of slots) mmu.born(at, 0, 0)
    lives.forEach((cells, i) => {
      const [mapcount = 0, gup = 0, gather = 0, word = 0] = cells
      const at = mmu.at((i + 1) % mmu.frames)
      mmu.born(at, i + 1, word)
      mmu.addMapcount(at, mapcount)
      mmu.addGup(at, gup)
      mmu.addGather(at, gather)
    })
    mmu.nextPfn = lives.length + 1
  }
  const cellsOf = (pfn: number): ReadonlyArray<number> => {
    const at = mmu.frame(pfn)
    return [mmu.mapcount(at), mmu.gup(at), mmu.gather(at), mmu.word(at)]
  }

  return () => {
    sequences()
    renumberGenerations()
    renumberFrames()
  }
}
