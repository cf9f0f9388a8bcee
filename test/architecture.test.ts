// The shape of the tree: imports point down, a package is entered by its index, the protocol knows no Effect runtime.
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

/** What each package may import of the others. */
const BELOW: Readonly<Record<string, ReadonlyArray<string>>> = {
  protocol: [],
  journal: [],
  schedule: [],
  projections: ["protocol", "journal"],
  checker: ["protocol"],
  machine: ["protocol", "journal", "schedule", "projections"],
  trace: ["protocol", "journal", "projections"],
  render: ["protocol", "journal", "projections", "checker", "trace"]
}

const sourcesOf = (name: string) =>
  globSync(join(root, `packages/${name}/src/**/*.ts`)).filter((path) => !path.endsWith(".test.ts"))

const importsOf = (path: string) =>
  [...readFileSync(path, "utf8").matchAll(/^(?:import|export) [^"]*?from "([^"]+)"/gm)].map(([, from]) => from!)

const packages = globSync(join(root, "packages/*")).map((path) => path.split("/").at(-1)!)

describe("packages", () => {
  it.each(packages)("%s imports only what lies below it, by its index", (name) => {
    assert.isDefined(BELOW[name], "a new package needs its place here")
    for (const path of sourcesOf(name)) {
      for (const from of importsOf(path)) {
        const other = /^@pfnscope\/(.+)$/.exec(from)?.[1]
        if (other !== undefined && other !== name) assert.include(BELOW[name], other, path)
        assert.notMatch(from, /\.\.\/\.\.\/.*src/, path)
      }
    }
  })

  it("what is rendered of a check or a trace is data: the checker and the readers stay out of the page", () => {
    for (const path of sourcesOf("render")) {
      assert.notMatch(readFileSync(path, "utf8"), /^import (?!type )[^"]*?from "@pfnscope\/(?:checker|trace)"/m, path)
    }
  })

  it("the protocol imports no Effect runtime, only Schemas", () => {
    for (const path of sourcesOf("protocol")) {
      for (const from of importsOf(path)) {
        assert.isTrue(from.startsWith("./") || from.startsWith("../") || from === "effect/Schema", `${path}: ${from}`)
      }
    }
  })

  it("no source uses the real clock, real randomness, or lets an exception through quietly", () => {
    for (const path of packages.flatMap(sourcesOf)) {
      const text = readFileSync(path, "utf8")
      assert.notMatch(text, /Date\.now|Math\.random|^\s*try \{/m, path)
    }
  })
})
