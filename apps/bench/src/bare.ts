/**
 * What the disk and the framing allow: a bare loop of appends, with the least that makes a batch whole and of this log.
 *
 * A batch is its length and CRC-32, the hash of everything before it (SHA-256, chained as the journal's is), the number of
 * its events and these, encoded into one buffer; then `writeSync` and `fdatasyncSync`. No revisions, index, lock, tables in
 * the file or recovery, and a write that fails ends it.
 *
 * @since 0.1.0
 */
import { ByteReader } from "@pfnscope/journal"
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from "node:fs"
import { crc32 } from "node:zlib"
import { Records } from "./record.ts"
import type { Batches, Kind, Store } from "./store.ts"

/** Bytes before the events of a batch: length and CRC-32 of what follows, the hash before it, the number of events. */
const PREFIX = 8
const HASH = 32
const COUNT = 4

export const bareLoop: Kind = {
  name: "bare loop",
  open: (folder, synced) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => openSync(`${folder}/run.bytes`, "w+")),
        (fd) => Effect.sync(() => closeSync(fd))
      ),
      (fd): Store => {
        const records = new Records()
        const chained = { hash: new Uint8Array(HASH) }
        return {
          append: (batches) => Effect.sync(() => appendBare(fd, records, chained, batches, synced)),
          scan: (each) => Effect.sync(() => scanBare(fd, records, each))
        }
      }
    )
}

const appendBare = (
  fd: number,
  records: Records,
  chained: { hash: Uint8Array },
  batches: Batches,
  synced: boolean
): void => {
  const { out } = records
  for (const events of batches) {
    out.length = PREFIX
    out.raw(chained.hash)
    out.u32(events.length)
    for (const event of events) records.write(event)
    const end = out.length
    const payload = out.bytes.subarray(PREFIX, end)
    out.length = 0
    out.u32(payload.length)
    out.u32(crc32(payload))
    chained.hash = createHash("sha256").update(chained.hash).update(payload).digest()
    writeSync(fd, out.bytes, 0, end)
    if (synced) fdatasyncSync(fd)
  }
}

const WINDOW = 1 << 20

const scanBare = (fd: number, records: Records, each: (event: Envelope<Event>) => void): void => {
  const read = records.reader()
  const { size } = fstatSync(fd)
  let seq = 1
  for (let at = 0; at < size;) {
    const window = Buffer.allocUnsafeSlow(WINDOW)
    const length = readSync(fd, window, 0, WINDOW, at)
    let frame = 0
    while (frame + PREFIX <= length) {
      const end = frame + PREFIX + window.readUInt32LE(frame)
      if (end > length) break
      const payload = window.subarray(frame + PREFIX, end)
      if (crc32(payload) !== window.readUInt32LE(frame + 4)) {
        throw new Error(`the checksum at byte ${at + frame} is wrong`)
      }
      const input = new ByteReader(payload, HASH + COUNT)
      for (let left = payload.readUInt32LE(HASH); left > 0; left--) each(read(input, seq++))
      frame = end
    }
    at += frame
  }
}
