/**
 * `pfnscope bookmark`: names of positions of a log, which every command takes where it takes a position.
 */
import type { Bookmark } from "@pfnscope/journal"
import { positionIn, stateAt } from "@pfnscope/projections"
import { bookmarksText } from "@pfnscope/render"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { badInput, refused } from "../ended.ts"
import { openForTravel } from "../logs.ts"
import { jsonFlag, print } from "../output.ts"
import { logArgument } from "./log.ts"

export const bookmarkCommand = Command.make(
  "bookmark",
  {
    log: logArgument,
    name: Argument.String("name").pipe(
      Argument.withDescription("The name: a letter, then letters, digits, _ and -"),
      Argument.optional
    ),
    position: Argument.String("position").pipe(
      Argument.withDescription("What it names: #1234, 12.345678 (s), +1.2ms after the start, end, another bookmark"),
      Argument.optional
    ),
    remove: Flag.Boolean("remove").pipe(Flag.withDescription("Remove the bookmark"), Flag.withDefault(false)),
    json: jsonFlag
  },
  Effect.fnUntraced(function*({ json, log: path, name, position, remove }) {
    const log = yield* openForTravel(path)
    const { bookmarks } = log
    if (remove) {
      if (Option.isNone(name) || Option.isSome(position)) {
        return yield* badInput("bookmark --remove: expected a name, and no position")
      }
      yield* Effect.mapError(bookmarks.remove(name.value), refused)
    } else if (Option.isSome(name)) {
      if (Option.isNone(position)) return yield* badInput(`bookmark ${name.value}: expected a position for it`)
      if (name.value === "end") return yield* badInput("bookmark end: that is the log's end, expected another name")
      const there = yield* Effect.flatMap(positionIn(log, position.value), (at) => stateAt(log, at)).pipe(
        Effect.mapError(refused)
      )
      yield* Effect.mapError(bookmarks.set(name.value, there.seq), refused)
    }
    const all: ReadonlyArray<Bookmark> = yield* Effect.mapError(bookmarks.all, refused)
    yield* print(json, () => ({ bookmarks: all }), () => bookmarksText(path, all))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Names positions of a log (NAME POSITION), and lists the names; --remove forgets one"),
  Command.withExamples([{
    command: "pfnscope bookmark run.log storm '+1.2ms'",
    description: "Then: pfnscope at run.log storm"
  }])
)
