/**
 * The state of the machine at several positions, as bytes: of each state, only the cells that differ from the one before.
 *
 * All numbers are 64-bit floats. A stop is its position, time, first time, latest time, the events left out, the
 * properties violated, the number of cells that differ, which they are, and what they hold.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { Place } from "./checkpoint.ts"

/** The cells of a state at a place. @category models @since 0.1.0 */
export interface Stop extends Place {
  readonly unapplied: number
  readonly violated: number
  readonly cells: Float64Array
}

/** @category conversions @since 0.1.0 */
export const writeStops = (stops: ReadonlyArray<Stop>): Uint8Array => {
  const numbers: Array<number> = []
  let before: ArrayLike<number> = []
  for (const { cells, first, latest, seq, t, unapplied, violated } of stops) {
    const differ: Array<number> = []
    for (let i = 0; i < cells.length; i++) if (cells[i] !== (before[i] ?? 0)) differ.push(i)
    numbers.push(seq, t, first, latest, unapplied, violated, differ.length, ...differ, ...differ.map((i) => cells[i]!))
    before = cells
  }
  return new Uint8Array(Float64Array.from(numbers).buffer)
}

/** Reads stops of so many cells; none where the bytes are not such. @category conversions @since 0.1.0 */
export const readStops = (bytes: Uint8Array, cells: number): Option.Option<ReadonlyArray<Stop>> => {
  if (bytes.length % 8 !== 0) return Option.none()
  const numbers = new Float64Array(bytes.slice().buffer)
  const stops: Array<Stop> = []
  let before = new Float64Array(cells)
  for (let at = 0; at < numbers.length;) {
    const [seq = 0, t = 0, first = 0, latest = 0, unapplied = 0, violated = 0, differ = 0] = numbers.subarray(
      at,
      at + NUMBERS
    )
    const now = before.slice()
    for (let i = 0; i < differ; i++) {
      const cell = numbers[at + NUMBERS + i]!
      if (!(cell < cells)) return Option.none()
      now[cell] = numbers[at + NUMBERS + differ + i]!
    }
    stops.push({ seq, t, first, latest, unapplied, violated, cells: now })
    before = now
    at += NUMBERS + 2 * differ
  }
  return Option.some(stops)
}

/** Numbers of a stop ahead of its cells. */
const NUMBERS = 7
