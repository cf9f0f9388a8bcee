import { fork, named, point, recorded, replay, run, seeded } from "@pfnscope/schedule"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** Two deposits into one account, each of which reads, thinks, and writes. */
const deposits = Effect.gen(function*() {
  let balance = 0
  const deposit = (amount: number) =>
    Effect.gen(function*() {
      const before = balance
      yield* point
      balance = before + amount
    })
  const alice = yield* fork("alice")(deposit(10))
  const bob = yield* Effect.forkDetach(deposit(20)).pipe(named("bob"))
  yield* Fiber.joinAll([alice, bob])
  return balance
})

/** Tries seeds until a deposit gets lost, then shows that it gets lost in the same way again. */
export const example = Effect.gen(function*() {
  for (let seed = 0; seed < 100; seed++) {
    const strategy = recorded(seeded(seed))
    const balance = yield* run(deposits, { strategy })
    if (balance === 30) continue
    const again = yield* run(deposits, { strategy: replay(strategy.recording) })
    return { balance, again, schedule: strategy.recording.join(" ") }
  }
})
