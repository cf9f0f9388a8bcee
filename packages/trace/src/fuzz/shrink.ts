/**
 * Makes an input smaller as long as it still fails: without lines, then without bytes.
 *
 * @since 0.1.0
 */

/** Trials that are made at most. */
const MOST_TRIALS = 2_000

/** @category testing @since 0.1.0 */
export const shrink = (bytes: Uint8Array, fails: (bytes: Uint8Array) => boolean): Uint8Array => {
  let trials = 0
  const without = (parts: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
    let kept = parts
    for (let size = kept.length >> 1; size > 0; size >>= 1) {
      for (let at = 0; at < kept.length && trials < MOST_TRIALS;) {
        const rest = [...kept.slice(0, at), ...kept.slice(at + size)]
        trials++
        if (fails(new Uint8Array(Buffer.concat(rest)))) kept = rest
        else at += size
      }
    }
    return kept
  }
  const lines = without(linesOf(bytes))
  return new Uint8Array(Buffer.concat(without(Array.from(Buffer.concat(lines), (byte) => Uint8Array.of(byte)))))
}

const linesOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const lines: Array<Uint8Array> = []
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(10, from)
    const to = end < 0 ? bytes.length : end + 1
    lines.push(bytes.subarray(from, to))
    from = to
  }
  return lines
}
