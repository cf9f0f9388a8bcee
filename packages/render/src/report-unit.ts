/**
 * What the times of a report are: ns, or the ticks of a counter, which are no duration.
 *
 * @since 0.1.0
 */
import type { Report } from "@pfnscope/projections"
import { counted, duration } from "./table.ts"

/** Whether the times of a report are the ticks of a counter. @category text @since 0.1.0 */
export const isInTicks = ({ files }: Pick<Report, "files">): boolean =>
  files.length > 0 && files.every(({ clock }) => clock === "ticks")

/** How a length of time is written. @category text @since 0.1.0 */
export const unitOf = (report: Pick<Report, "files">): (length: number) => string =>
  isInTicks(report) ? (length) => counted(length, "tick") : duration
