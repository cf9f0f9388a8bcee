/**
 * The line that tells how far an import is, on a terminal only.
 */
import type { ImportProgress } from "@pfnscope/trace"
import * as Effect from "effect/Effect"

const thousands = (n: number): string => n < 10_000 ? String(n) : `${Math.round(n / 1000)} k`
/** Bytes in millions. */
export const megabytes = (n: number): string => (n / 1e6).toFixed(n < 1e7 ? 1 : 0)

/** Shows how far an import is. */
export const showImport = ({ bytes, lines, linesPerSecond, size }: ImportProgress): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!process.stderr.isTTY) return
    const share = size > 0 ? ` of ${megabytes(size)} MB, ${Math.floor((100 * bytes) / size)} %` : " MB"
    const parts = [`${megabytes(bytes)}${share}`, `${thousands(lines)} lines`, `${thousands(linesPerSecond)}/s`]
    process.stderr.write(`\r\u001b[K${parts.join(", ")}`)
  })
