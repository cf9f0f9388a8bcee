/**
 * The first bytes of a segment: what it is, which format, which codec, and what its creator wanted to remember.
 *
 * | byte | |
 * |---|---|
 * | 0 | magic: `89 4a 52 4e 4c 0d 0a 1a` (a line-ending conversion changes it) |
 * | 8 | format, u32: 1 |
 * | 12 | length of the header, u32 |
 * | 16 | CRC-32 of the header, u32 |
 * | 20 | the header, JSON in UTF-8: `format`, `codec`, `segment`, `firstSeq`, `previous`, `meta` |
 *
 * The hash chain begins with the SHA-256 of all of the first segment's, and passes over the headers of later ones: where
 * a log was cut into segments does not change its head. A later header repeats `codec` and `meta`, and `previous` is the
 * hash of the log before it, so that it fits in one place of one log.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { crc32 } from "node:zlib"
import type { Header } from "./envelope.ts"
import { type AccessFailed, accessFailed, Damaged, NotAJournal, UnknownFormat } from "./error.ts"
import type { Medium } from "./medium.ts"

const MAGIC = Uint8Array.of(0x89, 0x4a, 0x52, 0x4e, 0x4c, 0x0d, 0x0a, 0x1a)
const FORMAT = 1

/** Bytes before the JSON. @internal */
export const HEADER_PREFIX = 20
const LARGEST_HEADER = 1 << 24

const HeaderJson = Schema.fromJsonString(Schema.Struct({
  format: Schema.Literal(FORMAT),
  codec: Schema.String,
  segment: Schema.Int,
  firstSeq: Schema.Int,
  previous: Schema.optionalKey(Schema.String),
  meta: Schema.Json
}))

/** A header with its bytes' length and hash, which is where the first batch and the chain begin. @internal */
export interface FileStart {
  readonly header: Header
  readonly bytes: number
  readonly hash: Uint8Array
}

/** The header of a new segment, and its bytes. @internal */
export const newHeader = (
  { codec, firstSeq, meta, previous, segment }: Omit<Header, "format">
): { readonly start: FileStart; readonly bytes: Uint8Array } => {
  const chained = previous === undefined ? {} : { previous }
  const json = Buffer.from(JSON.stringify({ format: FORMAT, codec, segment, firstSeq, ...chained, meta }))
  const bytes = Buffer.alloc(HEADER_PREFIX + json.length)
  bytes.set(MAGIC)
  bytes.writeUInt32LE(FORMAT, 8)
  bytes.writeUInt32LE(json.length, 12)
  bytes.writeUInt32LE(crc32(json), 16)
  bytes.set(json, HEADER_PREFIX)
  // Read back, so that what a new segment says is what it will say when it is opened.
  const header = Schema.decodeUnknownSync(HeaderJson)(json.toString())
  return { start: { header, bytes: bytes.length, hash: sha256(bytes) }, bytes }
}

/** Reads and checks the header of `size` bytes. @internal */
export const readHeader = Effect.fnUntraced(function*(
  medium: Medium,
  size: number
): Effect.fn.Return<FileStart, NotAJournal | UnknownFormat | Damaged | AccessFailed> {
  const { path } = medium
  const read = (length: number) =>
    Effect.map(Effect.mapError(medium.read(0, length), accessFailed(path, "read")), (bytes) => Buffer.from(bytes))
  const damaged = (byte: number, reason: string) => new Damaged({ path, byte, seq: 0, reason })
  if (size === 0) return yield* new NotAJournal({ path, reason: "it is empty" })
  const prefix = yield* read(HEADER_PREFIX)
  const magic = prefix.subarray(0, MAGIC.length)
  if (!magic.equals(MAGIC)) return yield* new NotAJournal({ path, reason: "it does not begin with a journal's magic" })
  if (prefix.length < HEADER_PREFIX) return yield* damaged(size, "the header is cut short")
  const format = prefix.readUInt32LE(8)
  if (format !== FORMAT) return yield* new UnknownFormat({ path, format })
  const length = prefix.readUInt32LE(12)
  if (length > LARGEST_HEADER) {
    return yield* damaged(12, `a header of ${length} bytes, expected at most ${LARGEST_HEADER}`)
  }
  if (HEADER_PREFIX + length > size) return yield* damaged(12, "the header is cut short")
  const bytes = yield* read(HEADER_PREFIX + length)
  if (bytes.length < HEADER_PREFIX + length) return yield* damaged(12, "the header is cut short")
  const json = bytes.subarray(HEADER_PREFIX)
  if (crc32(json) !== prefix.readUInt32LE(16)) return yield* damaged(16, "the header's checksum is wrong")
  const header = yield* Schema.decodeUnknownEffect(HeaderJson)(json.toString()).pipe(
    Effect.mapError(() => damaged(HEADER_PREFIX, "the header is not the JSON of a journal's header"))
  )
  return { header, bytes: bytes.length, hash: sha256(bytes) }
})

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest()
