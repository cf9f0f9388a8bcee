/**
 * Where the bytes of a log are kept. The memory and the file log differ in this, and in nothing else.
 *
 * @since 0.1.0
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import type { File, FileSystem } from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import { basename, dirname, join } from "node:path"

/**
 * A sequence of bytes that grows at its end, with sidecars: small byte strings by name, which are nobody's truth.
 *
 * `write` puts bytes at a position and is not to be trusted to have written nothing when it fails. `read` gives fewer
 * bytes than asked for only at the end, and bytes that the caller must not change.
 *
 * @internal
 */
export interface Store {
  readonly path: string
  readonly size: Effect.Effect<number, PlatformError>
  readonly write: (at: number, bytes: Uint8Array) => Effect.Effect<void, PlatformError>
  readonly sync: Effect.Effect<void, PlatformError>
  readonly truncate: (size: number) => Effect.Effect<void, PlatformError>
  readonly read: (at: number, length: number) => Effect.Effect<Uint8Array, PlatformError>
  readonly sidecar: Sidecar
}

/** Byte strings beside a log. `write` replaces whole; `read` gives bytes of one's own; `list` gives the names that begin with `prefix`. @internal */
export interface Sidecar {
  readonly write: (name: string, bytes: Uint8Array) => Effect.Effect<void, PlatformError>
  readonly read: (name: string) => Effect.Effect<Uint8Array, PlatformError>
  readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<string>, PlatformError>
  readonly remove: (name: string) => Effect.Effect<void, PlatformError>
}

const BLOCK = 1 << 20

/** Bytes in memory: blocks of 1 MiB, of which only the first grows, so that a small log is small. @internal */
export const memoryStore = (path: string): Store => {
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
    read: (at, length) => Effect.sync(() => read(at, length)),
    sidecar: memorySidecar(path)
  }
}

const memorySidecar = (path: string): Sidecar => {
  const files = new Map<string, Uint8Array>()
  return {
    write: (name, bytes) => Effect.sync(() => void files.set(name, bytes.slice())),
    read: (name) =>
      Effect.suspend(() => {
        const bytes = files.get(name)
        return bytes === undefined ? Effect.fail(noSidecar(path, name)) : Effect.succeed(bytes.slice())
      }),
    list: (prefix) => Effect.sync(() => [...files.keys()].filter((name) => name.startsWith(prefix))),
    remove: (name) => Effect.sync(() => void files.delete(name))
  }
}

const noSidecar = (path: string, name: string): PlatformError =>
  systemError({ _tag: "NotFound", module: "journal", method: "read", pathOrDescriptor: `${path}.${name}` })

/** An open file; with `sync: "never"` nothing waits for the disk. @internal */
export const fileStore = (fs: FileSystem, path: string, file: File, sync: "never" | "batch"): Store => ({
  path,
  size: Effect.map(file.stat, (info) => ByteSize.toNumberUnsafe(info.size)),
  write: (at, bytes) => Effect.andThen(file.seek(BigInt(at), "start"), writeAll(file, path, bytes)),
  sync: sync === "never" ? Effect.void : file.sync,
  truncate: (size) => file.truncate(size),
  read: (at, length) => readAll(file, at, length),
  sidecar: fileSidecar(fs, path)
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

const fileSidecar = (fs: FileSystem, path: string): Sidecar => {
  const nameOf = (name: string) => `${path}.${name}`
  const own = `${basename(path)}.`
  return {
    // A reader of a half-written sidecar would only find it unsound; the rename saves the good one it replaces.
    write: (name, bytes) =>
      Effect.andThen(fs.writeFile(`${nameOf(name)}.new`, bytes), fs.rename(`${nameOf(name)}.new`, nameOf(name))),
    read: (name) => fs.readFile(nameOf(name)),
    list: (prefix) =>
      Effect.map(
        fs.readDirectory(dirname(path)),
        (entries) => entries.filter((entry) => entry.startsWith(own + prefix)).map((entry) => entry.slice(own.length))
      ),
    remove: (name) => fs.remove(nameOf(name), { force: true })
  }
}

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
