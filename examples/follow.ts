// Runs a scenario, follows its events, and asserts a projection: under mainline-6.12 a storm on memory that no cache
// maps makes refreshes retry, and every one of those retries is unrelated.
import { memory } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { fold, refreshes } from "@pfnscope/projections"
import { POLICIES } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const scenario = SCENARIOS.find(({ name }) => name === "madvise-storm")!
const policy = POLICIES.find(({ name }) => name === "mainline-6.12")!

const program = Effect.gen(function*() {
  const log = yield* memory(eventCodec)
  const machine = yield* Machine.make(runHeader(scenario, policy, { seed: 7 })).pipe(
    Effect.provideService(EventLog, log)
  )
  const retries = machine.events.pipe(
    Stream.filter(({ data }) => data._tag === "RetryDecided"),
    Stream.take(3),
    Stream.runForEach(({ seq, stream }) => Console.log(`#${seq} ${stream} throws its lap away`))
  )
  const [outcome] = yield* Effect.all([machine.run, retries], { concurrency: "unbounded" })
  const found = yield* fold(refreshes, log.read())
  const { retries: all, unrelated } = found.refreshes
  yield* Console.log(`${outcome.steps} steps; of ${all} retries, ${unrelated} were unrelated`)
  if (unrelated === 0) return yield* Effect.die("expected the storm to starve somebody")
})

await Effect.runPromise(Effect.scoped(program))
