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
import { type RollOver, type Segment, type SegmentFault, type Store, type Sync } from "./store.ts"

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

/** A log's files, what the header of the first one says, and how many bytes there are. @internal */
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
  const flagOf = (number: number) => writing !== null && number === (later.at(-1) ?? 1) ? "r+" : "r"
  const medium = yield* openMedium(fs, path, flagOf(1))
  const bytes = yield* sizeOf(medium)
  const start = yield* readHeader(medium, bytes)
  const { segment } = start.header
  if (segment !== 1) return yield* new LaterSegment({ path, segment, log: logOfSegment(path) })
  yield* requireCodec(path, start.header, codec)
  const first: SegmentFile = { number: 1, medium, bytes, start, fault: null }
  const files = yield* Effect.forEach(later, (number) => openSegment(fs, path, number, flagOf(number)))
  return { ...storeOf(fs, path, [first, ...files], start.header, writing), start }
})

/**
 * Opens what is there of a log to salvage it: without its first segment, or without the header of that, what the first
 * sound header says holds for all.
 *
 * @internal
 */
export const openRemains = (
  fs: FileSystem,
  path: string,
  codec: string
): Effect.Effect<Remains, OpenError, Scope.Scope> => {
  const remains = Effect.fnUntraced(function*(error: Damaged | NotAJournal): Effect.fn.Return<
    Remains,
    OpenError,
    Scope.Scope
  > {
    const exists = yield* Effect.mapError(fs.exists(path), accessFailed(path, "open"))
    const numbers = [...exists ? [1] : [], ...yield* laterSegments(fs, path)]
    const files = yield* Effect.forEach(numbers, (number) => openSegment(fs, path, number, "r"))
    const header = files.find(({ start }) => start !== null)?.start?.header
    if (header === undefined) return yield* error
    yield* requireCodec(path, header, codec)
    return { ...storeOf(fs, path, files, header, null), header }
  })
  return openSegments(fs, path, codec, null).pipe(
    Effect.map(({ size, start, store }): Remains => ({ store, size, header: start.header })),
    Effect.catchTags({ Damaged: remains, NotAJournal: remains })
  )
}

/** The files that there are of a log, a header of one of them, and how many bytes there are. @internal */
export interface Remains {
  readonly store: Store
  readonly header: Header
  readonly size: number
}

const requireCodec = (path: string, { codec: found }: Header, expected: string | undefined) =>
  expected === undefined || found === expected
    ? Effect.void
    : Effect.fail(new CodecMismatch({ path, found, expected }))

/** A file, and its header or what is wrong with it. */
interface SegmentFile extends Pick<Segment, "medium" | "start" | "fault"> {
  readonly number: number
  readonly bytes: number
}

const openSegment = Effect.fnUntraced(function*(fs: FileSystem, log: string, number: number, flag: "r" | "r+") {
  const path = segmentPath(log, number)
  yield* requireFile(fs, path)
  const medium = yield* openMedium(fs, path, flag)
  const bytes = yield* sizeOf(medium)
  return { number, medium, bytes, ...yield* headerIn(medium, bytes) }
})

/** Puts files one behind the other; what does not fit, by its number or what `header` says of all, is a fault. */
const storeOf = (
  fs: FileSystem,
  path: string,
  files: ReadonlyArray<SegmentFile>,
  header: Header,
  writing: Writing | null
): { readonly store: Store; readonly size: number } => {
  const { rollOver = null, sync = "never" } = writing ?? {}
  let size = 0
  let before = 0
  const segments = files.map(({ bytes, fault, medium, number, start }): Segment => {
    const missing = number === before + 1 ? null : missingBefore(segmentPath(path, before + 1), medium.path)
    const strange = start === null ? null : strangeIn(medium.path, start.header, header, number)
    const base = size
    size += bytes
    before = number
    return { medium, base, frames: base + (start?.bytes ?? 0), start, fault: missing ?? fault ?? strange }
  })
  return { store: { path, segments, sidecar: fileSidecar(fs, path), sync, rollOver }, size }
}

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

/** The header of a segment: what is wrong with it ends the log there, and is no reason not to open it. */
const headerIn = (
  medium: Medium,
  size: number
): Effect.Effect<Pick<Segment, "start" | "fault">, AccessFailed> => {
  const faulty = (byte: number, reason: string, torn: boolean) =>
    Effect.succeed({ start: null, fault: { path: medium.path, byte, reason, torn } })
  return Effect.catchTags(
    Effect.map(readHeader(medium, size), (start): Pick<Segment, "start" | "fault"> => ({ start, fault: null })),
    {
      NotAJournal: ({ reason }) => faulty(0, `no segment of a journal: ${reason}`, true),
      Damaged: ({ byte, reason }) => faulty(byte, reason, true),
      UnknownFormat: ({ format }) => faulty(8, `journal format ${format}, expected 1`, false)
    }
  )
}

/** What a header says that its number, and a header of the same log, do not let it say. */
const strangeIn = (path: string, found: Header, header: Header, number: number): SegmentFault | null => {
  const strange = (reason: string) => ({ path, byte: HEADER_PREFIX, reason, torn: false })
  if (found.segment !== number) return strange(`its header is that of segment ${found.segment}, expected ${number}`)
  if (found.codec !== header.codec) {
    return strange(`its header is of codec ${found.codec}, the first segment's of ${header.codec}`)
  }
  return JSON.stringify(found.meta) === JSON.stringify(header.meta)
    ? null
    : strange("its header has other meta than the first segment's")
}
