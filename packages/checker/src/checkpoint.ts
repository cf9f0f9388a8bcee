/**
 * Saves a breadth-first search as bytes and takes it up again: it goes on as if it had never stopped, to the same counts
 * and the same counterexamples.
 *
 * Layout: 8 bytes of magic, the header's length and hash (uint32, little endian), the header (JSON), then the records as
 * words, little endian, in the order they were found. The table is not saved: it follows from the records.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { NotResumable } from "./error.ts"
import { hashWords } from "./hash.ts"
import type { Model } from "./model.ts"
import { Search } from "./search.ts"
import { CHUNK } from "./states.ts"

const MAGIC = new TextEncoder().encode("pfnCHK2\n")
const HEADER_AT = MAGIC.length + 8
const LONGEST_HEADER = 64 << 20

const Header = Schema.fromJsonString(Schema.Struct({
  model: Schema.String,
  reductions: Schema.Struct({
    partialOrder: Schema.Boolean,
    symmetry: Schema.Boolean,
    merge: Schema.Boolean,
    forget: Schema.Boolean
  }),
  /** How the model packs states. */
  layout: Schema.Unknown,
  states: Schema.Int,
  checksum: Schema.Int,
  begun: Schema.Boolean,
  expanded: Schema.Int,
  levelEnd: Schema.Int,
  levels: Schema.Array(Schema.Int),
  steps: Schema.Int,
  terminal: Schema.Int,
  stuck: Schema.Int,
  broken: Schema.Int,
  breaches: Schema.Array(
    Schema.Struct({ property: Schema.Int, state: Schema.Int, beyond: Schema.Boolean })
  ),
  taken: Schema.Array(Schema.Finite)
}))

/** What two models have in common that are the same: all that can be seen of them without running them. */
const describe = (model: Model): string => {
  const words = new Int32Array(model.words * model.initials)
  for (let k = 0; k < model.initials; k++) {
    model.initial(k)
    model.pack(words, k * model.words)
  }
  const shape = JSON.stringify([model.threads, model.branches, model.properties.map(({ name }) => name), words.join()])
  return `${model.name} (${hashBytes(new TextEncoder().encode(shape)).toString(16)})`
}

const hashBytes = (bytes: Uint8Array): number => hashWords(Int32Array.from(bytes), 0, bytes.length) >>> 0

/**
 * The bytes of a search between two slices, in pieces, to be written one after the other. They share memory with the
 * search: write them before it goes on.
 *
 * @category conversions
 * @since 0.1.0
 */
export const checkpoint = Effect.fn("checker.checkpoint")(function*(search: Search) {
  const { expander, model, states } = search
  if (search.isTorn) {
    return yield* new NotResumable({ byte: 0, expected: "a search that has not run out of memory" })
  }
  let checksum = 0
  const pieces: Array<Uint8Array> = []
  for (const records of states.raw()) {
    checksum = Math.imul(checksum, 31) ^ hashWords(records, 0, records.length)
    pieces.push(new Uint8Array(records.buffer, records.byteOffset, records.byteLength))
  }
  const json = yield* Effect.orDie(
    Schema.encodeEffect(Header)({
      model: describe(model),
      reductions: search.reductions,
      layout: model.layout?.save() ?? null,
      states: states.count,
      checksum,
      begun: search.begun,
      expanded: search.expanded,
      levelEnd: search.levelEnd,
      levels: search.levels,
      steps: expander.steps,
      terminal: expander.terminal,
      stuck: expander.stuck,
      broken: expander.broken,
      breaches: expander.breaches,
      taken: Array.from(expander.taken)
    })
  )
  const header = new TextEncoder().encode(json)
  const start = new Uint8Array(HEADER_AT)
  start.set(MAGIC)
  new DataView(start.buffer).setUint32(MAGIC.length, header.length, true)
  new DataView(start.buffer).setUint32(MAGIC.length + 4, hashBytes(header), true)
  return [start, header, ...pieces]
})

/** Bytes that come in pieces, read from the front. */
class Pieces {
  /** Bytes read. */
  position = 0
  private readonly pieces: ReadonlyArray<Uint8Array>
  private piece = 0
  private at = 0

  constructor(pieces: ReadonlyArray<Uint8Array>) {
    this.pieces = pieces
  }

  /** Fills `into`; false if there are not enough bytes. */
  read(into: Uint8Array): boolean {
    let done = 0
    while (done < into.length && this.piece < this.pieces.length) {
      const piece = this.pieces[this.piece]
      const n = Math.min(into.length - done, piece.length - this.at)
      into.set(piece.subarray(this.at, this.at + n), done)
      done += n
      this.at += n
      if (this.at < piece.length) continue
      this.piece++
      this.at = 0
    }
    this.position += done
    return done === into.length
  }

  /** Whether there is more; a byte read in asking counts. */
  hasMore(): boolean {
    return this.read(new Uint8Array(1))
  }
}

/**
 * Takes up a search that was saved, in whatever pieces its bytes come. The model must be the one it was saved with.
 *
 * @category conversions
 * @since 0.1.0
 */
export const resume = Effect.fn("checker.resume")(function*(model: Model, saved: ReadonlyArray<Uint8Array>) {
  const bytes = new Pieces(saved)
  const header = yield* readHeader(bytes)
  if (model.layout !== undefined && !model.layout.load(header.layout)) {
    return yield* new NotResumable({ byte: HEADER_AT, expected: `a layout of ${model.name}` })
  }
  const name = describe(model)
  if (header.model !== name) {
    return yield* new NotResumable({ byte: HEADER_AT, expected: `the model ${name}, not ${header.model}` })
  }
  const search = new Search(model, header.reductions)
  yield* readRecords(bytes, search, header.states, header.checksum)
  const { expander } = search
  search.begun = header.begun
  search.expanded = header.expanded
  search.levelEnd = header.levelEnd
  search.levels.splice(0, 1, ...header.levels)
  expander.steps = header.steps
  expander.terminal = header.terminal
  expander.stuck = header.stuck
  expander.broken = header.broken
  expander.breaches.push(...header.breaches)
  expander.taken.set(header.taken)
  return search
})

const readHeader = Effect.fnUntraced(function*(bytes: Pieces) {
  const start = new Uint8Array(HEADER_AT)
  if (!bytes.read(start) || MAGIC.some((byte, i) => start[i] !== byte)) {
    return yield* new NotResumable({ byte: 0, expected: "the first bytes of a checkpoint of this version" })
  }
  const length = new DataView(start.buffer).getUint32(MAGIC.length, true)
  const hash = new DataView(start.buffer).getUint32(MAGIC.length + 4, true)
  const json = new Uint8Array(Math.min(length, LONGEST_HEADER))
  const header = bytes.read(json) && hashBytes(json) === hash
    ? Schema.decodeUnknownOption(Header)(new TextDecoder().decode(json))
    : Option.none()
  if (Option.isNone(header)) {
    return yield* new NotResumable({ byte: HEADER_AT, expected: `an undamaged header of ${length} bytes` })
  }
  return header.value
})

const readRecords = Effect.fnUntraced(
  function*(bytes: Pieces, { states }: Search, count: number, expected: number) {
    const from = bytes.position
    let checksum = 0
    for (let left = count; left > 0; left -= CHUNK) {
      const records = new Int32Array(Math.min(left, CHUNK) * states.stride)
      if (!bytes.read(new Uint8Array(records.buffer))) {
        return yield* new NotResumable({
          byte: bytes.position,
          expected: `${count} states, of ${4 * states.stride} bytes`
        })
      }
      checksum = Math.imul(checksum, 31) ^ hashWords(records, 0, records.length)
      states.restore(records)
      yield* Effect.yieldNow
    }
    if (bytes.hasMore()) {
      return yield* new NotResumable({ byte: bytes.position - 1, expected: `nothing after ${count} states` })
    }
    if (checksum !== expected) return yield* new NotResumable({ byte: from, expected: "undamaged states" })
  }
)
