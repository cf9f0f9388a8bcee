/**
 * Decompresses gzip and zstd on the fly, every member or frame of the file, and nothing else: bytes that belong to none
 * are an error, where zlib alone would leave them out.
 *
 * Memory stays flat: bytes are given to zlib in slices, and what one gives is taken before the next.
 *
 * @since 0.1.0
 */
import * as zlib from "node:zlib"

export type Compression = "gzip" | "zstd"

type Inflater = zlib.Gunzip | zlib.ZstdDecompress

/** A slice of this much may become a thousand times as much. */
const SLICE = 16_384

/** What it becomes is given in pieces of this. */
const PIECE = { chunkSize: 262_144 }

const makeInflater = (compression: Compression): Inflater =>
  compression === "gzip" ? zlib.createGunzip(PIECE) : zlib.createZstdDecompress(PIECE)

/** What zlib gave for a slice, and whether it wants no more: a member ended. */
interface Inflated {
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly ended: boolean
}

/** Gives zlib a slice, or the end, and waits for what it makes of it. */
const feed = (inflater: Inflater, slice: Uint8Array | undefined): Promise<Inflated> =>
  new Promise((resolve, reject) => {
    const pieces: Array<Uint8Array> = []
    const take = (piece: Uint8Array): number => pieces.push(piece)
    const done = (ended: boolean): void => {
      inflater.off("data", take).off("end", onEnd).off("error", reject)
      resolve({ pieces, ended })
    }
    const onEnd = (): void => done(true)
    inflater.on("data", take).once("end", onEnd).once("error", reject)
    if (slice === undefined) inflater.end()
    else inflater.write(slice, (error) => error ? reject(error) : done(false))
  })

/** The bytes that `source` was made of. Rejects with what zlib says where it is cut off or damaged. */
export async function* inflate(
  compression: Compression,
  source: AsyncIterable<Uint8Array>
): AsyncGenerator<Uint8Array, void> {
  let inflater: Inflater | undefined
  for await (const piece of source) {
    let at = 0
    while (at < piece.length) {
      inflater ??= makeInflater(compression)
      const before = inflater.bytesWritten
      const slice = piece.subarray(at, at + SLICE)
      const { ended, pieces } = await feed(inflater, slice)
      yield* pieces
      at += ended ? inflater.bytesWritten - before : slice.length
      // What stands behind a member is another, or no part of the file.
      if (ended) inflater = undefined
    }
  }
  if (inflater !== undefined) yield* (await feed(inflater, undefined)).pieces
}
