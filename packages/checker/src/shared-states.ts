/**
 * The states of a search that several threads share: the counterpart of `StateSet` over shared memory.
 *
 * Records lie in blocks, and a block belongs to one worker and one level of the search; so a state's number tells its
 * level, and nobody waits to append. The table is one open-addressing field of pairs (number + 1, hash). Whoever finds
 * a slot empty writes the record into its own block first and then claims the slot by compare-and-exchange: who sees a
 * number in a slot can read the record. Whoever loses the claim compares with the winner's record like with any other.
 * A number is read without `Atomics`, which costs a call: read too early, it is still 0, and the claim fails; and what it
 * leads to is read at an address made of it, so not before it.
 *
 * A slot is chosen by the hash's top bits, so that a table of twice the size has its entries in the same order: growing
 * reads one from front to back and writes the other so. It is not concurrent with searching (see `parallel.ts`).
 *
 * @since 0.1.0
 */
import type { Records } from "./states.ts"

const BLOCK_BITS = 10

/** States in a block. @category constants @since 0.1.0 */
export const BLOCK = 1 << BLOCK_BITS

/** Blocks in a slab: one allocation. */
const SLAB_BLOCKS = 64
const SLAB_BITS = BLOCK_BITS + 6
const SLAB = 1 << SLAB_BITS

/** Blocks that a worker may need before it comes to a place where it can stop. */
const SLACK_BLOCKS = 8

/** The most cells of a table whose places are positive 32-bit numbers, and the most blocks it has room for. */
const MOST_CELLS = 2 ** 31
const MOST_BLOCKS = Math.floor(MOST_CELLS / (3 * BLOCK))

/** Cells of the control field. @category constants @since 0.1.0 */
export const CONTROL = { nextBlock: 0, cursor: 1, budget: 2, firstBlock: 3, endBlock: 4, cells: 8 } as const

/**
 * The shared memory, as it is sent to a worker. `fills` holds how many states each closed block has.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedMemory {
  readonly words: number
  readonly control: Int32Array
  readonly fills: Int32Array
  readonly slabs: ReadonlyArray<Int32Array>
  readonly table: Int32Array
}

/** Cells of a page of memory, or of a part of one. */
const PAGE = 1 << 10

/**
 * Every page is written to here, by the coordinator alone: the system hands out pages several times more slowly to
 * threads that ask for them at the same time, and that was a fifth of what two workers did.
 */
const shared = (cells: number): Int32Array => {
  const field = new Int32Array(new SharedArrayBuffer(4 * cells))
  for (let i = 0; i < cells; i += PAGE) field[i] = 0
  return field
}

/** Shared memory for states of so many words, with room for the initial states. @category constructors @since 0.1.0 */
export const allocate = (words: number, workers: number, initials: number): SharedMemory => {
  const [control, fills, table] = [shared(CONTROL.cells), shared(MOST_BLOCKS), shared(2 << 16)]
  return enlarge({ words, control, fills, slabs: [], table }, workers, Math.ceil(initials / BLOCK))
}

/** Cells of a table that a worker copies at a time. */
const STRETCH = 1 << 15

/** The slot that a state of this hash is looked for from. */
const home = (hash: number, table: Int32Array): number => hash >>> Math.clz32(table.length >>> 1) + 1 << 1

/** Enters a stretch of one table in another; somebody else may be at the stretches beside it. */
const copy = (old: Int32Array, from: number, to: number, table: Int32Array): void => {
  const mask = table.length - 1
  for (let i = from; i < to; i += 2) {
    const e = old[i]
    if (e === 0) continue
    let slot = home(old[i + 1], table)
    while (table[slot] !== 0 || Atomics.compareExchange(table, slot, 0, e) !== 0) slot = (slot + 2) & mask
    table[slot + 1] = old[i + 1]
  }
}

/** One worker's view of the shared states. @category models @since 0.1.0 */
export class SharedStates implements Records {
  readonly words: number
  memory: SharedMemory
  /** States that this worker added. */
  added = 0
  private readonly workers: number
  private readonly stride: number
  private block = -1
  private used = BLOCK

  constructor(memory: SharedMemory, workers: number) {
    this.memory = memory
    this.words = memory.words
    this.stride = memory.words + 1
    this.workers = workers
  }

  get bytes(): number {
    return 4 * (this.memory.table.length + this.memory.slabs.length * SLAB * this.stride)
  }

  /** Whether there may soon be no room in the slabs, or too little in the table. */
  get isTight(): boolean {
    const { control, slabs, table } = this.memory
    const blocks = control[CONTROL.nextBlock] + SLACK_BLOCKS * this.workers
    return blocks > slabs.length * SLAB_BLOCKS || blocks * BLOCK * 3 > table.length
  }

  chunk(state: number): Int32Array {
    return this.memory.slabs[state >>> SLAB_BITS]
  }

  offset(state: number): number {
    return (state & (SLAB - 1)) * this.stride
  }

  parent(state: number): number {
    return this.chunk(state)[this.offset(state) + this.words]
  }

  /** Whether the state was found in expanding the level under way. */
  isLater(state: number): boolean {
    return state >>> BLOCK_BITS >= this.memory.control[CONTROL.endBlock]
  }

  find(words: Int32Array, at: number, hash: number): number {
    const { table } = this.memory
    const mask = table.length - 1
    let slot = home(hash, table)
    for (let e = table[slot]; e !== 0; e = table[slot]) {
      if (this.isSame(e - 1, table[slot + 1], words, at, hash)) return e - 1
      slot = (slot + 2) & mask
    }
    return -1
  }

  add(words: Int32Array, at: number, hash: number, parent: number): number {
    const { table } = this.memory
    const mask = table.length - 1
    let slot = home(hash, table)
    for (;;) {
      let e = table[slot]
      if (e === 0) {
        const own = this.write(words, at, parent)
        e = Atomics.compareExchange(table, slot, 0, own + 1)
        if (e === 0) {
          table[slot + 1] = hash
          this.used++
          this.added++
          return ~own
        }
      }
      if (this.isSame(e - 1, table[slot + 1], words, at, hash)) return e - 1
      slot = (slot + 2) & mask
    }
  }

  /** Takes over the larger memory, and does its share of filling its table; meanwhile, nobody looks for states. */
  enlarge(memory: SharedMemory): void {
    const old = this.memory.table
    this.memory = memory
    if (memory.table.length === old.length) return
    for (;;) {
      const from = Atomics.add(memory.control, CONTROL.cursor, 1) * STRETCH
      if (from >= old.length) return
      copy(old, from, Math.min(from + STRETCH, old.length), memory.table)
    }
  }

  /** Notes how full this worker's block is. */
  note(): void {
    if (this.block >= 0) this.memory.fills[this.block] = this.used
  }

  /** Leaves this worker's block for good: what it adds from now on belongs to another level. */
  close(): void {
    this.note()
    this.block = -1
    this.used = BLOCK
  }

  /** A hash may not be written yet by the time its number is: then only the words tell. */
  private isSame(state: number, stored: number, words: Int32Array, at: number, hash: number): boolean {
    if (stored !== hash && stored !== 0) return false
    const slab = this.memory.slabs[state >>> SLAB_BITS]
    const from = (state & (SLAB - 1)) * this.stride
    for (let i = 0; i < this.words; i++) if (slab[from + i] !== words[at + i]) return false
    return true
  }

  /** Writes a record where this worker's next state will be. */
  private write(words: Int32Array, at: number, parent: number): number {
    if (this.used === BLOCK) {
      this.note()
      this.block = Atomics.add(this.memory.control, CONTROL.nextBlock, 1)
      this.used = 0
      // The table cannot grow under the others' feet, nor can the slabs.
      if (this.block >= this.memory.slabs.length * SLAB_BLOCKS) throw new Error("a state has too many successors")
    }
    const state = this.block * BLOCK + this.used
    const slab = this.memory.slabs[state >>> SLAB_BITS]
    const to = (state & (SLAB - 1)) * this.stride
    for (let i = 0; i < this.words; i++) slab[to + i] = words[at + i]
    slab[to + this.words] = parent
    return state
  }
}

/**
 * The memory with slabs for so many blocks more than there are, and some to spare; if need be with a larger table,
 * empty yet.
 */
export const enlarge = (
  memory: SharedMemory,
  workers: number,
  more = 0
): SharedMemory => {
  const used = memory.control[CONTROL.nextBlock] + more
  // A sixteenth more than is needed: everybody waits while memory is enlarged.
  const blocks = used + (used >>> 4) + 2 * SLACK_BLOCKS * workers
  if (blocks > MOST_BLOCKS) throw new RangeError("allocation failed: no numbers are left for states")
  const slabs = [...memory.slabs]
  while (slabs.length * SLAB_BLOCKS < blocks) slabs.push(shared(SLAB * (memory.words + 1)))
  let cells = memory.table.length
  while (blocks * BLOCK * 3 > cells) cells *= 2
  return { ...memory, slabs, table: cells > memory.table.length ? shared(cells) : memory.table }
}
