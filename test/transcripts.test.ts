// Runs the transcripts in docs/*.md: every `$ pfnscope …` in a ```console block, in order, in one fresh folder a page,
// and compares what is printed, and the exit code, which a line `[exit N]` gives where it is not 0. A ```json or ```text
// block with a file's name after the word is that file. `sqlite3` is sqlite3.ts beside this file.
// `UPDATE=1 npx vitest run test/transcripts.test.ts` writes what was printed into the pages: read it before committing.
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const docs = join(root, "docs")

const run = (command: string, cwd: string): string => {
  const shell = command.replaceAll(
    /\bpfnscope\b(?=\s)/g,
    `"${process.execPath}" "${join(root, "apps/cli/bin/pfnscope.js")}"`
  ).replaceAll(/\bsqlite3\b(?=\s)/g, `"${process.execPath}" "${join(root, "test/sqlite3.ts")}"`)
  const { status, stderr, stdout } = spawnSync("sh", ["-c", shell], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    maxBuffer: 1 << 26
  })
  return `${stdout}${stderr}${status === 0 ? "" : `[exit ${status}]\n`}`
}

/** A page with each console block's outputs replaced by what its commands print now. */
const rerun = (page: string, cwd: string): string =>
  page.replaceAll(/^```console\n([\s\S]*?)^```$/gm, (_block, body: string) => {
    const commands = body.split("\n").filter((line) => line.startsWith("$ "))
    return `\`\`\`console\n${commands.map((line) => `${line}\n${run(line.slice(2), cwd)}`).join("")}\`\`\``
  })

/** Writes the files that a page shows. */
const writeFiles = (page: string, cwd: string): void => {
  for (const [, name, text] of page.matchAll(/^```(?:json|text) (\S+)\n([\s\S]*?)^```$/gm)) {
    writeFileSync(join(cwd, name!), text!)
  }
}

describe("the transcripts of", () => {
  for (const name of readdirSync(docs).filter((file) => file.endsWith(".md"))) {
    const path = join(docs, name)
    const page = readFileSync(path, "utf8")
    if (!page.includes("```console")) continue
    it(`docs/${name} print what they say`, () => {
      const cwd = mkdtempSync(join(tmpdir(), "pfnscope-docs-"))
      cpSync(join(root, "packages/trace/captures"), cwd, { recursive: true })
      cpSync(join(root, "examples"), join(cwd, "examples"), {
        recursive: true,
        filter: (file) => !file.includes("node_modules")
      })
      symlinkSync(join(root, "node_modules"), join(cwd, "node_modules"))
      writeFiles(page, cwd)
      const now = rerun(page, cwd)
      rmSync(cwd, { recursive: true })
      if (process.env["UPDATE"] === "1") writeFileSync(path, now)
      else assert.strictEqual(now, page)
    }, 120_000)
  }
})
