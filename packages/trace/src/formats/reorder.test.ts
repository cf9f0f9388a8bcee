import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { makeReorder } from "./reorder.ts"

const SECOND = 1_000_000_000

/** What a window of `size` gives for items at these times (ns), and how many it moved. */
const run = (size: number, times: ReadonlyArray<number | "restart">) => {
  const reorder = makeReorder<{ seconds: number; nanos: number; epoch: number; order: number; place: number }>(size)
  const given: Array<number> = []
  const take = () => {
    for (let item = reorder.next(); item !== undefined; item = reorder.next()) given.push(item.place)
  }
  times.forEach((time, place) => {
    if (time === "restart") return reorder.restart()
    reorder.push({ seconds: Math.floor(time / SECOND), nanos: time % SECOND, epoch: 0, order: 0, place })
    take()
  })
  reorder.end()
  take()
  return { given, moved: reorder.moved() }
}

describe("the window", () => {
  it.each<readonly [string, number, ReadonlyArray<number | "restart">, ReadonlyArray<number>, number]>([
    ["leaves what is in order", 2, [1, 2, 3, 4], [0, 1, 2, 3], 0],
    ["leaves equal times as they stand", 2, [1, 1, 1, 1, 1], [0, 1, 2, 3, 4], 0],
    ["moves what came late", 2, [1, 3, 2, 4], [0, 2, 1, 3], 1],
    ["cannot move what is older than the window", 2, [5, 6, 7, 8, 1, 9], [0, 1, 2, 3, 4, 5], 0],
    ["takes ten seconds for another run", 9, [20 * SECOND, 21 * SECOND, 5 * SECOND, 6 * SECOND], [0, 1, 2, 3], 0],
    ["keeps runs apart", 9, [5, 6, "restart", 1, 2], [0, 1, 3, 4], 0]
  ])("%s", (_name, size, times, given, moved) => {
    assert.deepStrictEqual(run(size, times), { given: [...given], moved })
  })

  it("gives each item once, and sorted ones where the disorder fits it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 60 }), fc.integer({ min: 60, max: 80 }), (times, size) => {
        const { given } = run(size, times)
        const order = times.map((time, place) => [time, place] as const).sort(([a, i], [b, k]) => a - b || i - k)
        assert.deepStrictEqual(given, order.map(([, place]) => place))
      })
    )
  })

  it("gives each item once, whatever its size", () => {
    fc.assert(fc.property(fc.array(fc.nat(50), { maxLength: 60 }), fc.nat(8), (times, size) => {
      assert.deepStrictEqual(run(size, times).given.toSorted((a, b) => a - b), times.map((_, place) => place))
    }))
  })
})
