import { assert, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { join } from "node:path"

it("the example that follows a run sees unrelated retries under mainline-6.12", () => {
  const script = join(import.meta.dirname, "../examples/follow.ts")
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--conditions=pfnscope-source", script], {
    encoding: "utf8"
  })
  assert.strictEqual(stderr, "")
  assert.strictEqual(status, 0)
  assert.match(stdout, /^#\d+ gpc\/0 throws its lap away$/m)
  assert.match(stdout, /of (\d+) retries, \1 were unrelated$/m)
})
