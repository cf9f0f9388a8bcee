import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { makeDisk } from "./disk.ts"
import { layerFile, layerMemory, Service } from "./service.ts"
import { codec, someEvents, type Toy } from "./toy.ts"

class Shop extends Service<Shop, Toy>()("toy/Shop") {}

const appendTwo = Effect.gen(function*() {
  const shop = yield* Shop
  yield* shop.append(someEvents(2))
  return { meta: shop.header.meta, events: yield* Stream.runCount(shop.read()) }
})

describe("a journal as a service", () => {
  it.effect("is a new one in memory every time its layer is built", () =>
    Effect.gen(function*() {
      for (const meta of ["one", "two"]) {
        const found = yield* Effect.provide(appendTwo, layerMemory(Shop, codec, { meta }))
        assert.deepStrictEqual(found, { meta, events: 2 })
      }
    }))

  it.effect("is the same one in a file, created the first time", () =>
    Effect.gen(function*() {
      const disk = makeDisk()
      const shop = (meta: string) =>
        Layer.provide(layerFile(Shop, codec, { path: "/shop.log", sync: "batch", meta }), disk.layer)
      assert.deepStrictEqual(yield* Effect.provide(appendTwo, shop("one")), { meta: "one", events: 2 })
      assert.deepStrictEqual(yield* Effect.provide(appendTwo, shop("two")), { meta: "one", events: 4 })
    }))
})
