/**
 * The hash of a packed state. Hot: a multiplication and a shift a word.
 *
 * @since 0.1.0
 */

/**
 * 32 bits that every word of the state enters; never 0, which a table may keep for "not known".
 *
 * @category queries
 * @since 0.1.0
 */
export const hashWords = (words: Int32Array, at: number, n: number): number => {
  let h = 0x9e3779b9 | 0
  for (let i = at; i < at + n; i++) {
    h = Math.imul(h ^ words[i], 0x85ebca6b)
    h ^= h >>> 15
  }
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return h === 0 ? 1 : h
}
