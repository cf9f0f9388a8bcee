/**
 * The line that tells how far a verification is, on a terminal only.
 */
import * as Effect from "effect/Effect"
import { megabytes } from "./import-progress.ts"

/** Shows how many bytes of how many are read, whenever that is a percent more. */
export const showVerified = (path: string): (bytes: number, of: number) => Effect.Effect<void> => {
  let shown = -1
  return (bytes, of) =>
    Effect.sync(() => {
      const percent = Math.floor((100 * bytes) / of)
      if (!process.stderr.isTTY || percent === shown) return
      shown = percent
      process.stderr.write(`\r\u001b[K${path}: ${megabytes(bytes)} of ${megabytes(of)} MB, ${percent} %`)
    })
}
