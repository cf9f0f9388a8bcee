/**
 * Plain objects, arrays and maps as bytes and back, with what they share still shared.
 *
 * A fold's state is such a graph: an open range is in three places, and who changes it changes it in all. Several graphs
 * go into the same bytes, and what they have in common goes there once; each can be read without the others.
 *
 * All numbers are varints. First the strings, by their number; then the shapes of objects, each the number of its keys and
 * the keys' strings; then the nodes' number and their lengths in bytes; then the nodes. A node is its kind (0 an array, 1 a
 * map, 2 and more an object of that shape) and its values. A value is 4 times something and what that is: 0 one of a
 * few constants, 1 a string, 2 a node, 3 a whole number, 2 times its amount, or less 1 where it is negative. Keys are names
 * of fields: none has a comma.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter } from "@pfnscope/journal"
import * as Option from "effect/Option"

const ARRAY = 0
const MAP = 1
const SHAPES = 2

const CONSTANT = 0
const STRING = 1
const NODE = 2
const WHOLE = 3
const KINDS = 4

const CONSTANTS: ReadonlyArray<unknown> = [undefined, null, false, true]

/** A constant that eight bytes follow: a number that is not whole, or very large. */
const FLOAT = CONSTANTS.length

/** Whole numbers up to here fit with what they are. */
const LARGE = 2 ** 50

/** Writes graphs, one after the other. @category models @since 0.1.0 */
export interface GraphWriter {
  /**
   * Adds everything that a node leads to, and gives the node's number. An object that was added before is not looked at
   * again: it must not have changed.
   */
  readonly add: (root: object) => number
  readonly bytes: () => Uint8Array
}

/** Numbers for things in the order in which they come. */
const numbering = <A>() => {
  const numbers = new Map<A, number>()
  return {
    numbers,
    of: (one: A): number => {
      const known = numbers.get(one)
      if (known !== undefined) return known
      numbers.set(one, numbers.size)
      return numbers.size - 1
    }
  }
}

/** @category constructors @since 0.1.0 */
export const graphWriter = (): GraphWriter => {
  const ids = new Map<object, number>()
  const strings = numbering<string>()
  const shapes = numbering<string>()
  const nodes = new ByteWriter()
  const lengths: Array<number> = []
  let found: Array<object> = []
  const idOf = (node: object): number => {
    const known = ids.get(node)
    if (known !== undefined) return known
    found.push(node)
    ids.set(node, ids.size)
    return ids.size - 1
  }
  const put = (value: unknown): void => {
    if (typeof value === "string") nodes.varint(strings.of(value) * KINDS + STRING)
    else if (typeof value === "object" && value !== null) nodes.varint(idOf(value) * KINDS + NODE)
    else if (typeof value === "number") putNumber(nodes, value)
    else nodes.varint(Math.max(0, CONSTANTS.indexOf(value)) * KINDS + CONSTANT)
  }
  const write = (node: object): void => {
    const start = nodes.length
    const isArray = Array.isArray(node)
    const isMap = node instanceof Map
    nodes.varint(isArray ? ARRAY : isMap ? MAP : SHAPES + shapes.of(Object.keys(node).join()))
    const values: ReadonlyArray<unknown> = isArray ? node : isMap ? [...node].flat() : Object.values(node)
    values.forEach(put)
    lengths.push(nodes.length - start)
  }
  return {
    add: (root) => {
      const id = idOf(root)
      // `found` grows while it is walked.
      for (const node of found) write(node)
      found = []
      return id
    },
    bytes: () => {
      const keys = [...shapes.numbers.keys()].map((shape) => shape === "" ? [] : shape.split(",").map(strings.of))
      const out = new ByteWriter()
      out.varint(strings.numbers.size)
      for (const string of strings.numbers.keys()) out.string(string)
      out.varint(keys.length)
      for (const shape of keys) for (const n of [shape.length, ...shape]) out.varint(n)
      out.varint(lengths.length)
      for (const length of lengths) out.varint(length)
      out.raw(nodes.bytes.subarray(0, nodes.length))
      return out.bytes.slice(0, out.length)
    }
  }
}

const putNumber = (out: ByteWriter, value: number): void => {
  if (Number.isInteger(value) && Math.abs(value) < LARGE) {
    return out.varint((value < 0 ? -2 * value - 1 : 2 * value) * KINDS + WHOLE)
  }
  out.varint(FLOAT * KINDS + CONSTANT)
  out.raw(new Uint8Array(Float64Array.of(value).buffer))
}

/** Opens what a {@link GraphWriter} wrote: reads the node of a number and all it leads to, made anew; none where there is none. @category conversions @since 0.1.0 */
export const openGraph = (bytes: Uint8Array): (id: number) => Option.Option<unknown> => {
  const input = new ByteReader(bytes)
  const tables = readTables(input)
  return (root) => {
    const made = new Map<number, object>()
    const pending: Array<number> = []
    const node = (id: number): unknown => {
      const known = made.get(id)
      if (known !== undefined) return known
      const at = tables.starts[id]
      if (at === undefined || id + 1 >= tables.starts.length) return input.fail(`node ${id}`)
      input.at = at
      const kind = input.varint()
      const empty: object = kind === ARRAY ? [] : kind === MAP ? new Map() : {}
      made.set(id, empty)
      pending.push(id)
      return empty
    }
    const value = (): unknown => {
      const code = input.varint()
      const of = Math.floor(code / KINDS)
      switch (code % KINDS) {
        case STRING:
          return tables.strings[of]
        case NODE: {
          const back = input.at
          const found = node(of)
          input.at = back
          return found
        }
        case WHOLE:
          return of % 2 === 1 ? -(of + 1) / 2 : of / 2
        default:
          return of === FLOAT ? readFloat(input) : CONSTANTS[of]
      }
    }
    const found = input.fault === null ? node(root) : undefined
    for (let id = pending.pop(); id !== undefined && input.fault === null; id = pending.pop()) {
      input.at = tables.starts[id]!
      fill(made.get(id)!, tables.shapes[input.varint() - SHAPES] ?? [], tables.starts[id + 1]!, input, value)
    }
    return input.fault === null ? Option.some(found) : Option.none()
  }
}

/** Reads the values of a node, up to the byte `end`. */
const fill = (
  node: object,
  keys: ReadonlyArray<string>,
  end: number,
  input: ByteReader,
  value: () => unknown
): void => {
  if (Array.isArray(node)) { while (input.at < end && input.fault === null) node.push(value()) }
  else if (node instanceof Map) { while (input.at < end && input.fault === null) node.set(value(), value()) }
  else for (const key of keys) (node as Record<string, unknown>)[key] = value()
}

const readFloat = (input: ByteReader): number => {
  const bytes = new DataView(new ArrayBuffer(8))
  for (let i = 0; i < 8; i++) bytes.setUint8(i, input.byte())
  return bytes.getFloat64(0, true)
}

/** The strings, the shapes' keys, and the bytes where nodes begin, the end of the last one too. */
const readTables = (input: ByteReader) => {
  const list = <A>(one: () => A): ReadonlyArray<A> => {
    const all: Array<A> = []
    for (let left = input.varint(); left > 0 && input.fault === null; left--) all.push(one())
    return all
  }
  const strings = list(() => input.string())
  const shapes = list(() => list(() => strings[input.varint()] ?? ""))
  return { strings, shapes, starts: readStarts(input) }
}

/** There are many: as numbers of four bytes nobody walks them to see what else is in use. */
const readStarts = (input: ByteReader): Uint32Array => {
  const count = input.varint()
  if (count > input.left) input.fail(`${count} nodes in ${input.left} bytes`)
  const starts = new Uint32Array(input.fault === null ? count + 1 : 1)
  for (let id = 0; id < count && input.fault === null; id++) starts[id + 1] = starts[id]! + input.varint()
  for (let id = 0; id < starts.length; id++) starts[id]! += input.at
  if (starts.at(-1) !== input.end) input.fail("the nodes do not end where the bytes do")
  return starts
}
