/**
 * Plain objects, arrays and maps as text and back, with what they share still shared.
 *
 * A fold's state is such a graph: an open range is in three places, and who changes it changes it in all.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

type Cell = number | string | boolean | null | ReadonlyArray<number | string>

/** An array is 0 and its items, a map 1 and its keys and values, an object 2 + its shape and its values. */
interface Text {
  readonly shapes: ReadonlyArray<ReadonlyArray<string>>
  readonly nodes: ReadonlyArray<ReadonlyArray<Cell>>
}

const ARRAY = 0
const MAP = 1
const SHAPES = 2

/** Writes everything that a value leads to. @category conversions @since 0.1.0 */
export const toText = (root: object): string => {
  const ids = new Map<object, number>([[root, 0]])
  const found: Array<object> = [root]
  const shapes = new Map<string, number>()
  const shapeLists: Array<ReadonlyArray<string>> = []
  const cell = (value: unknown): Cell => {
    switch (typeof value) {
      case "number":
        return Number.isFinite(value) ? value : [String(value)]
      case "string":
      case "boolean":
        return value
      case "object": {
        if (value === null) return null
        const id = ids.get(value) ?? found.push(value) - 1
        ids.set(value, id)
        return [id]
      }
      default:
        return []
    }
  }
  const shapeOf = (keys: ReadonlyArray<string>): number => {
    const key = keys.join()
    const shape = shapes.get(key) ?? shapeLists.push(keys) - 1
    shapes.set(key, shape)
    return shape
  }
  const nodes: Array<ReadonlyArray<Cell>> = []
  // `found` grows while it is walked.
  for (const node of found) {
    if (Array.isArray(node)) nodes.push([ARRAY, ...node.map(cell)])
    else if (node instanceof Map) nodes.push([MAP, ...[...node].flat().map(cell)])
    else nodes.push([SHAPES + shapeOf(Object.keys(node)), ...Object.values(node).map(cell)])
  }
  return JSON.stringify({ shapes: shapeLists, nodes } satisfies Text)
}

const Json = Schema.fromJsonString(Schema.Unknown)

/** It is looked at no further: what is read back is bound to a log by its hash, and was written here. */
const isText = (found: unknown): found is Text =>
  typeof found === "object" && found !== null && "shapes" in found && "nodes" in found && Array.isArray(found.nodes) &&
  found.nodes.every(Array.isArray)

/** Reads what {@link toText} wrote; none where it did not. @category conversions @since 0.1.0 */
export const fromText = (text: string): Option.Option<unknown> =>
  Option.map(Option.filter(Schema.decodeUnknownOption(Json)(text), isText), ({ nodes, shapes }) => {
    const made = nodes.map(([kind]): unknown => kind === ARRAY ? [] : kind === MAP ? new Map() : {})
    const value = (cell: unknown): unknown => {
      if (!Array.isArray(cell)) return cell
      const [of] = cell
      return typeof of === "number" ? made[of] : of === undefined ? undefined : Number(of)
    }
    nodes.forEach(([kind, ...cells], id) => {
      const node = made[id]
      if (Array.isArray(node)) { for (const one of cells) node.push(value(one)) }
      else if (node instanceof Map) {
        for (let i = 0; i < cells.length; i += 2) node.set(value(cells[i]), value(cells[i + 1]))
      } else {
        const object = node as Record<string, unknown>
        const keys = shapes[Number(kind) - SHAPES] ?? []
        for (let i = 0; i < keys.length; i++) object[keys[i]!] = value(cells[i])
      }
    })
    return made[0]
  })
