/**
 * What a repair of a log did, or would do.
 *
 * @since 0.1.0
 */
import type { Tail } from "@pfnscope/journal"
import { byteText } from "./segment.ts"
import { counted } from "./table.ts"

/** A repair: nothing to do when `torn` is `null`. @category models @since 0.1.0 */
export interface Repaired {
  readonly dryRun: boolean
  readonly events: number
  readonly torn: Tail | null
  /** The file that holds what was cut off. */
  readonly kept: string | null
}

/** A repair as text. @category text @since 0.1.0 */
export const repairText = (path: string, { dryRun, events, kept, torn }: Repaired): string => {
  if (torn === null) return `${path}: nothing to repair, ${counted(events, "event")}`
  const tail = `${counted(torn.bytes, "byte")} from ${byteText(path, torn)} on`
  return dryRun
    ? `${path}: would cut off ${tail} and keep them beside it; ${counted(events, "event")} would stay`
    : `${path}: cut off ${tail}, kept in ${kept}; ${counted(events, "event")} stay`
}
