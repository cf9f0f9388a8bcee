/**
 * What a format of trace text is: the one seam between texts and the mapping of records to events.
 *
 * A text is cut into lines (`lines.ts`). Each line is given to the {@link LineReader} of the text's format, which says
 * what the line is (a {@link Reading}) and, where it is a record, leaves its parts in one {@link TraceLine} that is used
 * again for the next. The reader of texts (`reader.ts`) does the rest for every format: it counts the line, sets the
 * time, gives the record to the mapping, writes losses and call chains.
 *
 * A new format is a file with a {@link Format}, and its place in the table of `formats.ts`.
 *
 * @since 0.1.0
 */

/** What kind of record a line is: an event with a name, a syscall entered, a syscall left. */
export type Form = "event" | "enter" | "exit"

/**
 * One record, in bounds into `bytes`: the text's own bytes, or those that the format put in their place. A format sets
 * every field but `number`, for every record; what {@link emptyLine} gives is what "not told" is.
 */
export interface TraceLine {
  /** The line's number in the text, from 1. The reader of texts sets it; a format that holds lines back sets it again. */
  number: number
  bytes: Uint8Array
  /** The task's name. */
  commFrom: number
  commTo: number
  /** The task's id (a thread's, not a process's), or -1: then the CPU stands for it. */
  pid: number
  /** The process's id, or -1 where it is not shown. */
  tgid: number
  /** The CPU, or -1 where it is not shown. */
  cpu: number
  /** The irq column. */
  flagsFrom: number
  flagsTo: number
  /** The machine that the task runs on: 0 for the one that was traced, above for a guest that the line names. */
  host: number
  /**
   * The time is `seconds` and `nanos`; a whole time `n` (a count, no time) is n div 10^9 and n mod 10^9, so that both
   * add up to ns. `digits` are those behind the point, 6 or 9, or 0 for a whole time.
   */
  seconds: number
  nanos: number
  digits: 0 | 6 | 9
  form: Form
  /** The event's name, without its system (`kvm:`). A syscall is `sys_NAME` in both forms. */
  nameFrom: number
  nameTo: number
  /**
   * What follows: `(place) field=value …` of an event, `name: value, …` of a syscall entered, the value of one left. In
   * a `frame`, the function's name.
   */
  bodyFrom: number
  bodyTo: number
  /** The record stands for so many equal ones in a row (`uniq -c`); 1 for most. */
  repeat: number
}

/** A line to fill. */
export const emptyLine = (): TraceLine => ({
  number: 0,
  bytes: new Uint8Array(0),
  commFrom: 0,
  commTo: 0,
  pid: 0,
  tgid: -1,
  cpu: 0,
  flagsFrom: 0,
  flagsTo: 0,
  host: 0,
  seconds: 0,
  nanos: 0,
  digits: 6,
  form: "event",
  nameFrom: 0,
  nameTo: 0,
  bodyFrom: 0,
  bodyTo: 0,
  repeat: 1
})

/** A loss that a text tells of: of `cpu` (-1: any), `count` events (-1: not told). */
export interface Loss {
  readonly cpu: number
  readonly count: number
}

/**
 * What a line is. Every line of a text is counted once, as one of these:
 *
 * - `record`: the parts are in the `TraceLine`. Counted as parsed.
 * - `again`: one more record of a line that is counted already. The parts are in the `TraceLine`.
 * - `held`: not known before later lines are seen. Not counted: a later reading from `more`, of that line's `number`, is.
 * - `chain`: the head of a call chain of its own line, whose task and CPU are in the `TraceLine`. The chain belongs to
 *   the last record of that task. Counted as a continuation. A chain that follows its record at once needs no head.
 * - `frame`: a frame of a call chain, innermost first; the function's name is the `TraceLine`'s body (empty: the line
 *   is a part of the chain that names no function). A continuation.
 * - `continuation`: a part of the record before, which adds nothing. Counted among the comments.
 * - `comment`: a line for people, or a blank one; `lost` if it tells of a loss all the same.
 * - `marker`: a line that tells of lost events and of nothing else.
 * - `rejected`: none of these, and why, in a few words that are the same for every such line.
 *
 * Compare with the constants below: on the hot path nothing is allocated.
 */
export type Reading =
  | { readonly kind: "record" | "again" | "held" | "chain" | "frame" | "continuation" }
  | { readonly kind: "comment"; readonly lost?: Loss }
  | { readonly kind: "marker"; readonly lost: Loss }
  | { readonly kind: "rejected"; readonly reason: string }

export const RECORD: Reading = { kind: "record" }
export const AGAIN: Reading = { kind: "again" }
export const HELD: Reading = { kind: "held" }
export const CHAIN: Reading = { kind: "chain" }
export const FRAME: Reading = { kind: "frame" }
export const CONTINUATION: Reading = { kind: "continuation" }
export const COMMENT: Reading = { kind: "comment" }
export const marker = (lost: Loss): Reading => ({ kind: "marker", lost })
export const rejected = (reason: string): Reading => ({ kind: "rejected", reason })

/** Reads the lines of one text, in their order. It may keep what it learned of the text so far. */
export interface LineReader {
  /**
   * Reads the line in `[from, to)`, without its end. It is not blank, holds no NUL, and is at most 64 KiB long. The bytes
   * are good until the next call: what is held back is copied.
   *
   * Hot: plain code over bytes.
   */
  readonly read: (bytes: Uint8Array, from: number, to: number, line: TraceLine) => Reading
  /**
   * A further reading that the last line, or the end, made known; undefined where there is no more. Called after every
   * `read` and after `end` until it gives undefined. Absent in a format whose lines each give one reading.
   */
  readonly more?: (line: TraceLine) => Reading | undefined
  /** The text ends: every line held back is now given by `more`. */
  readonly end?: () => void
  /** How many records so far were moved before newer ones that they stand behind. Absent where none ever is. */
  readonly moved?: () => number
  /**
   * Whether values without 0x in fields that hold addresses are hexadecimal (`%lx`) in this text. Where it is absent,
   * one with a digit above 9 among the first lines makes them so.
   */
  readonly bareHex?: boolean
}

/** A format of trace text. */
export interface Format {
  /** Its name, as a person would say it: "trace-cmd report". */
  readonly name: string
  /**
   * Whether a line of the first ones (without its end, at most 400 characters) is one that only this format has, such as
   * the header that its tool writes. The first line that a format knows for its own decides.
   */
  readonly owns: (line: string) => boolean
  /**
   * What a line of the first ones lacks to be read, and what to do about it; undefined where it lacks nothing. Absent in
   * a format whose tool always writes all that is needed.
   */
  readonly lacks?: (line: string) => string | undefined
  /** A reader for one text. */
  readonly open: () => LineReader
}
