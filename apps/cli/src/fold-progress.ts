/**
 * The line that tells how far a first look into a long log is, on a terminal only.
 */
import type { FoldProgress } from "@pfnscope/projections"
import * as Effect from "effect/Effect"

const millions = (n: number): string => `${(n / 1e6).toFixed(1)} M`

/** Shows how far a fold of a log of so many events is. */
export const showFold = (events: number) => ({ isOver, seq }: FoldProgress): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!process.stderr.isTTY) return
    const share = `${millions(seq)} of ${millions(events)} events, ${Math.floor((100 * seq) / events)} %`
    process.stderr.write(`\r\u001b[K${isOver ? "" : `a first look: ${share}`}`)
  })
