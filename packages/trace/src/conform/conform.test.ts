// Conformance: real kernels decide as the policy's steps do, and a step that does not is found.
import { assert, describe, it } from "@effect/vitest"
import { L, mainline612, programOf } from "@pfnscope/protocol"
import type { Label, Program, Step } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { importBytes } from "../import.ts"
import { BUNDLED, recordings, skipped } from "../recordings.ts"
import { envelopesOf } from "../report.ts"
import { conform } from "./conform.ts"
import type { ConformOptions } from "./conform.ts"

const linesOf = (path: string): ReadonlyArray<string> => gunzipSync(readFileSync(path)).toString().split("\n")

const bytes = (lines: ReadonlyArray<string>) => new TextEncoder().encode(`${lines.join("\n")}\n`)

/** Compares a text; every run of its events reads it again. */
const compare = (lines: ReadonlyArray<string>, options: ConformOptions = {}) => {
  const text = bytes(lines)
  const trace = () => importBytes("trace.txt", Stream.make(text))
  const events = Stream.suspend(() => envelopesOf(trace()))
  const first = trace()
  const records = Effect.flatMap(Stream.runDrain(first.events), () => first.census)
  return conform({
    events,
    records: Effect.orDie(Effect.map(records, (census) => Object.keys(census.records)))
  }, options)
}

/** A program with one step changed. */
const changed = (label: Label, part: Partial<Step>): Program =>
  programOf(mainline612).map((step) => step.label === label ? { ...step, ...part } : step)

describe("a trace of Linux 6.12", () => {
  it.effect("has no decision that the policy's steps do not make", () =>
    Effect.gen(function*() {
      const result = yield* compare(linesOf(BUNDLED))
      assert.strictEqual(result.policy, "mainline-6.12")
      assert.deepStrictEqual(result.disagree, [])
      assert.isAbove(result.decisions, 11_000)
      assert.isBelow(result.ambiguous / result.decisions, 0.03)
      assert.deepStrictEqual(result.kinds.check, { agree: 1654, ambiguous: 0, disagree: 0, unknown: 0 })
      const { agree, ambiguous, unknown } = result.kinds["retry-test"]
      assert.strictEqual(agree + ambiguous + unknown, 345, "150 retries and 195 publishes")
      assert.strictEqual(result.matched.line, 25_083)
    }))

  it.effect("disagrees with a walk that forgets to mark what it hits, with every mark, at its line", () =>
    Effect.gen(function*() {
      const lines = linesOf(BUNDLED)
      const result = yield* compare(lines, {
        program: changed("start.invalidate", {
          run: (s, t, emit) => {
            const { cursor } = t
            emit.GpcVisited(t.id, cursor, 0)
            return cursor + 1 < s.gpcs.length ? L["start.visit"] : L["start.gpc_unlock"]
          }
        })
      })
      assert.strictEqual(result.kinds.walk.disagree, 190)
      const [first] = result.disagree
      assert.match(lines[first!.line - 1]!, /gpc_inval_hit/)
      assert.deepInclude(first, { kind: "walk", actual: "to mark gpc/0" })
      assert.match(first!.expected, /to pass over gpc\/0/)
      assert.match(first!.state, /in flight \[0x7e0002000000, 0x7e0002001000\)/)
      assert.isBelow(result.matched.line, first!.line)
    }))

  it.effect("disagrees with a test that never finds the count raised, at every retry but the ambiguous", () =>
    Effect.gen(function*() {
      const result = yield* compare(linesOf(BUNDLED), {
        program: changed("retry.count", {
          run: (s, t, emit) => {
            emit.RetryTested(t.id, 1, 0, s.kvm.count, 0)
            return L["retry.seq"]
          }
        })
      })
      assert.strictEqual(result.kinds["retry-test"].disagree, 150)
      assert.deepInclude(result.disagree[0], { expected: "to publish", actual: "another lap, by count" })
    }))

  it.effect("believes what it shows: a check that fails without reason is found, and the mark that then comes late", () =>
    Effect.gen(function*() {
      const lines = [...linesOf(BUNDLED)]
      const at = lines.findIndex((line, i) => i > 12_000 && line.includes(": check:") && line.endsWith("ret=1"))
      lines[at] = lines[at]!.replace(/ret=1$/, "ret=0")
      const result = yield* compare(lines)
      assert.deepStrictEqual(
        result.disagree.map(({ actual, kind }) => `${kind}: ${actual}`),
        ["check: to fail", "walk: to mark gpc/0"]
      )
      assert.deepInclude(result.disagree[0], { expected: "to succeed", line: at + 1 })
    }))

  it.effect("a count that does not follow is found", () =>
    Effect.gen(function*() {
      const lines = [...linesOf(BUNDLED)]
      const at = lines.findIndex((line, i) => i > 12_000 && line.includes(": inv_dec:") && line.includes("active=0"))
      lines[at] = lines[at]!.replace("active=0", "active=7")
      const result = yield* compare(lines)
      assert.deepInclude(result.disagree[0], { kind: "count", expected: "0", actual: "7", line: at + 1 })
    }))

  it.effect("after a loss nothing is known until it is seen again, and nothing disagrees for it", () =>
    Effect.gen(function*() {
      const lines = linesOf(BUNDLED)
      const cut = [...lines.slice(0, 8_000), "CPU:1 [LOST 900 EVENTS]", ...lines.slice(9_000)]
      const result = yield* compare(cut)
      assert.deepStrictEqual(result.disagree, [])
      assert.isAbove(result.unknown, 8)
      const unmarked = yield* compare([...lines.slice(0, 8_000), ...lines.slice(9_000)])
      assert.isAbove(unmarked.disagreements, 0, "the same lines, lost without a word, do not go together")
    }))

  it.effect("an empty one, or one without decisions, has nothing to agree with", () =>
    Effect.gen(function*() {
      const marks = linesOf(BUNDLED).filter((line) => /tracing_mark_write|sys_/.test(line))
      const result = yield* compare(marks)
      assert.deepInclude(result, { decisions: 0, agree: 0, unknown: 0 })
    }))
})

const POLICY_OF = { "6.1": "mainline-6.1", "6.12": "mainline-6.12", "7.3": "mainline-7.3", formats: "mainline-6.12" }
const CAPTURES = {
  "6.1": ["A1", "M-2vcpu"],
  "6.12": ["A1", "A2", "B", "C", "E1", "H-hva", "X2", "base"],
  "7.3": ["A1", "C", "X2"],
  formats: ["counter-A2"]
} as const

describe.skipIf(recordings === undefined)(
  `every capture${skipped}`,
  () => {
    for (const [kernel, names] of Object.entries(CAPTURES)) {
      for (const name of names) {
        it.effect(`agrees with the policy of its kernel: ${kernel}/${name}`, () =>
          Effect.gen(function*() {
            const result = yield* compare(linesOf(join(recordings!, kernel, `${name}.trace.gz`)))
            assert.strictEqual(result.policy, POLICY_OF[kernel as keyof typeof POLICY_OF])
            assert.deepStrictEqual(result.disagree, [])
            assert.strictEqual(result.overflows, 0)
            assert.isAbove(result.decisions, 2_000)
            assert.isAtMost(result.ambiguous / result.decisions, 0.03)
          }))
      }
    }
  }
)
