/**
 * The bookmarks of a log.
 *
 * @since 0.1.0
 */
import type { Bookmark } from "@pfnscope/journal"
import { table } from "./table.ts"

/** Bookmarks as text: a line each, by position. @category text @since 0.1.0 */
export const bookmarksText = (path: string, bookmarks: ReadonlyArray<Bookmark>): string =>
  bookmarks.length === 0
    ? `${path}: no bookmarks`
    : table(
      ["bookmark", "position"],
      bookmarks.map(({ name, seq }) => [name, seq === null ? "of another log, or a rewritten one" : `#${seq}`])
    )
