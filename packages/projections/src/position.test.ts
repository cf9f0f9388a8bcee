import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { atSeq, END, formatPosition, parsePosition, secondsText } from "./position.ts"
import type { Position } from "./position.ts"

const read = (text: string): Position | string =>
  Result.match(parsePosition(text), {
    onSuccess: (position): Position | string => position,
    onFailure: (e) => e.message
  })

describe("a position", () => {
  it.each<readonly [string, Position]>([
    ["#1234", atSeq(1234)],
    ["1234", atSeq(1234)],
    ["#0", atSeq(0)],
    ["end", END],
    ["12.345678", { _tag: "Time", nanos: 12_345_678_000 }],
    ["9.000000001", { _tag: "Time", nanos: 9_000_000_001 }],
    ["0.1", { _tag: "Time", nanos: 100_000_000 }],
    ["+1.2s", { _tag: "Elapsed", nanos: 1_200_000_000 }],
    ["+0.1s", { _tag: "Elapsed", nanos: 100_000_000 }],
    ["+35ms", { _tag: "Elapsed", nanos: 35_000_000 }],
    ["+1.5us", { _tag: "Elapsed", nanos: 1_500 }],
    ["+7ns", { _tag: "Elapsed", nanos: 7 }]
  ])("is read from %s", (text, expected) => assert.deepStrictEqual(read(text), expected))

  it.each([
    "",
    "#",
    "-1",
    "#-1",
    "1.2.3",
    "+1",
    "+1.2h",
    "12.",
    ".5",
    "End",
    "#12x",
    "1e3",
    "+99999999999s",
    "999999999.0",
    "+9999999999999999ns"
  ])(
    "is not read from %j, and the message says what is",
    (text) => {
      const message = read(text)
      assert.match(String(message), /expected #1234 .*12\.345678 .*\+1\.2s .*end or a bookmark$/)
      assert.include(String(message), JSON.stringify(text))
    }
  )

  it("is written as it is read, to the nanosecond", () => {
    fc.assert(fc.property(
      fc.oneof(
        fc.record({ _tag: fc.constant("Seq" as const), seq: fc.nat({ max: 1e12 }) }),
        fc.record({ _tag: fc.constant("Time" as const), nanos: fc.nat({ max: 1e15 }) }),
        fc.record({ _tag: fc.constant("Elapsed" as const), nanos: fc.nat({ max: 1e15 }) }),
        fc.constant(END)
      ),
      (position) => assert.deepStrictEqual(read(formatPosition(position)), position)
    ))
  })

  it("in seconds has six digits where that is exact, nine where it is not", () => {
    assert.strictEqual(secondsText(12_345_678_000), "12.345678")
    assert.strictEqual(secondsText(12_345_678_001), "12.345678001")
    assert.strictEqual(secondsText(0), "0.000000")
  })
})
