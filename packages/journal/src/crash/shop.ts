/**
 * What the crashing writer writes: every event is a function of its position, so that whoever reads the log knows it.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "../envelope.ts"
import type { Toy } from "../toy.ts"

/** Notes of a few bytes, of more than one write, and now and then of many. */
const noteAt = (seq: number): string => "x".repeat(seq % 53 === 0 ? 30_000 : seq % 5 === 0 ? 8_000 : seq % 20)

/** @internal */
export const eventAt = (seq: number): NewEvent<Toy> => ({
  stream: `shelf/${seq % 3}`,
  t: seq * 1000,
  how: "simulated",
  data: { _tag: "Sold", count: seq, how: "cash", note: noteAt(seq) }
})

/** The batch that begins at a position: one to five events. @internal */
export const batchAt = (first: number): ReadonlyArray<NewEvent<Toy>> =>
  Array.from({ length: 1 + first % 5 }, (_, i) => eventAt(first + i))
