import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { example } from "./README.example.ts"

it.effect("the example of the README is the one that runs, and says what the README says", () =>
  Effect.gen(function*() {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    const source = readFileSync(new URL("README.example.ts", import.meta.url), "utf8")
    assert.include(readme, "```ts\n" + source + "```")
    const result = yield* example
    assert.deepStrictEqual(result.starves, ["moves", "disabled"])
    assert.include(readme, JSON.stringify(result))
  }))
