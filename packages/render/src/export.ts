/**
 * What an export of a log took along, and what it could not.
 *
 * @since 0.1.0
 */
import type { Loss } from "@pfnscope/journal"
import { byteText } from "./segment.ts"
import { counted } from "./table.ts"

/** An export. @category models @since 0.1.0 */
export interface Exported {
  readonly output: string
  readonly events: number
  readonly head: string
  readonly lost: ReadonlyArray<Loss>
}

/** An export as text. @category text @since 0.1.0 */
export const exportText = (path: string, { events, head, lost, output }: Exported): string =>
  [
    `${output}: ${counted(events, "event")} of ${path}, head ${head}`,
    ...lost.map((loss) => `  ${lossText(path, loss)}`)
  ].join("\n")

/** An export to a database as text. @category text @since 0.1.0 */
export const databaseText = (path: string, { events, head, output }: Omit<Exported, "lost">): string =>
  `${output}: ${counted(events, "event")} of ${path} as a database of SQLite, head ${head}`

const lossText = (path: string, loss: Loss): string => {
  const { count, first, reason } = loss
  const what = count === null
    ? `everything from #${first} on`
    : count === 0
    ? `nothing, but #${first} may not belong to what is before it`
    : `${counted(count, "event")} from #${first} on`
  return `lost at ${byteText(path, loss)}: ${what} (${reason})`
}
