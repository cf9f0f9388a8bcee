/**
 * An append-only event log for Effect: framed, checksummed, hash-chained; in memory and in files.
 *
 * @since 0.1.0
 */
export type { Bookmark, Bookmarks } from "./bookmark.ts"
export { ByteReader, ByteWriter } from "./bytes.ts"
export { Codec, type EventType } from "./codec.ts"
export * from "./envelope.ts"
export {
  AccessFailed,
  type AppendError,
  BatchOpen,
  BatchTooLarge,
  BeyondHead,
  Closed,
  CodecMismatch,
  CreationPending,
  Damaged,
  JournalExists,
  JournalMissing,
  LaterSegment,
  Locked,
  NoSuchBookmark,
  NotABookmark,
  NotAJournal,
  type OpenError,
  type ReadError,
  ReadOnly,
  RevisionConflict,
  type SnapshotError,
  StaleBookmark,
  Undecodable,
  UnknownFormat,
  WriteFailed
} from "./error.ts"
export type { Journal, Recovered } from "./journal.ts"
export { file, type FileOptions, memory } from "./open.ts"
export type { Past, Tagged } from "./packed.ts"
export type { ReadOptions, Unknown } from "./reader.ts"
export { type Loss, salvage, type Salvaged } from "./salvage.ts"
export { layerFile, layerMemory, Service } from "./service.ts"
export type { Snapshot, Snapshots } from "./snapshot.ts"
export type { Sync } from "./store.ts"
export type { Tail } from "./tail.ts"
export { type Report, verify, type VerifyOptions } from "./verify.ts"
export type { AppendOptions, Batch } from "./writer.ts"
