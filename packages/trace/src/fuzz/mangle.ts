/**
 * What can happen to a text on its way: quoted and wrapped by mail programs, cut, mixed with another, damaged.
 *
 * @since 0.1.0
 */
import type { Random } from "./random.ts"

/** Bytes that mean something to one reader or another. */
const TELLING = [
  0,
  9,
  10,
  13,
  27,
  32,
  34,
  40,
  41,
  42,
  45,
  46,
  47,
  58,
  59,
  60,
  61,
  62,
  64,
  91,
  92,
  93,
  123,
  124,
  125,
  0xc2,
  0xff
]

type Mangling = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array

const join = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

const byLine = (bytes: Uint8Array, change: (line: string) => string): Uint8Array =>
  new Uint8Array(Buffer.from(Buffer.from(bytes).toString("latin1").split("\n").map(change).join("\n"), "latin1"))

const MANGLINGS: ReadonlyArray<Mangling> = [
  // A few bits.
  (bytes, random) => {
    const copy = bytes.slice()
    for (let n = 1 + random.below(4); n > 0 && copy.length > 0; n--) {
      const at = random.below(copy.length)
      copy[at] = copy[at]! ^ (1 << random.below(8))
    }
    return copy
  },
  // Bytes that mean something.
  (bytes, random) => {
    const copy = bytes.slice()
    for (let n = 1 + random.below(6); n > 0 && copy.length > 0; n--) {
      copy[random.below(copy.length)] = random.pick(TELLING)
    }
    return copy
  },
  // Cut off.
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  // A piece is missing.
  (bytes, random) => {
    const from = random.below(bytes.length + 1)
    return join(bytes.subarray(0, from), bytes.subarray(Math.min(bytes.length, from + random.below(60))))
  },
  // A piece of another text, anywhere.
  (bytes, random, other) => {
    const at = random.below(bytes.length + 1)
    const from = random.below(other.length + 1)
    return join(bytes.subarray(0, at), other.subarray(from, from + random.below(400)), bytes.subarray(at))
  },
  // A piece of its own again.
  (bytes, random) => {
    const at = random.below(bytes.length + 1)
    const from = random.below(bytes.length + 1)
    return join(bytes.subarray(0, at), bytes.subarray(from, from + random.below(300)), bytes.subarray(at))
  },
  // Quoted.
  (bytes, random) => byLine(bytes, (line) => `${random.pick(["> ", "> > ", ">", ">> "])}${line}`),
  // Broken.
  (bytes) => byLine(bytes, (line) => line.replaceAll(/(.{40,72}) /g, "$1 \n")),
  // Encoded.
  (bytes) => byLine(bytes, (line) => line.replaceAll("=", "=3D").replaceAll(/(.{70})/g, "$1=\n")),
  // From a terminal.
  (bytes, random) =>
    byLine(
      bytes,
      (line) => random.pick([`\u001b[1m${line}\u001b[0m`, `${line}\r`, `\t${line}`, `[   12.345678] ${line}`])
    ),
  // Counted.
  (bytes, random) => byLine(bytes, (line) => `${String(1 + random.below(99)).padStart(7)} ${line}`)
]

/** Mangles a text some times over. @category constructors @since 0.1.0 */
export const mangle = (bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array => {
  let mangled = bytes
  for (let n = 1 + random.below(3); n > 0; n--) mangled = random.pick(MANGLINGS)(mangled, random, other)
  return mangled
}
