/**
 * One event as bytes, apart from all others: what a store keeps under a position, and the bare loop in its batches.
 *
 * It is what a frame of the journal holds of an event, by the same codec, but for two things: the time is whole, and the
 * names of streams and files are places in tables that are kept in memory and charged to nobody.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter, HOW } from "@pfnscope/journal"
import type { Envelope, NewEvent } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import type { Event } from "@pfnscope/protocol"

const HAS_CAUSE = 4
const HAS_CORR = 8
const HAS_SRC = 16

/** Names by their place. */
class Names {
  readonly all: Array<string> = []
  private readonly places = new Map<string, number>()

  placeOf(name: string): number {
    const known = this.places.get(name)
    if (known !== undefined) return known
    this.places.set(name, this.all.length)
    return this.all.push(name) - 1
  }
}

/** The events of one store: each is written to `out`, where the next one goes to `out.length`. */
export class Records {
  readonly out = new ByteWriter()
  private seq = 0
  private readonly streams = new Names()
  private readonly files = new Names()

  /** Writes the next event and gives its position. */
  write({ cause, corr, data, how, src, stream, t }: NewEvent<Event>): number {
    const { files, out, streams } = this
    const seq = ++this.seq
    const type = eventCodec.typeOf(data)
    out.byte(
      HOW.indexOf(how) | (cause === undefined ? 0 : HAS_CAUSE) | (corr === undefined ? 0 : HAS_CORR) |
        (src === undefined ? 0 : HAS_SRC)
    )
    out.varint(streams.placeOf(stream))
    out.varint(type)
    out.varint(t)
    if (cause !== undefined) out.varint(seq - cause)
    if (corr !== undefined) out.varint(seq - corr)
    if (src !== undefined) {
      out.varint(files.placeOf(src.file))
      out.varint(src.line)
    }
    eventCodec.encode(type, data, out)
    return seq
  }

  /** Reads what `write` wrote, from the first event on: revisions are counted. */
  reader(): (input: ByteReader, seq: number) => Envelope<Event> {
    const { types } = eventCodec
    const decoders = types.map(eventCodec.decoder) as ReadonlyArray<(input: ByteReader) => Event>
    const files = this.files.all
    const streams = this.streams.all
    const revs = streams.map(() => 0)
    return (input, seq) => {
      const flags = input.byte()
      const stream = input.varint()
      const type = input.varint()
      const t = input.varint()
      const cause = (flags & HAS_CAUSE) === 0 ? 0 : seq - input.varint()
      const corr = (flags & HAS_CORR) === 0 ? 0 : seq - input.varint()
      const file = (flags & HAS_SRC) === 0 ? 0 : input.varint()
      const line = (flags & HAS_SRC) === 0 ? 0 : input.varint()
      const data = decoders[type]!(input)
      const { name, version } = types[type]!
      const rev = ++revs[stream]!
      const how = HOW[(flags & 3) as 0 | 1 | 2 | 3]
      const envelope: Mutable<Envelope<Event>> = {
        seq,
        stream: streams[stream]!,
        rev,
        type: name,
        version,
        t,
        how,
        data
      }
      if (cause !== 0) envelope.cause = cause
      if (corr !== 0) envelope.corr = corr
      if ((flags & HAS_SRC) !== 0) envelope.src = { file: files[file]!, line }
      return envelope
    }
  }
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }
