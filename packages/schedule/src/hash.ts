/**
 * A pure hash of (seed, position): the one source of randomness here, so that any position can be asked for alone.
 *
 * MurmurHash3's 32-bit finalizer, chained over the halves of both numbers.
 *
 * @since 0.1.0
 */
const finalize = (hash: number): number => {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

const TWO_32 = 0x1_0000_0000

/** 32 bits, unsigned. Both arguments are integers below 2^53. */
export const hash = (seed: number, position: number): number => {
  let h = finalize((seed | 0) ^ 0x9e3779b9)
  h = finalize(h ^ Math.floor(seed / TWO_32))
  h = finalize((h + position) | 0)
  return finalize(h ^ Math.floor(position / TWO_32)) >>> 0
}

/** An index below `size`, which is at most 2^21. */
export const hashIndex = (seed: number, position: number, size: number): number =>
  Math.floor(hash(seed, position) * size / TWO_32)
