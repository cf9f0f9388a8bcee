/**
 * A text that is put together from pieces of others, in bytes that are used again for the next.
 *
 * @since 0.1.0
 */
export class TextBuffer {
  bytes = new Uint8Array(1024)
  length = 0

  clear(): void {
    this.length = 0
  }

  /** Adds the bytes `[from, to)` of another text. */
  add(bytes: Uint8Array, from: number, to: number): void {
    const more = to - from
    if (this.length + more > this.bytes.length) this.grow(this.length + more)
    // A short piece is copied faster by hand than by set(subarray()).
    if (more < 32) { for (let i = 0; i < more; i++) this.bytes[this.length + i] = bytes[from + i]! }
    else this.bytes.set(bytes.subarray(from, to), this.length)
    this.length += more
  }

  /** Adds all of a text. */
  addAll(bytes: Uint8Array): void {
    this.add(bytes, 0, bytes.length)
  }

  addByte(byte: number): void {
    if (this.length === this.bytes.length) this.grow(this.length + 1)
    this.bytes[this.length++] = byte
  }

  /** Adds a text of ASCII characters. */
  addAscii(text: string): void {
    for (let i = 0; i < text.length; i++) this.addByte(text.charCodeAt(i))
  }

  private grow(length: number): void {
    const grown = new Uint8Array(Math.max(length, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}
