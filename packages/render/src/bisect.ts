/**
 * The first position where something is so, and how it was found.
 *
 * @since 0.1.0
 */
import type { Bisected } from "@pfnscope/projections"
import { eventJson, eventText } from "./event.ts"
import { counted } from "./table.ts"

/** What was found as JSON. @category json @since 0.1.0 */
export const bisectJson = ({ event, how, looked, seq }: Bisected): unknown => ({
  seq: seq ?? null,
  how,
  looked,
  event: event === undefined ? null : eventJson(event)
})

/** What was found as text; `threads` are the names of the log's threads. @category text @since 0.1.0 */
export const bisectText = ({ event, how, looked, seq }: Bisected, threads: ReadonlyArray<string>): string => {
  const by = `${how} over ${counted(looked, "position")}`
  if (seq === undefined) return `Nowhere (${by})`
  return event === undefined ? `From the start (${by})` : `First at #${seq} (${by})\n  ${eventText(event, threads)}`
}
