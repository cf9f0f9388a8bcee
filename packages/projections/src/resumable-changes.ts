/**
 * The last change of every field, as it can be put aside.
 *
 * The bytes are those of the states, their length first, and then the positions of the last changes: of each checkpoint
 * only those that differ from the checkpoint before, how many first. Each is how many fields lie between it and the one
 * before, and 0, or how far back the change is, plus one. Then the frames that are gone since, how many first, each its
 * number and its last changes.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter } from "@pfnscope/journal"
import * as Option from "effect/Option"
import { advanceChanges, changesAt, spanOf } from "./changes.ts"
import type { Changes } from "./changes.ts"
import type { Pack, Resumable } from "./checkpoint.ts"
import { FRAME_FIELDS } from "./state-view.ts"
import { joined, openStops, parted, readDifference, stopPack, writeDifference } from "./stops.ts"

/** @category folding @since 0.1.0 */
export const changes: Resumable<Changes> = {
  name: "changes",
  version: 1,
  every: 128,
  start: (world) => changesAt(world),
  place: ({ at }) => at.place,
  advance: advanceChanges,
  pack: () => {
    const stops = stopPack()
    const seqs = seqPack()
    return {
      add: (c) => {
        stops.add(c.at)
        seqs.add(c)
      },
      bytes: () => joined(stops.bytes(), seqs.bytes())
    }
  },
  open: (world, bytes, places) => {
    const [stops, seqs] = parted(bytes)
    const stop = openStops(world, stops, places)
    return (i) =>
      Option.flatMap(stop(i), (from) => {
        const c = changesAt(world, from)
        const input = new ByteReader(seqs)
        for (let n = 0; n <= i && input.fault === null; n++) readSeqs(input, c, places[n]!.seq, places[n - 1]?.seq ?? 0)
        return input.fault === null ? Option.some(c) : Option.none()
      })
  }
}

/** The positions of last changes on their way into bytes. */
const seqPack = (): Pack<Changes> => {
  const out = new ByteWriter()
  let before: Float64Array | undefined
  let last = 0
  let buried = 0
  return {
    add: ({ at: { seq }, gone, seqs }) => {
      before ??= new Float64Array(seqs.length)
      writeDifference(out, before, seqs, (change) => out.varint(backTo(change, seq)))
      before.set(seqs)
      if (spanOf(seq) !== spanOf(last)) buried = 0
      out.varint(gone.size - buried)
      for (const [pfn, changed] of [...gone].slice(buried)) {
        out.varint(pfn)
        for (const one of changed) out.varint(backTo(one, seq))
      }
      last = seq
      buried = gone.size
    },
    bytes: () => out.bytes.slice(0, out.length)
  }
}

/** A position as what it is before another: 0 for none. */
const backTo = (change: number, seq: number): number => change === 0 ? 0 : seq - change + 1

const readBack = (input: ByteReader, seq: number): number => {
  const back = input.varint()
  if (back > seq) input.fail(`${back} events before #${seq}`)
  return back === 0 ? 0 : seq - back + 1
}

/** Reads the last changes of the checkpoint at `seq`, behind the one at `last`. */
const readSeqs = (input: ByteReader, { gone, seqs }: Changes, seq: number, last: number): void => {
  readDifference(input, seqs, () => readBack(input, seq))
  if (spanOf(seq) !== spanOf(last)) gone.clear()
  for (let left = input.varint(); left > 0 && input.fault === null; left--) {
    gone.set(input.varint(), FRAME_FIELDS.map(() => readBack(input, seq)))
  }
}
