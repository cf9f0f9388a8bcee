import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { addAllReady, addReady, removeReady, type SimFiber, TimerHeap } from "./SimFiber.ts"
import { TaskQueue } from "./TaskQueue.ts"

const entry = (name: string, due: number): SimFiber => ({
  fiber: undefined as never,
  name,
  kind: "timer",
  since: 0,
  waitsFor: undefined,
  parked: "no",
  due,
  place: 0,
  resume: () => {}
})

it("the ready are ordered by name after any additions and removals", () => {
  const batches = fc.array(fc.array(fc.nat(2000), { maxLength: 600 }), { maxLength: 6 })
  fc.assert(
    fc.property(batches, fc.array(fc.nat(2000)), (batches, leaving) => {
      const ready: Array<SimFiber> = []
      const model = new Map<string, SimFiber>()
      for (const [i, numbers] of batches.entries()) {
        const fresh = Array.from(new Set(numbers), (n) => entry(`fiber/${n}`, 0)).filter(({ name }) => !model.has(name))
        for (const added of fresh) model.set(added.name, added)
        if (i % 2 === 0) addAllReady(ready, fresh)
        else for (const added of fresh) addReady(ready, added)
      }
      for (const n of leaving) {
        const gone = model.get(`fiber/${n}`)
        if (gone === undefined) continue
        model.delete(gone.name)
        removeReady(ready, gone)
      }
      assert.deepStrictEqual(ready.map(({ name }) => name), Array.from(model.keys()).sort())
    }),
    { numRuns: 30 }
  )
})

it("timers come by their times, whoever leaves in between", () => {
  const dues = fc.array(fc.nat(50), { maxLength: 200 })
  fc.assert(fc.property(dues, fc.array(fc.nat(199)), (dues, leaving) => {
    const heap = new TimerHeap()
    const entries = dues.map((due, i) => entry(`${i}`, due))
    for (const added of entries) heap.add(added)
    const left = new Set(entries)
    for (const i of leaving) {
      const gone = entries[i]
      if (gone !== undefined && left.delete(gone)) heap.remove(gone)
    }
    const order: Array<number> = []
    for (let first = heap.first; first !== undefined; first = heap.first) {
      order.push(first.due)
      heap.remove(first)
    }
    assert.deepStrictEqual(order, Array.from(left, ({ due }) => due).sort((a, b) => a - b))
  }))
})

it("tasks come out as they went in, however long the queue never empties", () => {
  const queue = new TaskQueue()
  const out: Array<number> = []
  for (let i = 0; i < 10; i++) queue.push(() => out.push(i))
  for (let i = 10; i < 5000; i++) {
    queue.push(() => out.push(i))
    queue.shift()!()
  }
  assert.strictEqual(queue.length, 10)
  while (queue.length > 0) queue.shift()!()
  assert.strictEqual(queue.shift(), undefined)
  assert.deepStrictEqual(out, Array.from({ length: 5000 }, (_, i) => i))
})
