/**
 * What the headers of a mail, and of its parts, say of the text below them.
 *
 * @since 0.1.0
 */
import { decode } from "../reading/text.ts"

/** How much of a line is looked at. */
const LONGEST_SEEN = 200

export interface MailHeaders {
  /** Whether the text is quoted-printable; undefined where no header says. */
  readonly encoded: boolean | undefined
  /** Whether a space at the end of a line says that it goes on (`format=flowed`, RFC 3676). */
  readonly flowed: boolean
  /** Takes a line into account, whatever it is. */
  readonly read: (bytes: Uint8Array, from: number, to: number) => void
}

const ENCODING = /^content-transfer-encoding:\s*([\w-]+)/i
const FLOWED = /^(?:content-type:|\s).*\bformat="?flowed/i
/** Another mail of an mbox, or another part. */
const BOUNDARY = /^From \S+ +\S.*\d{4}$|^--[^\s-]\S{6,}$/

export const makeHeaders = (): MailHeaders => {
  const headers = {
    encoded: undefined as boolean | undefined,
    flowed: false,
    read: (bytes: Uint8Array, from: number, to: number): void => {
      const text = decode(bytes, from, Math.min(to, from + LONGEST_SEEN))
      if (BOUNDARY.test(text)) {
        headers.encoded = undefined
        headers.flowed = false
      }
      const encoding = ENCODING.exec(text)
      if (encoding !== null) headers.encoded = encoding[1]!.toLowerCase() === "quoted-printable"
      if (FLOWED.test(text)) headers.flowed = true
    }
  }
  return headers
}
