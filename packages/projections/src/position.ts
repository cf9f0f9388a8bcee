/**
 * Positions in a log as people write them: `#1234`, a time of its source, a time from its first event, its end.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * A position: after event `seq` (0: before the first), after the last event up to a source time (ns), after the last
 * event up to so many ns after the first event, or the end.
 *
 * @category models
 * @since 0.1.0
 */
export type Position =
  | { readonly _tag: "Seq"; readonly seq: number }
  | { readonly _tag: "Time"; readonly nanos: number }
  | { readonly _tag: "Elapsed"; readonly nanos: number }
  | { readonly _tag: "End" }

/** The text is not a position. @category errors @since 0.1.0 */
export class NotAPosition extends Schema.TaggedError<NotAPosition>()("NotAPosition", { text: Schema.String }) {
  override get message(): string {
    return `position ${JSON.stringify(this.text)}: expected #1234 (or 1234, an event), 12.345678 (seconds of the ` +
      "source's clock), +1.2s (also ms, us, ns: after the first event), end or a bookmark"
  }
}

/** The log is shorter than that. @category errors @since 0.1.0 */
export class NoSuchPosition extends Schema.TaggedError<NoSuchPosition>()("NoSuchPosition", {
  seq: Schema.Int,
  head: Schema.Int
}) {
  override get message(): string {
    return `position #${this.seq}: expected one of the log, which ends at #${this.head}`
  }
}

/** After event `seq`. @category constructors @since 0.1.0 */
export const atSeq = (seq: number): Position => ({ _tag: "Seq", seq })

/** The end of the log. @category constructors @since 0.1.0 */
export const END: Position = { _tag: "End" }

/** Decimal digits after the point of a second, a millisecond, …: the unit in ns as a power of ten. */
const UNITS: Readonly<Record<string, number>> = { s: 9, ms: 6, us: 3, ns: 0 }

/**
 * Reads a position. A plain whole number is an event, since a shell takes `#` for a comment; seconds have a point.
 *
 * @category conversions
 * @since 0.1.0
 */
export const parsePosition = (text: string): Result.Result<Position, NotAPosition> => {
  const position = text === "end" ? END : readSeq(text) ?? readTime(text) ?? readElapsed(text)
  return position === undefined ? Result.fail(new NotAPosition({ text })) : Result.succeed(position)
}

const readSeq = (text: string): Position | undefined => {
  const parts = /^#?(\d{1,15})$/.exec(text)
  return parts === null ? undefined : atSeq(Number(parts[1]))
}

const readTime = (text: string): Position | undefined => {
  const parts = /^(\d{1,9})\.(\d{1,9})$/.exec(text)
  const nanos = parts === null ? NaN : nanosOf(parts[1]!, parts[2]!, UNITS["s"]!)
  return Number.isSafeInteger(nanos) ? { _tag: "Time", nanos } : undefined
}

const readElapsed = (text: string): Position | undefined => {
  const parts = /^\+(\d{1,16})(?:\.(\d{1,9}))?(s|ms|us|ns)$/.exec(text)
  const nanos = parts === null ? NaN : nanosOf(parts[1]!, parts[2] ?? "", UNITS[parts[3]!]!)
  return Number.isSafeInteger(nanos) ? { _tag: "Elapsed", nanos } : undefined
}

/** Exact: no fraction goes through floating point. Digits below a nanosecond are dropped. */
const nanosOf = (whole: string, fraction: string, digits: number): number =>
  Number(whole) * 10 ** digits + Number(fraction.padEnd(digits, "0").slice(0, digits) || "0")

/** A position as {@link parsePosition} reads it. @category conversions @since 0.1.0 */
export const formatPosition = (position: Position): string => {
  switch (position._tag) {
    case "Seq":
      return `#${position.seq}`
    case "Time":
      return secondsText(position.nanos)
    case "Elapsed":
      return `+${position.nanos}ns`
    case "End":
      return "end"
  }
}

/**
 * A source time in seconds, `12.345678`; with nine digits where it is not whole microseconds, so that it is exact.
 *
 * @category conversions
 * @since 0.1.0
 */
export const secondsText = (nanos: number): string => {
  const whole = Math.floor(nanos / 1e9)
  const fraction = String(nanos - whole * 1e9).padStart(9, "0")
  return `${whole}.${fraction.endsWith("000") ? fraction.slice(0, 6) : fraction}`
}
