/**
 * A trace read straight into a report, without a log between.
 *
 * @since 0.1.0
 */
import type { Envelope, NewEvent } from "@pfnscope/journal"
import { reportOf } from "@pfnscope/projections"
import type { LogNotDense, Report, ReportedFile } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import type { TraceError } from "./error.ts"
import { importTrace } from "./import.ts"
import type { ImportedTrace } from "./import.ts"
import type { Census } from "./reading/census.ts"

/**
 * The events of a trace as a log would give them back: with positions and revisions, both from 1.
 *
 * @category reporting
 * @since 0.1.0
 */
export const envelopesOf = (trace: ImportedTrace): Stream.Stream<Envelope<Event>, TraceError> =>
  Stream.suspend(() => {
    const revisions = new Map<string, number>()
    let seq = 0
    return Stream.map(trace.events, (event) => {
      const rev = (revisions.get(event.stream) ?? 0) + 1
      revisions.set(event.stream, rev)
      return seal(event, ++seq, rev)
    })
  })

const seal = (event: NewEvent<Event>, seq: number, rev: number): Envelope<Event> => ({
  seq,
  stream: event.stream,
  rev,
  type: event.data._tag,
  version: 1,
  t: event.t,
  ...(event.cause === undefined ? undefined : { cause: event.cause }),
  ...(event.corr === undefined ? undefined : { corr: event.corr }),
  how: event.how,
  ...(event.src === undefined ? undefined : { src: event.src }),
  data: event.data
})

/** What a report says of the file that a census was taken of. @category reporting @since 0.1.0 */
export const reportedFile = (census: Census): ReportedFile => ({
  path: census.file,
  sha256: census.sha256,
  lines: census.lines,
  census: {
    parsed: census.parsed,
    markers: census.markers,
    comments: census.comments,
    rejected: census.rejected,
    unmapped: census.unmapped.map(({ count, event }) => ({ event, count }))
  },
  lost: census.lost,
  clock: census.clock
})

/**
 * Reports on an imported trace. Runs its events.
 *
 * @category reporting
 * @since 0.1.0
 */
export const reportOfTrace = (trace: ImportedTrace): Effect.Effect<Report, TraceError | LogNotDense> =>
  reportOf(envelopesOf(trace), Effect.map(trace.census, reportedFile))

/**
 * Reports on the trace in the file `path`.
 *
 * @category reporting
 * @since 0.1.0
 */
export const reportTrace = (
  path: string
): Effect.Effect<Report, TraceError | LogNotDense, FileSystem.FileSystem> =>
  Effect.flatMap(importTrace(path), reportOfTrace)
