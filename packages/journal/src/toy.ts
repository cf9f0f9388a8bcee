/**
 * A toy application for the tests: a shop's stock, one stream a shelf.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Codec } from "./codec.ts"
import type { Envelope, NewEvent } from "./envelope.ts"

export const Toy = Schema.Union([
  Schema.TaggedStruct("Stocked", { item: Schema.String, count: Schema.Int, fresh: Schema.Boolean }),
  Schema.TaggedStruct("Sold", {
    count: Schema.Int,
    how: Schema.Literals(["cash", "card"]),
    note: Schema.optionalKey(Schema.String)
  }),
  Schema.TaggedStruct("Audited", { counts: Schema.Array(Schema.Int) })
])

export type Toy = typeof Toy.Type

export const codec = Codec.packed("toy", Toy)

/** An event of stream `stream` that says `count`. */
export const sold = (stream: string, count: number): NewEvent<Toy> => ({
  stream,
  t: count * 1000,
  how: "simulated",
  data: { _tag: "Sold", count, how: "card" }
})

/** `count` events over three streams. */
export const someEvents = (count: number, from = 1): ReadonlyArray<NewEvent<Toy>> =>
  Array.from({ length: count }, (_, i) => sold(`shelf/${(from + i) % 3}`, from + i))

/** `#3 shelf/1@2`, the way a log is written down. */
export const notation = (event: Envelope<unknown>): string => `#${event.seq} ${event.stream}@${event.rev}`
