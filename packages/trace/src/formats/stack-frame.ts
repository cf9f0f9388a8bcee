/**
 * Frames of a stack trace, as the kernel and trace-cmd print them.
 *
 * @since 0.1.0
 */
import { bytesOf, startsWith } from "../reading/text.ts"
import { isWord, skipSpaces } from "./columns.ts"
import type { TraceLine } from "./format.ts"

const ARROW = bytesOf("=> ")

/**
 * Reads ` => symbol+0x1/0x2 <ffffffff81000000>` or `=> symbol (ffffffff81000000)`: the function's name becomes the body,
 * which is empty for an address without a name. False where the line is no frame.
 */
export const readStackFrame = (bytes: Uint8Array, from: number, to: number, line: TraceLine): boolean => {
  const arrow = skipSpaces(bytes, from, to)
  if (arrow > from + 1 || !startsWith(bytes, arrow, to, ARROW)) return false
  const name = skipSpaces(bytes, arrow + ARROW.length, to)
  let i = name
  while (i < to && isWord(bytes[i]!)) i++
  line.bytes = bytes
  line.bodyFrom = name
  line.bodyTo = i
  return true
}

const KERNEL = bytesOf("<stack trace")
const USER = bytesOf("<user stack trace")

/** Whether the head of a kernel's or of a user's stack trace stands at `from`. */
export const stackHeadAt = (bytes: Uint8Array, from: number, to: number): "kernel" | "user" | undefined =>
  startsWith(bytes, from, to, KERNEL) ? "kernel" : startsWith(bytes, from, to, USER) ? "user" : undefined
