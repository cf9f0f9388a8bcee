/**
 * The states seen so far, numbered in the order they were found, each with the number of the state it was found from.
 *
 * Exact: two states are one only if every word agrees. A record is the packed state and its parent, records lie in
 * chunks, and nothing is ever moved.
 *
 * @since 0.1.0
 */
import { hashWords } from "./hash.ts"
import { Table } from "./table.ts"

const CHUNK_BITS = 14

/** States in a chunk. @category constants @since 0.1.0 */
export const CHUNK = 1 << CHUNK_BITS

/** So many chunks that a state's number, plus one, is still a positive 32-bit number. @category constants @since 0.1.0 */
export const MOST_CHUNKS = 2 ** (31 - CHUNK_BITS) - 1

/** The parent of an initial state. @category constants @since 0.1.0 */
export const NO_STATE = -1

/**
 * Where a search keeps its states; one is {@link StateSet}, the other is shared between workers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Records {
  readonly words: number
  /** The words that hold a state; it begins there at `offset(state)`. */
  readonly chunk: (state: number) => Int32Array
  readonly offset: (state: number) => number
  /** The state it was found from, or {@link NO_STATE}. */
  readonly parent: (state: number) => number
  /** The number of an equal state, or -1. */
  readonly find: (words: Int32Array, at: number, hash: number) => number
  /** Adds a state that may be new: the number of the equal one, or the complement (`~`) of its own if it is new. */
  readonly add: (words: Int32Array, at: number, hash: number, parent: number) => number
  /** Bytes taken. */
  readonly bytes: number
}

/** A set of packed states. @category models @since 0.1.0 */
export class StateSet implements Records {
  readonly words: number
  readonly chunks: Array<Int32Array> = []
  readonly table = new Table()
  count = 0
  /** Words of a record: the state and its parent. */
  readonly stride: number

  constructor(words: number) {
    this.words = words
    this.stride = words + 1
  }

  get bytes(): number {
    return this.table.bytes + this.chunks.length * CHUNK * this.stride * 4
  }

  chunk(state: number): Int32Array {
    return this.chunks[state >>> CHUNK_BITS]
  }

  offset(state: number): number {
    return (state & (CHUNK - 1)) * this.stride
  }

  parent(state: number): number {
    return this.chunk(state)[this.offset(state) + this.words]
  }

  find(words: Int32Array, at: number, hash: number): number {
    const part = this.table.parts[hash >>> 24]
    const mask = part.length - 1
    let slot = (hash << 1) & mask
    for (; part[slot] !== 0; slot = (slot + 2) & mask) {
      if (part[slot + 1] === hash && this.equals(part[slot] - 1, words, at)) return part[slot] - 1
    }
    return -1
  }

  add(words: Int32Array, at: number, hash: number, parent: number): number {
    const part = this.table.parts[hash >>> 24]
    const mask = part.length - 1
    let slot = (hash << 1) & mask
    for (; part[slot] !== 0; slot = (slot + 2) & mask) {
      if (part[slot + 1] === hash && this.equals(part[slot] - 1, words, at)) return part[slot] - 1
    }
    const state = this.append(words, at, parent)
    this.table.put(slot, hash, state)
    return ~state
  }

  private append(words: Int32Array, at: number, parent: number): number {
    const state = this.count
    if (state >>> CHUNK_BITS === this.chunks.length) this.chunks.push(this.allocate())
    this.count++
    const chunk = this.chunks[state >>> CHUNK_BITS]
    const to = (state & (CHUNK - 1)) * this.stride
    for (let i = 0; i < this.words; i++) chunk[to + i] = words[at + i]
    chunk[to + this.words] = parent
    return state
  }

  private allocate(): Int32Array {
    if (this.chunks.length >= MOST_CHUNKS) throw new RangeError("allocation failed: no numbers are left for states")
    return new Int32Array(CHUNK * this.stride)
  }

  /** The records, as they lie, a chunk at a time. */
  *raw(): Generator<Int32Array> {
    for (let i = 0; i < this.chunks.length; i++) {
      yield this.chunks[i].subarray(0, Math.min(CHUNK, this.count - i * CHUNK) * this.stride)
    }
  }

  /** Takes over the next chunk of `raw`. */
  restore(records: Int32Array): void {
    const chunk = this.allocate()
    chunk.set(records)
    this.chunks.push(chunk)
    const from = this.count
    this.count += records.length / this.stride
    for (let state = from; state < this.count; state++) this.index(state)
  }

  private index(state: number): void {
    const hash = hashWords(this.chunk(state), this.offset(state), this.words)
    const part = this.table.parts[hash >>> 24]
    const mask = part.length - 1
    let slot = (hash << 1) & mask
    while (part[slot] !== 0) slot = (slot + 2) & mask
    this.table.put(slot, hash, state)
  }

  private equals(state: number, words: Int32Array, at: number): boolean {
    const chunk = this.chunks[state >>> CHUNK_BITS]
    const from = (state & (CHUNK - 1)) * this.stride
    for (let i = 0; i < this.words; i++) if (chunk[from + i] !== words[at + i]) return false
    return true
  }
}
