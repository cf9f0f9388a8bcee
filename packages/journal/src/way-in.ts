/**
 * The way into a long log: what reading it whole found out, kept beside it, so that the next reader need not.
 *
 * | byte | |
 * |---|---|
 * | 0 | `4a 49 44 58` ("JIDX") |
 * | 4 | CRC-32 of what follows, u32 |
 * | 8 | JSON: the hashes of its segments' headers, its hash and last batch, its streams' revisions, its keys, its index of positions |
 *
 * It is believed only if the headers are those it was made for and the last batch is still the one it names, byte for
 * byte. Damage further ahead is found when it is read: every frame has its checksum.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { crc32 } from "node:zlib"
import type { AccessFailed } from "./error.ts"
import { chain, FRAME_PREFIX, readBatchHead } from "./frame.ts"
import type { FileStart } from "./header.ts"
import { hex, type Log } from "./log.ts"
import { type Frame, readFrames } from "./scan.ts"
import type { Store } from "./store.ts"

const NAME = "index"
const MAGIC = Buffer.from("JIDX")
const PREFIX = 8

/** Bytes of a log from which on its way in is worth a file. @internal */
export const LONG = 1 << 20

const Known = Schema.fromJsonString(Schema.Struct({
  headers: Schema.Array(Schema.String),
  seq: Schema.Int,
  hash: Schema.String,
  batches: Schema.Int,
  last: Schema.Int,
  revisions: Schema.Array(Schema.Tuple([Schema.String, Schema.Int])),
  keys: Schema.Array(
    Schema.Tuple([Schema.String, Schema.Struct({ first: Schema.Int, last: Schema.Int, hash: Schema.String })])
  ),
  seqs: Schema.Array(Schema.Int),
  bytes: Schema.Array(Schema.Int)
}))

type Known = typeof Known.Type

/** Keeps what is known of a log; where it cannot be written, the next reader reads the log. @internal */
export const keepWayIn = (store: Store, log: Log): Effect.Effect<void> => {
  const known: Known = {
    headers: headersOf(store).slice(0, store.segments.findLastIndex(({ base }) => base < log.end) + 1),
    seq: log.seq,
    hash: hex(log.hash),
    batches: log.batches,
    last: log.last,
    revisions: [...log.revisions],
    keys: [...log.keys],
    ...log.index
  }
  const json = Buffer.from(JSON.stringify(known))
  const whole = Buffer.alloc(PREFIX + json.length)
  whole.set(MAGIC)
  whole.writeUInt32LE(crc32(json), 4)
  whole.set(json, PREFIX)
  return Effect.ignore(store.sidecar.write(NAME, whole))
}

/** The hashes of the headers of the segments, as far as these can be what they say. */
const headersOf = ({ segments }: Store): ReadonlyArray<string> =>
  segments.flatMap(({ fault, start }) => fault === null ? [hex(start!.hash)] : [])

/** What is known of the log of these bytes, or none: then it must be read. @internal */
export const wayInto = Effect.fnUntraced(function*(
  store: Store,
  start: FileStart,
  size: number
): Effect.fn.Return<Option.Option<Log>, AccessFailed> {
  const found = Option.flatMap(yield* Effect.option(store.sidecar.read(NAME)), unwrap)
  if (Option.isNone(found)) return Option.none()
  const known = found.value
  const frame = isBetween(known, start.bytes, size) ? yield* lastFrame(store, known, size) : undefined
  if (frame === undefined) return Option.none()
  const { batches, bytes, keys, last, revisions, seq, seqs } = known
  return Option.some({
    start,
    seq,
    hash: Buffer.from(known.hash, "hex"),
    batches,
    end: frame.at + FRAME_PREFIX + frame.payload.length,
    last,
    revisions: new Map(revisions),
    keys: new Map(keys),
    index: { seqs: [...seqs], bytes: [...bytes] }
  })
})

/** Whether what it says of bytes can be true of a log whose frames are in the bytes `[from, to)`. */
const isBetween = ({ bytes, last, seqs }: Known, from: number, to: number): boolean =>
  last >= from && last < to && bytes.length === seqs.length && bytes.every((byte) => byte >= from && byte <= last)

/** The last batch that it names, when the log has it in the segments that it names. */
const lastFrame = Effect.fnUntraced(function*(
  store: Store,
  { hash, headers, last, seq }: Known,
  size: number
): Effect.fn.Return<Frame | undefined, AccessFailed> {
  const found = headersOf(store)
  const isOurs = headers.length > 0 && headers.every((header, i) => header === found[i])
  if (!isOurs) return undefined
  const { frames: [frame] } = yield* readFrames(store, last, size)
  if (frame === undefined || frame.at !== last) return undefined
  const head = readBatchHead(frame.payload)
  const isLast = typeof head !== "string" && head.first + head.count === seq + 1 &&
    hex(chain(head.previous, frame.payload)) === hash
  return isLast ? frame : undefined
})

const unwrap = (sidecar: Uint8Array): Option.Option<Known> => {
  const whole = Buffer.from(sidecar.buffer, sidecar.byteOffset, sidecar.byteLength)
  const isSound = whole.length >= PREFIX && MAGIC.equals(whole.subarray(0, 4)) &&
    crc32(whole.subarray(PREFIX)) === whole.readUInt32LE(4)
  return isSound ? Schema.decodeUnknownOption(Known)(whole.toString("utf8", PREFIX)) : Option.none()
}
