/**
 * Whether a text shows addresses in hexadecimal without 0x (`%lx`, kprobes of old kernels): `uhva=7e0002000000` alone does
 * not tell, since it could be decimal. One address with a digit above 9 tells it of all.
 *
 * @since 0.1.0
 */
import { ADDRESS_NAMES } from "../mapping/fields.ts"
import { decodeBytewise } from "../reading/text.ts"
import { emptyLine, RECORD } from "./format.ts"
import type { Format } from "./format.ts"
import { firstLines, isBlank } from "./formats.ts"

const BARE = new RegExp(`(?:^|[ ,])(?:${ADDRESS_NAMES.join("|")})=(?!0x)[0-9a-f]{0,15}[a-f][0-9a-f]{0,15}(?:[ ,]|$)`)

/** What a program wrote to the trace is not the tracer's. */
const WRITTEN = /mark_write|^print$|printk|^bputs$|^bprint$/

/** Looks at the first lines of a text in `format`. */
export const hasBareHex = (format: Format, bytes: Uint8Array, whole: boolean): boolean => {
  const reader = format.open()
  if (reader.bareHex !== undefined) return reader.bareHex
  const line = emptyLine()
  const tells = (): boolean => {
    if (line.form !== "event") return false
    const name = decodeBytewise(line.bytes, line.nameFrom, line.nameTo)
    return !WRITTEN.test(name) && BARE.test(decodeBytewise(line.bytes, line.bodyFrom, line.bodyTo))
  }
  /** A record that was held back, as those of a mail are. */
  const tellMore = (): boolean => {
    let told = false
    for (let next = reader.more?.(line); next !== undefined; next = reader.more?.(line)) {
      told ||= next === RECORD && tells()
    }
    return told
  }
  return firstLines(bytes, whole).some(([from, to], i) => {
    if (isBlank(bytes, from, to)) return false
    line.number = i + 1
    return (reader.read(bytes, from, to, line) === RECORD && tells()) || tellMore()
  })
}
