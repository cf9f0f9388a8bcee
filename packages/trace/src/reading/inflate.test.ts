import { assert, describe, it } from "@effect/vitest"
import { constants, gzipSync, zstdCompressSync } from "node:zlib"
import { inflate } from "./inflate.ts"
import type { Compression } from "./inflate.ts"

const inflateAll = async (compression: Compression, bytes: Uint8Array, size: number): Promise<string> => {
  const source = async function*() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  const pieces: Array<Uint8Array> = []
  for await (const piece of inflate(compression, source())) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

/** Lines that do not compress to nothing. */
const text = (from: number): string => Array.from({ length: 9000 }, (_, i) => `${from + i * 7919} line\n`).join("")

/** With a checksum, as the command zstd writes it. */
const zstd = (text: string): Buffer => zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })

describe.each<readonly [Compression, (text: string) => Buffer]>([["gzip", gzipSync], ["zstd", zstd]])(
  "%s",
  (compression, pack) => {
    const one = pack(text(1))
    const two = pack(text(2))

    it.each([1 << 20, 1000, 7])("is decompressed in pieces of %d bytes, every part of it", async (size) => {
      assert.strictEqual(await inflateAll(compression, one, size), text(1))
      const all = await inflateAll(compression, Buffer.concat([one, two, pack(""), two]), size)
      assert.strictEqual(all, text(1) + text(2) + text(2))
    })

    it.each([
      ["is cut off", one.subarray(0, -5)],
      ["is cut off in its second part", Buffer.concat([one, two.subarray(0, 50)])],
      ["has junk behind it", Buffer.concat([one, Buffer.from("what is this, another line?")])],
      ["is damaged inside", Buffer.concat([one.subarray(0, 200), Buffer.alloc(100, 0xff), one.subarray(300)])]
    ])("that %s is refused", async (_how, bytes) => {
      for (const size of [1 << 20, 1000]) {
        const error = await inflateAll(compression, bytes, size).then(() => undefined, (error: unknown) => error)
        assert.instanceOf(error, Error)
      }
    })
  }
)
