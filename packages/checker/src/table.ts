/**
 * Finds a state's number by its hash: open addressing over pairs (number + 1, hash).
 *
 * The top bits of the hash choose one of 256 parts, and each part doubles by itself: growth never holds the search up
 * for long and never needs a second copy of the whole. Since the hash is stored, growth does not read the states, and a
 * probe reads a state only when all 32 bits agree.
 *
 * @since 0.1.0
 */

const PARTS = 256
const FIRST_SLOTS = 16

/**
 * The table; whoever probes it compares the states (see `StateSet.add`).
 *
 * @category models
 * @since 0.1.0
 */
export class Table {
  /** The parts, by the top 8 bits of the hash; a slot is two cells, and starts at the hash's low bits. */
  readonly parts: Array<Int32Array> = Array.from({ length: PARTS }, () => new Int32Array(2 * FIRST_SLOTS))
  bytes = PARTS * FIRST_SLOTS * 8
  private readonly used = new Int32Array(PARTS)

  /** Fills the empty slot that a probe ended at, then makes room if the part is three quarters full. */
  put(slot: number, hash: number, state: number): void {
    const p = hash >>> 24
    const part = this.parts[p]
    part[slot] = state + 1
    part[slot + 1] = hash
    if (++this.used[p] * 8 >= part.length * 3) this.grow(p)
  }

  private grow(p: number): void {
    const old = this.parts[p]
    const part = new Int32Array(2 * old.length)
    const mask = part.length - 1
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] === 0) continue
      let slot = (old[i + 1] << 1) & mask
      while (part[slot] !== 0) slot = (slot + 2) & mask
      part[slot] = old[i]
      part[slot + 1] = old[i + 1]
    }
    this.parts[p] = part
    this.bytes += 4 * old.length
  }
}
