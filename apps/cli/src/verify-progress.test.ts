import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { showVerified } from "./verify-progress.ts"

const isTTY = process.stderr.isTTY

/** What is written to a standard error that is a terminal, or none, while 0 … 1000 MB are read. */
const shown = (terminal: boolean): ReadonlyArray<string> => {
  process.stderr.isTTY = terminal
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true)
  const show = showVerified("run.log")
  for (let read = 0; read <= 1000; read++) Effect.runSync(show(read * 1e6, 1e9))
  return write.mock.calls.map(([text]) => String(text))
}

afterEach(() => {
  vi.restoreAllMocks()
  process.stderr.isTTY = isTTY
})

describe("how far a verification is", () => {
  it("is shown on a terminal, once for every percent", () => {
    const lines = shown(true)
    assert.strictEqual(lines.length, 101)
    assert.strictEqual(lines[25], "\r\u001b[Krun.log: 250 of 1000 MB, 25 %")
  })

  it("is not shown where there is no terminal", () => assert.deepStrictEqual(shown(false), []))
})
