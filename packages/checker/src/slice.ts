/**
 * What lies between the slices of a long piece of work: limits, and the memory that was not to be had.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Outgrown, WorkerFailed } from "./error.ts"
import type { Explorer } from "./explorer.ts"
import type { Stop } from "./report.ts"

/** States between two looks at the clock: some hundredths of a second. */
export const SLICE = 4096

/**
 * When a search gives up; its verdicts are then "unknown". `millis` counts from the start of this run, `bytes` is what
 * the search stores; absent, it is most of the memory that is free when the run starts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly states?: number | undefined
  readonly millis?: number | undefined
  readonly bytes?: number | undefined
}

/** The part of the free memory that a search takes unasked. */
const SHARE = 0.75

/**
 * The limits with one of memory. Without any, memory would not run out by a refusal that could be reported: the system
 * ends the process, or V8 does.
 */
export const bounded = (limits: Limits | undefined, { bytes }: Pick<Explorer, "bytes">): Limits => ({
  ...limits,
  bytes: limits?.bytes ?? bytes + SHARE * process.availableMemory()
})

/** The limit that a search has reached. */
export const limitReached = (
  explorer: Pick<Explorer, "bytes" | "count">,
  { bytes, millis, states }: Limits,
  spent: number
): Stop | undefined =>
  states !== undefined && explorer.count >= states
    ? "states"
    : bytes !== undefined && explorer.bytes >= bytes
    ? "memory"
    : millis !== undefined && spent >= millis
    ? "time"
    : undefined

/** Does a slice of work; whether there was memory for it. */
export const attempt = (work: () => void | Promise<void>): Effect.Effect<boolean, WorkerFailed> =>
  Effect.suspend(() => {
    const pending = work()
    return pending === undefined ? Effect.succeed(true) : Effect.as(Effect.promise(() => pending), true)
  }).pipe(
    // Interrupted half way, work done elsewhere would go on, and the next slice would run into it.
    Effect.uninterruptible,
    Effect.catchDefect((defect) =>
      isOutOfMemory(defect)
        ? Effect.succeed(false)
        : defect instanceof WorkerFailed
        ? Effect.fail(defect)
        : Effect.die(defect)
    )
  )

/** Runs a search, again from the start whenever its model has outgrown its words. */
export const whileOutgrown = <A, E>(explorer: Explorer, running: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.catchDefect(running, (defect) => {
    if (!(defect instanceof Outgrown)) return Effect.die(defect)
    return Effect.andThen(Effect.promise(async () => explorer.restart()), whileOutgrown(explorer, running))
  })

const isOutOfMemory = (defect: unknown): boolean =>
  defect instanceof RangeError && /allocation|array (buffer )?length/i.test(defect.message)
