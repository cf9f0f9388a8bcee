import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import { fromText, toText } from "./graph.ts"

describe("a graph as text", () => {
  it("comes back with what it shared, its maps, and what JSON has no word for", () => {
    const shared = { start: 1, end: Infinity, touched: undefined as unknown }
    shared.touched = shared
    const graph = {
      open: [shared, null, "text", -1.5, true, NaN],
      byThread: new Map<unknown, unknown>([[3, [shared]], ["three", new Map([[1, undefined]])]]),
      empty: {},
      "odd \"key\"": -Infinity
    }
    const back = Option.getOrThrow(fromText(toText(graph))) as typeof graph
    assert.deepStrictEqual(back, graph)
    assert.strictEqual((back.byThread.get(3) as Array<unknown>)[0], back.open[0])
    assert.strictEqual((back.open[0] as typeof shared).touched, back.open[0])
  })

  it("is none where the text is another", () => {
    for (const text of ["", "{}", "[]", "{\"shapes\":[],\"nodes\":[1]}"]) {
      assert.isTrue(Option.isNone(fromText(text)), text)
    }
  })
})
