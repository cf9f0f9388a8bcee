/**
 * The census of a trace: every line is counted, every record is mapped or counted as not.
 *
 * @since 0.1.0
 */
import type { Loss } from "../formats/format.ts"

/** Lines that are no records, for one reason: how many, and the numbers of the first three. @category models @since 0.1.0 */
export interface Rejected {
  readonly reason: string
  readonly count: number
  readonly lines: ReadonlyArray<number>
}

/** Records that became no event, by the name of what they record. @category models @since 0.1.0 */
export interface Unmapped {
  readonly event: string
  readonly count: number
  readonly lines: ReadonlyArray<number>
}

/** Events that the tracer lost: of which CPU (-1: any), how many (-1: not told), and the line that says so. @category models @since 0.1.0 */
export interface Lost {
  readonly cpu: number
  readonly count: number
  readonly line: number
}

/**
 * What an import read, a text in `format`. `lines` = `parsed` + `markers` + `comments` + all `rejected`; blank lines and
 * `continuations` (frames of call chains, and what else is a part of the record before) are among the comments. `records` counts what was parsed by the event's name, `unmapped` those that became no
 * event. `produced` events came of it.
 *
 * `moved` records were put in the order of their times: they stand in the text behind newer ones.
 *
 * `clock` is `time`, or `ticks` where the trace has whole numbers: then a "nanosecond" of its events is one tick.
 * `origin` seconds (or 10^9 ticks) were taken off every time, so that an uptime of more than 104 days stays exact.
 * `bytes` and `sha256` are of the file as it was given; `sha256` is empty until all of it was read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Census {
  readonly file: string
  readonly format: string
  readonly bytes: number
  readonly sha256: string
  readonly lines: number
  readonly parsed: number
  readonly markers: number
  readonly comments: number
  readonly continuations: number
  readonly moved: number
  readonly rejected: ReadonlyArray<Rejected>
  readonly records: Readonly<Record<string, number>>
  readonly unmapped: ReadonlyArray<Unmapped>
  readonly lost: ReadonlyArray<Lost>
  readonly produced: number
  readonly clock: "time" | "ticks"
  readonly origin: number
}

/** How many line numbers are kept of each kind. */
const KEPT_LINES = 3

/** Losses kept one by one; the rest are added up in the last one. */
const KEPT_LOSSES = 10_000

interface Tally {
  count: number
  readonly lines: Array<number>
}

const add = (tallies: Map<string, Tally>, name: string, line: number): void => {
  const tally = tallies.get(name)
  if (tally === undefined) {
    tallies.set(name, { count: 1, lines: [line] })
    return
  }
  tally.count++
  if (tally.lines.length < KEPT_LINES) tally.lines.push(line)
}

/** A census being taken. */
export class Counter {
  lines = 0
  parsed = 0
  markers = 0
  comments = 0
  continuations = 0
  moved = 0
  produced = 0
  bytes = 0
  sha256 = ""
  format = ""
  clock: "time" | "ticks" = "time"
  origin = 0
  /** How many records there were of each name, by the name's number. */
  readonly records: Array<number> = []
  readonly rejected = new Map<string, Tally>()
  readonly unmapped = new Map<string, Tally>()
  readonly lost: Array<{ cpu: number; count: number; line: number }> = []

  /** Line number `line` is no record. */
  reject(reason: string, line: number): void {
    add(this.rejected, reason, line)
  }

  /** The record on line number `line` became no event. */
  leave(event: string, line: number): void {
    add(this.unmapped, event, line)
  }

  /** Line number `line` tells of a loss. */
  lose({ count, cpu }: Loss, line: number): void {
    if (this.lost.length < KEPT_LOSSES) {
      this.lost.push({ cpu, count, line })
      return
    }
    const last = this.lost[KEPT_LOSSES - 1]!
    last.count = last.count < 0 || count < 0 ? -1 : last.count + count
    last.cpu = -1
  }

  /** The census so far; `names` are those of the records' numbers. */
  take(file: string, names: ReadonlyArray<string>): Census {
    return {
      file,
      format: this.format,
      bytes: this.bytes,
      sha256: this.sha256,
      lines: this.lines,
      parsed: this.parsed,
      markers: this.markers,
      comments: this.comments,
      continuations: this.continuations,
      moved: this.moved,
      rejected: [...this.rejected].map(([reason, { count, lines }]) => ({ reason, count, lines: [...lines] })),
      records: Object.fromEntries(
        names.map((name, number) => [name, this.records[number] ?? 0] as const).filter(([, count]) => count > 0)
      ),
      unmapped: [...this.unmapped].map(([event, { count, lines }]) => ({ event, count, lines: [...lines] })),
      lost: this.lost.map((loss) => ({ ...loss })),
      produced: this.produced,
      clock: this.clock,
      origin: this.origin
    }
  }
}
