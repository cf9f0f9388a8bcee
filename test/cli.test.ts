// The command as a user meets it: exit codes, one-line errors, what is left behind when something goes wrong.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"

const root = join(import.meta.dirname, "..")
const bin = join(root, "apps/cli/bin/pfnscope.js")
const capture = join(root, "packages/trace/captures/A1-6.12.trace.gz")
const folder = mkdtempSync(join(tmpdir(), "pfnscope-cli-"))
const at = (name: string) => join(folder, name)

const pfnscope = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [bin, ...args], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28
  })
  return { status, stderr, stdout }
}

const json = (...args: ReadonlyArray<string>) =>
  JSON.parse(pfnscope(...args, "--json").stdout) as Record<string, unknown>

beforeAll(() => {
  assert.strictEqual(pfnscope("run", "torture", "--policy", "end-validating", "-o", "big.log").status, 1)
  assert.strictEqual(pfnscope("run", "hva-cache", "--seed", "2", "--until", "60us", "-o", "small.log").status, 1)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const lapsOf = (refreshes: unknown) => (refreshes as { readonly laps: unknown }).laps

/** One line on stderr, nothing on stdout, exit code 2 or 4. */
const refuses = (code: 2 | 4, message: RegExp, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = pfnscope(...args)
  assert.strictEqual(status, code, stderr)
  assert.strictEqual(stderr.trimEnd().split("\n").length, 1, stderr)
  assert.match(stderr, message)
  assert.strictEqual(stdout, "")
}

describe("bad input", () => {
  it("names the nearest scenarios, policies and knobs", () => {
    refuses(2, /^pfnscope: no scenario "tortur".*torture/, "run", "tortur")
    refuses(2, /no policy "mainline-6.13".*mainline-6.12/, "run", "torture", "--policy", "mainline-6.13")
    refuses(2, /no knob write; the nearest: writes/, "run", "torture", "--set", "write=3")
    refuses(2, /expected a number with ns, us, ms or s/, "run", "torture", "--until", "soon")
  })

  it("in a policy file is named with its line, or the path in the policy", () => {
    writeFileSync(at("throws.ts"), "\n\nthrow new Error(\"half done\")\n")
    refuses(2, /throws\.ts:3:7: the policy file throws: half done/, "run", "torture", "--policy", "./throws.ts")
    writeFileSync(at("syntax.ts"), "export default {\n")
    refuses(2, /syntax\.ts.*the policy file throws/, "run", "torture", "--policy", "./syntax.ts")
    writeFileSync(at("wrong.ts"), "export default { name: \"x\", retry: [\"never\"] }\n")
    refuses(2, /wrong\.ts: not a policy: .*\["/, "run", "torture", "--policy", "./wrong.ts")
    writeFileSync(at("empty.ts"), "export {}\n")
    refuses(2, /empty\.ts: expected a policy as default export/, "run", "torture", "--policy", "./empty.ts")
    refuses(2, /none\.ts: no such policy file/, "run", "torture", "--policy", "./none.ts")
  })

  it("that is no trace is refused with what it is", () => {
    refuses(2, /nowhere\.txt/, "report", "nowhere.txt")
    writeFileSync(
      at("trace.dat"),
      Buffer.concat([Buffer.from([0x17, 0x08, 0x44]), Buffer.from("tracing6\0"), Buffer.alloc(300)])
    )
    refuses(2, /trace-cmd report -t -R/, "report", "trace.dat")
    writeFileSync(at("perf.data"), Buffer.concat([Buffer.from("PERFILE2"), Buffer.alloc(300)]))
    refuses(2, /perf script --ns/, "report", "perf.data")
    writeFileSync(at("nothing.txt"), "")
    refuses(2, /nothing\.txt/, "report", "nothing.txt")
    mkdirSync(at("folder"))
    refuses(2, /folder/, "report", "folder")
  })

  it("in what is said of a trace's names, clock and machine is named", () => {
    refuses(2, /map: x=refersh: no probe "refersh"; the nearest: refresh/, "report", capture, "--map", "x=refersh")
    refuses(2, /--ts-offset .*: y\.txt is none of/, "report", capture, "--ts-offset", "y.txt=1s")
    refuses(2, /--ts-offset soon: expected a number/, "report", capture, "--ts-offset", `${capture}=+soon`)
    refuses(2, /--host x: expected FILE=VALUE/, "import", capture, "-o", "none.log", "--host", "x")
    refuses(2, /stdin is none of them/, "import", capture, "-", "-o", "none.log")
    assert.isFalse(existsSync(at("none.log")))
  })

  it("that is a truncated gzip file is refused, and an import of it leaves no log behind", () => {
    writeFileSync(at("cut.trace.gz"), readFileSync(capture).subarray(0, 100))
    refuses(2, /cut\.trace\.gz/, "report", "cut.trace.gz")
    refuses(2, /cut\.trace\.gz/, "import", "cut.trace.gz", "-o", "cut.log")
    assert.isFalse(existsSync(at("cut.log")))
  })

  it("of the command line prints the help, and exits with 2", () => {
    const { status, stderr, stdout } = pfnscope("run", "torture", "--polcy", "flag-wait")
    assert.strictEqual(status, 2)
    assert.match(stderr + stdout, /--policy/)
    assert.strictEqual(pfnscope("--version").stdout.trim(), "pfnscope v0.1.0")
    assert.strictEqual(pfnscope("run", "--help").status, 0)
  })
})

describe("a log", () => {
  it("is never overwritten", () => {
    refuses(2, /small\.log: exists already/, "run", "hva-cache", "-o", "small.log")
  })

  it("that is missing, or none, is refused", () => {
    refuses(2, /none\.log: no such journal/, "log", "none.log")
    writeFileSync(at("text.log"), "this is no log\n")
    refuses(2, /text\.log: not a journal/, "at", "text.log", "end")
  })

  it("that is damaged in the middle is read up to there, and the exit code is 4", () => {
    const bytes = readFileSync(at("big.log"))
    bytes[200_000]! ^= 1
    writeFileSync(at("bad.log"), bytes)
    const { status, stderr, stdout } = pfnscope("log", "bad.log")
    assert.strictEqual(status, 4)
    assert.match(stderr, /^pfnscope: bad\.log: damaged at byte \d+, event #\d+: .*\n$/)
    assert.isAbove(stdout.split("\n").length, 1_000)
    const verified = pfnscope("verify", "bad.log", "--json")
    assert.strictEqual(verified.status, 4)
    const { damage, ok } = JSON.parse(verified.stdout) as {
      readonly ok: boolean
      readonly damage: { readonly seq: number }
    }
    assert.isFalse(ok)
    assert.strictEqual(damage.seq, stdout.trimEnd().split("\n").length + 1)
  })

  it("that ends in a torn batch is read up to there, and verify says so", () => {
    writeFileSync(at("torn.log"), readFileSync(at("big.log")).subarray(0, -1_000))
    assert.strictEqual(pfnscope("at", "torn.log", "end").status, 0)
    const verified = pfnscope("verify", "torn.log", "--json")
    assert.strictEqual(verified.status, 4)
    assert.match(verified.stdout, /"torn": \{/)
    assert.strictEqual(readFileSync(at("torn.log")).length, readFileSync(at("big.log")).length - 1_000)
  })

  it("that ends in a torn batch is repaired: the tail is cut off and kept, byte for byte", () => {
    const whole = readFileSync(at("big.log"))
    writeFileSync(at("tail.log"), whole.subarray(0, -1_000))
    const planned = json("repair", "tail.log", "--dry-run") as { readonly torn: { readonly byte: number } }
    assert.strictEqual(readFileSync(at("tail.log")).length, whole.length - 1_000)
    const kept = `tail.log.torn-${planned.torn.byte}`
    assert.deepInclude(json("repair", "tail.log"), { dryRun: false, torn: planned.torn, kept })
    assert.strictEqual(pfnscope("verify", "tail.log").status, 0)
    const pieces = Buffer.concat([readFileSync(at("tail.log")), readFileSync(at(kept))])
    assert.isTrue(pieces.equals(whole.subarray(0, -1_000)))
    assert.deepInclude(json("repair", "tail.log"), { torn: null, kept: null })
  })

  it("that is damaged in the middle is not repaired, nor changed", () => {
    const bytes = readFileSync(at("big.log"))
    bytes[100_000]! ^= 1
    writeFileSync(at("middle.log"), bytes)
    refuses(
      4,
      /middle\.log: damaged at byte \d+, event #\d+: .*; repair cuts off torn tails, export --salvage reads on/,
      "repair",
      "middle.log"
    )
    refuses(4, /middle\.log: damaged at byte \d+, event #\d+: /, "repair", "middle.log", "--dry-run")
    assert.isTrue(readFileSync(at("middle.log")).equals(bytes))
  })

  it("that is damaged in the middle is salvaged: all but the damaged batch, and its place is marked", () => {
    const bytes = readFileSync(at("big.log"))
    bytes[150_000]! ^= 1
    writeFileSync(at("hurt.log"), bytes)
    refuses(4, /hurt\.log: damaged at byte \d+, event #\d+: .*; --salvage exports/, "export", "hurt.log", "-o", "x.log")
    const whole = json("verify", "big.log") as { readonly events: number; readonly head: string }
    const { events, lost } = json("export", "hurt.log", "--salvage", "-o", "saved.log") as {
      readonly events: number
      readonly lost: ReadonlyArray<{ readonly first: number; readonly count: number }>
    }
    assert.strictEqual(lost.length, 1)
    assert.strictEqual(events + lost[0]!.count, whole.events)
    assert.deepInclude(json("verify", "saved.log"), { ok: true, events: events + 1 })
    const marks = pfnscope("log", "saved.log", "-F", "EventsLost").stdout
    assert.match(marks, new RegExp(`^#${lost[0]!.first} .*EventsLost.*count=${lost[0]!.count}`))
    refuses(2, /saved\.log: exists already/, "export", "big.log", "-o", "saved.log")
    assert.deepInclude(json("export", "big.log", "-o", "copy.log"), { head: whole.head, lost: [] })
    assert.isTrue(readFileSync(at("copy.log")).equals(readFileSync(at("big.log"))))
  })

  it("is asked for a head by 64 hex digits, and answers with a position", () => {
    refuses(2, /--head 7bd2: expected the 64 hex digits that verify prints/, "verify", "small.log", "--head", "7bd2")
    const { events, head } = json("verify", "big.log") as { readonly events: number; readonly head: string }
    assert.deepInclude(json("verify", "big.log", "--head", head), { ok: true, asked: { head, seq: events } })
    assert.strictEqual(pfnscope("verify", "small.log", "--head", head).status, 4)
  })

  it("of a run that is interrupted can be read", async () => {
    const child = spawn(process.execPath, [
      bin,
      "run",
      "madvise-storm",
      "--set",
      "uses=100000",
      "--until",
      "10s",
      "-o",
      "cut-off.log"
    ], { cwd: folder })
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    child.kill("SIGINT")
    await new Promise((resolve) => child.on("exit", resolve))
    const { events, ok } = json("verify", "cut-off.log") as unknown as { readonly events: number; readonly ok: boolean }
    assert.isTrue(ok)
    assert.isAbove(events, 1_000)
  })
})

describe("output", () => {
  it("to a reader that has seen enough ends quietly", () => {
    const { status, stderr, stdout } = spawnSync("sh", ["-c", `"${process.execPath}" "${bin}" log big.log | head -2`], {
      cwd: folder,
      encoding: "utf8"
    })
    assert.deepStrictEqual([status, stderr, stdout.split("\n").length], [0, "", 3])
  })

  it("as JSON has the fields that scripts rely on", () => {
    assert.containsAllKeys(json("run", "first-map", "--until", "50us"), ["scenario", "seed", "runs"])
    assert.containsAllKeys(json("report", capture), [
      "files",
      "span",
      "gpcs",
      "invalidations",
      "refreshes",
      "invalidators",
      "storm",
      "guestFaults",
      "faultStates",
      "verdicts"
    ])
    assert.containsAllKeys(json("at", "small.log", "40"), ["seq", "t", "stateHash", "state"])
    assert.containsAllKeys(json("diff", "small.log", "10", "20"), ["from", "to", "changes"])
    assert.containsAllKeys(json("why", "small.log", "gpc/0"), ["subject", "seq", "answer", "chain"])
    assert.containsAllKeys(json("verify", "small.log"), ["ok", "events", "batches", "head", "damage", "torn"])
    assert.containsAllKeys(json("list"), ["policies", "scenarios", "properties"])
    assert.containsAllKeys(json("race", "small.log"), ["threads", "rows", "ending"])
  })

  it("of a log that was imported is the report of its trace", () => {
    const trace = at("A1.txt")
    writeFileSync(trace, gunzipSync(readFileSync(capture)))
    assert.strictEqual(pfnscope("import", trace, "-o", "A1.log").status, 0)
    const { files: _a, verdicts: _v, ...ofTrace } = json("report", trace)
    const { files: _b, verdicts: _w, ...ofLog } = json("report", "A1.log")
    for (const part of ["span", "gpcs", "invalidations", "invalidators", "memslots"]) {
      assert.deepStrictEqual(ofLog[part], ofTrace[part], part)
    }
    writeFileSync(at("again.gz"), gzipSync(readFileSync(trace)))
    assert.deepStrictEqual(lapsOf(json("report", "again.gz")["refreshes"]), lapsOf(ofTrace["refreshes"]))
  })

  it("names file and line of lost events, and then nothing holds", () => {
    const lines = gunzipSync(readFileSync(capture)).toString("utf8").split("\n")
    lines.splice(4_000, 0, "CPU:1 [LOST 870 EVENTS]")
    writeFileSync(at("lossy.txt"), lines.join("\n"))
    const { files, verdicts } = json("report", "lossy.txt") as unknown as {
      readonly files: ReadonlyArray<{ readonly lost: ReadonlyArray<unknown> }>
      readonly verdicts: ReadonlyArray<{ readonly verdict: string }>
    }
    assert.deepStrictEqual(files[0]!.lost, [{ cpu: 1, count: 870, line: 4_001 }])
    assert.isTrue(verdicts.every(({ verdict }) => verdict !== "holds"))
  })

  it("of tracepoints alone has not enough evidence: 3, where the same trace with probes has a finding: 1", () => {
    const lines = gunzipSync(readFileSync(capture)).toString("utf8").split("\n")
    writeFileSync(at("stock.txt"), lines.filter((line) => !line.includes(": (")).join("\n"))
    assert.strictEqual(pfnscope("report", "stock.txt").status, 3)
    assert.strictEqual(pfnscope("report", capture).status, 1)
    const { verdicts } = json("report", "stock.txt") as unknown as {
      readonly verdicts: ReadonlyArray<{ readonly verdict: string; readonly inferred: boolean }>
    }
    assert.isTrue(verdicts.every(({ verdict }) => verdict === "unknown"))
    assert.isTrue(verdicts.some(({ inferred }) => inferred))
  })

  it("says how to record what it reads, for a kernel, a tool, or a build", () => {
    for (const tool of ["ftrace", "bpftrace", "trace-cmd"]) {
      const { status, stderr, stdout } = pfnscope("record-help", "--kernel", "6.1", "--tool", tool)
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.include(stdout, "kvm_gfn_to_pfn_cache_refresh")
    }
    assert.deepInclude(json("record-help", "--build", "linux-image-7.3.4+deb13-amd64"), {
      kernel: "7.3",
      forBuild: true
    })
    const other = ["--build", "6.12.117+deb12-amd64"]
    refuses(2, /"6\.12\.117\+deb12-amd64": expected 6\.1\.0-56-amd64/, "record-help", "--kernel", "6.1", ...other)
    refuses(2, /--tool ftrace or trace-cmd/, "record-help", "--tool", "bpftrace", "--build", "6.1.0-56-amd64")
  })
})
