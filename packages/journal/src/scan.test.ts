import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { LARGEST_PAYLOAD } from "./frame.ts"
import { memoryMedium } from "./medium.ts"
import { nextSound, readFrames } from "./scan.ts"
import { memorySidecar } from "./sidecar.ts"
import type { Store } from "./store.ts"

/** A store of a gigabyte that says at every byte that the next frame is `length` bytes long, and what was asked of it. */
const hostile = (length: number): { readonly store: Store; readonly asked: Array<number> } => {
  const asked: Array<number> = []
  const bytes = Buffer.alloc(64)
  bytes.writeUInt32LE(length)
  bytes.write("BTCH", 8)
  bytes.writeUInt32LE(1, 20)
  const read = (_at: number, wanted: number) =>
    Effect.sync(() => {
      asked.push(wanted)
      return bytes.subarray(0, Math.min(wanted, 64))
    })
  const medium = { ...memoryMedium("hostile"), read }
  const segments = [{ medium, base: 0, frames: 0, start: null, fault: null }]
  return {
    store: { path: "hostile", segments, sidecar: memorySidecar("hostile"), sync: "never", rollOver: null },
    asked
  }
}

describe("a length that a file claims", () => {
  const GIGABYTE = 1 << 30

  for (const length of [0, 51, LARGEST_PAYLOAD + 1, GIGABYTE / 2, 2 ** 32 - 1]) {
    it.effect(`is not believed when it is ${length}: nothing is allocated for it`, () =>
      Effect.gen(function*() {
        const { asked, store } = hostile(length)
        const { fault } = yield* readFrames(store, 0, GIGABYTE)
        assert.match(fault?.reason ?? "", /^a batch of \d+ bytes, expected at (least|most) \d+$/)
        assert.strictEqual(yield* nextSound(store, GIGABYTE - 100, GIGABYTE), null)
        assert.isAtMost(Math.max(...asked), 1 << 20)
      }))
  }
})
