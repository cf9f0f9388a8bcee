/**
 * Small byte strings beside a log, which say nothing of its events: snapshots, bookmarks, and the way into it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import { basename, dirname } from "node:path"

/** Byte strings beside a log. `write` replaces whole; `read` gives bytes of one's own; `list` gives the names that begin with `prefix`. @internal */
export interface Sidecar {
  readonly write: (name: string, bytes: Uint8Array) => Effect.Effect<void, PlatformError>
  readonly read: (name: string) => Effect.Effect<Uint8Array, PlatformError>
  readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<string>, PlatformError>
  readonly remove: (name: string) => Effect.Effect<void, PlatformError>
}

/** @internal */
export const memorySidecar = (path: string): Sidecar => {
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

/** @internal */
export const fileSidecar = (fs: FileSystem, path: string): Sidecar => {
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
