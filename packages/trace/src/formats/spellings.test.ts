/** One trace in several spellings: what it says stays the same. */
import { assert, describe, it } from "@effect/vitest"
import type { NewEvent } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { importBytes } from "../import.ts"
import { ADDRESS_NAMES } from "../mapping/fields.ts"
import { bytesOf, decode } from "../reading/text.ts"
import { BUNDLED, recordings } from "../recordings.ts"
import { emptyLine } from "./format.ts"
import { readFtraceLine } from "./ftrace.ts"

const load = Effect.fnUntraced(function*(text: string) {
  const trace = importBytes("t", Stream.make(bytesOf(text)))
  const events = yield* Stream.runCollect(trace.events)
  return { events, census: yield* trace.census }
})

/** All of an event but its line. */
const said = (events: ReadonlyArray<NewEvent<Event>>) => events.map((event) => ({ ...event, src: undefined }))

const ADDRESS = new RegExp(`\\b(${ADDRESS_NAMES.join("|")})=0x`, "g")

/** An ftrace line as a program of the recipe would have printed it. */
const asBpftrace = (text: string, bare: boolean): string => {
  const bytes = bytesOf(text)
  const line = emptyLine()
  const rejection = readFtraceLine(bytes, 0, bytes.length, false, line)
  if (rejection !== undefined) return ""
  const name = decode(bytes, line.nameFrom, line.nameTo)
  const body = decode(bytes, line.bodyFrom, line.bodyTo)
  const time = line.seconds * 1_000_000_000 + line.nanos
  const head = `${time} ${line.cpu} ${line.pid} ${line.pid} "${decode(bytes, line.commFrom, line.commTo)}" `
  if (line.form === "enter") {
    const args = body.replace(")", "").split(", ").map((arg) => arg.replace(": ", "=0x")).join(" ")
    return `${head}sys_enter_${name.slice(4)} ${args}`
  }
  if (line.form === "exit") return `${head}sys_exit_${name.slice(4)} ret=${BigInt.asIntN(64, BigInt(body))}`
  const fields = name === "tracing_mark_write" ? body : body.replace(/^\([^)]*\) ?/, "")
  return `${head}${name} ${bare ? fields.replaceAll(ADDRESS, "$1=") : fields}`
}

const asJson = (line: string): string => JSON.stringify({ type: "printf", data: `${line}\n` })

const asMail = (lines: ReadonlyArray<string>): string =>
  [
    "From: somebody@example.org",
    "To: kvm@vger.kernel.org",
    "Subject: a cache that loops",
    "",
    "Here is what I see:",
    "",
    ...lines.map((line) => `> ${line}`),
    "",
    "What do you think?",
    ""
  ].join("\n")

/** Recordings that lie beside the checkout; without them, none. */
const beside = (...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  recordings === undefined ? [] : names.map((name) => join(recordings!, name))

const captures = [BUNDLED, ...beside("6.12/A2.trace.gz")]

describe.each(captures)("the first 2,000 lines of %s", (path) => {
  const lines = gunzipSync(readFileSync(path)).toString().split("\n").slice(0, 2000)
  const records = lines.filter((line) => !line.startsWith("#"))

  it.effect.each([
    ["printed by a bpftrace program, with 0x", records.map((line) => asBpftrace(line, false)).join("\n")],
    ["printed by a bpftrace program, without", records.map((line) => asBpftrace(line, true)).join("\n")],
    ["in the JSON of bpftrace", records.map((line) => asJson(asBpftrace(line, true))).join("\n")],
    ["quoted in a mail", asMail(lines)]
  ])("say the same %s", ([_name, text]) =>
    Effect.gen(function*() {
      const original = yield* load(`${lines.join("\n")}\n`)
      const other = yield* load(`${text}\n`)
      assert.deepStrictEqual(said(other.events), said(original.events))
      assert.deepStrictEqual(other.census.records["gpc_snap"], original.census.records["gpc_snap"])
    }))
})

/** Captures of other tools: what a mail makes of their columns and call chains. */
const others = beside(
  "formats/tracecmd-A2.report.txt.gz",
  "formats/perf-A2.perfscript.gz",
  "formats/counter-A2.trace.gz"
)

describe.skipIf(others.length === 0)("the texts of other tools", () => {
  it.effect.each(others)("say the same in a mail: %s", (path) =>
    Effect.gen(function*() {
      const lines = gunzipSync(readFileSync(path)).toString().split("\n").slice(0, 1000)
      const original = yield* load(`${lines.join("\n")}\n`)
      const other = yield* load(asMail(lines))
      assert.isAbove(original.events.length, 100)
      assert.deepStrictEqual(said(other.events), said(original.events))
      assert.strictEqual(other.census.parsed, original.census.parsed)
    }))
})

/** Encodes as mail programs do: soft breaks at 76, spaces at the end, `=`, and what is no ASCII. */
const quotedPrintable = (text: string): string =>
  text.split("\n").map((line) => {
    const units = Array.from(bytesOf(line), (byte, i) => {
      const isLast = i === bytesOf(line).length - 1
      const plain = byte >= 33 && byte <= 126 && byte !== 61
      return plain || (byte === 32 && !isLast)
        ? String.fromCharCode(byte)
        : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`
    })
    let out = ""
    let length = 0
    for (const unit of units) {
      if (length + unit.length > 75) {
        out += "=\n"
        length = 0
      }
      out += unit
      length += unit.length
    }
    return out
  }).join("\n")

/** Breaks a line as `format=flowed` does: behind a space, before what would not fit. */
const flowed = (line: string): string => {
  const out: Array<string> = []
  let rest = line
  while (rest.length > 72) {
    const at = rest.lastIndexOf(" ", 71)
    if (at < 40 || rest.slice(at + 1).startsWith(" ")) break
    out.push(rest.slice(0, at + 1))
    rest = rest.slice(at + 1)
  }
  return [...out, rest].join("\n")
}

const pad = (n: number, width: number): string => String(n).padStart(width, "0")

const record = fc.record({
  comm: fc.constantFrom("CPU 0/KVM", "gpcstorm", "größe", "a=b", "x \"y\" z"),
  pid: fc.integer({ min: 1, max: 99_999 }),
  seconds: fc.nat(9_999),
  micros: fc.nat(999_999),
  start: fc.nat(1_000_000).map((n) => (0x7e0000000000 + n * 4096).toString(16)),
  pages: fc.integer({ min: 1, max: 9 })
}).map(({ comm, micros, pages, pid, seconds, start }) => {
  const end = (BigInt(`0x${start}`) + BigInt(pages * 4096)).toString(16)
  // The kernel pads to 16 bytes, not characters.
  const name = " ".repeat(16 - bytesOf(comm).length) + comm
  return `${name}-${String(pid).padEnd(7)} [001] ..... ${String(seconds).padStart(5)}.${pad(micros, 6)}: ` +
    `inv_start: (kvm_mmu_notifier_invalidate_range_start+0x4/0x3d0 [kvm]) start=0x${start} end=0x${end} event=1`
})

describe("a list of records", () => {
  // One record among prose is not enough to tell a mail without any other sign of one.
  const texts = fc.array(record, { minLength: 2, maxLength: 12 })
  const spellings: ReadonlyArray<readonly [string, (lines: ReadonlyArray<string>) => string]> = [
    ["quoted", (lines) => asMail(lines)],
    [
      "quoted-printable",
      (lines) =>
        `Content-Transfer-Encoding: quoted-printable\nSubject: x\n\nHi,\n\n${quotedPrintable(lines.join("\n"))}\n`
    ],
    ["quoted-printable without a header", (lines) => `Hi,\n\n${quotedPrintable(lines.join("\n"))}\n`],
    [
      "quoted and then encoded",
      (lines) =>
        `Content-Transfer-Encoding: quoted-printable\nSubject: x\n\n${
          quotedPrintable(lines.map((l) => `>> ${l}`).join("\n"))
        }\n`
    ],
    [
      "wrapped",
      (lines) => `Subject: x\nContent-Type: text/plain; format=flowed\n\nHi,\n\n${lines.map(flowed).join("\n")}\n`
    ],
    ["wrapped, without a header", (lines) => `Hi,\n\n${lines.map(flowed).join("\n")}\n\nBye.\n`],
    ["with CR LF", (lines) => asMail(lines).replaceAll("\n", "\r\n")]
  ]

  it.each(spellings)("is read back from a mail: %s", (_name, render) =>
    fc.assert(
      fc.asyncProperty(texts, async (lines) => {
        const original = await Effect.runPromise(load(`# tracer: nop\n${lines.join("\n")}\n`))
        const { census, events } = await Effect.runPromise(load(render(lines)))
        assert.deepStrictEqual(said(events), said(original.events), render(lines))
        assert.strictEqual(census.parsed, lines.length)
        const rejected = census.rejected.reduce((sum, { count }) => sum + count, 0)
        assert.strictEqual(census.parsed + census.markers + census.comments + rejected, census.lines)
      }),
      { numRuns: 40 }
    ))
})
