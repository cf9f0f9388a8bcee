/**
 * The reader and the writer of a struct, compiled from its fields.
 *
 * With the keys in the text of the reader every object has its shape from birth on: it reads a log of the protocol's events
 * twice as fast as setting key after key did. Into the text go the schema's keys and literals, as JSON, and nothing else.
 *
 * @since 0.1.0
 */
import type { ByteReader } from "./bytes.ts"
import type { Packer } from "./packed.ts"

/** A field of a struct, in the order of the schema. @internal */
export interface Field {
  readonly name: string
  readonly optional: boolean
  readonly packer: Packer
}

/** The closures of a struct; `structOf` throws on what is none. @internal */
export const compiled = (
  fields: ReadonlyArray<Field>,
  structOf: (value: unknown) => Record<string, unknown>
): Pick<Packer, "write" | "read"> => {
  const packers = fields.map((field) => field.packer)
  const bits = fields.filter((field) => field.optional)
  const bytes = `for (let i = 0; i < ${Math.ceil(bits.length / 8)}; i++)`
  const make = new Function(
    "structOf",
    ...fields.flatMap((_, i) => [`w${i}`, `r${i}`]),
    `return {
write: (value, out) => {
const struct = structOf(value)
${bits.length === 0 ? "" : `const start = out.length\n${bytes} out.byte(0)`}
${fields.map((field, i) => writeSource(field, i, bits.indexOf(field))).join("\n")}
},
read: (input) => {
${bits.length === 0 ? "" : `const { at, bytes } = input\n${bytes} input.byte()\n${someSource(fields, bits)}`}
return ${literalSource(fields, fields)}
} }`
  )
  return make(structOf, ...packers.flatMap(({ read, write }) => [write, read]))
}

const writeSource = ({ name, optional }: Field, i: number, bit: number): string => {
  const key = `struct[${JSON.stringify(name)}]`
  if (!optional) return `w${i}(${key}, out)`
  const set = `out.bytes[start + ${bit >> 3}] |= ${1 << (bit & 7)}`
  return `{ const field = ${key}; if (field !== undefined) { ${set}; w${i}(field, out) } }`
}

const isSet = (bit: number): string => `(bytes[at + ${bit >> 3}] & ${1 << (bit & 7)}) !== 0`

/** Reads a struct of which not all optional keys are there: none is a shape of its own, some are set one by one. */
const someSource = (fields: ReadonlyArray<Field>, bits: ReadonlyArray<Field>): string => {
  const all = bits.map((_, bit) => isSet(bit))
  const set = fields.map((field, i) => {
    const value = `value[${JSON.stringify(field.name)}] = r${i}(input)`
    return field.optional ? `if (${isSet(bits.indexOf(field))}) ${value}` : value
  })
  return `if (!(${all.join(" && ")})) {
if (!(${all.join(" || ")})) return ${literalSource(fields, fields.filter(({ optional }) => !optional))}
const value = {}
${set.join("\n")}
return value
}`
}

/** An object of some of the fields, read in their order; literals take no bytes and stand in the text. */
const literalSource = (fields: ReadonlyArray<Field>, some: ReadonlyArray<Field>): string => {
  const nothing = { at: 0 } as ByteReader
  const entries = some.map((field) => {
    const literal = field.packer.empty ? field.packer.read(nothing) : undefined
    const isLiteral = typeof literal === "string" || typeof literal === "boolean" || Number.isFinite(literal)
    const value = isLiteral ? JSON.stringify(literal) : `r${fields.indexOf(field)}(input)`
    return `${JSON.stringify(field.name)}: ${value}`
  })
  return `{ ${entries.join(", ")} }`
}
