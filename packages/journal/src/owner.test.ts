import { assert, describe, it } from "@effect/vitest"
import { Processes } from "./owner.ts"

const { runs, self } = Processes.defaultValue()

describe("a process", () => {
  it("runs while it runs", () => {
    assert.strictEqual(self.pid, process.pid)
    assert.isTrue(runs(self))
  })

  it("is not another one that has its number, nor one of another boot", () => {
    assert.isFalse(runs({ ...self, start: "1" }))
    assert.isFalse(runs({ ...self, boot: "another" }))
  })

  it("does not run when nothing has its number", () => assert.isFalse(runs({ ...self, pid: 2 ** 22 + 1 })))
})
