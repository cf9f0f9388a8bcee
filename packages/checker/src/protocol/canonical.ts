/**
 * The canonical form of a machine's state: what two states differ in without mattering is made equal.
 *
 * - Sequence counts enter only as "equal to the snapshot or not": the counts become 0, a snapshot that differs is as
 *   good as none.
 * - Generations enter only by equality: the active one becomes its parity, any other a negative number by appearance.
 * - Frames are numbered by appearance; every reference to a life that is over becomes the same dead number.
 * - What an audit notes in registers (ranges in flight at a test) is forgotten.
 *
 * Source: the abstractions of the bounded reference model, which are exact; here they rest on what the steps read.
 *
 * Hot: once a generated state; nothing is allocated.
 *
 * @since 0.1.0
 */
import { namesIn, NO_PFN, NOT_READ, OP } from "@pfnscope/protocol"
import type { Cells, Policy, State } from "@pfnscope/protocol"

/**
 * The number of every frame whose life is over: one above those of the living. New frames get higher ones until they
 * are renumbered, so that none of them is taken for a dead one.
 *
 * @category queries
 * @since 0.1.0
 */
export const deadFrame = (frames: number): number => frames + 1

/** The highest number that a frame can get before it is renumbered: a step takes at most one frame a page. @category queries @since 0.1.0 */
export const lastFrame = (frames: number, pages: number): number => deadFrame(frames) + frames * (pages + 2)

/** Cells that need a look, of those that name something: the others hold one value that names nothing. @category models @since 0.1.0 */
export interface Named {
  readonly frames: ReadonlyArray<number>
  readonly generations: ReadonlyArray<number>
}

/**
 * Makes a state canonical, in place. `before` are the cells of a canonical state; where the working state agrees with
 * them in what is renamed, there is nothing to rename.
 *
 * @category canonical
 * @since 0.1.0
 */
export const canonicalise = (
  state: State,
  policy: Policy,
  named: Named = namesIn(state),
  before?: Cells
): () => void => {
  const frames = renumberFrames(state, named.frames, before)
  const generations = renumberGenerations(state, named.generations)
  const sequences = forgetSequences(state, policy)
  return () => {
    sequences()
    generations()
    frames()
  }
}

const forgetSequences = ({ geo, kvm, threads }: State, policy: Policy) => {
  const lookers = threads.filter(({ id }) => geo.scripts[id].some(({ op }) => op >= OP.gpc_activate))
  return (): void => {
    const { gpcSeq, seq } = kvm
    const ofGpc = policy.snapshot.of === "gpc_invalidate_seq" ? gpcSeq : seq
    for (let i = 0; i < lookers.length; i++) {
      const t = lookers[i]
      t.snapshot = t.snapshot === (t.op === OP.guest_fault ? seq : ofGpc) ? 0 : NOT_READ
      t.inFlight = t.covering = 0
    }
    kvm.seq = kvm.gpcSeq = 0
  }
}

const renumberGenerations = (state: State, named: ReadonlyArray<number>) => {
  const { cells, kvm } = state
  const cellsOf = Int32Array.from(named)
  const met = new Float64Array(cellsOf.length)
  return (): void => {
    const active = kvm.generation
    let count = 0
    for (let i = 0; i < cellsOf.length; i++) {
      const generation = cells[cellsOf[i]]
      if (generation === NOT_READ) continue
      if (generation === active) {
        cells[cellsOf[i]] = active & 1
        continue
      }
      let k = 0
      while (k < count && met[k] !== generation) k++
      if (k === count) met[count++] = generation
      cells[cellsOf[i]] = -2 - k
    }
    kvm.generation = active & 1
  }
}

/** Cells of a frame that go with it: mapcount, GUP and gather references, word. */
const FRAME = 4

const renumberFrames = (state: State, cellsOf: ReadonlyArray<number>, before: Cells | undefined) => {
  const { cells, mmu } = state
  const { frames } = mmu
  const dead = deadFrame(frames)
  const named = Int32Array.from(cellsOf)
  /** Where each slot of the frame table begins, and which slot each number lives in. */
  const places = Int32Array.from({ length: frames }, (_, slot) => mmu.at(slot))
  const slots = Int32Array.from({ length: lastFrame(frames, mmu.pages) + 1 }, (_, pfn) => pfn % frames)
  /** New numbers of living frames, by slot; 0: not met yet. */
  const numbers = new Int32Array(frames)
  const table = new Float64Array(FRAME * frames)
  let count = 0
  let isMoved = false

  const name = (slot: number, pfn: number): number => {
    const at = places[slot]
    const to = FRAME * count
    for (let i = 0; i < FRAME; i++) table[to + i] = cells[at + 1 + i]
    numbers[slot] = ++count
    isMoved ||= count !== pfn
    return count
  }
  const nameAll = (): void => {
    for (let i = 0; i < named.length; i++) {
      const pfn = cells[named[i]]
      if (pfn <= NO_PFN || pfn === dead) continue
      const slot = slots[pfn]
      const at = places[slot]
      if (cells[at] !== pfn || mmu.unreferenced(at)) cells[named[i]] = dead
      else cells[named[i]] = numbers[slot] === 0 ? name(slot, pfn) : numbers[slot]
    }
    // A reference that nobody knows of any more keeps its frame alive all the same.
    for (let slot = 0; slot < frames; slot++) {
      const at = places[slot]
      if (mmu.unreferenced(at)) mmu.born(at, 0, 0)
      else if (numbers[slot] === 0) name(slot, cells[at])
    }
  }
  const moveAll = (): void => {
    for (let slot = 0; slot < frames; slot++) mmu.born(places[slot], 0, 0)
    for (let k = 0; k < count; k++) {
      const at = places[slots[k + 1]]
      cells[at] = k + 1
      for (let i = 0; i < FRAME; i++) cells[at + 1 + i] = table[FRAME * k + i]
    }
  }
  const end = frames === 0 ? 0 : mmu.gathers
  const isAsBefore = (before: Cells): boolean => {
    for (let cell = mmu.table; cell < end; cell++) if (cells[cell] !== before[cell]) return false
    for (let i = 0; i < named.length; i++) if (cells[named[i]] !== before[named[i]]) return false
    return true
  }
  return (): void => {
    mmu.nextPfn = dead + 1
    if (frames === 0 || (before !== undefined && isAsBefore(before))) return
    count = 0
    isMoved = false
    numbers.fill(0)
    nameAll()
    if (isMoved) moveAll()
  }
}
