// `pfnscope check` as a user meets it: exit codes, flags, limits, checkpoints, workers, refusals.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { REFERENCE_CONFIGS } from "@pfnscope/checker"
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const bin = join(root, "apps/cli/bin/pfnscope.js")
const folder = mkdtempSync(join(tmpdir(), "pfnscope-check-"))
const at = (name: string) => join(folder, name)

const check = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [bin, "check", ...args], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28
  })
  return { status, stderr, stdout, lines: stdout.trimEnd().split("\n") }
}

interface Result {
  readonly policy: string
  readonly distinct: number
  readonly generated: number
  readonly depth: number
  readonly complete: boolean
  readonly order: string
  readonly seconds: number
  readonly unreached: ReadonlyArray<{ readonly step: string }>
  readonly properties: ReadonlyArray<{
    readonly id: string
    readonly holds: boolean | "unknown"
    readonly outcome: string
    readonly length: number | null
    readonly log: string | null
  }>
}

const results = (...args: ReadonlyArray<string>): ReadonlyArray<Result> =>
  (JSON.parse(check(...args, "--json").stdout) as { readonly results: ReadonlyArray<Result> }).results

const violatedIn = ({ properties }: Result) =>
  properties.filter(({ holds }) => holds === false).map(({ id, length }) => `${id}:${length}`)

const countsOf = ({ depth, distinct, generated }: Result) => ({ depth, distinct, generated })

/** One line on stderr, nothing on stdout, exit code 2. */
const refuses = (message: RegExp, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = check(...args)
  assert.strictEqual(status, 2, stderr)
  assert.strictEqual(stderr.trimEnd().split("\n").length, 1, stderr)
  assert.match(stderr, message)
  assert.strictEqual(stdout, "")
}

/** A reference configuration that takes some seconds. */
const medium = { ...REFERENCE_CONFIGS["medium"]!, NV: 3 }

/** A cache whose page is invalidated twice, in 4 KiB pages. */
const world = {
  pageSize: 4096,
  areas: [{ hva: 8192, pages: 2, populated: true }],
  memslots: [{ gpa: 1048576, hva: 8192, pages: 2, state: "present" }],
  gpcs: [{ gpa: 1052672, state: "active" }],
  threads: [
    { name: "vcpu/0", ops: [{ _tag: "gpc_refresh", gpc: 0 }], repeat: 1 },
    { name: "mm/0", ops: [{ _tag: "madvise", start: 8192, end: 16384, free: "either" }], repeat: 2 }
  ],
  spareFrames: 4
}

beforeAll(() => {
  writeFileSync(at("medium.json"), JSON.stringify(medium))
  writeFileSync(at("world.json"), JSON.stringify(world))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe("a verdict", () => {
  it("that everything holds is exit code 0, and says what was seen of it", () => {
    const { lines, status } = check("s1")
    assert.strictEqual(status, 0)
    assert.strictEqual(lines[0], "Verdict on s1 under mainline-6.12")
    assert.match(lines[1]!, /^ {2}holds +P1 P2 /)
    assert.match(lines.join("\n"), /^All: \d+ states, /m)
    assert.match(lines.join("\n"), /^Never taken: (.*\n)*.*refresh\.error/m)
    assert.match(lines.at(-1)!, /weak memory/)
  })

  it("of a violation comes first, in at most 40 lines, with a table for a mail, and is exit code 1", () => {
    const { lines, status } = check("s1", "--policy", "end-validating")
    assert.strictEqual(status, 1)
    assert.match(lines[1]!, /^ {2}VIOLATED P[34] .*in 14 steps$/)
    assert.match(lines[2]!, /^ {2}unknown +P1 P2 .*every interleaving/)
    assert.isBelow(lines.length, 40)
    const table = lines.slice(lines.findIndex((line) => line.startsWith(" CPU0")), -3)
    assert.isTrue(table.every((line) => line.length <= 72))
  })

  it("is on every property with --all, and on one with --property, whose violation alone ends the search", () => {
    const [all] = results("s1", "--policy", "end-validating", "--all")
    assert.deepStrictEqual(violatedIn(all!), ["P1:24", "P2:23", "P3:14", "P4:14", "P5:20"])
    assert.isTrue(all!.complete)
    const [one] = results("s1", "--policy", "end-validating", "--property", "P5")
    assert.deepStrictEqual(one!.properties.map(({ id, length }) => [id, length]), [["P5", 20]])
    assert.strictEqual(check("s1", "--policy", "end-validating", "--property", "P8").status, 0)
  })

  it("on a run for ever shows the lasso, and why it is fair", () => {
    const { status, stdout } = check("live-heap", "--model", "reference", "--policy", "A", "--live")
    assert.strictEqual(status, 1)
    assert.match(stdout, /VIOLATED RefreshesComplete: after \d+ steps, \d+ steps repeat for ever/)
    assert.match(stdout, /--- from here on, for ever/)
    assert.match(stdout, /Fair to every thread: in the cycle vcpu\/0 moves, /)
    assert.strictEqual(check("live-heap", "--model", "reference", "--policy", "C", "--live").status, 0)
  })

  it("on several policies is one row each", () => {
    const { lines, status } = check("s1", "--policy", "mainline-6.12", "--policy", "end-validating")
    assert.strictEqual(status, 1)
    assert.match(lines.join("\n"), /^mainline-6\.12 +holds/m)
    assert.match(lines.join("\n"), /^end-validating +VIOLATED/m)
  })

  it("never holds by a search that may have missed something", () => {
    for (
      const flags of [
        ["s1", "--order", "random", "--seed", "7"],
        ["s1", "--bitstate", "1"],
        ["s5", "--max-states", "1000"],
        ["s5", "--timeout", "1ms"],
        ["s5", "--memory", "1"]
      ]
    ) {
      const { status, stdout } = check(...flags, "--json")
      const [result] = (JSON.parse(stdout) as { readonly results: ReadonlyArray<Result> }).results
      assert.isFalse(result!.complete, flags.join(" "))
      assert.isTrue(result!.properties.every(({ holds }) => holds === "unknown"), flags.join(" "))
      assert.strictEqual(status, 3)
    }
  })
})

describe("a counterexample", () => {
  it("is written as a log, one a property, which is never overwritten", () => {
    const [result] = results("s2", "--all", "-o", "found")
    const logs = result!.properties.flatMap(({ log }) => log === null ? [] : [log])
    assert.deepStrictEqual(readdirSync(at("found")).map((name) => `found/${name}`), logs)
    assert.include(logs, "found/mainline-6.12-P5.log")
    for (const log of logs) {
      assert.strictEqual(spawnSync(process.execPath, [bin, "verify", log], { cwd: folder }).status, 0)
    }
    refuses(/found\/mainline-6\.12-P\d+\.log: exists already/, "s2", "--all", "-o", "found")
  })

  it("is found by other orders, and replays", () => {
    for (const order of ["depth-first", "random"]) {
      const { status, stdout } = check("s1", "--policy", "end-validating", "--order", order)
      assert.strictEqual(status, 1)
      assert.match(stdout, /there may be a shorter way/)
    }
    const random = ["s1", "--policy", "end-validating", "--order", "random", "--seed", "3"]
    assert.deepStrictEqual(violatedIn(results(...random)[0]!), violatedIn(results(...random)[0]!))
  })
})

describe("several workers", () => {
  it("count what one counts", () => {
    const [one, two] = ["1", "2"].map((n) => results("s1", "--no-reduction", "--workers", n)[0]!)
    assert.deepStrictEqual(countsOf(two!), countsOf(one!))
    assert.deepStrictEqual(two!.properties.map(({ outcome }) => outcome), one!.properties.map(({ outcome }) => outcome))
    const reference = results(
      "small",
      "--model",
      "reference",
      "--policy",
      "D",
      "--all",
      "--no-reduction",
      "--workers",
      "2"
    )
    assert.deepStrictEqual(countsOf(reference[0]!), { depth: 30, distinct: 6651, generated: 17727 })
    assert.deepStrictEqual(violatedIn(reference[0]!), ["NoUseAfterFree:9", "NoMapInInvalidation:7"])
  })

  it("are told which properties to look for", () => {
    const [result] = results("s1", "--policy", "end-validating", "--property", "P8", "--workers", "2")
    assert.deepStrictEqual(result!.properties.map(({ id, outcome }) => [id, outcome]), [["P8", "holds"]])
  })
})

const resume = (...flags: ReadonlyArray<string>) => [...flags, "--resume", "medium-A.checkpoint"]

describe("an interrupted search", () => {
  const asked = ["medium.json", "--model", "reference", "--policy", "A", "--no-reduction"]

  const interrupted = async (delay: number) => {
    const child = spawn(process.execPath, [bin, "check", ...asked], { cwd: folder })
    let said = ""
    child.stderr.on("data", (text) => said += String(text))
    const ended = new Promise((resolve) => child.on("close", resolve))
    await new Promise((resolve) => setTimeout(resolve, delay))
    child.kill("SIGINT")
    return { status: await ended, said }
  }

  it("is saved, and goes on to the same counts", async () => {
    // On a busy machine it may not have begun when the first signal comes.
    let { said, status } = await interrupted(500)
    for (let delay = 1000; status !== 130 && delay < 10_000; delay *= 2) ({ said, status } = await interrupted(delay))
    assert.strictEqual(status, 130)
    assert.match(
      said,
      /^pfnscope: interrupted after \d+ states; to go on: pfnscope check medium\.json .*--resume \S+\n$/
    )
    assert.deepStrictEqual(readdirSync(folder).filter((name) => name.includes("checkpoint")), ["medium-A.checkpoint"])
    const again = /pfnscope check (.*)\n/.exec(said)![1]!.split(" ")
    const [resumed] = results(...again)
    const [whole] = results(...asked)
    assert.isTrue(resumed!.complete)
    assert.deepStrictEqual({ ...resumed, seconds: 0 }, { ...whole, seconds: 0 })
  })

  it("is not taken up for another model, by another search, or damaged", () => {
    const saved = readFileSync(at("medium-A.checkpoint"))
    refuses(/byte 16: expected the model B/, ...resume(...asked.with(4, "B")))
    refuses(/expected the model A/, ...resume(...asked, "--property", "NoWarn"))
    writeFileSync(at("other.json"), JSON.stringify({ ...medium, NV: 2 }))
    refuses(/expected the model A/, ...resume(...asked.with(0, "other.json")))
    refuses(/other reductions/, ...resume(...asked.with(5, "--reduction")))
    refuses(/expected one --policy/, ...resume(...asked, "--policy", "B"))
    refuses(/--resume: goes with --order breadth-first/, ...resume(...asked, "--order", "random"))
    refuses(/none: no such checkpoint/, ...asked, "--resume", "none")
    refuses(/world\.json: checkpoint, byte 0: expected/, ...asked, "--resume", "world.json")
    writeFileSync(at("cut"), saved.subarray(0, 5_000))
    refuses(/cut: checkpoint, byte 5000: expected \d+ states/, ...asked, "--resume", "cut")
    saved[saved.length - 100]! ^= 1
    writeFileSync(at("bad"), saved)
    refuses(/bad: checkpoint, byte \d+: expected undamaged states/, ...asked, "--resume", "bad")
  })
})

describe("what does not go together is refused", () => {
  const cases: ReadonlyArray<readonly [string, RegExp, ReadonlyArray<string>]> = [
    ["workers in another order", /--workers: only a breadth-first/, ["s1", "--workers", "2", "--order", "random"]],
    ["workers on progress", /--workers: progress/, ["small", "--model", "reference", "--live", "--workers", "2"]],
    ["no worker", /--workers 0: expected at least 1/, ["s1", "--workers", "0"]],
    ["a thousand workers", /--workers 1000: expected at most 64/, ["s1", "--workers", "1000"]],
    ["more bits than there are", /--bitstate 90000000: expected fewer MB/, ["s1", "--bitstate", "90000000"]],
    ["a seed without chance", /--seed: goes with --order random/, ["s1", "--seed", "1"]],
    ["bits in another order", /--bitstate: goes with/, ["s1", "--bitstate", "1", "--order", "breadth-first"]],
    ["no states", /--max-states 0: expected at least 1/, ["s1", "--max-states", "0"]],
    ["no time", /--timeout 1h: expected a number with ns, us, ms or s/, ["s1", "--timeout", "1h"]],
    ["a property that is not there", /--property P99: expected one of P1, /, ["s1", "--property", "P99"]],
    ["a variant that is not there", /no variant "F", expected one of A, B/, [
      "small",
      "--model",
      "reference",
      "--policy",
      "F"
    ]]
  ]
  it.each(cases)("%s", (_, message, args) => refuses(message, ...args))
})

describe("a configuration", () => {
  it("is found by name, or in a file", () => {
    assert.strictEqual(check("world.json").status, 0)
    refuses(/no configuration "s0"; the nearest: s1, /, "s0")
    refuses(/no configuration "smal"; the nearest: small, /, "smal", "--model", "reference")
    refuses(/none\.json: no such file/, "none.json")
    mkdirSync(at("folder"))
    refuses(/folder: a directory, expected a JSON file/, "folder")
  })

  const texts: ReadonlyArray<readonly [string, string, RegExp]> = [
    ["is empty", "", /text\.json: empty, expected JSON/],
    ["is cut off", "{\n  \"areas\": [\n", /text\.json: not JSON: line 3 column 1: Unexpected end/],
    ["has a comma too many", "{\n  \"areas\": [1,]\n}", /not JSON: line 2 column 15: Unexpected token '\]'/],
    [
      "has a word that is none",
      "{\"areas\": [],\n \"pageSize\": 4096,\n \"gpcs\": nil}",
      /not JSON: line 3 column 11: Unexpected token 'i'/
    ]
  ]
  it.each(texts)("that %s is refused with line and column", (_, text, message) => {
    writeFileSync(at("text.json"), text)
    refuses(message, "text.json")
  })

  it("with errors is refused with the place of each", () => {
    const [vcpu, mm] = world.threads
    writeFileSync(
      at("errors.json"),
      JSON.stringify({
        ...world,
        gpcs: [{ uhva: 0, state: "active" }],
        threads: [vcpu, { ...mm, ops: [{ _tag: "fork", start: 8192, end: 4096 }] }]
      })
    )
    refuses(
      /errors\.json: gpcs\[0\]\.uhva: expected an address in an area, not 0; threads\[1\]\.ops\[0\]\.end: expected .* more than start, 8192\n/,
      "errors.json"
    )
    writeFileSync(at("extra.json"), JSON.stringify({ ...world, spareFrame: 3 }))
    refuses(/extra\.json: spareFrame: expected no excess property/, "extra.json")
    writeFileSync(at("huge.json"), JSON.stringify({ ...medium, V: 1e9, ni: [-1, 1] }))
    refuses(
      /huge\.json: V: expected a whole number from 1 to 200; ni\[0\]: expected/,
      "huge.json",
      "--model",
      "reference"
    )
  })

  it("with too few frames is refused in the middle of the search", () => {
    writeFileSync(at("frames.json"), JSON.stringify({ ...world, spareFrames: 0 }))
    for (const flags of [[], ["--order", "random"], ["--workers", "2"]]) {
      refuses(/frames\.json: .*out of memory: all 2 frames .*spareFrames/, "frames.json", ...flags)
    }
  })
})

describe("a policy of one's own", () => {
  it("is checked like any other", () => {
    const mine = join(root, "examples/my-policy.ts")
    const [mainline, own] = results("s2", "--policy", "mainline-6.12", "--policy", mine, "--property", "P5")
    assert.deepStrictEqual(violatedIn(mainline!), ["P5:23"])
    assert.deepStrictEqual(violatedIn(own!), [])
    assert.strictEqual(own!.policy, "my-policy")
  })
})
