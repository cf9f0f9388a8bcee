/**
 * A disk in memory for the tests: files are byte arrays that a test can look at and damage, and it fails when told to.
 *
 * @since 0.1.0
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type PlatformError, systemError, type SystemErrorTag } from "effect/PlatformError"

export interface Disk {
  readonly files: Map<string, Uint8Array>
  /** Symbolic links, and what they say. */
  readonly links: Map<string, string>
  /** Paths that are directories. */
  readonly directories: Set<string>
  /** Bytes that may still be written; then "no space left on device", after what fits. */
  space: number
  /** The most bytes that one write takes. */
  largestWrite: number
  /** Operations that fail with an input/output error. */
  readonly broken: Set<Operation>
  /** Files that are open. */
  handles: number
  /** Files that can be opened for reading only. */
  readonly readOnly: Set<string>
  /** What every read, and every write, waits for. */
  beforeRead: Effect.Effect<void>
  beforeWrite: Effect.Effect<void>
  /** What making, reading or removing a link waits for. */
  beforeLink: Effect.Effect<void>
  /** Names of the operations that changed or synced something, in order. */
  readonly done: Array<string>
  /** Bytes that were synced, by path; a path comes to stay when its directory is synced. */
  readonly durable: {
    readonly bytes: Map<string, Uint8Array>
    paths: ReadonlySet<string>
    /** Renames since a directory was synced, which a power loss undoes. */
    renames: ReadonlyArray<readonly [from: string, to: string]>
  }
  /** The power goes when so many operations are done: the next one, and all after it, fail and change nothing. */
  powerOffAfter: number
  /** Forgets everything that was not synced, the names of files among it; the power is on again. */
  readonly losePower: () => void
  /** Forgets bytes that were not synced, which read as zeros, but neither names nor lengths; the power is on again. */
  readonly loseBytes: () => void
  readonly layer: Layer.Layer<FileSystem.FileSystem>
}

export const makeDisk = (): Disk => {
  const disk: Disk = {
    files: new Map(),
    links: new Map(),
    directories: new Set(["/"]),
    space: Infinity,
    largestWrite: Infinity,
    broken: new Set(),
    handles: 0,
    readOnly: new Set(),
    beforeRead: Effect.void,
    beforeWrite: Effect.void,
    beforeLink: Effect.void,
    done: [],
    durable: { bytes: new Map(), paths: new Set(), renames: [] },
    powerOffAfter: Infinity,
    losePower: () => losePower(disk),
    loseBytes: () => loseBytes(disk),
    layer: Layer.sync(FileSystem.FileSystem, () => fileSystem(disk))
  }
  return disk
}

const losePower = (disk: Disk): void => {
  const { durable, files } = disk
  disk.powerOffAfter = Infinity
  for (const [from, to] of durable.renames.toReversed()) {
    const synced = durable.bytes.get(to)
    if (synced !== undefined) durable.bytes.set(from, synced)
    files.set(from, new Uint8Array(0))
  }
  durable.renames = []
  for (const path of files.keys()) {
    if (durable.paths.has(path)) files.set(path, (durable.bytes.get(path) ?? new Uint8Array(0)).slice())
    else files.delete(path)
  }
}

const loseBytes = (disk: Disk): void => {
  disk.powerOffAfter = Infinity
  for (const [path, bytes] of disk.files) {
    const left = new Uint8Array(bytes.length)
    left.set((disk.durable.bytes.get(path) ?? left).subarray(0, bytes.length))
    disk.files.set(path, left)
  }
}

const failed = (tag: SystemErrorTag, path: string, message: string): PlatformError =>
  systemError({ _tag: tag, module: "FileSystem", method: "", pathOrDescriptor: path, cause: new Error(message) })

const notFound = (path: string) => failed("NotFound", path, `ENOENT: no such file or directory, open '${path}'`)

type Operation = "write" | "sync" | "truncate" | "read" | "rename" | "open" | "remove"

const fails = (disk: Disk, operation: Operation): boolean =>
  disk.broken.has(operation) || disk.done.length >= disk.powerOffAfter

const fileSystem = (disk: Disk): FileSystem.FileSystem => {
  const { directories, files, links } = disk
  const guard = (operation: Operation, path: string) =>
    Effect.suspend(() =>
      fails(disk, operation) ? Effect.fail(failed("Unknown", path, `EIO: i/o error, ${operation}`)) : Effect.void
    )
  const find = (path: string) =>
    Effect.suspend(() => {
      const bytes = files.get(path)
      return bytes === undefined ? Effect.fail(notFound(path)) : Effect.succeed(bytes)
    })
  return FileSystem.makeNoop({
    exists: (path) => Effect.sync(() => files.has(path) || directories.has(path)),
    stat: (path) =>
      directories.has(path)
        ? Effect.succeed(info("Directory", 0))
        : Effect.map(find(path), (bytes) => info("File", bytes.length)),
    open: (path, options) =>
      guard("open", path).pipe(
        Effect.andThen(Effect.suspend(() => {
          if (directories.has(path)) return Effect.succeed(openFile(disk, path))
          const flag = options?.flag ?? "r"
          const exists = files.has(path)
          if (flag.startsWith("wx") && exists) {
            return Effect.fail(failed("AlreadyExists", path, "EEXIST: file already exists, open"))
          }
          if (flag !== "r" && disk.readOnly.has(path)) {
            return Effect.fail(failed("PermissionDenied", path, "EACCES: permission denied, open"))
          }
          if (flag.startsWith("r") && !exists) return Effect.fail(notFound(path))
          if (flag.startsWith("w")) files.set(path, new Uint8Array(0))
          return Effect.succeed(openFile(disk, path))
        })),
        Effect.tap(() => {
          disk.handles++
          return Effect.addFinalizer(() => Effect.sync(() => void disk.handles--))
        })
      ),
    rename: (from, to) =>
      Effect.andThen(
        guard("rename", from),
        Effect.map(find(from), (bytes) => {
          files.set(to, bytes)
          files.delete(from)
          const synced = disk.durable.bytes.get(from)
          if (synced !== undefined) disk.durable.bytes.set(to, synced)
          disk.durable.bytes.delete(from)
          disk.durable.renames = [...disk.durable.renames, [from, to]]
          disk.done.push(`rename ${from} ${to}`)
        })
      ),
    symlink: (text, path) =>
      Effect.andThen(disk.beforeLink, () => {
        if (files.has(path) || links.has(path)) {
          return Effect.fail(failed("AlreadyExists", path, "EEXIST: file already exists, symlink"))
        }
        links.set(path, text)
        return Effect.void
      }),
    readLink: (path) =>
      Effect.andThen(disk.beforeLink, () => {
        const text = links.get(path)
        if (text !== undefined) return Effect.succeed(text)
        return Effect.fail(
          files.has(path) ? failed("Unknown", path, "EINVAL: invalid argument, readlink") : notFound(path)
        )
      }),
    remove: (path) =>
      Effect.andThen(links.has(path) ? disk.beforeLink : guard("remove", path), () => {
        if (!links.delete(path)) files.delete(path)
        return Effect.void
      }),
    readFile: find,
    writeFile: (path, bytes) => Effect.sync(() => void files.set(path, bytes.slice())),
    readDirectory: (path) =>
      Effect.sync(() =>
        [...files.keys()].filter((file) => file.startsWith(path)).map((file) => file.slice(file.lastIndexOf("/") + 1))
      )
  })
}

/** The path follows the file when it is renamed, as a descriptor does. */
const openFile = (disk: Disk, path: string): FileSystem.File => {
  let position = 0
  let name = path
  let seen = disk.done.length
  const bytes = () => {
    for (; seen < disk.done.length; seen++) {
      const [what, from, to] = disk.done[seen]!.split(" ")
      if (what === "rename" && from === name && to !== undefined) name = to
    }
    return disk.files.get(name) ?? new Uint8Array(0)
  }
  const broken = (operation: "write" | "sync" | "truncate" | "read") =>
    failed("Unknown", name, `EIO: i/o error, ${operation}`)
  const write = (chunk: Uint8Array): Effect.Effect<number, PlatformError> =>
    Effect.andThen(disk.beforeWrite, () => {
      if (fails(disk, "write")) return Effect.fail(broken("write"))
      const taken = chunk.subarray(0, Math.min(disk.largestWrite, disk.space))
      if (taken.length === 0 && chunk.length > 0) {
        return Effect.fail(failed("Unknown", name, "ENOSPC: no space left on device, write"))
      }
      const old = bytes()
      const grown = new Uint8Array(Math.max(old.length, position + taken.length))
      grown.set(old)
      grown.set(taken, position)
      disk.files.set(name, grown)
      disk.space -= taken.length
      position += taken.length
      disk.done.push(`write ${name} ${taken.length}`)
      return Effect.succeed(taken.length)
    })
  return {
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    stat: Effect.sync(() => info("File", bytes().length)),
    seek: (offset) => Effect.sync(() => BigInt(position = Number(offset))),
    sync: Effect.suspend(() => {
      if (fails(disk, "sync")) return Effect.fail(broken("sync"))
      const now = bytes().slice()
      if (disk.directories.has(name)) {
        disk.durable.paths = new Set(disk.files.keys())
        disk.durable.renames = []
      } else disk.durable.bytes.set(name, now)
      disk.done.push(`sync ${name}`)
      return Effect.void
    }),
    read: (buffer, options) =>
      Effect.andThen(disk.beforeRead, () => {
        if (fails(disk, "read")) return Effect.fail(broken("read"))
        const at = Number(options?.position ?? position)
        const part = bytes().subarray(at, at + buffer.length)
        buffer.set(part)
        return Effect.succeed(part.length)
      }),
    readAlloc: () => Effect.succeed(Option.none()),
    truncate: (length = 0) =>
      Effect.suspend(() => {
        if (fails(disk, "truncate")) return Effect.fail(broken("truncate"))
        const old = bytes()
        const cut = new Uint8Array(length)
        cut.set(old.subarray(0, length))
        disk.files.set(name, cut)
        disk.done.push(`truncate ${name} ${length}`)
        return Effect.void
      }),
    write,
    writeAll: (chunk) => Effect.asVoid(write(chunk))
  }
}

const info = (type: FileSystem.File.Type, size: number): FileSystem.File.Info => ({
  type,
  mtime: Option.none(),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 0n,
  ino: Option.none(),
  mode: 0o644,
  nlink: Option.none(),
  uid: Option.none(),
  gid: Option.none(),
  rdev: Option.none(),
  size: ByteSize.bytes(size),
  blksize: Option.none(),
  blocks: Option.none()
})
