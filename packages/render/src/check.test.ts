import { assert, describe, it } from "@effect/vitest"
import type { Branch, Property, Report, Verdict } from "@pfnscope/checker"
import type { Race } from "@pfnscope/projections"
import { checkJson } from "./check-json.ts"
import { checkText } from "./check.ts"
import { isFound } from "./checked.ts"
import type { Checked } from "./checked.ts"

const branches: ReadonlyArray<Branch> = [
  { thread: 0, step: "look up", outcome: "" },
  { thread: 0, step: "test", outcome: "go on" },
  { thread: 0, step: "test", outcome: "retry" },
  { thread: 1, step: "end.visit", outcome: "" },
  { thread: 1, step: "end.walk", outcome: "" },
  { thread: 1, step: "start.visit", outcome: "" },
  { thread: 1, step: "start.walk", outcome: "" }
]

const report: Checked["report"] = {
  model: "m",
  order: "breadth-first",
  reductions: { partialOrder: false, symmetry: false, merge: false, forget: false },
  outcome: "holds",
  isComplete: true,
  distinct: 12,
  generated: 30,
  depth: 4,
  frontier: 0,
  terminal: 1,
  stuck: 0,
  bytes: 4096,
  millis: 250,
  unreached: []
}

const property = (name: string): Property => ({ name, statement: `what ${name} says` })
const outcome = (name: string, outcome: "holds" | "not exercised" | "unknown"): Verdict => ({
  property: property(name),
  outcome
})
const moves = [{ thread: 0, way: 0 }, { thread: 1, way: 1 }]
const violated = (name: string): Verdict => ({
  property: property(name),
  outcome: "violated",
  counterexample: { initial: 0, moves, isShortest: true }
})

const checked: Checked = {
  policy: "mine",
  isWhole: true,
  searched: "breadth first",
  threads: ["vcpu/0", "mm/0"],
  branches,
  report,
  verdicts: [outcome("Safe", "holds"), outcome("Sound", "holds")],
  evidence: []
}

const steps = [branches[0]!, branches[2]!]

/** A check that ended at a violation of two properties on one path. */
const found: Checked = {
  ...checked,
  report: { ...report, isComplete: false, stopped: "violation" },
  verdicts: [violated("P3"), violated("P4"), outcome("P5", "unknown")],
  evidence: [{
    ids: ["P3", "P4"],
    logs: ["d/mine-P3.log", "d/mine-P4.log"],
    shown: { as: "steps", steps, cycleAt: undefined }
  }]
}

/** One that found a run without progress. */
const starved: Checked = {
  ...checked,
  verdicts: [{
    property: { ...property("P6"), met: () => false },
    outcome: "violated",
    lasso: { stem: { initial: 0, moves: moves.slice(0, 1) }, cycle: moves.slice(1) },
    fairness: ["moves", "disabled"]
  }],
  evidence: [{ ids: ["P6"], logs: [], shown: { as: "steps", steps, cycleAt: 1 } }]
}

const linesOf = (...results: ReadonlyArray<Checked>) => checkText("s1", results).split("\n")

describe("the text of a check", () => {
  it("says first what holds, and last what that is worth", () => {
    assert.deepStrictEqual(linesOf(checked), [
      "Verdict on s1 under mine",
      "  holds    Safe Sound in every interleaving",
      "",
      "All: 12 states, 30 generated, depth 4, breadth first",
      "Steps are sequentially consistent: weak memory and the contents of pages are not modelled."
    ])
  })

  it("tells what was never put to the test from what holds", () => {
    const lines = linesOf({ ...checked, verdicts: [outcome("Safe", "holds"), outcome("Sound", "not exercised")] })
    assert.deepStrictEqual(lines.slice(1, 3), [
      "  holds         Safe in every interleaving",
      "  not exercised Sound: no step puts it to the test"
    ])
  })

  it("shows a path once for all that it violates, with the logs, and says what is left open", () => {
    const lines = linesOf(found)
    assert.deepStrictEqual(lines.slice(1, 4), [
      "  VIOLATED P3 StartDrain: in 2 steps",
      "  VIOLATED P4 NoNewMapping: in 2 steps",
      "  unknown  P5: it takes every interleaving, and the search ended at the violation; --all goes on"
    ])
    assert.strictEqual(lines.filter((line) => line === "   1  vcpu/0  look up").length, 1)
    assert.include(lines, "   2  vcpu/0  test: retry")
    assert.include(lines, " *** P3 StartDrain violated: not so: what P3 says ***")
    assert.include(lines, " *** P4 NoNewMapping violated: not so: what P4 says ***")
    assert.include(lines, " log: d/mine-P4.log")
  })

  it("names the limit that it gave up at, and never lets a part of the space pass for all of it", () => {
    const unknown: Checked = { ...checked, verdicts: [outcome("Safe", "unknown")] }
    const reason = (part: Partial<Report>) =>
      linesOf({ ...unknown, report: { ...report, isComplete: false, ...part } })[1]
    assert.strictEqual(reason({ stopped: "states" }), "  unknown  Safe: gave up at --max-states")
    assert.strictEqual(reason({ stopped: "time" }), "  unknown  Safe: gave up at --timeout")
    assert.strictEqual(reason({ stopped: "memory" }), "  unknown  Safe: gave up for want of memory")
    assert.match(reason({ order: "depth-first" })!, /not complete/)
    assert.match(reason({ order: "random" })!, /random walks see a part/)
  })

  it("draws a line where a run begins to repeat, and says why it is fair", () => {
    const lines = linesOf(starved)
    assert.strictEqual(lines[1], "  VIOLATED P6 ProgressUnrelated: after 1 step, 1 step repeat for ever")
    assert.strictEqual(lines[4], ` --- from here on, for ever: 1 step ${"-".repeat(36)}`)
    assert.isTrue(lines[4]!.length <= 72)
    assert.include(lines.join(" "), "Fair to every thread: in the cycle vcpu/0 moves, mm/0 is somewhere")
  })

  it("says of progress that it is made in every fair run", () => {
    const goal = { ...property("P6"), met: () => true }
    assert.strictEqual(
      linesOf({ ...checked, verdicts: [{ property: goal, outcome: "holds" }] })[1],
      "  holds    P6 in every fair run"
    )
  })

  it("draws that line in a table of threads too", () => {
    const race: Race = {
      threads: ["vcpu/0"],
      rows: [3, 4].map((seq) => ({
        kind: "event",
        column: 0,
        envelope: {
          seq,
          t: seq,
          stream: "gpc/0",
          version: seq,
          type: "ValidSet",
          rev: 1,
          how: "observed",
          data: { _tag: "ValidSet", thread: 0, gpc: 0, tentative: false }
        }
      })),
      ending: { kind: "position", seq: 4 },
      gpc: 0,
      uhva: 4,
      page: 4,
      chosen: 2
    }
    const lines = linesOf({
      ...starved,
      evidence: [{ ids: ["P6"], logs: [], shown: { as: "race", race, cycleAt: 4 } }]
    })
    const at = lines.findIndex((line) => line.startsWith(" --- from here on"))
    assert.deepStrictEqual([lines[at - 1], lines[at + 1]], ["   valid = true", "   valid = true"])
  })

  it("counts states in which nobody can go on, a finding unless single properties were asked about", () => {
    const stuck: Checked = { ...checked, report: { ...report, stuck: 4 } }
    assert.include(linesOf(stuck)[1], "STUCK    4 states in which nobody can go on")
    assert.deepStrictEqual([isFound(stuck), isFound({ ...stuck, isWhole: false }), isFound(checked)], [
      true,
      false,
      false
    ])
  })

  it("names the steps that were never taken, a whole family in one word, once everything was seen", () => {
    const unreached = [branches[2]!, branches[3]!, branches[4]!, branches[6]!]
    const never = (isComplete: boolean) =>
      linesOf({ ...checked, report: { ...report, isComplete, unreached } }).filter((line) => line.startsWith("Never"))
    assert.deepStrictEqual(never(true), ["Never taken: test (retry), end.*, start.walk"])
    assert.deepStrictEqual(never(false), [])
  })

  it("is one row each for several policies", () => {
    const lines = linesOf(checked, { ...found, policy: "other" })
    assert.match(lines[4]!, /^mine +holds +12 +30 +4 +- +-$/)
    assert.match(lines[5]!, /^other +VIOLATED +12 +30 +4 +P3:2 P4:2 +P5$/)
    assert.include(lines, "  log: d/mine-P3.log")
  })
})

const resultOf = (json: unknown) => (json as { readonly results: ReadonlyArray<Record<string, unknown>> }).results[0]!
const propertiesOf = (json: unknown) => resultOf(json)["properties"] as ReadonlyArray<Record<string, unknown>>

describe("the JSON of a check", () => {
  it("has paths as steps that can be gone on from, and `length` for the shortest", () => {
    const json = checkJson("s1", [found])
    const [first, , last] = propertiesOf(json)
    assert.deepInclude(first, { id: "P3", holds: false, length: 2, log: "d/mine-P3.log", path: { initial: 0, moves } })
    assert.deepInclude(last, { id: "P5", holds: "unknown", length: null, log: null })
    assert.deepInclude(resultOf(json), {
      policy: "mine",
      complete: false,
      seconds: 0.25,
      distinct: 12,
      generated: 30,
      depth: 4
    })
  })

  it("tells apart what holds and what was never put to the test", () => {
    const json = checkJson("s1", [{ ...checked, verdicts: [outcome("Safe", "not exercised")] }])
    assert.deepInclude(propertiesOf(json)[0], { holds: true, outcome: "not exercised" })
  })

  it("has the cycle of a run without progress, and why it is fair", () => {
    assert.deepInclude(propertiesOf(checkJson("s1", [starved]))[0], {
      id: "P6",
      length: 2,
      cycle: moves.slice(1),
      fairness: ["moves", "disabled"]
    })
  })
})
