/**
 * Tries to break the readers of traces: `npm run fuzz -- --seconds 600`, or `--seed N` to try one input again.
 *
 * Every input has a number, and is made of it alone. The first is drawn from the clock; `--from N` begins elsewhere.
 *
 * @since 0.1.0
 */
import { attemptOf, failureOf, shrink } from "@pfnscope/trace/fuzz"
import type { Attempt } from "@pfnscope/trace/fuzz"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    seed: { type: "string" },
    from: { type: "string" }
  }
})

/** Failures after which it is enough. */
const ENOUGH = 5

/** What is wrong, an exception among it. */
const problemOf = (attempt: Attempt): Effect.Effect<string | undefined> =>
  Effect.try({
    try: () => failureOf(attempt),
    catch: (error) => `throws ${error instanceof Error ? error.message : String(error)}`
  }).pipe(Effect.catch((thrown) => Effect.succeed(thrown)))

/** Without the numbers in it, that come and go as an input shrinks. */
const kindOf = (problem: string): string => problem.replaceAll(/\d+/g, "#").slice(0, 60)

const show = Effect.fnUntraced(function*(attempt: Attempt, problem: string) {
  const kind = kindOf(problem)
  const small = shrink(
    attempt.bytes,
    (bytes) => kindOf(Effect.runSync(problemOf({ ...attempt, bytes })) ?? "") === kind
  )
  yield* Console.log(`seed ${attempt.seed}: ${problem}`)
  yield* Console.log(`  ${JSON.stringify(Buffer.from(small).toString("latin1"))}`)
})

const campaign = Effect.gen(function*() {
  const start = yield* Clock.currentTimeMillis
  const first = Number(values.seed ?? values.from ?? start % 1_000_000_000)
  const until = start + Number(values.seconds) * 1000
  let failures = 0
  let lines = 0
  let seed = first
  for (;;) {
    const attempt = attemptOf(seed)
    const problem = yield* problemOf(attempt)
    seed++
    lines += attempt.bytes.filter((byte) => byte === 10).length
    if (problem !== undefined) {
      failures++
      yield* show(attempt, problem)
    }
    if (values.seed !== undefined || failures === ENOUGH || (yield* Clock.currentTimeMillis) >= until) break
  }
  const seconds = (((yield* Clock.currentTimeMillis) - start) / 1000).toFixed(1)
  yield* Console.log(
    `seeds ${first} to ${seed - 1}: ${seed - first} inputs, ${lines} lines, ${seconds} s, ${failures} failures`
  )
  return failures
})

const failures = await Effect.runPromise(campaign)
process.exitCode = failures === 0 ? 0 : 1
