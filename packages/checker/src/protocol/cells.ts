/**
 * The array under a checked state: cells as narrow as the world allows, lying on words, so that states are copied and
 * compared by words.
 *
 * @since 0.1.0
 */
import { initialState, PAGES_PER_PMD, survey, TASK_SIZE } from "@pfnscope/protocol"
import type { Cells, Op, World } from "@pfnscope/protocol"
import { lastFrame } from "./canonical.ts"

/** Where an operation's addresses and numbers end; an mremap splits the huge page that its range begins in. */
const reachOf = (op: Op, world: World): number => {
  if (op._tag === "clear_soft_dirty") return TASK_SIZE
  const numbers = Object.values(op).filter((value) => typeof value === "number")
  const widest = Math.max(0, ...numbers) + Math.max(0, ...world.areas.map(({ pages }) => pages)) * world.pageSize
  return op._tag === "mremap" ? 2 * widest + PAGES_PER_PMD * world.pageSize : widest
}

/** A number that no cell of a checked state exceeds, in either direction. */
const bound = (world: World): number => {
  const { frames, pageSize, pages } = survey(world)
  const addresses = [
    ...world.areas.map(({ hva, pages }) => hva + pages * pageSize),
    ...world.memslots.flatMap(({ gpa, hva, pages }) => [gpa + pages * pageSize, hva + pages * pageSize]),
    ...world.gpcs.map(({ gpa = 0, uhva = 0 }) => Math.max(gpa, uhva) + pageSize)
  ]
  const operations = world.threads.flatMap(({ ops }) => ops.map((op) => reachOf(op, world)))
  const counters = world.threads.flatMap(({ ops, repeat }) => [ops.length, repeat])
  return Math.max(1, lastFrame(frames, pages), ...addresses, ...operations, ...counters)
}

/** The arrays a state can lie on, the narrowest first. */
const ARRAYS = [
  { most: 127, bytes: 1, lay: (buffer: ArrayBuffer, length: number): Cells => new Int8Array(buffer, 0, length) },
  { most: 32_767, bytes: 2, lay: (buffer: ArrayBuffer, length: number): Cells => new Int16Array(buffer, 0, length) },
  {
    most: 2 ** 31 - 1,
    bytes: 4,
    lay: (buffer: ArrayBuffer, length: number): Cells => new Int32Array(buffer, 0, length)
  },
  { most: Infinity, bytes: 8, lay: (buffer: ArrayBuffer, length: number): Cells => new Float64Array(buffer, 0, length) }
]

/** Cells, and the same memory as words. @category models @since 0.1.0 */
export interface Ground {
  readonly cells: Cells
  readonly words: Int32Array
}

/** The initial state of a world on the narrowest cells that do; `another` makes cells like them. @category constructors @since 0.1.0 */
export const narrowState = (world: World) => {
  const most = bound(world)
  const { bytes, lay } = ARRAYS.find((array) => most <= array.most)!
  const make = (length: number): Ground => {
    const buffer = new ArrayBuffer(8 * Math.ceil(length * bytes / 8))
    return { cells: lay(buffer, length), words: new Int32Array(buffer) }
  }
  const grounds: Array<Ground> = []
  const state = initialState(world, (length) => {
    grounds.push(make(length))
    return grounds[0].cells
  })
  return { state, ground: grounds[0], another: () => make(state.cells.length) }
}
