/**
 * The first bytes of a log: what it is, which format, which codec, and what its creator wanted to remember.
 *
 * | byte | |
 * |---|---|
 * | 0 | magic: `89 4a 52 4e 4c 0d 0a 1a` (a line-ending conversion changes it) |
 * | 8 | format, u32: 1 |
 * | 12 | length of the header, u32 |
 * | 16 | CRC-32 of the header, u32 |
 * | 20 | the header, JSON in UTF-8: `format`, `codec`, `segment`, `firstSeq`, `meta` |
 *
 * The hash chain begins with the SHA-256 of all of it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { crc32 } from "node:zlib"
import type { Header } from "./envelope.ts"
import { Damaged, NotAJournal, UnknownFormat } from "./error.ts"
import type { Store } from "./store.ts"

const MAGIC = Uint8Array.of(0x89, 0x4a, 0x52, 0x4e, 0x4c, 0x0d, 0x0a, 0x1a)
const FORMAT = 1
const PREFIX = 20
const LARGEST_HEADER = 1 << 24

const HeaderJson = Schema.fromJsonString(Schema.Struct({
  format: Schema.Literal(FORMAT),
  codec: Schema.String,
  segment: Schema.Int,
  firstSeq: Schema.Int,
  meta: Schema.Json
}))

/** A header with its bytes' length and hash, which is where the first batch and the chain begin. @internal */
export interface FileStart {
  readonly header: Header
  readonly bytes: number
  readonly hash: Uint8Array
}

/** The header of a new log, and its bytes. @internal */
export const newHeader = (
  codec: string,
  meta: Schema.Json
): { readonly start: FileStart; readonly bytes: Uint8Array } => {
  const json = Buffer.from(JSON.stringify({ format: FORMAT, codec, segment: 1, firstSeq: 1, meta }))
  const bytes = Buffer.alloc(PREFIX + json.length)
  bytes.set(MAGIC)
  bytes.writeUInt32LE(FORMAT, 8)
  bytes.writeUInt32LE(json.length, 12)
  bytes.writeUInt32LE(crc32(json), 16)
  bytes.set(json, PREFIX)
  // Read back, so that what a new log says is what it will say when it is opened.
  const header = Schema.decodeUnknownSync(HeaderJson)(json.toString())
  return { start: { header, bytes: bytes.length, hash: sha256(bytes) }, bytes }
}

/** Reads and checks the header of a store of `size` bytes. @internal */
export const readHeader = Effect.fnUntraced(function*(
  store: Store,
  size: number
): Effect.fn.Return<FileStart, NotAJournal | UnknownFormat | Damaged | PlatformError> {
  const { path } = store
  const damaged = (byte: number, reason: string) => new Damaged({ path, byte, seq: 0, reason })
  if (size === 0) return yield* new NotAJournal({ path, reason: "it is empty" })
  const prefix = Buffer.from(yield* store.read(0, PREFIX))
  const magic = prefix.subarray(0, MAGIC.length)
  if (!magic.equals(MAGIC)) return yield* new NotAJournal({ path, reason: "it does not begin with a journal's magic" })
  if (prefix.length < PREFIX) return yield* damaged(size, "the header is cut short")
  const format = prefix.readUInt32LE(8)
  if (format !== FORMAT) return yield* new UnknownFormat({ path, format })
  const length = prefix.readUInt32LE(12)
  if (length > LARGEST_HEADER) {
    return yield* damaged(12, `a header of ${length} bytes, expected at most ${LARGEST_HEADER}`)
  }
  if (PREFIX + length > size) return yield* damaged(12, "the header is cut short")
  const bytes = Buffer.from(yield* store.read(0, PREFIX + length))
  if (bytes.length < PREFIX + length) return yield* damaged(12, "the header is cut short")
  const json = bytes.subarray(PREFIX)
  if (crc32(json) !== prefix.readUInt32LE(16)) return yield* damaged(16, "the header's checksum is wrong")
  const header = yield* Schema.decodeUnknownEffect(HeaderJson)(json.toString()).pipe(
    Effect.mapError(() => damaged(PREFIX, "the header is not the JSON of a journal's header"))
  )
  return { header, bytes: bytes.length, hash: sha256(bytes) }
})

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest()
