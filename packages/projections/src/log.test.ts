import { assert, describe, it } from "@effect/vitest"
import { NoSuchBookmark, StaleBookmark } from "@pfnscope/journal"
import * as Effect from "effect/Effect"
import { positionIn } from "./log.ts"
import type { Log } from "./log.ts"
import { atSeq, END } from "./position.ts"

const path = "a.log"

/** A log whose bookmarks are those; `gone` is one of another log. */
const logWith = (marks: Readonly<Record<string, number>>): Pick<Log<never>, "bookmarks"> => ({
  bookmarks: {
    find: (name) => {
      const seq = marks[name]
      if (name === "gone") return Effect.fail(new StaleBookmark({ path, name }))
      return seq === undefined
        ? Effect.fail(new NoSuchBookmark({ path, name, known: Object.keys(marks) }))
        : Effect.succeed(seq)
    }
  }
})

const refusal = (log: Pick<Log<never>, "bookmarks">, text: string) =>
  Effect.map(Effect.flip(positionIn(log, text)), ({ _tag }) => _tag)

describe("a position in a log", () => {
  it.effect("is a name that was given there, where it is no position by itself", () =>
    Effect.gen(function*() {
      const log = logWith({ storm: 7, end: 3 })
      assert.deepStrictEqual(yield* positionIn(log, "storm"), atSeq(7))
      assert.deepStrictEqual(yield* positionIn(log, "end"), END)
      assert.deepStrictEqual(yield* positionIn(log, "#9"), atSeq(9))
    }))

  it.effect("is refused as a name where names are known, and else as a position", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* refusal(logWith({ storm: 7 }), "strom"), "NoSuchBookmark")
      assert.strictEqual(yield* refusal(logWith({ storm: 7 }), "gone"), "StaleBookmark")
      assert.strictEqual(yield* refusal(logWith({ storm: 7 }), "+1.2h"), "NotAPosition")
      assert.strictEqual(yield* refusal(logWith({}), "End"), "NotAPosition")
      assert.strictEqual(yield* refusal({}, "storm"), "NotAPosition")
    }))
})
