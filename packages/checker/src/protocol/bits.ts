/**
 * Packs the cells of a state into as few bits as the values that they take need; a cell of one value takes none.
 *
 * The packing rests on a guess ({@link Extents}). So every cell is looked at each time, and a state that holds anything
 * else is refused, not packed wrongly.
 *
 * Hot: straight code is made for each layout, as Effect does for its schemas.
 *
 * @since 0.1.0
 */
import type { Cells } from "@pfnscope/protocol"
import type { Ground } from "./cells.ts"
import type { Extents } from "./extents.ts"

/** A range of more values than this is kept as a list of those that occur. */
const MOST_COUNTED = 256

/** A cell's bits in a packed word: its distance from `least`, or its place in `list`. */
interface Field {
  readonly cell: number
  readonly word: number
  readonly shift: number
  readonly bits: number
  readonly least: number
  readonly list: ReadonlyArray<number> | undefined
}

const fieldsOf = (extents: Extents): ReadonlyArray<Field> => {
  const fields: Array<Field> = []
  let word = 0
  let shift = 0
  extents.forEach((extent, cell) => {
    if (extent.size === 1) return
    const values = [...extent].sort((a, b) => a - b)
    const least = values[0]
    const range = values.at(-1)! - least + 1
    const list = range > MOST_COUNTED ? values : undefined
    const bits = 32 - Math.clz32((list === undefined ? range : list.length) - 1)
    if (shift + bits > 32) {
      word++
      shift = 0
    }
    fields.push({ cell, word, shift, bits, least, list })
    shift += bits
  })
  return fields
}

const packField = ({ bits, cell, least, list, shift, word }: Field, isExact: boolean): string => {
  const most = 2 ** bits - 1
  // A cell of 32 bits or fewer that is out of its range has one of the higher bits of the difference set.
  const value = list !== undefined
    ? `v = ${list.map((value, i) => `c[${cell}] === ${value} ? ${i} : `).join("")}-1; off |= v >> 31`
    : isExact
    ? `v = c[${cell}] - ${least}; off |= v & ${~most}`
    : `v = c[${cell}] - ${least}; off |= v >= 0 && v <= ${most} ? 0 : -1`
  return `${value}; w${word} |= v << ${shift}`
}

const unpackField = ({ bits, cell, least, list, shift, word }: Field): string => {
  const code = `w${word} >>> ${shift} & ${2 ** bits - 1}`
  return list === undefined ? `b[${cell}] = (${code}) + ${least}` : `b[${cell}] = [${list.join()}][${code}]`
}

/** The words that hold cells of one value: which of their bits do, and what these are. */
const constantsOf = (extents: Extents, another: () => Ground) => {
  const masks = another()
  const values = another()
  const size = masks.cells.BYTES_PER_ELEMENT
  extents.forEach((extent, cell) => {
    if (extent.size > 1) return
    new Uint8Array(masks.words.buffer, cell * size, size).fill(255)
    values.cells[cell] = [...extent][0]
  })
  return Array.from(masks.words, (mask, word) => ({ word, mask, value: values.words[word] }))
    .filter(({ mask }) => mask !== 0)
}

/** Packs and unpacks states. `pack` is false when a cell holds what it has no bits for. @category models @since 0.1.0 */
export interface Bits {
  readonly words: number
  /** The cells of the state that was unpacked last. */
  readonly unpacked: Cells
  readonly pack: (to: Int32Array, at: number) => boolean
  readonly unpack: (from: Int32Array, at: number) => void
}

/** A line of code for each. */
const each = <A>(items: ReadonlyArray<A>, line: (item: A) => string): string => items.map(line).join("\n")

/**
 * The packing of cells by the values that were seen in them; `another` makes cells like them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bitsOf = (ground: Ground, another: () => Ground, extents: Extents): Bits => {
  const fields = fieldsOf(extents)
  const words = Array.from({ length: (fields.at(-1)?.word ?? 0) + 1 }, (_, word) => word)
  const isExact = ground.cells.BYTES_PER_ELEMENT <= 4
  const constants = constantsOf(extents, another)
  // What is unpacked is kept: a state is mostly unpacked again and again, once for each of its threads.
  const base = another()
  extents.forEach((extent, cell) => {
    base.cells[cell] = [...extent][0]
  })
  const make = new Function(
    "c",
    "w",
    "b",
    "base",
    `let isKept = false
${each(words, (word) => `let k${word} = 0`)}
return {
pack: (to, at) => {
let v = 0, off = 0
${each(words, (word) => `let w${word} = 0`)}
${each(fields, (field) => packField(field, isExact))}
${each(constants, ({ mask, value, word }) => `off |= (w[${word}] & ${mask}) ^ ${value}`)}
${each(words, (word) => `to[at + ${word}] = w${word}`)}
return off === 0
},
unpack: (from, at) => {
${each(words, (word) => `const w${word} = from[at + ${word}]`)}
if (!isKept || ${words.map((word) => `w${word} !== k${word}`).join(" || ")}) {
isKept = true
${each(words, (word) => `k${word} = w${word}`)}
${each(fields, unpackField)}
}
w.set(base)
}}`
  ) as (c: Cells, w: Int32Array, b: Cells, base: Int32Array) => Omit<Bits, "unpacked" | "words">
  return { words: words.length, unpacked: base.cells, ...make(ground.cells, ground.words, base.cells, base.words) }
}
