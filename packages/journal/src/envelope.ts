/**
 * What a log holds: events in their envelopes, behind one header.
 *
 * Written `#1234` for a position, `gpc/0@17` for a stream and its revision, `#1234←#1201` for a cause.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"

/**
 * How an event is known: a model produced it, an instrument recorded it, it follows from what was recorded, or it was
 * taken for granted. The order is the order of their codes in the file.
 *
 * @category models
 * @since 0.1.0
 */
export const HOW = ["simulated", "observed", "inferred", "assumed"] as const

/** @category models @since 0.1.0 */
export type How = (typeof HOW)[number]

/**
 * A line of a source file that an event was read from; lines count from 1, 0 is "no line".
 *
 * @category models
 * @since 0.1.0
 */
export interface Source {
  readonly file: string
  readonly line: number
}

/**
 * An event as it is read: a closed set of keys.
 *
 * `seq` is dense in the log and `rev` dense in the stream, both from 1. `t` is the time at the source in ns. `cause`
 * is the position of the event that led to this one and always earlier; `corr` is the position of the event that
 * opened the operation it belongs to, at most its own. `type` and `version` are the codec's names for `data`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Envelope<E> {
  readonly seq: number
  readonly stream: string
  readonly rev: number
  readonly type: string
  readonly version: number
  readonly t: number
  readonly cause?: number
  readonly corr?: number
  readonly how: How
  readonly src?: Source
  readonly data: E
}

/**
 * An event as it is written: the log gives `seq` and `rev`, the codec `type` and `version`. `t` is in ns, from 0.
 *
 * @category models
 * @since 0.1.0
 */
export interface NewEvent<E> {
  readonly stream: string
  readonly t: number
  readonly cause?: number | undefined
  readonly corr?: number | undefined
  readonly how: How
  readonly src?: Source | undefined
  readonly data: E
}

/**
 * The first thing in a segment of a log. `meta` is the creator's; it is part of the hash chain like everything else.
 * `segment` and `firstSeq` count from 1; `previous` is the hash (hex) of the log before a later segment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Header {
  readonly format: 1
  readonly codec: string
  readonly segment: number
  readonly firstSeq: number
  readonly previous?: string
  readonly meta: Schema.Json
}

/**
 * Where a log ends: the last position (0 when it is empty), the hash of everything up to it (hex; the header's while
 * it is empty) and the number of batches.
 *
 * @category models
 * @since 0.1.0
 */
export interface Head {
  readonly seq: number
  readonly hash: string
  readonly batches: number
}

/**
 * What an append did: the positions `first` … `last` it filled, both inclusive (`last` is `first - 1` when there was
 * nothing to append), and the log's hash after it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Appended {
  readonly first: number
  readonly last: number
  readonly hash: string
}
