/**
 * The fields of an event's body: `start=0x7e0000000000 active=-1`, or `start: 7e0000000000, len_in: 1000`.
 *
 * Hot: one pass over the body stores the known fields by the number of their name; nothing is allocated. A value is
 * 64 bits wide: two halves, and a signed number that is exact for what the events need (user addresses, kernel
 * pointers, counts).
 *
 * @since 0.1.0
 */
import { bytesOf, isText } from "../reading/text.ts"

const NAMES = [
  "mn",
  "kvm",
  "start",
  "end",
  "event",
  "active",
  "seq",
  "gseq",
  "gpc",
  "uhva",
  "pfn",
  "snap",
  "via",
  "gpa",
  "uhva_arg",
  "old_gpa",
  "old_uhva",
  "gen",
  "slots_gen",
  "ret",
  "gfn",
  "hva",
  "gfn_start",
  "gfn_end",
  "in_prog",
  "hull_start",
  "hull_end",
  "newgen",
  "vcpu",
  "len",
  "len_in",
  "prot",
  "addr",
  "old_len",
  "new_len",
  "new_addr",
  "brk"
] as const

export type FieldName = (typeof NAMES)[number]

/** The names of the fields that are known. */
export const FIELD_NAMES: ReadonlyArray<FieldName> = NAMES

/** Other names that recorders give to the same: a return probe's default, and those of short recipes. */
const ALIASES: ReadonlyArray<readonly [alias: string, name: FieldName]> = [
  ["$retval", "ret"],
  ["retval", "ret"],
  ["ok", "ret"],
  ["ev", "event"],
  ["inprog", "in_prog"]
]

/** Fields that hold addresses and the like, which are printed in hexadecimal where anything is; the others are counts. */
export const ADDRESS_NAMES: ReadonlyArray<FieldName> = [
  "mn",
  "kvm",
  "start",
  "end",
  "gpc",
  "uhva",
  "pfn",
  "gpa",
  "uhva_arg",
  "old_gpa",
  "old_uhva",
  "gen",
  "slots_gen",
  "gfn",
  "hva",
  "gfn_start",
  "gfn_end",
  "hull_start",
  "hull_end",
  "newgen",
  "vcpu",
  "addr",
  "new_addr",
  "brk"
]

const ADDRESSES: ReadonlySet<FieldName> = new Set(ADDRESS_NAMES)

const IS_ADDRESS = NAMES.map((name) => ADDRESSES.has(name))

/** Fields in which a digit above 9 makes a value hexadecimal. */
const MAY_BE_HEX = NAMES.map((name) => ADDRESSES.has(name) || name === "ret")

/** The number of each field's name. */
export const F = Object.fromEntries(NAMES.map((name, number) => [name, number])) as {
  readonly [K in FieldName]: number
}

// Named here too, not imported: constants of its own read a trace faster, as far as a noisy machine tells.
const EQUALS = 61
const SPACE = 32
const QUOTE = 34
const PARENTHESIS = 40
const PARENTHESIS_END = 41
const COMMA = 44
const MINUS = 45
const COLON = 58
const X = 120
const TWO_32 = 0x1_0000_0000

/** A name of a field, and the field's number. */
export interface Spelling {
  readonly bytes: Uint8Array
  readonly number: number
}

/** Every name with the number of its field. */
const SPELLINGS: ReadonlyArray<Spelling> = [
  ...NAMES.map((name, number) => ({ bytes: bytesOf(name), number })),
  ...ALIASES.map(([alias, name]) => ({ bytes: bytesOf(alias), number: NAMES.indexOf(name) }))
]

/** A place in a table of 256 for a name: a name's length, its first, its last and its middle byte. */
const placeOf = (bytes: Uint8Array, from: number, to: number): number =>
  (bytes[from]! * 3 + bytes[to - 1]! * 7 + bytes[(from + to) >>> 1]! * 13 + (to - from) * 29) & 255

/** The names by their place; names that share one stand behind each other. */
const PLACES: ReadonlyArray<ReadonlyArray<Spelling>> = Array.from(
  { length: 256 },
  (_, place) => SPELLINGS.filter(({ bytes }) => placeOf(bytes, 0, bytes.length) === place)
)

const fieldAt = (bytes: Uint8Array, from: number, to: number): number => {
  if (to === from) return -1
  const here = PLACES[placeOf(bytes, from, to)]!
  for (let i = 0; i < here.length; i++) if (isText(bytes, from, to, here[i]!.bytes)) return here[i]!.number
  return -1
}

/**
 * What the bodies of a kind of record look like, as the last one did: how long the location in parentheses before the
 * first field is (0: there is none), and the fields in their order. Where the next one looks alike, nothing is looked
 * up. Each kind keeps its own.
 */
export interface Form {
  location: number
  readonly names: Array<Spelling>
}

/** Nothing is known of a kind of record. */
export const newForm = (): Form => ({ location: 0, names: [] })

/** Stands where no field is expected. */
const NO_NAME: Spelling = { bytes: new Uint8Array(0), number: -1 }

/** A record of more fields than this has forgotten what it is. */
const LONGEST_FORM = 64

/** The fields of the body read last. */
export interface Fields {
  /** Names that the recorder of this event gave to fields, beside the fields' own. The mapping sets them. */
  renamed: ReadonlyArray<Spelling> | undefined
  /** Whether addresses without 0x are hexadecimal in this text. */
  bareHex: boolean
  /**
   * Reads `name=value` fields. A value is hexadecimal with 0x, or with a digit above 9; else decimal, or as
   * {@link Fields.bareHex} says. `form` is that of the kind of record.
   */
  readonly readPairs: (bytes: Uint8Array, from: number, to: number, form: Form) => void
  /** Reads the arguments of a syscall, `name: value, …`; a value is hexadecimal, with 0x or without. */
  readonly readArguments: (bytes: Uint8Array, from: number, to: number) => void
  readonly has: (field: number) => boolean
  /** The value as a signed number, within ±2^52: what lies beyond is no value of the kernel's. 0 where the field is absent. */
  readonly signed: (field: number) => number
  /** The upper half, signed; the lower half, unsigned. */
  readonly high: (field: number) => number
  readonly low: (field: number) => number
}

/** A field that has another name here has no other. */
const renamedAt = (bytes: Uint8Array, from: number, to: number, renamed: ReadonlyArray<Spelling>): number => {
  const own = renamed.find((spelling) => isText(bytes, from, to, spelling.bytes))
  if (own !== undefined) return own.number
  const plain = fieldAt(bytes, from, to)
  return renamed.some(({ number }) => number === plain) ? -1 : plain
}

export const makeFields = (): Fields => {
  const stamps = new Int32Array(NAMES.length)
  const highs = new Int32Array(NAMES.length)
  const lows = new Uint32Array(NAMES.length)
  const value = new Value()
  let stamp = 0

  const fieldOf = (bytes: Uint8Array, from: number, to: number): number => {
    const { renamed } = fields
    return renamed === undefined ? fieldAt(bytes, from, to) : renamedAt(bytes, from, to, renamed)
  }

  /** The first one counts: what follows a text may be a part of that text. */
  const isNew = (field: number): boolean => field >= 0 && stamps[field] !== stamp

  const store = (field: number, bytes: Uint8Array, from: number, to: number, hex: boolean): void => {
    if (!value.read(bytes, from, to, hex || (fields.bareHex && IS_ADDRESS[field]!), MAY_BE_HEX[field]!)) return
    stamps[field] = stamp
    highs[field] = value.high
    lows[field] = value.low
  }

  /** Stores `0x…`, the value of most fields; gives where it ends, or -1 where it is something else. */
  const storeHex = (field: number, bytes: Uint8Array, from: number, to: number): number => {
    if (bytes[from] !== 48 || bytes[from + 1] !== X) return -1
    let end = from + 2
    while (end < to && bytes[end] !== SPACE) end++
    if (end === from + 2 || end > from + 18) return -1
    const split = Math.max(from + 2, end - 8)
    let high = 0
    let low = 0
    let all = 0
    for (let i = from + 2; i < split; i++) {
      const d = DIGITS[bytes[i]!]!
      all |= d
      high = (high << 4) | d
    }
    for (let i = split; i < end; i++) {
      const d = DIGITS[bytes[i]!]!
      all |= d
      low = (low << 4) | d
    }
    if (all > 15) return -1
    stamps[field] = stamp
    highs[field] = high
    lows[field] = low
    return end
  }

  const readPairs = (bytes: Uint8Array, from: number, to: number, form: Form): void => {
    stamp++
    const { names } = form
    let first = from + form.location
    if (form.location > 0 && !(bytes[from] === PARENTHESIS && bytes[first - 2] === PARENTHESIS_END)) first = from
    let k = 0
    while (first < to) {
      const usual = k < names.length ? names[k]! : NO_NAME
      // Nearly every record of an event has the fields that the one before had, in the same order.
      let equals = first + usual.bytes.length
      let field = usual.number
      if (bytes[equals] !== EQUALS || !isText(bytes, first, equals, usual.bytes)) {
        equals = first
        while (equals < to && bytes[equals] !== EQUALS) equals++
        if (equals >= to) return
        field = readName(bytes, first, equals, form, k, from)
      }
      k++
      first = readValue(isNew(field) ? field : -1, bytes, equals + 1, to) + 1
    }
  }

  /** The field whose name stands before the `=`; the form takes note of it, and of the location before the first. */
  const readName = (
    bytes: Uint8Array,
    first: number,
    equals: number,
    form: Form,
    k: number,
    from: number
  ): number => {
    let name = equals
    while (name > first && bytes[name - 1] !== SPACE) name--
    const field = fieldOf(bytes, name, equals)
    const hasLocation = k === 0 && bytes[from] === PARENTHESIS && bytes[name - 2] === PARENTHESIS_END
    if (k === 0) form.location = hasLocation ? name - from : 0
    if ((name === first || hasLocation) && k <= form.names.length && k < LONGEST_FORM) {
      form.names[k] = { bytes: bytes.slice(name, equals), number: field }
    }
    return field
  }

  /** Stores a value, unless the field is none (-1); gives where it ends. */
  const readValue = (field: number, bytes: Uint8Array, from: number, to: number): number => {
    const hexEnd = field < 0 ? -1 : storeHex(field, bytes, from, to)
    if (hexEnd >= 0) return hexEnd
    const end = endOfValue(bytes, from, to)
    if (field >= 0) store(field, bytes, from, end, false)
    return end
  }

  const readArguments = (bytes: Uint8Array, from: number, to: number): void => {
    stamp++
    let token = from
    for (let i = from; i < to; i++) {
      const c = bytes[i]
      if (c === SPACE) token = i + 1
      else if (c === COLON && bytes[i + 1] === SPACE) {
        let end = i + 2
        while (end < to && bytes[end] !== 44 && bytes[end] !== 41 && bytes[end] !== SPACE) end++
        const field = fieldOf(bytes, token, i)
        if (isNew(field)) store(field, bytes, i + 2, end, true)
        token = i = end
        token++
      }
    }
  }

  const fields: Fields = {
    renamed: undefined,
    bareHex: false,
    readPairs,
    readArguments,
    has: (field) => stamps[field] === stamp,
    signed: (field) => stamps[field] === stamp ? bounded(highs[field]! * TWO_32 + lows[field]!) : 0,
    high: (field) => stamps[field] === stamp ? highs[field]! : 0,
    low: (field) => stamps[field] === stamp ? lows[field]! : 0
  }
  return fields
}

/** Sums of two such numbers are exact. */
const FARTHEST = 2 ** 52

const bounded = (n: number): number => n > FARTHEST ? FARTHEST : n < -FARTHEST ? -FARTHEST : n

/** Where a value ends: at a space or a comma, or behind the quotation mark that closes a text. */
const endOfValue = (bytes: Uint8Array, from: number, to: number): number => {
  let i = from
  if (bytes[i] === QUOTE) {
    i++
    while (i < to && bytes[i] !== QUOTE) i++
    return Math.min(to, i + 1)
  }
  while (i < to && bytes[i] !== SPACE && bytes[i] !== COMMA) i++
  return i
}

/** The value of each digit; 99 of what is none. */
const DIGITS = Uint8Array.from(
  { length: 256 },
  (_, c) => c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : c >= 65 && c <= 70 ? c - 55 : 99
)

/** A 64-bit value being read. */
class Value {
  high = 0
  low = 0

  /** Reads the bytes `[from, to)`; false where they are no number. */
  read(bytes: Uint8Array, from: number, to: number, hex: boolean, mayBeHex: boolean): boolean {
    if (bytes[from] === 48 && bytes[from + 1] === X) return this.readHex(bytes, from + 2, to)
    if (hex) return this.readHex(bytes, from, to)
    return this.readDecimal(bytes, from, to) || (mayBeHex && this.readHex(bytes, from, to))
  }

  readHex(bytes: Uint8Array, from: number, to: number): boolean {
    const digits = to - from
    if (digits < 1 || digits > 16) return false
    let high = 0
    let low = 0
    for (let i = from; i < to; i++) {
      const d = DIGITS[bytes[i]!]!
      if (d > 15) return false
      high = (high << 4) | (low >>> 28)
      low = (low << 4) | d
    }
    this.high = high
    this.low = low >>> 0
    return true
  }

  readDecimal(bytes: Uint8Array, from: number, to: number): boolean {
    const negative = bytes[from] === MINUS
    const first = negative ? from + 1 : from
    if (to - first < 1 || to - first > 20) return false
    let n = 0
    for (let i = first; i < to; i++) {
      const d = bytes[i]! - 48
      if (d < 0 || d > 9) return false
      n = n * 10 + d
    }
    if (n > Number.MAX_SAFE_INTEGER) return this.readLong(bytes, first, to, negative)
    const high = Math.floor(n / TWO_32)
    this.high = high | 0
    this.low = n - high * TWO_32
    if (negative) this.negate()
    return true
  }

  /** A count above 2^53 is not exact as a number: its halves are. */
  readLong(bytes: Uint8Array, from: number, to: number, negative: boolean): boolean {
    let n = 0n
    for (let i = from; i < to; i++) n = n * 10n + BigInt(bytes[i]! - 48)
    this.high = Number(BigInt.asIntN(32, n >> 32n))
    this.low = Number(BigInt.asUintN(32, n))
    if (negative) this.negate()
    return n < 0x1_0000_0000_0000_0000n
  }

  negate(): void {
    const low = this.low === 0 ? 0 : TWO_32 - this.low
    this.high = (this.low === 0 ? -this.high : -this.high - 1) | 0
    this.low = low
  }
}
