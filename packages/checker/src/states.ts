/**
 * The set of states found so far: exact, in the order in which they were found.
 *
 * States lie one after the other in chunks that never move; an open hash table holds their numbers, each beside its
 * hash, so that most of what is not the state is passed over without looking at it. Two states are the same only when
 * every word is, so that no collision can hide one.
 *
 * Hot: one lookup a step, which is mostly waiting for memory.
 *
 * @since 0.1.0
 */

const CHUNK_BITS = 16
const CHUNK = 1 << CHUNK_BITS

/** The set, with each state's predecessor. @category models @since 0.1.0 */
export class States {
  readonly words: number
  count = 0
  private readonly chunks: Array<Int32Array> = []
  private readonly parents: Array<Int32Array> = []
  private readonly moves: Array<Uint16Array> = []
  /** Two cells a slot: a state's number plus one (0: empty), and its hash. */
  private table = new Int32Array(1 << 17)
  private readonly found: Int32Array

  constructor(words: number) {
    this.words = words
    this.found = new Int32Array(words)
  }

  /** The chunk of a state and where it begins in it. */
  chunk(state: number): Int32Array {
    return this.chunks[state >> CHUNK_BITS]
  }
  offset(state: number): number {
    return (state & (CHUNK - 1)) * this.words
  }
  parent(state: number): number {
    return this.parents[state >> CHUNK_BITS][state & (CHUNK - 1)]
  }
  /** The thread (upper byte) and the way (lower byte) that led here. */
  move(state: number): number {
    return this.moves[state >> CHUNK_BITS][state & (CHUNK - 1)]
  }

  /** Adds what `store` writes; true when it is new. Its number is then `count - 1`. */
  add(store: (packed: Int32Array, at: number) => void, parent: number, move: number): boolean {
    const { found, words } = this
    store(found, 0)
    const { table } = this
    const mask = table.length - 2
    const hash = hashOf(found, words)
    let slot = (hash << 1) & mask
    for (let entry = table[slot]; entry !== 0; entry = table[slot]) {
      if (table[slot + 1] === hash && this.equals(entry - 1)) return false
      slot = (slot + 2) & mask
    }
    this.push(parent, move)
    table[slot] = this.count
    table[slot + 1] = hash
    if (this.count * 4 > table.length) this.grow()
    return true
  }

  private equals(state: number): boolean {
    const chunk = this.chunk(state)
    const at = this.offset(state)
    for (let i = 0; i < this.words; i++) if (chunk[at + i] !== this.found[i]) return false
    return true
  }

  private push(parent: number, move: number): void {
    const state = this.count++
    if ((state & (CHUNK - 1)) === 0) {
      this.chunks.push(new Int32Array(CHUNK * this.words))
      this.parents.push(new Int32Array(CHUNK))
      this.moves.push(new Uint16Array(CHUNK))
    }
    this.chunk(state).set(this.found, this.offset(state))
    this.parents[state >> CHUNK_BITS][state & (CHUNK - 1)] = parent
    this.moves[state >> CHUNK_BITS][state & (CHUNK - 1)] = move
  }

  private grow(): void {
    const old = this.table
    const table = new Int32Array(old.length * 2)
    const mask = table.length - 2
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] === 0) continue
      let slot = (old[from + 1] << 1) & mask
      while (table[slot] !== 0) slot = (slot + 2) & mask
      table[slot] = old[from]
      table[slot + 1] = old[from + 1]
    }
    this.table = table
  }

  /** Bytes that the set takes. */
  get bytes(): number {
    return this.chunks.length * CHUNK * (this.words * 4 + 4 + 2) + this.table.byteLength
  }
}

const hashOf = (words: Int32Array, length: number): number => {
  let h = 0x9e3779b9
  for (let i = 0; i < length; i++) {
    h = Math.imul(h ^ words[i], 0x85ebca6b)
    h ^= h >>> 15
  }
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
