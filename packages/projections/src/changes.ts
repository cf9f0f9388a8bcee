/**
 * Which event changed each field of the state last: a fold.
 *
 * A field is read again when a cell has changed that it is read from: it may still read the same, since much of it means
 * nothing most of the time. A frame has a slot of the frame table until another frame is there: what is known of its
 * fields goes with it.
 *
 * Hot: of 1800 cells and 900 fields an event changes two and one; half a million events a second.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter } from "@pfnscope/journal"
import type { Envelope } from "@pfnscope/journal"
import { initialState, MMU, NotingMmu, regionOf } from "@pfnscope/protocol"
import type { Event, Region, State, World } from "@pfnscope/protocol"
import * as Option from "effect/Option"
import { START } from "./checkpoint.ts"
import type { Pack, Resumable } from "./checkpoint.ts"
import { FRAME_FIELDS, isOfFrame, lastingLeavesOf, pathOf, readFrame, touchedBy } from "./state-view.ts"
import type { Leaf, Value } from "./state-view.ts"
import { joined, openStops, parted, stopPack } from "./stops.ts"
import type { Stop } from "./stops.ts"
import { traveller } from "./time-travel.ts"
import type { Traveller } from "./time-travel.ts"

/** The fields of a world: first those that last, then those of the frame in each slot of the frame table. */
interface Fields {
  readonly reads: ReadonlyArray<(s: State) => Value | undefined>
  readonly lasting: ReadonlyArray<Leaf>
  /** The numbers of the fields that last, by path. */
  readonly numbers: ReadonlyMap<string, number>
  /** The fields that are read from each cell. */
  readonly byCell: ReadonlyArray<ReadonlyArray<number>>
  /** Of each actor, the cells that an event may have written: of the primary MMU, those that it takes no note of. */
  readonly regions: ReadonlyArray<Region>
}

/** The state on its way through a log, and the position of the last change of each field; 0: it is as at the start. @category models @since 0.1.0 */
export interface Changes {
  readonly at: Traveller
  readonly fields: Fields
  readonly seqs: Float64Array
  /** What each field reads. */
  readonly values: Array<Value | undefined>
  /** The cells as they were when the fields were read. */
  readonly cells: Float64Array
  /** Of each field of a frame, the frame that was in its slot then. */
  readonly pfns: Float64Array
  /** What the MMU took note of since. */
  readonly written: Array<Region>
  /** Marks the fields that are to be read again. */
  readonly isDue: Uint8Array
}

const fieldsOf = (s: State): Fields => {
  const lasting = lastingLeavesOf(s)
  const slots = Array.from({ length: s.geo.frames }, (_, slot) => slot)
  const byCell = Array.from(s.cells, (): Array<number> => [])
  const readFrom = (field: number) => ({ from, to }: Region): void => {
    for (let cell = from; cell < to; cell++) byCell[cell]!.push(field)
  }
  lasting.forEach(({ cells }, field) => cells.forEach(readFrom(field)))
  for (const slot of slots) {
    FRAME_FIELDS.forEach((_, i) => readFrom(lasting.length + slot * FRAME_FIELDS.length + i)(s.mmu.frameCells(slot)))
  }
  const actors = Array.from({ length: 2 + s.gpcs.length + s.threads.length }, (_, actor) => actor)
  return {
    reads: [...lasting.map(({ read }) => read), ...slots.flatMap(readsOfSlot)],
    lasting,
    numbers: new Map(lasting.map((leaf, field) => [pathOf(leaf), field])),
    byCell,
    regions: actors.map((actor) => actor === MMU ? s.mmu.lockCells() : regionOf(s, actor))
  }
}

/** The fields of the frame in a slot, whichever that is. */
const readsOfSlot = (slot: number): Fields["reads"] =>
  FRAME_FIELDS.map(([, read]) => (s) => readFrame(s, s.mmu.pfnAt(s.mmu.at(slot)), read))

/** The fields of the worlds that are in use: there are many, and they are the same at every position. */
const known = new WeakMap<World, Fields>()

const changesAt = (world: World, from?: Stop): Changes => {
  const { state, ...stop } = from ?? { ...START, unapplied: 0, violated: 0, state: initialState(world) }
  const mmu = new NotingMmu(state.cells, state.mmu.o, state.geo)
  const at = traveller(world, { ...stop, state: { ...state, mmu } })
  const fields = known.get(world) ?? fieldsOf(state)
  known.set(world, fields)
  return {
    at,
    fields,
    written: mmu.written,
    seqs: new Float64Array(fields.reads.length),
    values: fields.reads.map((read) => read(state)),
    cells: new Float64Array(state.cells),
    pfns: Float64Array.from({ length: fields.reads.length - fields.lasting.length }, (_, place) => pfnOf(state, place)),
    isDue: new Uint8Array(fields.reads.length)
  }
}

/** Takes one event into account. @category folding @since 0.1.0 */
export const advanceChanges = (c: Changes, event: Envelope<Event>): void => {
  const { at, fields: { regions }, isDue, written } = c
  at.advance(event)
  const due: Array<number> = []
  for (const actor of touchedBy(at.state, event.data)) {
    const region = regions[actor]
    if (region !== undefined) compare(c, region, due)
  }
  for (const region of written) compare(c, region, due)
  written.length = 0
  for (const field of due) {
    isDue[field] = 0
    look(c, field, event.seq)
  }
}

/** Finds the fields that are read from cells that have changed. */
const compare = (
  { at, cells, fields: { byCell }, isDue }: Changes,
  { from, to }: Region,
  due: Array<number>
): void => {
  const now = at.state.cells
  for (let cell = from; cell < to; cell++) {
    if (now[cell] === cells[cell]) continue
    cells[cell] = now[cell]!
    for (const field of byCell[cell]!) {
      if (isDue[field] === 0) due.push(field)
      isDue[field] = 1
    }
  }
}

const look = (c: Changes, field: number, seq: number): void => {
  const value = c.fields.reads[field]!(c.at.state)
  const isNew = isOfNewFrame(c, field)
  if (value === c.values[field] && !isNew) return
  c.values[field] = value
  // A frame that nobody has seen yet had no fields that mean anything.
  c.seqs[field] = isNew && value === undefined ? 0 : seq
}

/** The frame that a field of a frame is of, by the field's place among those. */
const pfnOf = ({ mmu }: State, place: number): number => mmu.pfnAt(mmu.at(Math.floor(place / FRAME_FIELDS.length)))

/** Whether the field is of a frame that was not in its slot before; now it was. */
const isOfNewFrame = ({ at: { state }, fields: { lasting }, pfns }: Changes, field: number): boolean => {
  const place = field - lasting.length
  const pfn = place < 0 ? undefined : pfnOf(state, place)
  if (pfn === undefined || pfns[place] === pfn) return false
  pfns[place] = pfn
  return true
}

/**
 * The position of the last event that changed a field, 0 for none; undefined when it is one of a frame whose slot has gone
 * to another.
 *
 * @category queries
 * @since 0.1.0
 */
export const lastChange = (
  { at: { state: { mmu } }, fields: { lasting, numbers }, seqs }: Changes,
  leaf: Leaf
): number | undefined => {
  if (!isOfFrame(leaf)) return seqs[numbers.get(pathOf(leaf)) ?? -1]
  const slot = mmu.slotOf(leaf.pfn)
  const field = FRAME_FIELDS.findIndex(([name]) => name === leaf.field.at(-1))
  return mmu.pfnAt(mmu.at(slot)) === leaf.pfn ? seqs[lasting.length + slot * FRAME_FIELDS.length + field] : undefined
}

/** The last change of every field, as it can be put aside. @category folding @since 0.1.0 */
export const changes: Resumable<Changes> = {
  name: "changes",
  version: 1,
  every: 256,
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
        for (let n = 0; n <= i && input.fault === null; n++) readSeqs(input, c.seqs, places[n]!.seq)
        return input.fault === null ? Option.some(c) : Option.none()
      })
  }
}

/**
 * The positions of last changes: of each checkpoint only those that differ from the checkpoint before, how many first. Each
 * is how many fields lie between it and the one before, and 0, or how far back the change is, plus one.
 */
const seqPack = (): Pack<Changes> => {
  const out = new ByteWriter()
  let before: Float64Array | undefined
  return {
    add: ({ at, seqs }) => {
      before ??= new Float64Array(seqs.length)
      const differ: Array<number> = []
      for (let field = 0; field < seqs.length; field++) if (seqs[field] !== before[field]) differ.push(field)
      out.varint(differ.length)
      let next = 0
      for (const field of differ) {
        out.varint(field - next)
        out.varint(seqs[field] === 0 ? 0 : at.seq - seqs[field]! + 1)
        next = field + 1
      }
      before.set(seqs)
    },
    bytes: () => out.bytes.slice(0, out.length)
  }
}

const readSeqs = (input: ByteReader, seqs: Float64Array, seq: number): void => {
  let next = 0
  for (let left = input.varint(); left > 0 && input.fault === null; left--) {
    const field = next + input.varint()
    const back = input.varint()
    if (field >= seqs.length || back > seq) return input.fail(`field ${field} of ${seqs.length}`)
    seqs[field] = back === 0 ? 0 : seq - back + 1
    next = field + 1
  }
}
