/**
 * What is known of a log without its events: where it ends, its streams' revisions, its keys, where to begin reading.
 *
 * One function admits a batch, whether it was just written or is found when a log is opened.
 *
 * @since 0.1.0
 */
import type { Appended, Head, Header } from "./envelope.ts"
import { type BatchHead, chain, FRAME_PREFIX } from "./frame.ts"
import type { FileStart } from "./header.ts"

/** Between two remembered positions there are at least so many bytes: a large log has a small index. */
const INDEX_EVERY = 1 << 16

/** @internal */
export interface Log {
  readonly start: FileStart
  seq: number
  hash: Uint8Array
  batches: number
  /** Bytes of the committed log, over all its segments: where the next frame goes. */
  end: number
  /** Where the last frame begins; the end of the header when there is none. */
  last: number
  readonly revisions: Map<string, number>
  readonly keys: Map<string, Appended>
  /** Positions of the first events of some batches, ascending, and the bytes where their frames begin. */
  readonly index: { readonly seqs: Array<number>; readonly bytes: Array<number> }
}

/** A log of a header and nothing else. @internal */
export const emptyLog = (start: FileStart): Log => ({
  start,
  seq: 0,
  hash: start.hash,
  batches: 0,
  end: start.bytes,
  last: start.bytes,
  revisions: new Map(),
  keys: new Map(),
  index: { seqs: [], bytes: [] }
})

/** @internal */
export const hex = (hash: Uint8Array): string => Buffer.from(hash).toString("hex")

/** @internal */
export const headOf = (log: Log): Head => ({ seq: log.seq, hash: hex(log.hash), batches: log.batches })

/** The revision of a stream, 0 when there is none. @internal */
export const revisionOf = (log: Log, stream: string): number => log.revisions.get(stream) ?? 0

/** Why a batch is not the next one of the log; `null` when it is. @internal */
export const misfit = (log: Log, head: BatchHead): string | null => {
  if (head.first !== log.seq + 1) return `the batch begins with event #${head.first}`
  if (Buffer.compare(head.previous, log.hash) !== 0) return "the batch continues another log (the hash chain is broken)"
  let events = 0
  for (const { before, count, name } of head.streams) {
    const revision = revisionOf(log, name)
    if (before !== revision) return `the batch continues stream ${name} at revision ${before}, it is at ${revision}`
    events += count
  }
  return events === head.count && events > 0 ? null : `a batch of ${head.count} events has ${events} in its streams`
}

/** Why a segment with this header is not the next one of the log; `null` when it is. @internal */
export const misplaced = (log: Log, { firstSeq, previous }: Header): string | null => {
  if (firstSeq !== log.seq + 1) return `the segment begins with event #${firstSeq}`
  return previous === hex(log.hash) ? null : "the segment continues another log (the hash chain is broken)"
}

/** Makes a batch that fits the last one of the log. @internal */
export const admit = (log: Log, head: BatchHead, payload: Uint8Array): void => {
  const { bytes, seqs } = log.index
  if (bytes.length === 0 || log.end - bytes.at(-1)! >= INDEX_EVERY) {
    seqs.push(head.first)
    bytes.push(log.end)
  }
  for (const { before, count, name } of head.streams) log.revisions.set(name, before + count)
  log.seq = head.first + head.count - 1
  log.hash = chain(head.previous, payload)
  log.batches++
  log.last = log.end
  log.end += FRAME_PREFIX + payload.length
  if (head.key !== null) log.keys.set(head.key, { first: head.first, last: log.seq, hash: hex(log.hash) })
}

/** Where to begin reading for `seq`: a frame at or before the one that holds it, and its first position. @internal */
export const frameBefore = (log: Log, seq: number): { readonly byte: number; readonly first: number } => {
  const at = remembered(log, seq)
  return at === 0
    ? { byte: log.start.bytes, first: 1 }
    : { byte: log.index.bytes[at - 1]!, first: log.index.seqs[at - 1]! }
}

/** A byte between two frames behind the one that holds `seq`: nothing beyond is read for it. @internal */
export const endAfter = (log: Log, seq: number): number => log.index.bytes[remembered(log, seq)] ?? log.end

/** How many of the remembered positions are at most `seq`. */
const remembered = ({ index: { seqs } }: Log, seq: number): number => {
  let low = 0
  let high = seqs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (seqs[middle]! <= seq) low = middle + 1
    else high = middle
  }
  return low
}
