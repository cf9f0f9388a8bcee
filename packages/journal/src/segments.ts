/**
 * The files of a log: `NAME`, and then `NAME.seg-000002`, `NAME.seg-000003` …
 *
 * A later segment says in its header which one it is, where its events begin and what the hash of the log before it was.
 * So one that is missing, there twice, in another's place or of another log is found, and named.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { File, FileSystem } from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { basename, dirname } from "node:path"
import type { Header } from "./envelope.ts"
import {
  type AccessFailed,
  accessFailed,
  CodecMismatch,
  Damaged,
  JournalMissing,
  LaterSegment,
  NotAJournal,
  type OpenError
} from "./error.ts"
import { type FileStart, HEADER_PREFIX, readHeader } from "./header.ts"
import { fileMedium, type Medium } from "./medium.ts"
import { fileSidecar } from "./sidecar.ts"
import { firstSegment, type RollOver, type Segment, type SegmentFault, type Store, type Sync } from "./store.ts"

/** The file of a segment. @internal */
export const segmentPath = (path: string, segment: number): string =>
  segment === 1 ? path : `${path}.seg-${String(segment).padStart(6, "0")}`

/** The log whose segment has this name, `null` when it is not the name of a later segment. @internal */
export const logOfSegment = (path: string): string | null => /^(.+)\.seg-\d{6,}$/.exec(path)?.[1] ?? null

/** The numbers of the later segments that there are files for, ascending. @internal */
export const laterSegments = (
  fs: FileSystem,
  path: string
): Effect.Effect<ReadonlyArray<number>, AccessFailed> => {
  const own = basename(path)
  const numberIn = (entry: string): ReadonlyArray<number> => {
    if (logOfSegment(entry) !== own) return []
    const number = Number(entry.slice(own.length + ".seg-".length))
    return number > 1 && entry === segmentPath(own, number) ? [number] : []
  }
  return Effect.mapBoth(fs.readDirectory(dirname(path)), {
    onFailure: accessFailed(path, "list its segments"),
    onSuccess: (entries) => entries.flatMap(numberIn).sort((a, b) => a - b)
  })
}

/** Fails when there is no file that could be a log. @internal */
export const requireFile = Effect.fnUntraced(function*(
  fs: FileSystem,
  path: string
): Effect.fn.Return<void, JournalMissing | NotAJournal | Damaged | AccessFailed> {
  const failed = accessFailed(path, "open")
  const missing = Effect.gen(function*() {
    const [later] = yield* laterSegments(fs, path)
    if (later !== undefined) {
      const { byte, reason } = missingBefore(path, segmentPath(path, later))
      return yield* new Damaged({ path, byte, seq: 1, reason })
    }
    const interrupted = yield* Effect.mapError(fs.exists(`${path}.creating`), failed)
    return yield* new JournalMissing({ path, interrupted })
  })
  const info = yield* Effect.catch(
    fs.stat(path),
    (error) => error.reason._tag === "NotFound" ? missing : Effect.fail(failed(error))
  )
  if (info.type !== "File") return yield* new NotAJournal({ path, reason: `it is a ${info.type}` })
})

const missingBefore = (path: string, later: string): SegmentFault => ({
  path,
  byte: 0,
  reason: `the segment is missing, ${later} is there`,
  torn: false
})

/** Who opens a log to write opens its last segment so, and says how it gets another one. @internal */
export interface Writing {
  readonly sync: Sync
  readonly rollOver: RollOver
}

/** A log's files, what its header says, and how many bytes there are. @internal */
export interface Opened {
  readonly store: Store
  readonly start: FileStart
  readonly size: number
}

/**
 * Opens the segments of a log of codec `codec` (of any, when that is not given), closed with the scope. They are listed
 * before their sizes are taken: all but the last are as long as they will ever be, though somebody may be writing.
 *
 * @internal
 */
export const openSegments = Effect.fnUntraced(function*(
  fs: FileSystem,
  path: string,
  codec: string | undefined,
  writing: Writing | null
): Effect.fn.Return<Opened, OpenError, Scope.Scope> {
  yield* requireFile(fs, path)
  const later = yield* laterSegments(fs, path)
  const open = (number: number) =>
    openMedium(fs, segmentPath(path, number), writing !== null && number === (later.at(-1) ?? 1) ? "r+" : "r")
  const first = yield* open(1)
  let size = yield* sizeOf(first)
  const start = yield* readHeader(first, size)
  const { header } = start
  if (header.segment !== 1) return yield* new LaterSegment({ path, segment: header.segment, log: logOfSegment(path) })
  if (codec !== undefined && header.codec !== codec) {
    return yield* new CodecMismatch({ path, found: header.codec, expected: codec })
  }
  const segments = [firstSegment(first, start)]
  let before = 1
  for (const number of later) {
    yield* requireFile(fs, segmentPath(path, number))
    const medium = yield* open(number)
    const bytes = yield* sizeOf(medium)
    const { fault, start } = yield* laterStart(medium, bytes, number, header)
    const missing = number === before + 1 ? null : missingBefore(segmentPath(path, before + 1), medium.path)
    segments.push({ medium, base: size, frames: size + (start?.bytes ?? 0), start, fault: missing ?? fault })
    size += bytes
    before = number
  }
  const { rollOver = null, sync = "never" } = writing ?? {}
  return { store: { path, segments, sidecar: fileSidecar(fs, path), sync, rollOver }, start, size }
})

const sizeOf = (medium: Medium): Effect.Effect<number, AccessFailed> =>
  Effect.mapError(medium.size, accessFailed(medium.path, "read"))

/** @internal */
export const openMedium = (
  fs: FileSystem,
  path: string,
  flag: "r" | "r+"
): Effect.Effect<Medium, AccessFailed, Scope.Scope> =>
  Effect.mapBoth(fs.open(path, { flag }), {
    onFailure: accessFailed(path, "open"),
    onSuccess: (file: File) => fileMedium(path, file)
  })

/**
 * The header of a later segment, and why it is not that of segment `number` of a log that begins with `first`: this ends
 * the log there, and is no reason not to open it.
 */
const laterStart = (
  medium: Medium,
  size: number,
  number: number,
  first: Header
): Effect.Effect<Pick<Segment, "start" | "fault">, AccessFailed> => {
  const { path } = medium
  const faulty = (byte: number, reason: string, torn: boolean) =>
    Effect.succeed({ start: null, fault: { path, byte, reason, torn } })
  return Effect.catchTags(
    Effect.map(readHeader(medium, size), (start): Pick<Segment, "start" | "fault"> => {
      const reason = strangeIn(start.header, first, number)
      return { start, fault: reason === null ? null : { path, byte: HEADER_PREFIX, reason, torn: false } }
    }),
    {
      NotAJournal: ({ reason }) => faulty(0, `no segment of a journal: ${reason}`, true),
      Damaged: ({ byte, reason }) => faulty(byte, reason, true),
      UnknownFormat: ({ format }) => faulty(8, `journal format ${format}, expected 1`, false)
    }
  )
}

/** What the header of a later segment says that the first one's does not let it say. */
const strangeIn = (later: Header, first: Header, number: number): string | null => {
  if (later.segment !== number) return `its header is that of segment ${later.segment}, expected ${number}`
  if (later.codec !== first.codec) return `its header is of codec ${later.codec}, the first segment's of ${first.codec}`
  return JSON.stringify(later.meta) === JSON.stringify(first.meta)
    ? null
    : "its header has other meta than the first segment's"
}
