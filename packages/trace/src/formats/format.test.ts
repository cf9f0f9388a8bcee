import { assert, describe, it } from "@effect/vitest"
import { makeReader } from "../reading/reader.ts"
import { bytesOf, decode } from "../reading/text.ts"
import { AGAIN, CHAIN, COMMENT, emptyLine, FRAME, HELD, marker, RECORD, rejected } from "./format.ts"
import type { Format, Reading, TraceLine } from "./format.ts"
import { FORMATS, recognise, scoresText } from "./formats.ts"

const fill = (line: TraceLine, name: string, body = ""): Reading => {
  const bytes = bytesOf(name + body)
  Object.assign(line, emptyLine(), {
    number: line.number,
    bytes,
    pid: 7,
    nameTo: name.length,
    bodyFrom: name.length,
    bodyTo: bytes.length
  })
  return RECORD
}

const note = (line: TraceLine) => fill(line, "tracing_mark_write", "x")

/** A format of one word a line; `hold` is told with the next line, `both` is two records. */
const words: Format = {
  name: "words",
  owns: (line) => line === "words",
  open: () => {
    const later: Array<(line: TraceLine) => Reading> = []
    let held = 0
    return {
      more: (line) => later.shift()?.(line),
      end: () => {
        if (held > 0) later.push(() => rejected("held for ever"))
      },
      read: (bytes, from, to, line) => {
        if (held > 0) {
          const number = held
          held = 0
          later.push((line) => {
            line.number = number
            return note(line)
          })
        }
        switch (decode(bytes, from, to)) {
          case "note":
            return note(line)
          case "idle":
            return fill(line, "nothing_of_ours")
          case "both":
            later.push((line) => {
              note(line)
              return AGAIN
            })
            return note(line)
          case "hold":
            held = line.number
            return HELD
          case "chain":
            return fill(line, "") && CHAIN
          case "frame":
            fill(line, "", "f")
            return FRAME
          case "lost":
            return marker({ cpu: 1, count: 2 })
          case "words":
            return COMMENT
          default:
            return rejected("not a word")
        }
      }
    }
  }
}

const read = (...lines: ReadonlyArray<string>) => {
  const reader = makeReader("t", words)
  const events = [...reader.push(bytesOf(lines.map((line) => `${line}\n`).join(""))), ...reader.end()]
  return { census: reader.census(), events, said: events.filter(({ data }) => data._tag !== "TaskSeen") }
}

describe("a format", () => {
  it("has every line counted once, also where it gives several records", () => {
    const { census, said } = read("words", "both", "note", "", "lost", "what")
    assert.deepInclude(census, { format: "words", lines: 6, parsed: 2, markers: 1, comments: 2 })
    assert.deepStrictEqual(census.rejected, [{ reason: "not a word", count: 1, lines: [6] }])
    assert.deepStrictEqual(said.map(({ src }) => src!.line), [2, 2, 3, 5])
  })

  it("may hold a line back, which is counted when it is told", () => {
    const { census, said } = read("hold", "lost", "hold")
    assert.deepInclude(census, { lines: 3, parsed: 1, markers: 1 })
    assert.deepStrictEqual(census.rejected, [{ reason: "held for ever", count: 1, lines: [3] }])
    assert.deepStrictEqual(said.map(({ data, src }) => [data._tag, src!.line]), [["EventsLost", 2], ["Noted", 1]])
  })

  it("gives one event for a call chain, caused by the record before it", () => {
    const { census, events, said } = read("note", "frame", "frame", "note")
    assert.deepInclude(census, { lines: 4, parsed: 2, comments: 2, continuations: 2 })
    const chain = said[1]!
    assert.deepInclude(chain.data, { _tag: "CallChainSeen", frames: "f f" })
    assert.deepStrictEqual([events[chain.cause! - 1]!.data._tag, chain.src!.line], ["Noted", 2])
  })

  it("gives none for a chain whose record made no event, or that follows something else", () => {
    assert.deepStrictEqual(read("idle", "frame").said, [])
    assert.deepStrictEqual(read("note", "what", "frame").said.length, 1)
    assert.deepStrictEqual(read("note", "", "frame").said.length, 1)
  })

  it("may head a chain by the task, whatever stands between", () => {
    const { said } = read("note", "what", "chain", "frame")
    assert.deepStrictEqual(said.map(({ data }) => data._tag), ["Noted", "CallChainSeen"])
  })

  it("is known by a line that only it has, or by reading most lines", () => {
    const formats = [...FORMATS, words]
    const found = (text: string) => {
      const recognition = recognise(bytesOf(text), true, formats)
      return "format" in recognition ? recognition.format.name : scoresText(recognition.scores)
    }
    assert.strictEqual(found("what\nwhat\nwords\n"), "words")
    assert.strictEqual(found("note\nnote\nwhat\n"), "words")
    assert.match(found("note\nwhat\nwhat\nwhat\n"), /^ftrace 0 %.*, words 25 %$/)
    assert.match(found("words of wisdom\n"), /^ftrace 0 %.*, words 0 %$/)
  })
})
