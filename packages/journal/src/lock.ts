/**
 * One writer at a time: a lock beside the log that outlives a crash of its owner, and is then taken over.
 *
 * The lock is a symbolic link whose target names the owner: it is made whole or not at all, in one call that fails when
 * there is one, and a crash leaves nothing half made. Nothing is ever at its end.
 *
 * A stale lock is removed only by who holds the lock of that lock, after another look. So of two that find it stale, the
 * slower one cannot remove what the faster one has put in its place. Where a process ended holding that one as well,
 * the same rule removes it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { AccessFailed, accessFailed, Locked, reasonOf } from "./error.ts"
import { type Owner, ownerText, parseOwner, Processes } from "./owner.ts"

/** Holds the lock of the log at `path` until the scope closes. @internal */
export const lock = Effect.fnUntraced(function*(
  fs: FileSystem,
  path: string
): Effect.fn.Return<void, Locked | AccessFailed, Scope.Scope> {
  const processes = yield* Processes
  yield* hold({ fs, path, processes }, `${path}.lock`).pipe(
    Effect.catchTag("PlatformError", (error) => Effect.fail(accessFailed(path, "lock")(error)))
  )
})

interface Claim {
  readonly fs: FileSystem
  readonly path: string
  readonly processes: Processes
}

type Held = Effect.Effect<void, Locked | AccessFailed | PlatformError, Scope.Scope>

const hold = (claim: Claim, name: string): Held =>
  Effect.acquireRelease(take(claim, name), () => Effect.ignore(release(claim, name)))

const take = (claim: Claim, name: string): Effect.Effect<void, Locked | AccessFailed | PlatformError> =>
  Effect.catch(
    claim.fs.symlink(ownerText(claim.processes.self), name),
    (error) =>
      error.reason._tag !== "AlreadyExists"
        ? Effect.fail(error)
        : Effect.andThen(clearStale(claim, name), take(claim, name))
  )

/** Removes a lock whose owner ended; fails when it runs. */
const clearStale = Effect.fnUntraced(function*(
  claim: Claim,
  name: string
): Effect.fn.Return<void, Locked | AccessFailed | PlatformError> {
  if ((yield* staleOwner(claim, name)) === null) return
  yield* Effect.scoped(Effect.andThen(
    hold(claim, `${name}.lock`),
    Effect.gen(function*() {
      if ((yield* staleOwner(claim, name)) !== null) yield* claim.fs.remove(name, { force: true })
    })
  ))
})

/** The owner of a lock when it has ended, `null` when there is no lock. */
const staleOwner = Effect.fnUntraced(function*(
  { fs, path, processes }: Claim,
  name: string
): Effect.fn.Return<Owner | null, Locked | AccessFailed | PlatformError> {
  const text = yield* Effect.catch(
    fs.readLink(name),
    (error) => error.reason._tag === "NotFound" ? Effect.succeed(null) : Effect.fail(error)
  ).pipe(Effect.mapError((error) => foreign(path, name, reasonOf(error))))
  if (text === null) return null
  const owner = parseOwner(text)
  if (owner === null) return yield* foreign(path, name, `it says ${JSON.stringify(text)}`)
  if (processes.runs(owner)) return yield* new Locked({ path, pid: owner.pid })
  return owner
})

/** What is there is somebody else's, and stays. */
const foreign = (path: string, name: string, why: string): AccessFailed =>
  new AccessFailed({ path, doing: "lock", reason: `${name} is there and no lock of a journal: ${why}`, cause: why })

/** Only what is ours: somebody may have removed the lock by hand, and another process may have it now. */
const release = ({ fs, processes }: Claim, name: string): Effect.Effect<void, PlatformError> =>
  Effect.flatMap(
    fs.readLink(name),
    (text) => text === ownerText(processes.self) ? fs.remove(name) : Effect.void
  )
