// A log of several files as a user meets it: every command takes it for the one log that it is.
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { file } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const bin = join(import.meta.dirname, "../apps/cli/bin/pfnscope.js")
const folder = mkdtempSync(join(tmpdir(), "pfnscope-segments-"))
const at = (name: string) => join(folder, name)

const pfnscope = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [bin, ...args], { cwd: folder, encoding: "utf8" })
  return { status, stderr, stdout }
}

const json = (...args: ReadonlyArray<string>) =>
  JSON.parse(pfnscope(...args, "--json").stdout) as Record<string, unknown>

/** The same events in batches of 50, and in segments of a few of them. */
const inSegments = Effect.gen(function*() {
  const whole = yield* file(eventCodec, { path: at("one.log"), mode: "read" })
  const { meta } = whole.header
  const many = yield* file(eventCodec, {
    path: at("many.log"),
    mode: "create",
    sync: "never",
    meta,
    segmentBytes: 4_000
  })
  yield* Stream.runForEach(Stream.grouped(whole.read(), 50), (batch) => many.append(batch))
}).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const segments = () => readdirSync(folder).filter((name) => name.startsWith("many.log")).sort()

/** The log under another name. */
const copy = (name: string) => {
  for (const segment of segments()) copyFileSync(at(segment), at(segment.replace("many.log", name)))
  return segments().map((segment) => segment.replace("many.log", name))
}

beforeAll(async () => {
  assert.strictEqual(pfnscope("run", "hva-cache", "--seed", "2", "--until", "60us", "-o", "one.log").status, 1)
  await Effect.runPromise(inSegments)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("a log of several segments", () => {
  it("is several files, and one log", () => {
    assert.isAtLeast(segments().length, 3)
    assert.strictEqual(segments()[1], "many.log.seg-000002")
    for (const args of [["log"], ["at", "end"]] as const) {
      const [command, ...rest] = args
      const [one, many] = ["one.log", "many.log"].map((log) => pfnscope(command, log, ...rest))
      assert.strictEqual(many!.stdout.replaceAll("many.log", "one.log"), one!.stdout, command)
      assert.strictEqual(many!.status, one!.status)
    }
    assert.deepInclude(json("verify", "many.log"), { ok: true, damage: null, torn: null })
  })

  it("is opened by its first: a later one is refused by every command, which names the log", () => {
    for (const command of ["verify", "report", "repair"]) {
      const { status, stderr } = pfnscope(command, "many.log.seg-000002")
      assert.strictEqual(status, 2, command)
      assert.strictEqual(
        stderr,
        "pfnscope: many.log.seg-000002: segment 2 of a journal, expected its first, open many.log\n"
      )
    }
  })

  it("that is torn is repaired in its last file, and the tail kept beside that", () => {
    const last = copy("torn.log").at(-1)!
    const bytes = readFileSync(at(last))
    writeFileSync(at(last), bytes.subarray(0, -10))
    const { torn } = json("verify", "torn.log") as {
      readonly torn: { readonly segment: string; readonly byte: number }
    }
    assert.strictEqual(torn.segment, last)
    assert.include(pfnscope("verify", "torn.log").stdout, `torn at byte ${torn.byte} of ${last}: `)
    assert.deepInclude(json("repair", "torn.log", "--dry-run"), { torn, kept: null })
    const kept = `${last}.torn-${torn.byte}`
    assert.deepInclude(json("repair", "torn.log"), { torn, kept })
    assert.isTrue(Buffer.concat([readFileSync(at(last)), readFileSync(at(kept))]).equals(bytes.subarray(0, -10)))
    assert.strictEqual(pfnscope("verify", "torn.log").status, 0)
  })

  it("that is damaged says in which file, and is salvaged behind that", () => {
    const second = copy("bad.log")[1]!
    const bytes = readFileSync(at(second))
    bytes[bytes.length - 5]! ^= 1
    writeFileSync(at(second), bytes)
    const { damage } = json("verify", "bad.log") as { readonly damage: { readonly segment: string } }
    assert.strictEqual(damage.segment, second)
    const said = /^pfnscope: bad\.log\.seg-000002: damaged at byte \d+, event #\d+: the batch's checksum is wrong/
    for (const args of [["log"], ["repair", "--dry-run"], ["export", "-o", "x.log"]] as const) {
      const [command, ...rest] = args
      const { status, stderr } = pfnscope(command, "bad.log", ...rest)
      assert.strictEqual(status, 4)
      assert.match(stderr, said)
    }
    const { stdout } = pfnscope("export", "bad.log", "--salvage", "-o", "good.log")
    assert.match(stdout, / {2}lost at byte \d+ of bad\.log\.seg-000002: 50 events from #\d+ on/)
    assert.strictEqual(pfnscope("verify", "good.log").status, 0)
  })

  it("whose segment is missing says which", () => {
    rmSync(at(copy("gap.log")[1]!))
    const { status, stderr, stdout } = pfnscope("verify", "gap.log")
    assert.strictEqual(status, 4)
    assert.match(stdout, /damaged at byte 0 of gap\.log\.seg-000002, event #\d+: the segment is missing/)
    assert.strictEqual(stderr, "pfnscope: gap.log: the log is damaged\n")
  })
})
