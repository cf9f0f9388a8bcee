import { assert, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { join } from "node:path"

// In a process of its own, so that the memory measured is the machine's.
it("a machine of the size of a large Xen guest runs a million steps in under 1 GiB", () => {
  const script = join(import.meta.dirname, "large-machine.ts")
  const { stderr, stdout } = spawnSync(process.execPath, ["--conditions=pfnscope-source", script], { encoding: "utf8" })
  assert.strictEqual(stderr, "")
  const { maxRssMiB, steps } = JSON.parse(stdout) as { readonly maxRssMiB: number; readonly steps: number }
  assert.isAtLeast(steps, 1_000_000)
  assert.isBelow(maxRssMiB, 1_024)
}, 120_000)
