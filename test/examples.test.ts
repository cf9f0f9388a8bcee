import { afterAll, assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const example = (name: string) => join(root, "examples", name)
const folder = mkdtempSync(join(tmpdir(), "pfnscope-examples-"))
afterAll(() => rmSync(folder, { recursive: true }))

const node = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" })
  assert.strictEqual(stderr, "")
  return { status, stdout }
}
const script = (name: string) => node("--conditions=pfnscope-source", example(name))
const pfnscope = (...args: ReadonlyArray<string>) => node(join(root, "apps/cli/bin/pfnscope.js"), ...args)

it("the example that follows a run sees unrelated retries under mainline-6.12", () => {
  const { status, stdout } = script("follow.ts")
  assert.strictEqual(status, 0)
  assert.match(stdout, /^#\d+ gpc\/0 throws its lap away$/m)
  assert.match(stdout, /of (\d+) retries, \1 were unrelated$/m)
})

it("the example that turns the two tests of the retry round misses an invalidation that ends between them", () => {
  const { status, stdout } = script("own-step.ts")
  assert.strictEqual(status, 0)
  assert.match(stdout, /^violated: P1 P2 P5$/m)
  assert.match(
    stdout,
    /vcpu\/0 retry\.seq\n(?: {2}.*\n)*? {2}mm\/0 end\.count\n(?: {2}.*\n)*? {2}vcpu\/0 retry\.count\n/
  )
})

describe("of the two examples that change range-retry", () => {
  it.each(["s1", "s2", "s3", "s4"])("the one that mends it holds in %s", (scenario) => {
    assert.strictEqual(pfnscope("check", scenario, "--policy", example("fix-range-retry.ts"), "--all").status, 0)
  })

  it("the one that mends it has something to mend in s2", () => {
    assert.strictEqual(pfnscope("check", "s2", "--policy", "range-retry", "--all").status, 1)
  })

  it("the one that breaks it publishes into a range that was given away", () => {
    const { status } = pfnscope("check", "s1", "--policy", example("break-range-retry.ts"), "--all", "-o", "broken")
    assert.strictEqual(status, 1)
    const found = ["P1", "P2", "P3", "P4", "P5"].map((id) => `break-range-retry-${id}.log`)
    assert.deepStrictEqual(readdirSync(join(folder, "broken")).sort(), found)
    const { stdout } = pfnscope("race", "broken/break-range-retry-P4.log")
    assert.match(stdout, /hull: go on[^]*walk: nothing to invalidate[^]*range_start returns[^]*valid = true/)
  })
})
