import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import { graphWriter, openGraph } from "./graph.ts"

const there = <A extends object>(graph: A): A => {
  const writer = graphWriter()
  const id = writer.add(graph)
  return Option.getOrThrow(openGraph(writer.bytes())(id)) as A
}

describe("a graph as bytes", () => {
  it("comes back with what it shared, its maps, and numbers of every kind", () => {
    const shared = { start: 1, end: Infinity, touched: undefined as unknown }
    shared.touched = shared
    const graph = {
      open: [shared, null, "text", -1.5, true, NaN, false, 2 ** 60, -(2 ** 51)],
      byThread: new Map<unknown, unknown>([[3, [shared]], ["three", new Map([[1, undefined]])]]),
      empty: {},
      "odd \"key\"": -Infinity
    }
    const back = there(graph)
    assert.deepStrictEqual(back, graph)
    assert.strictEqual((back.byThread.get(3) as Array<unknown>)[0], back.open[0])
    assert.strictEqual((back.open[0] as typeof shared).touched, back.open[0])
  })

  it("comes back, whatever it is of", () => {
    const value = fc.letrec((of) => ({
      value: fc.oneof(
        fc.integer(),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true }).map((n) => n === 0 ? 0 : n),
        fc.string({ unit: "binary" }),
        fc.constantFrom(undefined, null, true, false),
        fc.array(of("value"), { maxLength: 4 }),
        fc.dictionary(fc.stringMatching(/^[a-z_]{1,6}$/), of("value"), { maxKeys: 4, noNullPrototype: true })
      )
    })).value
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), (graph) => assert.deepStrictEqual(there(graph), graph)),
      { numRuns: 50 }
    )
  })

  it("is read without the others in the same bytes, and anew each time", () => {
    const origin = { seq: 7, because: [] }
    const writer = graphWriter()
    const first = writer.add({ last: origin, open: [1] })
    const second = writer.add({ last: origin, open: [2] })
    const graph = openGraph(writer.bytes())
    assert.deepStrictEqual(Option.getOrThrow(graph(second)), { last: origin, open: [2] })
    assert.deepStrictEqual(Option.getOrThrow(graph(first)), { last: origin, open: [1] })
    assert.notStrictEqual(Option.getOrThrow(graph(first)), Option.getOrThrow(graph(first)))
  })

  it("is none where the bytes are others, or no node has that number", () => {
    const writer = graphWriter()
    const id = writer.add({ open: [1, 2, "three"], more: new Map([[1, {}]]) })
    const bytes = writer.bytes()
    assert.isTrue(Option.isNone(openGraph(bytes)(99)))
    for (let length = 0; length < bytes.length; length++) {
      assert.isTrue(Option.isNone(openGraph(bytes.subarray(0, length))(id)), `${length} bytes`)
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      openGraph(bytes)(0)
    }))
  })
})
