import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { LONGEST_LINE, makeLineCutter } from "./lines.ts"
import { bytesOf, decode } from "./text.ts"

const cut = (pieces: ReadonlyArray<Uint8Array>) => {
  const lines: Array<string> = []
  const cutter = makeLineCutter(
    (bytes, from, to) => lines.push(decode(bytes, from, to)),
    (kind) => lines.push(`<${kind}>`)
  )
  for (const piece of pieces) cutter.push(piece)
  cutter.end()
  return lines
}

describe("lines", () => {
  it("lose their end, LF or CR LF", () => assert.deepStrictEqual(cut([bytesOf("a\r\nb\n\n\r\n")]), ["a", "b", "", ""]))

  it("are told apart from a piece of one at the end", () =>
    assert.deepStrictEqual(cut([bytesOf("a\nb")]), ["a", "<cut off>"]))

  it("are dropped where they are too long, and the next is read", () => {
    const long = "x".repeat(LONGEST_LINE + 1)
    assert.deepStrictEqual(cut([bytesOf(`a\n${long}\nb\n`)]), ["a", "<too long>", "b"])
    assert.deepStrictEqual(cut([bytesOf(`a\n${long}`), bytesOf(long), bytesOf("x\nb\n")]), ["a", "<too long>", "b"])
    assert.deepStrictEqual(cut([bytesOf(long)]), ["<too long>"])
  })

  it("are the same however the text is divided", () => {
    const text = fc.array(fc.constantFrom("a", "bc", "\n", "\r\n", "\r", "é"), { maxLength: 60 }).map((parts) =>
      parts.join("")
    )
    fc.assert(fc.property(text, fc.array(fc.nat(80)), (whole, cuts) => {
      const bytes = bytesOf(whole)
      const places = [0, ...cuts.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((to, i) => bytes.slice(places[i], to))
      assert.deepStrictEqual(cut(pieces), cut([bytes]))
    }))
  })
})
