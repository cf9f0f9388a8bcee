/**
 * How traces on the command line are read: what their recorders called things, and by how much their clocks are off.
 */
import { importBytes, importTrace, TraceError } from "@pfnscope/trace"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { nanosOf } from "./duration.ts"
import { badInput } from "./ended.ts"
import type { Refused } from "./ended.ts"
import { showImport } from "./import-progress.ts"

/** The name of stdin. */
export const STDIN = "-"

/** How the files on the command line are to be read. */
export interface Reading {
  readonly maps: ReadonlyArray<string>
  /** What to add to the times of a file, in ns. */
  readonly offsets: ReadonlyMap<string, number>
  /** The traces are in mails; if not, their first lines tell. */
  readonly mail: boolean
}

/** The flags of every command that reads traces. */
export const readingFlags = {
  map: Flag.String("map").pipe(
    Flag.withDescription(
      "What the recorder called a probe or its field, theirs first: myrefresh=refresh, myrefresh.cache=gpc; can be repeated"
    ),
    Flag.withMetavar("THEIRS=OURS"),
    Flag.atLeast(0)
  ),
  tsOffset: Flag.String("ts-offset").pipe(
    Flag.withDescription("What to add to the times of a file: b.txt=+0.5s, b.txt=-20us; can be repeated"),
    Flag.withMetavar("FILE=TIME"),
    Flag.atLeast(0)
  ),
  mail: Flag.Boolean("mail").pipe(
    Flag.withDescription("The traces are in mails, quoted or wrapped; without this their first 64 KiB tell"),
    Flag.withDefault(false)
  )
}

/** `FILE=VALUE` of a flag, by file; the file must be one of those given. */
export const byFile = Effect.fnUntraced(function*<A>(
  flag: string,
  given: ReadonlyArray<string>,
  files: ReadonlyArray<string>,
  read: (value: string) => Effect.Effect<A, Refused>
) {
  const values = new Map<string, A>()
  for (const one of given) {
    const at = one.lastIndexOf("=")
    const file = one.slice(0, at)
    if (at < 0) return yield* badInput(`${flag} ${one}: expected FILE=VALUE`)
    if (!files.includes(file)) return yield* badInput(`${flag} ${one}: ${file} is none of ${files.join(", ")}`)
    values.set(file, yield* read(one.slice(at + 1)))
  }
  return values
})

/** `+0.5s`, `-20us`, `3ms` in ns. */
export const signedNanos = (text: string): Effect.Effect<number, Refused> =>
  Effect.map(nanosOf(text.replace(/^[+-]/, ""), "--ts-offset"), (ns) => text.startsWith("-") ? -ns : ns)

/** Opens a trace: a file, or stdin. */
export const openTrace = Effect.fnUntraced(function*(path: string, { mail, maps, offsets }: Reading) {
  const options = { maps, mail, offset: offsets.get(path), progress: showImport }
  if (path !== STDIN) return yield* importTrace(path, options)
  const stdio = yield* Stdio.Stdio
  const bytes = Stream.mapError(
    stdio.stdin,
    (error) => new TraceError({ file: "stdin", problem: "unreadable", expected: `bytes: ${error.message}` })
  )
  return importBytes("stdin", bytes, options)
})
