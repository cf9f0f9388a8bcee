/**
 * What a depth-first search remembers of the states it has seen: all of them, or some bits of their hashes.
 *
 * @since 0.1.0
 */
import { hashWords } from "./hash.ts"
import { NO_STATE, StateSet } from "./states.ts"

/** @category models @since 0.1.0 */
export interface Visited {
  /** Whether no state is taken for another. */
  readonly isExact: boolean
  /** States that were new. */
  readonly count: number
  readonly bytes: number
  /** Remembers a state; whether it was new. */
  readonly add: (words: Int32Array, at: number) => boolean
}

/** Remembers states word by word. @category models @since 0.1.0 */
export class ExactVisited implements Visited {
  readonly isExact = true
  private readonly states: StateSet

  constructor(words: number) {
    this.states = new StateSet(words)
  }
  get count(): number {
    return this.states.count
  }
  get bytes(): number {
    return this.states.bytes
  }
  add(words: Int32Array, at: number): boolean {
    return this.states.add(words, at, hashWords(words, at, this.states.words), NO_STATE) < 0
  }
}

const PROBES = 3

/**
 * Remembers three bits of a fixed field for each state (Holzmann's bitstate hashing): a state may be taken for one that
 * was seen, and what only it leads to is then missed.
 *
 * @category models
 * @since 0.1.0
 */
export class BitVisited implements Visited {
  readonly isExact = false
  count = 0
  readonly bytes: number
  private readonly words: number
  private readonly bits: Int32Array

  /** A field of at least `bytes` bytes, rounded up to a power of two. */
  constructor(words: number, bytes: number) {
    this.words = words
    this.bits = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(bytes, 4) / 4)))
    this.bytes = 4 * this.bits.length
  }

  add(words: Int32Array, at: number): boolean {
    const { bits } = this
    const mask = bits.length - 1
    const hash = hashWords(words, at, this.words)
    let isNew = false
    let probe = hash
    // Two halves of one more round: a stride and an offset that the first 32 bits do not fix alone.
    let stride = 0x2545f491
    for (let i = at + this.words - 1; i >= at; i--) {
      stride = Math.imul(stride ^ words[i], 0xcc9e2d51)
      stride ^= stride >>> 13
    }
    for (let k = 0; k < PROBES; k++) {
      const cell = (probe >>> 5 ^ probe << 22) & mask
      const bit = 1 << (probe & 31)
      isNew ||= (bits[cell] & bit) === 0
      bits[cell] |= bit
      probe = Math.imul(probe + stride, 0x9e3779b1) ^ (probe >>> 15)
    }
    if (isNew) this.count++
    return isNew
  }
}
