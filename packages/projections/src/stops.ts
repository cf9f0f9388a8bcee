/**
 * The state of the machine at several positions, as bytes: of each state, only the cells that differ from the one before
 * (of the first, from the world's start).
 *
 * All numbers are varints: first how many cells a state has. Of each state, the events left out, the properties violated,
 * how many cells differ, and of each of those how many cells lie between it and the one before, and what it holds.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter } from "@pfnscope/journal"
import { initialState, layout } from "@pfnscope/protocol"
import type { Cells, State, World } from "@pfnscope/protocol"
import * as Option from "effect/Option"
import type { Pack, Place } from "./checkpoint.ts"
import type { Traveller } from "./time-travel.ts"

/** A state at a place. @category models @since 0.1.0 */
export interface Stop extends Place {
  readonly unapplied: number
  readonly violated: number
  readonly state: State
}

/** Begins to write stops. @category conversions @since 0.1.0 */
export const stopPack = (): Pack<Traveller> => {
  const out = new ByteWriter()
  let before: Float64Array | undefined
  return {
    add: ({ state: { cells, geo }, unapplied, violated }) => {
      if (before === undefined) {
        before = new Float64Array(startOf(geo.world).cells)
        out.varint(before.length)
      }
      out.varint(unapplied)
      out.varint(violated)
      writeDifference(out, before, cells, (cell) => out.int(cell))
      before.set(cells)
    },
    bytes: () => out.bytes.slice(0, out.length)
  }
}

/**
 * Writes the numbers that differ from those before: how many first, and of each how many lie between it and the one before,
 * and what `put` makes of it.
 *
 * @category conversions
 * @since 0.1.0
 */
export const writeDifference = (
  out: ByteWriter,
  before: ArrayLike<number>,
  now: ArrayLike<number>,
  put: (number: number) => void
): void => {
  const differ: Array<number> = []
  for (let i = 0; i < now.length; i++) if (now[i] !== before[i]) differ.push(i)
  out.varint(differ.length)
  let next = 0
  for (const i of differ) {
    out.varint(i - next)
    put(now[i]!)
    next = i + 1
  }
}

/** The worlds that are in use, each at its start: all stops of one begin there. */
const starts = new WeakMap<World, State>()

const startOf = (world: World): State => {
  const known = starts.get(world) ?? initialState(world)
  starts.set(world, known)
  return known
}

/** Opens stops: gives the i-th, or none where the bytes are not of such a world. @category conversions @since 0.1.0 */
export const openStops = (world: World, bytes: Uint8Array, places: ReadonlyArray<Place>) => {
  const start = startOf(world)
  return (i: number): Option.Option<Stop> => {
    const place = places[i]
    const state = layout(start.geo)
    state.cells.set(start.cells)
    const input = new ByteReader(bytes)
    // The world that a trace shows grows with it; the state had fewer cells then.
    if (input.varint() !== start.cells.length) return Option.none()
    let unapplied = 0
    let violated = 0
    for (let n = 0; n <= i && input.fault === null; n++) {
      unapplied = input.varint()
      violated = input.varint()
      readDifference(input, state.cells, () => input.int())
    }
    return place === undefined || input.fault !== null
      ? Option.none()
      : Option.some({ ...place, unapplied, violated, state })
  }
}

/** Reads what {@link writeDifference} wrote into the numbers that were before. @category conversions @since 0.1.0 */
export const readDifference = (input: ByteReader, numbers: Cells, take: () => number): void => {
  let next = 0
  for (let left = input.varint(); left > 0 && input.fault === null; left--) {
    const i = next + input.varint()
    if (i >= numbers.length) return input.fail(`number ${i} of ${numbers.length}`)
    numbers[i] = take()
    next = i + 1
  }
}

/** Bytes that are of two kinds: how many there are of the first, and then both. @category conversions @since 0.1.0 */
export const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const out = new ByteWriter()
  out.varint(first.length)
  out.raw(first)
  out.raw(second)
  return out.bytes.slice(0, out.length)
}

/** What was {@link joined}. @category conversions @since 0.1.0 */
export const parted = (bytes: Uint8Array): readonly [first: Uint8Array, second: Uint8Array] => {
  const input = new ByteReader(bytes)
  const at = Math.min(input.varint(), input.left) + input.at
  return [bytes.subarray(input.at, at), bytes.subarray(at)]
}
