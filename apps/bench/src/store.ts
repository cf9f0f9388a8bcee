/**
 * Where a log of events can be kept: the journal, and embedded stores with an entry an event.
 *
 * Each takes the same events and gives them back as the same objects; all of them encode and decode by the same codec.
 *
 * @since 0.1.0
 */
import { ByteReader, file } from "@pfnscope/journal"
import type { Batch, Envelope, NewEvent } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import type { Event } from "@pfnscope/protocol"
import Database from "better-sqlite3"
import { ClassicLevel } from "classic-level"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { FileSystem } from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { DatabaseSync } from "node:sqlite"
import { Records } from "./record.ts"

/** Events in batches, each of which is committed, and durable where it is synced, before the next. */
export type Batches = ReadonlyArray<ReadonlyArray<NewEvent<Event>>>

/** A log that is open. `scan` decodes every event from the first to the last and hands it over. */
export interface Store {
  readonly append: (batches: Batches) => Effect.Effect<void, unknown>
  readonly scan: (each: (event: Envelope<Event>) => void) => Effect.Effect<void, unknown>
}

/** A kind of store, and how a new one is opened in an empty folder. It is closed with the scope. */
export interface Kind {
  readonly name: string
  readonly open: (folder: string, synced: boolean) => Effect.Effect<Store, unknown, Scope.Scope | FileSystem>
}

/** Appends batches of events through an open batch of the journal. */
type Appending = (batch: Batch<Event>, batches: Batches) => Effect.Effect<void, unknown>

/** The journal, through its public interface. */
const journalOf = (name: string, appending: Appending): Kind => ({
  name,
  open: Effect.fnUntraced(function*(folder, synced) {
    const log = yield* file(eventCodec, {
      path: `${folder}/run.log`,
      mode: "create",
      sync: synced ? "batch" : "never",
      meta: null
    })
    return {
      append: (batches) => Effect.scoped(Effect.flatMap(log.batch, (batch) => appending(batch, batches))),
      scan: (each) => Stream.runForEachArray(log.read(), (events) => Effect.sync(() => events.forEach(each)))
    }
  })
})

/** Each commit is awaited before the next batch is begun. */
export const journal = journalOf(
  "journal",
  Effect.fnUntraced(function*(batch, batches) {
    for (const events of batches) {
      for (const event of events) batch.add(event)
      yield* batch.commit
    }
  })
)

/** Events that are added in one go before others get their turn. */
const AT_ONCE = 256

/** The next batch is filled while one is committed, as the machine does: it goes on with its steps. */
export const journalAhead = journalOf(
  "journal, ahead",
  Effect.fnUntraced(function*(batch, batches) {
    let committing: Effect.Effect<unknown, unknown> = Effect.void
    for (const events of batches) {
      for (const [i, event] of events.entries()) {
        batch.add(event)
        if (i % AT_ONCE === AT_ONCE - 1) yield* Effect.yieldNow
      }
      yield* committing
      committing = Fiber.join(yield* Effect.forkChild(batch.commit, { startImmediately: true }))
    }
    yield* committing
  })
)

/** What is used of both bindings of SQLite, which have it in common. */
interface Sqlite {
  readonly exec: (sql: string) => unknown
  readonly prepare: (sql: string) => {
    readonly run: (seq: number, data: Uint8Array) => unknown
    readonly all: (after: number) => ReadonlyArray<unknown>
  }
  readonly close: () => unknown
}

/** Rows that are read at a time. */
const PAGE = 4096

/** A row an event: `seq` is the table's key, `data` the event. A batch is a transaction. */
const sqlite = (name: string, connect: (path: string) => Sqlite): Kind => ({
  name,
  open: (folder, synced) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => connect(`${folder}/run.sqlite`)),
        (db) => Effect.sync(() => db.close())
      ),
      (db): Store => {
        db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synced ? "FULL" : "OFF"}`)
        db.exec("CREATE TABLE events (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT")
        const records = new Records()
        return {
          append: (batches) => Effect.sync(() => appendRows(db, records, batches)),
          scan: (each) => Effect.sync(() => scanRows(db, records, each))
        }
      }
    )
})

const appendRows = (db: Sqlite, records: Records, batches: Batches): void => {
  const insert = db.prepare("INSERT INTO events VALUES (?, ?)")
  const { out } = records
  for (const events of batches) {
    db.exec("BEGIN")
    for (const event of events) {
      out.length = 0
      insert.run(records.write(event), out.bytes.subarray(0, out.length))
    }
    db.exec("COMMIT")
  }
}

const scanRows = (db: Sqlite, records: Records, each: (event: Envelope<Event>) => void): void => {
  const next = db.prepare(`SELECT seq, data FROM events WHERE seq > ? ORDER BY seq LIMIT ${PAGE}`)
  const one = oneByOne(records)
  for (let after = 0;;) {
    const rows = next.all(after) as ReadonlyArray<{ readonly seq: number; readonly data: Uint8Array }>
    for (const { data, seq } of rows) each(one(data, seq))
    if (rows.length < PAGE) return
    after = rows.at(-1)!.seq
  }
}

/** Reads events that come each in bytes of its own: copying them into one buffer is faster than a reader for each. */
const oneByOne = (records: Records): (bytes: Uint8Array, seq: number) => Envelope<Event> => {
  const read = records.reader()
  const input = new ByteReader(new Uint8Array(1 << 16))
  return (bytes, seq) => {
    input.bytes.set(bytes)
    input.at = 0
    return read(input, seq)
  }
}

export const nodeSqlite = sqlite("node:sqlite", (path) => new DatabaseSync(path) as unknown as Sqlite)

export const betterSqlite = sqlite("better-sqlite3", (path) => new Database(path) as unknown as Sqlite)

/** LevelDB: an entry an event, the key its position in eight bytes; a batch is one of LevelDB's. */
export const level: Kind = {
  name: "classic-level",
  open: (folder, synced) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(async () => {
          const db = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: "view", valueEncoding: "view" })
          await db.open()
          return db
        }),
        (db) => Effect.promise(() => db.close())
      ),
      (db): Store => {
        const records = new Records()
        return {
          append: (batches) => Effect.promise(() => appendEntries(db, records, batches, synced)),
          scan: (each) => Effect.promise(() => scanEntries(db, records, each))
        }
      }
    )
}

type Level = ClassicLevel<Uint8Array, Uint8Array>

const appendEntries = async (db: Level, records: Records, batches: Batches, synced: boolean): Promise<void> => {
  const { out } = records
  for (const events of batches) {
    const batch = db.batch()
    for (const event of events) {
      out.length = 0
      batch.put(keyOf(records.write(event)), out.bytes.subarray(0, out.length))
    }
    await batch.write({ sync: synced })
  }
}

/** Big-endian, so that the order of the bytes is that of the positions. */
const keyOf = (seq: number): Uint8Array => {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(Math.floor(seq / 0x100000000), 0)
  key.writeUInt32BE(seq >>> 0, 4)
  return key
}

const scanEntries = async (db: Level, records: Records, each: (event: Envelope<Event>) => void): Promise<void> => {
  const entries = db.iterator()
  const one = oneByOne(records)
  for (let seq = 1;;) {
    const some = await entries.nextv(PAGE)
    if (some.length === 0) break
    for (const [, data] of some) each(one(data, seq++))
  }
  await entries.close()
}
