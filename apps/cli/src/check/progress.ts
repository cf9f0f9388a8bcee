/**
 * The line that tells how far a search is, on a terminal only.
 */
import type { Progress } from "@pfnscope/checker"
import * as Effect from "effect/Effect"

const thousands = (n: number): string => n < 10_000 ? String(n) : `${Math.round(n / 1000)} k`

/** Shows how far a search is. */
export const showProgress =
  (policy: string) => ({ bytes, depth, frontier, states, statesPerSecond }: Progress): Effect.Effect<void> =>
    Effect.sync(() => {
      if (!process.stderr.isTTY) return
      const parts = [
        `${thousands(states)} states`,
        `${thousands(statesPerSecond)}/s`,
        `frontier ${thousands(frontier)}`,
        `depth ${depth}`,
        `${Math.round(bytes / 1e6)} MB`
      ]
      process.stderr.write(`\r\u001b[K${policy}: ${parts.join(", ")}`)
    })

/** Takes the line away. */
export const clearProgress: Effect.Effect<void> = Effect.sync(() => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
})
