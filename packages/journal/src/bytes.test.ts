import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ByteReader, ByteWriter, varintBytes } from "./bytes.ts"

const written = (write: (out: ByteWriter) => void): Uint8Array => {
  const out = new ByteWriter()
  write(out)
  return out.bytes.slice(0, out.length)
}

const EDGES = [
  0,
  1,
  63,
  64,
  127,
  128,
  2 ** 14,
  2 ** 27 - 1,
  2 ** 27,
  2 ** 28 - 1,
  2 ** 28,
  2 ** 31,
  2 ** 32,
  2 ** 52,
  2 ** 53 - 1
]

/** Integers of every size: uniform ones would nearly all take eight bytes. */
const natural = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.tuple(fc.integer({ min: 0, max: 53 }), fc.maxSafeNat()).map(([bits, n]) => n % 2 ** bits)
)
const integer = fc.tuple(natural, fc.boolean()).map(([n, negative]) => negative && n !== 0 ? -n : n)
/** UTF-16 units as they come: well-formed text, Latin-1, and lone surrogates. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 }).map((units) => String.fromCharCode(...units))
)

describe("bytes", () => {
  it("reads back every natural number of 53 bits, in as many bytes as it needs", () => {
    fc.assert(fc.property(natural, (n) => {
      const bytes = written((out) => out.varint(n))
      const input = new ByteReader(bytes)
      assert.strictEqual(input.varint(), n)
      assert.strictEqual(input.left, 0)
      assert.strictEqual(input.fault, null)
      assert.strictEqual(bytes.length, varintBytes(n))
    }))
  })

  it("reads back every safe integer", () => {
    fc.assert(fc.property(integer, (n) => {
      const input = new ByteReader(written((out) => out.int(n)))
      assert.strictEqual(input.int(), n)
      assert.strictEqual(input.left, 0)
      assert.strictEqual(input.fault, null)
    }))
  })

  it("reads back u32 and u64 at fixed width", () => {
    fc.assert(fc.property(natural, (n) => {
      const bytes = written((out) => {
        out.u32(n % 2 ** 32)
        out.u64(n)
      })
      const input = new ByteReader(bytes)
      assert.deepStrictEqual([input.u32(), input.u64(), input.left], [n % 2 ** 32, n, 0])
    }))
  })

  it("reads back every string, lone surrogates too", () => {
    fc.assert(fc.property(fc.array(text), (strings) => {
      const input = new ByteReader(written((out) => strings.forEach((string) => out.string(string))))
      assert.deepStrictEqual(strings.map(() => input.string()), strings)
      assert.strictEqual(input.left, 0)
      assert.strictEqual(input.fault, null)
    }))
  })

  it("never throws, never reads behind the end and never returns more than there is, whatever the bytes are", () => {
    const read = fc.constantFrom("byte", "u32", "u64", "varint", "int", "string")
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), fc.array(read), (bytes, cut, reads) => {
      const end = Math.min(cut, bytes.length)
      const input = new ByteReader(bytes, 0, end)
      for (const kind of reads) {
        const value = input[kind as "byte" | "string"]()
        if (typeof value === "string") assert.isAtMost(value.length, end)
      }
      assert.isAtMost(input.at, end)
    }))
  })

  it("says what is wrong with a number of more than 53 bits and with a string that is longer than the bytes", () => {
    const long = new ByteReader(Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 1))
    long.varint()
    assert.strictEqual(long.fault, "a number of more than 53 bits")
    const string = new ByteReader(written((out) => out.varint(2 ** 40)))
    string.string()
    assert.strictEqual(string.fault, `a string of ${2 ** 39} bytes where 0 are left`)
  })
})
