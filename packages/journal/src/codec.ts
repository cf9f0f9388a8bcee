/**
 * How events become bytes. The journal knows an event only through its codec.
 *
 * @since 0.1.0
 */
import type { ByteReader, ByteWriter } from "./bytes.ts"
import { packed, past } from "./packed.ts"

/**
 * A kind of event as a log names it. `layout` is 32 bits that change whenever the bytes of `data` change their
 * meaning: a log that was written with another layout under the same name and version is refused, never misread.
 *
 * @category codec
 * @since 0.1.0
 */
export interface EventType {
  readonly name: string
  readonly version: number
  readonly layout: number
}

/**
 * Encodes and decodes the events of one application.
 *
 * `typeOf` gives the index in `types` of an event, `encode` appends its bytes (it throws on what is no event of that
 * type), `decoder` gives the reader of a type found in a log, of this version or an earlier one, or says in one line
 * why there is none.
 *
 * @category codec
 * @since 0.1.0
 */
export interface Codec<E> {
  readonly name: string
  readonly types: ReadonlyArray<EventType>
  readonly typeOf: (event: E) => number
  readonly encode: (type: number, event: E, out: ByteWriter) => void
  readonly decoder: (type: EventType) => ((input: ByteReader) => E) | string
}

/**
 * Ways to get a codec: `Codec.packed(name, schema, ...past)` derives one from a union of tagged structs,
 * `Codec.past(version, schema, upcast)` is an earlier version of one of its events.
 *
 * @category codec
 * @since 0.1.0
 */
export const Codec: {
  readonly packed: typeof packed
  readonly past: typeof past
} = { packed, past }
