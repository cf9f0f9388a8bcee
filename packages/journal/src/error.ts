/**
 * What can go wrong with a log: one error per thing that a caller can do something about, each one line long.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"

/** There is a file already where a log was to be created. @category errors @since 0.1.0 */
export class JournalExists extends Schema.TaggedError<JournalExists>()("JournalExists", {
  path: Schema.String
}) {
  override get message(): string {
    return `${this.path}: exists already, expected a path where a journal can be created`
  }
}

/**
 * There is no file to open. `interrupted` when a creation left `NAME.creating` behind: it holds no events and can be
 * deleted.
 *
 * @category errors
 * @since 0.1.0
 */
export class JournalMissing extends Schema.TaggedError<JournalMissing>()("JournalMissing", {
  path: Schema.String,
  interrupted: Schema.Boolean
}) {
  override get message(): string {
    return this.interrupted
      ? `${this.path}: no such journal, only ${this.path}.creating of a creation under way or interrupted`
      : `${this.path}: no such journal`
  }
}

/** `NAME.creating` is there: another creation is under way, or one was interrupted. @category errors @since 0.1.0 */
export class CreationPending extends Schema.TaggedError<CreationPending>()("CreationPending", {
  path: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.path}.creating exists, of a creation under way or interrupted; delete it if interrupted`
  }
}

/** Another writer has the log open, in the process `pid`. @category errors @since 0.1.0 */
export class Locked extends Schema.TaggedError<Locked>()("Locked", {
  path: Schema.String,
  pid: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: process ${this.pid} is writing it (${this.path}.lock), expected one writer at a time`
  }
}

/** What is there is no journal: another file, an empty one, a directory. @category errors @since 0.1.0 */
export class NotAJournal extends Schema.TaggedError<NotAJournal>()("NotAJournal", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: not a journal: ${this.reason}`
  }
}

/**
 * The file is a later segment of a journal, which is opened by the file of its first: `log`, by its name (`null` when it
 * was renamed).
 *
 * @category errors
 * @since 0.1.0
 */
export class LaterSegment extends Schema.TaggedError<LaterSegment>()("LaterSegment", {
  path: Schema.String,
  segment: Schema.Int,
  log: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const expected = this.log === null ? "" : `, open ${this.log}`
    return `${this.path}: segment ${this.segment} of a journal, expected its first${expected}`
  }
}

/** A journal of a format that this version cannot read. @category errors @since 0.1.0 */
export class UnknownFormat extends Schema.TaggedError<UnknownFormat>()("UnknownFormat", {
  path: Schema.String,
  format: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: journal format ${this.format}, expected 1`
  }
}

/** A journal of other events. @category errors @since 0.1.0 */
export class CodecMismatch extends Schema.TaggedError<CodecMismatch>()("CodecMismatch", {
  path: Schema.String,
  found: Schema.String,
  expected: Schema.String
}) {
  override get message(): string {
    return `${this.path}: holds events of codec ${this.found}, expected ${this.expected}`
  }
}

/**
 * The log is damaged at `byte` of the file `path`, one of its segments, where the event `seq` was expected. Everything
 * before can be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class Damaged extends Schema.TaggedError<Damaged>()("Damaged", {
  path: Schema.String,
  byte: Schema.Int,
  seq: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: damaged at byte ${this.byte}, event #${this.seq}: ${this.reason}`
  }
}

/**
 * The bytes are sound but the codec cannot read event `seq` of the batch at `byte` of the segment `path`: it was written
 * by another version.
 *
 * @category errors
 * @since 0.1.0
 */
export class Undecodable extends Schema.TaggedError<Undecodable>()("Undecodable", {
  path: Schema.String,
  byte: Schema.Int,
  seq: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: cannot decode event #${this.seq} of the batch at byte ${this.byte}: ${this.reason}`
  }
}

/** The file system said no. `reason` is its own. @category errors @since 0.1.0 */
export class AccessFailed extends Schema.TaggedError<AccessFailed>()("AccessFailed", {
  path: Schema.String,
  doing: Schema.String,
  reason: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `${this.path}: cannot ${this.doing}: ${this.reason}`
  }
}

/**
 * A batch was not written: nothing of it is in the log, which ends at `byte` of its last segment `path`. `reason` is the
 * file system's, such as "no space left on device".
 *
 * @category errors
 * @since 0.1.0
 */
export class WriteFailed extends Schema.TaggedError<WriteFailed>()("WriteFailed", {
  path: Schema.String,
  byte: Schema.Int,
  events: Schema.Int,
  reason: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `${this.path}: ${this.events} events not written at byte ${this.byte}: ${this.reason}`
  }
}

/** A batch that takes more than `limit` bytes. Nothing was written. @category errors @since 0.1.0 */
export class BatchTooLarge extends Schema.TaggedError<BatchTooLarge>()("BatchTooLarge", {
  path: Schema.String,
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: a batch of ${this.bytes} bytes, expected at most ${this.limit}`
  }
}

/** A batch is open: it holds the end of the log until its scope closes. @category errors @since 0.1.0 */
export class BatchOpen extends Schema.TaggedError<BatchOpen>()("BatchOpen", {
  path: Schema.String
}) {
  override get message(): string {
    return `${this.path}: a batch is open, expected it closed before another write`
  }
}

/** A stream is not at the revision that the writer expected. Nothing was written. @category errors @since 0.1.0 */
export class RevisionConflict extends Schema.TaggedError<RevisionConflict>()("RevisionConflict", {
  path: Schema.String,
  stream: Schema.String,
  expected: Schema.Int,
  actual: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: stream ${this.stream} is at revision ${this.actual}, expected ${this.expected}`
  }
}

/** The journal was opened for reading. @category errors @since 0.1.0 */
export class ReadOnly extends Schema.TaggedError<ReadOnly>()("ReadOnly", {
  path: Schema.String
}) {
  override get message(): string {
    return `${this.path}: opened for reading, expected it opened for writing`
  }
}

/** The scope that the journal or the batch was opened in is closed. @category errors @since 0.1.0 */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {
  path: Schema.String
}) {
  override get message(): string {
    return `${this.path}: closed, expected it open`
  }
}

/** A snapshot or a bookmark of a position that the log has not reached. @category errors @since 0.1.0 */
export class BeyondHead extends Schema.TaggedError<BeyondHead>()("BeyondHead", {
  path: Schema.String,
  what: Schema.Literals(["snapshot", "bookmark"]),
  seq: Schema.Int,
  head: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: ${this.what} at #${this.seq}, expected at most #${this.head}, where the log ends`
  }
}

/** A bookmark cannot be called that. @category errors @since 0.1.0 */
export class NotABookmark extends Schema.TaggedError<NotABookmark>()("NotABookmark", { name: Schema.String }) {
  override get message(): string {
    return `bookmark ${JSON.stringify(this.name)}: expected a letter, and up to 63 more letters, digits, _ and -`
  }
}

/** No bookmark of the log is called that. @category errors @since 0.1.0 */
export class NoSuchBookmark extends Schema.TaggedError<NoSuchBookmark>()("NoSuchBookmark", {
  path: Schema.String,
  name: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const known = this.known.length === 0 ? "it has none" : `expected one of ${this.known.join(", ")}`
    return `${this.path}: no bookmark ${JSON.stringify(this.name)}, ${known}`
  }
}

/** The bookmark was given in another log, or the log was cut or rewritten since. @category errors @since 0.1.0 */
export class StaleBookmark extends Schema.TaggedError<StaleBookmark>()("StaleBookmark", {
  path: Schema.String,
  name: Schema.String
}) {
  override get message(): string {
    return `${this.path}: bookmark ${this.name} is of another log, or of one that was cut or rewritten since: set it anew`
  }
}

/** Why a journal does not open. @category errors @since 0.1.0 */
export type OpenError =
  | JournalExists
  | JournalMissing
  | CreationPending
  | Locked
  | NotAJournal
  | LaterSegment
  | UnknownFormat
  | CodecMismatch
  | Damaged
  | AccessFailed

/** Why nothing was appended. @category errors @since 0.1.0 */
export type AppendError = BatchOpen | RevisionConflict | WriteFailed | BatchTooLarge | ReadOnly | Closed

/** Why reading stopped. @category errors @since 0.1.0 */
export type ReadError = Damaged | Undecodable | AccessFailed | Closed

/** Why there is no snapshot. @category errors @since 0.1.0 */
export type SnapshotError = BeyondHead | ReadOnly | ReadError

/**
 * A platform error in the words of the system: "no space left on device" and not "ENOSPC: no space left on device,
 * write".
 *
 * @internal
 */
export const reasonOf = (error: PlatformError): string => {
  const { cause, description, message } = error.reason
  if (cause instanceof Error) return /^[A-Z0-9_]+: (.+?)(, \w+.*)?$/.exec(cause.message)?.[1] ?? cause.message
  return description ?? message
}

/**
 * Names the file and what was being done to it.
 *
 * @internal
 */
export const accessFailed = (path: string, doing: string) => (error: PlatformError): AccessFailed =>
  new AccessFailed({ path, doing, reason: reasonOf(error), cause: error })
