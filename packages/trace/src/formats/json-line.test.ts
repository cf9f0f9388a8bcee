import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bytesOf, decode } from "../reading/text.ts"
import { addString, findMember } from "./json-line.ts"
import { TextBuffer } from "./text-buffer.ts"

const member = (text: string, name: string) => {
  const bytes = bytesOf(text)
  const found = { from: 0, to: 0, isString: false }
  if (!findMember(bytes, 0, bytes.length, bytesOf(name), found)) return undefined
  return [decode(bytes, found.from, found.to), found.isString] as const
}

const said = (bytes: Uint8Array) => {
  const buffer = new TextBuffer()
  addString(bytes, 0, bytes.length, buffer)
  return buffer.bytes.slice(0, buffer.length)
}

describe("a line of JSON", () => {
  it.each<readonly [string, string, readonly [string, boolean] | undefined]>([
    [`{"type": "printf", "data": "a\\"b\\n"}`, "data", [`a\\"b\\n`, true]],
    [`{"type":"printf","data":"x"}`, "type", ["printf", true]],
    [`{"data": {"@c": {"type": "map", "x": [1, 2]}}, "type": "map"}`, "type", ["map", true]],
    [`{"type": "lost_events", "data": {"events": 4595}}`, "data", [`{"events": 4595}`, false]],
    [`{"events": 4595}`, "events", ["4595", false]],
    [`{"type": "printf"`, "data", undefined],
    [`{"type": "printf", "data": "cut of`, "data", undefined],
    [`{"type" "printf"}`, "type", undefined],
    ["[1, 2]", "type", undefined]
  ])("%s: %s", (text, name, expected) => {
    assert.deepStrictEqual(member(text, name), expected)
  })

  it("says what JSON.parse says, up to U+00FF as bytes", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "\n", "\t", `"`, "\\", "/", "\u0001", "€", "😀") })
    fc.assert(fc.property(text, fc.boolean(), (text, escaped) => {
      const json = JSON.stringify(text).slice(1, -1)
      const ascii = json.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      assert.strictEqual(new TextDecoder().decode(said(bytesOf(escaped ? ascii : json))), text)
    }))
    assert.deepStrictEqual(said(bytesOf("\\u00ff\\u00c3")), Uint8Array.of(0xff, 0xc3))
  })

  it("says what bpftrace 0.17 was told to print", () => {
    const printed = "4610673264660 \\\"bpftrace\\\" a\\tb \\\\ \\uffffffc3\\uffffffa9\\n two"
    assert.strictEqual(new TextDecoder().decode(said(bytesOf(printed))), "4610673264660 \"bpftrace\" a\tb \\ é\n two")
  })

  it("ends, whatever stands in it", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (text, name) => {
      const found = member(text, name)
      assert.isTrue(found === undefined || text.includes(found[0]))
      assert.isAtMost(said(bytesOf(text)).length, bytesOf(text).length)
    }))
  })
})
