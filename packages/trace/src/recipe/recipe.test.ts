import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { importBytes } from "../import.ts"
import { recordings, skipped } from "../recordings.ts"
import { actionsOf } from "./bpftrace.ts"
import { BUILDS, KERNELS, LAYOUTS } from "./kernels.ts"
import type { Kernel } from "./kernels.ts"
import { probesOf } from "./probes.ts"
import { kprobeLines, recipeText, TOOLS } from "./script.ts"

const read = (kernel: Kernel, name: string) =>
  readFileSync(join(recordings!, kernel, name), "utf8").trimEnd().split("\n")
describe.skipIf(recordings === undefined)(`what was recorded${skipped}`, () => {
  it.each(KERNELS)("on %s is what the recipe for its build says, word for word", (kernel) => {
    const text = recipeText({ kernel, tool: "ftrace", forBuild: true }).split("\n")
    const probes = read(kernel, "probes.txt").map((line) => line.trimEnd())
    assert.deepStrictEqual(probes.filter((probe) => !text.includes(probe)), [])
    assert.strictEqual(kprobeLines(kernel, true).length, probes.length)
  })

  it.each(KERNELS)("of the structures of %s is what the table says", (kernel) => {
    const known = new Map<string, number>()
    let struct = ""
    for (const line of read(kernel, "btf-offsets.txt")) {
      struct = /^STRUCT (\w+)/.exec(line)?.[1] ?? struct
      const [, member, offset] = /^ +(\w+) \+(\d+) /.exec(line) ?? []
      if (member !== undefined) known.set(`${struct}.${member}`, Number(offset))
    }
    for (const [name, members] of Object.entries(LAYOUTS[kernel])) {
      for (const [member, offset] of Object.entries((members ?? {}) as Record<string, number | undefined>)) {
        assert.strictEqual(known.get(`${name}.${member}`), offset, `${name}.${member}`)
      }
    }
  })
})

/** A value of each type that ftrace prints. */
const valueOf = (field: string): string =>
  field.startsWith("start") || field.startsWith("gfn_start") || field.startsWith("hull_start")
    ? "0x1000"
    : field.endsWith(":x64")
    ? "0x2000"
    : "1"

const nameOf = (field: string): string => field.slice(0, field.indexOf("="))

type Records = ReadonlyArray<readonly [event: string, fields: string]>

/** Lines as ftrace prints them, of one task. */
const unmappedOf = Effect.fnUntraced(function*(records: Records) {
  const lines = records.map(([event, fields], i) =>
    `            qemu-7       [000] .....     1.${String(i).padStart(6, "0")}: ${event}: (f+0x0/0x9 [kvm]) ${fields}`
  )
  const trace = importBytes("t", Stream.make(new TextEncoder().encode(`${lines.join("\n")}\n`)))
  yield* Stream.runDrain(trace.events)
  const { rejected, unmapped } = yield* trace.census
  return [...rejected.map(({ reason }) => reason), ...unmapped.map(({ event }) => event)]
})

/** The life of a cache first, then what happens in it; returns last. */
const LIFE = ["gpc_init", "activate", "activate_ret", "deactivate", "deactivate_ret"]

const inOrder = (records: Records): Records => {
  const isReturn = ([event]: Records[number]) => event.endsWith("_ret")
  const rest = records.filter(([event]) => !LIFE.includes(event))
  return [
    ...LIFE.flatMap((name) => records.filter(([event]) => event === name)),
    ...rest.filter((record) => !isReturn(record)),
    ...rest.filter(isReturn)
  ]
}

describe("a recipe", () => {
  it.effect.each(KERNELS)("for %s records nothing that is not understood", (kernel) =>
    Effect.gen(function*() {
      for (const forBuild of [false, true]) {
        const records = kprobeLines(kernel, forBuild).map((line) => {
          const [, event, rest = ""] = /^[pr]:gpc\/(\w+) \S+ ?(.*)$/.exec(line)!
          const fields = rest.split(" ").filter((field) => field !== "").map((field) =>
            `${nameOf(field)}=${valueOf(field)}`
          )
          return [event!, fields.join(" ")] as const
        })
        assert.deepStrictEqual(yield* unmappedOf(inOrder(records)), [])
      }
    }))

  it.effect.each(KERNELS)(
    "for bpftrace on %s prints what the probes print, under the same names",
    (kernel) =>
      Effect.gen(function*() {
        const fieldsOf = new Map(probesOf(kernel).map(({ event, fields }) => [event, fields.map(nameOf)]))
        // A cache tells its VM, and the walk the count: there the program knows more.
        const more: Readonly<Record<string, string>> = { refresh: "kvm", gpc_inval: "active" }
        const own = actionsOf(kernel).filter(({ event, probe }) => event !== "" && !probe.startsWith("tracepoint:"))
        for (const { event, values } of own) {
          if (["refresh_ret", "check", "activate_ret", "deactivate_ret", "gpc_inval_ret"].includes(event)) continue
          if (
            ["inv_start_ret", "inv_end_ret", "hva2pfn_ret", "swap_slots_ret", "pf_stale_ret"].includes(event)
          ) continue
          const names = values.map(([name]) => name).filter((name) => name !== more[event])
          assert.includeMembers(fieldsOf.get(event)!, names, event)
        }
        const records = own.map(({ event, values }) =>
          [event, values.map(([name, format]) => `${name}=${format === "0x%lx" ? "0x2000" : "1"}`).join(" ")] as const
        )
        const entries = records.filter(([event]) => !event.endsWith("_ret"))
        assert.deepStrictEqual(
          yield* unmappedOf([...entries, ...records.filter(([event]) => event.endsWith("_ret"))]),
          []
        )
      })
  )

  it.each(KERNELS)("for %s has probes in the middle of functions for its build only, and says so", (kernel) => {
    for (const tool of ["ftrace", "trace-cmd"] as const) {
      const any = recipeText({ kernel, tool, forBuild: false })
      const one = recipeText({ kernel, tool, forBuild: true })
      assert.notMatch(any, /kvm:\w+\+0x/)
      assert.include(any, "fit every build")
      assert.match(one, /kvm:\w+\+0x/)
      assert.include(one, BUILDS[kernel].name)
      assert.include(one, BUILDS[kernel].sha256)
    }
  })

  it.each(KERNELS.flatMap((kernel) => TOOLS.map((tool) => [kernel, tool] as const)))(
    "for %s and %s is a script that can be read, and names nothing twice",
    (kernel, tool) => {
      for (const forBuild of [false, true]) {
        const text = recipeText({ kernel, tool, forBuild })
        assert.notInclude(text, "undefined")
        assert.notInclude(text, "\t")
        if (tool === "bpftrace") continue
        const { status, stderr } = spawnSync("sh", ["-n"], { input: text, encoding: "utf8" })
        assert.strictEqual(status, 0, stderr)
      }
    }
  )
})
