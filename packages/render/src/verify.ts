/**
 * The integrity of a log.
 *
 * @since 0.1.0
 */
import type { Report } from "@pfnscope/journal"
import { byteText } from "./segment.ts"
import { counted } from "./table.ts"

/** What a verification found. @category models @since 0.1.0 */
export interface Verified {
  readonly ok: boolean
  readonly events: number
  readonly batches: number
  readonly head: string
  readonly damage: Report["damage"]
  readonly torn: Report["torn"]
  /** A head that was written down earlier, and the position where the log has it. */
  readonly asked?: { readonly head: string; readonly seq: number | null }
}

/** A verification as text. @category text @since 0.1.0 */
export const verifyText = (path: string, { asked, batches, damage, events, head, torn }: Verified): string =>
  [
    `${path}: ${counted(events, "event")} in ${counted(batches, "batch", "batches")}, head ${head}`,
    ...(damage === null
      ? []
      : [`  damaged at ${byteText(path, damage)}, event #${damage.seq}: ${damage.reason}`]),
    ...(torn === null
      ? []
      : [`  torn at ${byteText(path, torn)}: ${counted(torn.bytes, "byte")} of a batch that was never finished`]),
    ...(damage === null && torn === null ? ["  sound: every frame, checksum and hash"] : []),
    ...(asked === undefined ? [] : [`  ${askedText(asked)}`])
  ].join("\n")

const askedText = ({ head, seq }: NonNullable<Verified["asked"]>): string =>
  seq === null
    ? `not a continuation of head ${head}: rewritten before it, or cut short`
    : `up to #${seq} what it was at head ${head}`
