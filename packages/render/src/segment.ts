/**
 * A byte of a log, which may be several files.
 *
 * @since 0.1.0
 */

/** `byte 90`, or `byte 90 of run.log.seg-000002` when the file is not that of the log's name. @category text @since 0.1.0 */
export const byteText = (
  log: string,
  { byte, segment }: { readonly segment: string; readonly byte: number }
): string => segment === log ? `byte ${byte}` : `byte ${byte} of ${segment}`
