/**
 * A text's first bytes, and what they tell: its format, and how its recorder wrote.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { TraceError } from "../error.ts"
import { hasBareHex } from "../formats/bare-hex.ts"
import type { Format } from "../formats/format.ts"
import { PROBE_NAMES } from "../mapping/mapper.ts"
import { makeMaps } from "../mapping/maps.ts"
import type { Maps } from "../mapping/maps.ts"
import { headOf } from "./bytes.ts"
import type { Census } from "./census.ts"
import { sniff, SNIFFED_BYTES, SNIFFED_MAIL_BYTES } from "./sniff.ts"

/** What a text's first bytes tell. */
export interface Recognised {
  readonly format: Format
  readonly bareHex: boolean
}

/** Looks at the first bytes of a text, and gives them back with those that follow. `mail`: it is a mail. */
export const recognised = Effect.fnUntraced(function*(
  file: string,
  text: Stream.Stream<Uint8Array, TraceError>,
  mail = false
) {
  const most = mail ? SNIFFED_MAIL_BYTES : SNIFFED_BYTES
  const { ended, first, rest } = yield* headOf(text, most)
  const seen = first.subarray(0, most)
  const whole = ended && first.length < most
  const format = sniff(file, seen, whole, mail)
  if ("problem" in format) return yield* new TraceError({ file, ...format })
  const found: Recognised = { format, bareHex: hasBareHex(format, seen, whole) }
  return { first, found, rest }
})

/** The maps of an import of `file`. */
export const mapsOf = (
  file: string,
  maps: ReadonlyArray<string> = []
): Effect.Effect<Maps, TraceError> => {
  const understood = makeMaps(maps, PROBE_NAMES)
  return "expected" in understood
    ? Effect.fail(new TraceError({ file, problem: "map", expected: understood.expected }))
    : Effect.succeed(understood)
}

/** A text of which nothing was read but comments is none. */
export const expectRecords = (file: string, census: Census): Effect.Effect<void, TraceError> => {
  if (census.parsed > 0 || census.markers > 0) return Effect.void
  const worst = census.rejected.toSorted((a, b) => b.count - a.count)[0]
  const why = worst === undefined ? "" : `; ${worst.count} of ${census.lines} lines have ${worst.reason}`
  const expected = `a record of ${census.format}${why}`
  // A text of nothing but headers is a trace of nothing.
  const problem = worst === undefined ? "empty" : "unrecognised"
  return Effect.fail(new TraceError({ file, problem, line: worst?.lines[0] ?? 1, expected }))
}
