/**
 * A log as a database of SQLite, which any tool can ask.
 *
 * @since 0.1.0
 */
import type { Head, Journal, ReadError } from "@pfnscope/journal"
import { denseFrom, LogNotDense, threadNames } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DatabaseSync } from "node:sqlite"
import { rowsOf } from "./rows.ts"
import type { Put, Rows } from "./rows.ts"
import { CREATE_INDICES, CREATE_TABLES, CREATE_VIEWS, insertInto, TABLES } from "./schema.ts"
import type { TableName } from "./schema.ts"

/** There is a file already where a database was to be written. @category errors @since 0.1.0 */
export class DatabaseExists extends Schema.TaggedError<DatabaseExists>()("DatabaseExists", { path: Schema.String }) {
  override get message(): string {
    return `${this.path}: exists already, expected a path where a database can be written`
  }
}

/** A database could not be written: no space, no folder, no permission. @category errors @since 0.1.0 */
export class DatabaseFailed extends Schema.TaggedError<DatabaseFailed>()("DatabaseFailed", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: the database was not written: ${this.reason}`
  }
}

/** How far an export is: events written, of so many. @category models @since 0.1.0 */
export interface ExportProgress {
  readonly events: number
  readonly of: number
}

/** The version of the tables and views, `PRAGMA user_version` of what is written. @category constants @since 0.1.0 */
export const DATABASE_VERSION = 1

/**
 * Writes a log to a new database of SQLite at `output`, in bounded memory: its events, what the projections make of them,
 * and views. `source` is the log's name. It is written as `OUTPUT.creating` and gets its name when it is whole and on the
 * disk. Gives where the log ends.
 *
 * @category constructors
 * @since 0.1.0
 */
export const writeDatabase = Effect.fn("render.writeDatabase")(function*<E = never, R = never>(
  log: Pick<Journal<Event>, "head" | "header" | "read">,
  options: {
    readonly source: string
    readonly output: string
    readonly onProgress?: ((progress: ExportProgress) => Effect.Effect<void, E, R>) | undefined
  }
): Effect.fn.Return<Head, DatabaseExists | DatabaseFailed | LogNotDense | ReadError | E, FileSystem | R> {
  const { output } = options
  const fs = yield* FileSystem
  const creating = `${output}.creating`
  const failed = (error: PlatformError) => new DatabaseFailed({ path: output, reason: error.message })
  const refuseExisting = Effect.flatMap(
    Effect.mapError(fs.exists(output), failed),
    (exists) => exists ? Effect.fail(new DatabaseExists({ path: output })) : Effect.void
  )
  yield* refuseExisting
  const head = yield* log.head
  yield* Effect.scoped(Effect.gen(function*() {
    yield* claimed(fs, output, creating)
    yield* Effect.scoped(Effect.flatMap(opened(output, creating), (db) => fill(db, log, head, options)))
    yield* Effect.mapError(
      Effect.scoped(Effect.flatMap(fs.open(creating, { flag: "r+" }), (file) => file.sync)),
      failed
    )
    yield* refuseExisting
    yield* Effect.mapError(fs.rename(creating, output), failed)
  }))
  return head
})

/** Makes the file under its first name, which is gone with the scope unless it got its last. */
const claimed = (
  fs: FileSystem,
  output: string,
  creating: string
): Effect.Effect<void, DatabaseFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.scoped(fs.open(creating, { flag: "wx" })).pipe(
      Effect.asVoid,
      Effect.mapError((error) =>
        new DatabaseFailed({
          path: output,
          reason: error.reason._tag === "AlreadyExists"
            ? `${creating} exists, of an export under way or interrupted; delete it if interrupted`
            : error.message
        })
      )
    ),
    () => Effect.ignore(fs.remove(creating, { force: true }))
  )

/** The database, without what saves it from a crash: until it has its name nobody believes it. */
const opened = (output: string, creating: string): Effect.Effect<DatabaseSync, DatabaseFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      // Loaded here, so that nothing else waits for it.
      try: async () => {
        const { DatabaseSync } = await import("node:sqlite")
        const db = new DatabaseSync(creating)
        db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA user_version = ${DATABASE_VERSION}`)
        return db
      },
      catch: (error) => notWritten(output, error)
    }),
    (db) => Effect.sync(() => db.close())
  )

const notWritten = (path: string, error: unknown): DatabaseFailed =>
  new DatabaseFailed({ path, reason: error instanceof Error ? error.message : String(error) })

/** Events from one report of progress to the next; a transaction is a chunk of the log's. */
const REPORTED_EVERY = 65_536

const fill = Effect.fnUntraced(function*<E, R>(
  db: DatabaseSync,
  log: Pick<Journal<Event>, "header" | "read">,
  head: Head,
  { onProgress = () => Effect.void, output, source }: {
    readonly source: string
    readonly output: string
    readonly onProgress?: ((progress: ExportProgress) => Effect.Effect<void, E, R>) | undefined
  }
): Effect.fn.Return<void, DatabaseFailed | LogNotDense | ReadError | E, R> {
  const written = (write: () => void) =>
    Effect.try({
      try: () => {
        db.exec("BEGIN")
        write()
        db.exec("COMMIT")
      },
      catch: (error) => error instanceof LogNotDense ? error : notWritten(output, error)
    })
  yield* written(() => db.exec(CREATE_TABLES))
  const put = putInto(db)
  const rows = rowsOf(put, source, head.hash, threadNames(log))
  const isNext = denseFrom("sqlite", 1)
  let events = 0
  yield* Stream.runForEachArray(log.read({ to: head.seq }), (chunk) => {
    const before = events
    events += chunk.length
    const isTold = Math.floor(before / REPORTED_EVERY) < Math.floor(events / REPORTED_EVERY)
    const write = written(() => {
      for (const event of chunk) {
        const fault = isNext(event.seq)
        if (fault !== undefined) throw fault
        rows.event(event)
      }
    })
    return isTold ? Effect.andThen(write, onProgress({ events, of: head.seq })) : write
  })
  yield* written(() => end(db, put, rows, log, head, source))
})

const end = (
  db: DatabaseSync,
  put: Put,
  rows: Rows,
  { header }: Pick<Journal<Event>, "header">,
  head: Head,
  source: string
): void => {
  rows.end()
  const { codec, format, meta } = header
  const told = { log: source, codec, format, events: head.seq, batches: head.batches, head: head.hash }
  for (const [key, value] of Object.entries(told)) put("meta", [key, String(value)])
  put("meta", ["header", JSON.stringify(meta)])
  db.exec(CREATE_INDICES)
  db.exec(CREATE_VIEWS)
}

const putInto = (db: DatabaseSync): Put => {
  const statements = new Map(
    (Object.keys(TABLES) as ReadonlyArray<TableName>).map((name) => [name, db.prepare(insertInto(name))])
  )
  return (table, row) => void statements.get(table)!.run(...row)
}
