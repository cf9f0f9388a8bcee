/**
 * Bytes of a log: a writer that grows and a reader that cannot be led astray.
 *
 * Hot: every event passes through here. Numbers are little-endian base-128 varints, strings one byte a UTF-16 unit
 * when every unit fits and two when not, so that any string (lone surrogates too) comes back as it went in.
 *
 * @since 0.1.0
 */

const BITS_27 = 0x8000000
const BITS_28 = 0x10000000

/**
 * Writes numbers and strings into a buffer that doubles when it is full.
 *
 * `bytes.subarray(0, length)` is what was written; setting `length` back forgets what came after.
 *
 * @category codec
 * @since 0.1.0
 */
export class ByteWriter {
  bytes: Uint8Array = new Uint8Array(256)
  length = 0

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  /** One byte, 0 … 255. */
  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** Four bytes, 0 … 2^32 - 1. */
  u32(value: number): void {
    this.reserve(4)
    this.bytes[this.length++] = value
    this.bytes[this.length++] = value >>> 8
    this.bytes[this.length++] = value >>> 16
    this.bytes[this.length++] = value >>> 24
  }

  /** Eight bytes, 0 … 2^53 - 1. */
  u64(value: number): void {
    const high = Math.floor(value / 0x100000000)
    this.u32(value - high * 0x100000000)
    this.u32(high)
  }

  /** 1 … 8 bytes for an integer of 0 … 2^53 - 1; the caller has checked it. */
  varint(value: number): void {
    this.reserve(8)
    if (value < BITS_28) return this.small(value)
    const high = Math.floor(value / BITS_28)
    this.full(value - high * BITS_28)
    this.small(high)
  }

  /** 1 … 8 bytes for a safe integer of either sign (zigzag); the caller has checked it. */
  int(value: number): void {
    this.reserve(8)
    if (value >= -BITS_27 && value < BITS_27) return this.small((value << 1) ^ (value >> 31))
    const sign = value < 0 ? 1 : 0
    const magnitude = value < 0 ? -value - 1 : value
    const high = Math.floor(magnitude / BITS_27)
    this.full((magnitude - high * BITS_27) * 2 + sign)
    this.small(high)
  }

  /** Any string: its length doubled (odd when wide), then its units. */
  string(value: string): void {
    const units = value.length
    this.reserve(8 + units * 2)
    this.varint(units * 2)
    const start = this.length
    for (let i = 0; i < units; i++) {
      const unit = value.charCodeAt(i)
      if (unit > 0xff) return this.wide(value)
      this.bytes[start + i] = unit
    }
    this.length = start + units
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.reserve(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  private wide(value: string): void {
    const units = value.length
    // Doubling the length and making it odd never changes how many bytes the varint takes.
    const first = this.length - varintBytes(units * 2)
    this.length = first
    this.varint(units * 2 + 1)
    for (let i = 0; i < units; i++) {
      const unit = value.charCodeAt(i)
      this.bytes[this.length++] = unit
      this.bytes[this.length++] = unit >>> 8
    }
  }

  private small(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.bytes[this.length++] = (rest & 127) | 128
      rest >>>= 7
    }
    this.bytes[this.length++] = rest
  }

  /** 28 bits that are followed by more. */
  private full(value: number): void {
    this.bytes[this.length++] = (value & 127) | 128
    this.bytes[this.length++] = ((value >>> 7) & 127) | 128
    this.bytes[this.length++] = ((value >>> 14) & 127) | 128
    this.bytes[this.length++] = (value >>> 21) | 128
  }
}

/**
 * How many bytes `ByteWriter.varint(value)` takes.
 *
 * @internal
 */
export const varintBytes = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/**
 * Reads what a `ByteWriter` wrote from `bytes[at, end)`.
 *
 * Nothing throws: the first thing that is wrong is kept in `fault`, and whoever asked for a value looks there before
 * using it. Reads behind `end` are such a fault. No read allocates more than the bytes that are there.
 *
 * @category codec
 * @since 0.1.0
 */
export class ByteReader {
  readonly bytes: Buffer
  at: number
  readonly end: number
  fault: string | null = null

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = at
    this.end = end
  }

  /** How many bytes are left. */
  get left(): number {
    return this.end - this.at
  }

  /** Remembers the first thing that was wrong. */
  fail(reason: string): void {
    this.fault ??= reason
  }

  byte(): number {
    if (this.at >= this.end) return this.past()
    return this.bytes[this.at++]!
  }

  u32(): number {
    if (this.left < 4) return this.past()
    const value = this.bytes.readUInt32LE(this.at)
    this.at += 4
    return value
  }

  u64(): number {
    const low = this.u32()
    const value = this.u32() * 0x100000000 + low
    if (!Number.isSafeInteger(value)) this.fail("a number of more than 53 bits")
    return value
  }

  varint(): number {
    const low = this.seven(28)
    if (!this.more) return low
    return low + this.seven(25) * BITS_28
  }

  int(): number {
    const low = this.seven(28)
    const magnitude = low >>> 1
    if (!this.more) return (low & 1) === 1 ? -magnitude - 1 : magnitude
    const value = magnitude + this.seven(26) * BITS_27
    return (low & 1) === 1 ? -value - 1 : value
  }

  string(): string {
    const length = this.varint()
    const wide = length % 2 === 1
    const bytes = wide ? length - 1 : length / 2
    if (bytes > this.left) {
      this.fail(`a string of ${bytes} bytes where ${this.left} are left`)
      return ""
    }
    const start = this.at
    this.at += bytes
    return this.bytes.toString(wide ? "utf16le" : "latin1", start, this.at)
  }

  /** Whether the last group of seven bits said that more follow. */
  private more = false

  /** Up to `bits` bits, in groups of seven. */
  private seven(bits: number): number {
    let value = 0
    for (let shift = 0; shift < bits; shift += 7) {
      if (this.at >= this.end) {
        this.more = false
        return this.past()
      }
      const byte = this.bytes[this.at++]!
      value |= (byte & 127) << shift
      if (byte < 128) {
        this.more = false
        if (bits < 28 && value >= 1 << bits) this.fail("a number of more than 53 bits")
        return value
      }
    }
    this.more = true
    if (bits < 28) this.fail("a number of more than 53 bits")
    return value
  }

  private past(): number {
    this.fail("it ends too early")
    return 0
  }
}
