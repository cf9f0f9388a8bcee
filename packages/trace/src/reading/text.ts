/**
 * Short texts in a piece of bytes: compared in place, and made a string once.
 *
 * A trace has millions of lines and some dozen different task and event names. A string for each line would cost more
 * than reading it.
 *
 * @since 0.1.0
 */
const decoder = new TextDecoder("utf-8")

/** The text of the bytes `[from, to)`; bytes that are no UTF-8 become U+FFFD. */
export const decode = (bytes: Uint8Array, from: number, to: number): string => decoder.decode(bytes.subarray(from, to))

const single = new TextDecoder("latin1")

/** The bytes `[from, to)` as a text with one character a byte, so that places in it are places in the bytes. */
export const decodeBytewise = (bytes: Uint8Array, from: number, to: number): string =>
  single.decode(bytes.subarray(from, to))

/** Whether the bytes `[from, to)` are just those of `text`. */
export const isText = (bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean => {
  if (to - from !== text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text[i]) return false
  return true
}

/** Whether `text` stands at `from`. */
export const startsWith = (bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean =>
  from + text.length <= to && isText(bytes, from, from + text.length, text)

/** The bytes of a text. */
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const PLACES = 256

/** A place for a text, by its length, its last and a middle byte. */
const placeOf = (bytes: Uint8Array, from: number, to: number): number =>
  to === from ? 0 : (bytes[to - 1]! * 7 + bytes[(from + to) >>> 1]! * 13 + (to - from) * 29) & (PLACES - 1)

/** FNV-1a of the bytes `[from, to)`. */
const hash = (bytes: Uint8Array, from: number, to: number): number => {
  let h = 0x811c9dc5
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193)
  // 30 bits: a small integer to the engine.
  return h & 0x3fff_ffff
}

/** Numbers short texts, densely and in the order of their first sight. */
export interface Numbering {
  /** The number of a text; a new one where it is new. */
  readonly of: (bytes: Uint8Array, from: number, to: number) => number
  /** The number of a text, or -1 where it is new. */
  readonly find: (bytes: Uint8Array, from: number, to: number) => number
  readonly texts: ReadonlyArray<string>
}

export const makeNumbering = (known: ReadonlyArray<string>): Numbering => {
  const texts: Array<string> = []
  const bytesOfText: Array<Uint8Array> = []
  const buckets = new Map<number, Array<number>>()

  /** The text that was found last at each place: most often the one that is sought. */
  const recent = new Int32Array(PLACES).fill(-1)

  const find = (bytes: Uint8Array, from: number, to: number): number => {
    const place = placeOf(bytes, from, to)
    const number = recent[place]!
    if (number >= 0 && isText(bytes, from, to, bytesOfText[number]!)) return number
    const found = search(bytes, from, to)
    if (found >= 0) recent[place] = found
    return found
  }

  const search = (bytes: Uint8Array, from: number, to: number): number => {
    const bucket = buckets.get(hash(bytes, from, to))
    if (bucket === undefined) return -1
    for (let i = 0; i < bucket.length; i++) {
      if (isText(bytes, from, to, bytesOfText[bucket[i]!]!)) return bucket[i]!
    }
    return -1
  }

  const add = (bytes: Uint8Array, from: number, to: number): number => {
    const number = texts.length
    texts.push(decode(bytes, from, to))
    bytesOfText.push(bytes.slice(from, to))
    const h = hash(bytes, from, to)
    const bucket = buckets.get(h)
    if (bucket === undefined) buckets.set(h, [number])
    else bucket.push(number)
    return number
  }

  for (const text of known) {
    const bytes = bytesOf(text)
    add(bytes, 0, bytes.length)
  }
  return {
    texts,
    find,
    of: (bytes, from, to) => {
      const number = find(bytes, from, to)
      return number >= 0 ? number : add(bytes, from, to)
    }
  }
}
