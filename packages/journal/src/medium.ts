/**
 * What the bytes of a log are kept on: a file, or memory.
 *
 * @since 0.1.0
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import type { File, FileSystem } from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import { dirname, join } from "node:path"

/**
 * A sequence of bytes that grows at its end.
 *
 * `write` puts bytes at a position and is not to be trusted to have written nothing when it fails. `read` gives fewer
 * bytes than asked for only at the end, and bytes that the caller must not change.
 *
 * @internal
 */
export interface Medium {
  readonly path: string
  readonly size: Effect.Effect<number, PlatformError>
  readonly write: (at: number, bytes: Uint8Array) => Effect.Effect<void, PlatformError>
  readonly sync: Effect.Effect<void, PlatformError>
  readonly truncate: (size: number) => Effect.Effect<void, PlatformError>
  readonly read: (at: number, length: number) => Effect.Effect<Uint8Array, PlatformError>
}

const BLOCK = 1 << 20

/** Bytes in memory: blocks of 1 MiB, of which only the first grows, so that a small log is small. @internal */
export const memoryMedium = (path: string): Medium => {
  const blocks: Array<Uint8Array> = [new Uint8Array(1024)]
  let size = 0

  const blockFor = (at: number, end: number): Uint8Array => {
    const index = Math.floor(at / BLOCK)
    const block = blocks[index] ?? (blocks[index] = new Uint8Array(BLOCK))
    const needed = Math.min(end - index * BLOCK, BLOCK)
    if (needed <= block.length) return block
    const grown = new Uint8Array(Math.min(BLOCK, Math.max(needed, block.length * 2)))
    grown.set(block)
    return blocks[index] = grown
  }

  const write = (at: number, bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length;) {
      const block = blockFor(at + done, at + bytes.length)
      const from = (at + done) % BLOCK
      const part = bytes.subarray(done, done + BLOCK - from)
      block.set(part, from)
      done += part.length
    }
    size = at + bytes.length
  }

  const read = (at: number, wanted: number): Uint8Array => {
    const length = Math.max(0, Math.min(wanted, size - at))
    const from = at % BLOCK
    if (from + length <= BLOCK) {
      return blocks[Math.floor(at / BLOCK)]?.subarray(from, from + length) ?? new Uint8Array(0)
    }
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const start = (at + done) % BLOCK
      const part = blocks[Math.floor((at + done) / BLOCK)]!.subarray(start, start + length - done)
      bytes.set(part, done)
      done += part.length
    }
    return bytes
  }

  return {
    path,
    size: Effect.sync(() => size),
    write: (at, bytes) => Effect.sync(() => write(at, bytes)),
    sync: Effect.void,
    truncate: (length) => Effect.sync(() => void (size = Math.min(size, length))),
    read: (at, length) => Effect.sync(() => read(at, length))
  }
}

/** An open file. @internal */
export const fileMedium = (path: string, file: File): Medium => ({
  path,
  size: Effect.map(file.stat, (info) => ByteSize.toNumberUnsafe(info.size)),
  write: (at, bytes) => Effect.andThen(file.seek(BigInt(at), "start"), writeAll(file, path, bytes)),
  sync: file.sync,
  truncate: (size) => file.truncate(size),
  read: (at, length) => readAll(file, at, length)
})

/** A write may be short; one that writes nothing at all would be asked for ever. */
const writeAll = Effect.fnUntraced(function*(file: File, path: string, bytes: Uint8Array) {
  for (let done = 0; done < bytes.length;) {
    const written = yield* file.write(done === 0 ? bytes : bytes.subarray(done))
    if (written === 0) {
      return yield* systemError({
        _tag: "WriteZero",
        module: "journal",
        method: "write",
        pathOrDescriptor: path,
        description: `only ${done} of ${bytes.length} bytes were taken`
      })
    }
    done += written
  }
})

const readAll = Effect.fnUntraced(function*(file: File, at: number, length: number) {
  const bytes = Buffer.allocUnsafeSlow(length)
  let done = 0
  while (done < length) {
    const part = done === 0 ? bytes : bytes.subarray(done)
    const read = yield* file.read(part, { position: BigInt(at + done) })
    if (read === 0) break
    done += read
  }
  return done === length ? bytes : bytes.subarray(0, done)
})

/**
 * Makes a rename in the directory of `path` outlive a power loss, where the platform lets a directory be synced.
 *
 * @internal
 */
export const syncDirectory = (fs: FileSystem, path: string): Effect.Effect<void> =>
  fs.open(join(dirname(path), "."), { flag: "r" }).pipe(
    Effect.flatMap((directory) => directory.sync),
    Effect.scoped,
    Effect.ignore
  )
