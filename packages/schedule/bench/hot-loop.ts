/**
 * The hot loop of an actor system, in steps per second: a thread sleeps, asks an actor through its queue, and takes the
 * answer from its own. Three turns of fibers each.
 *
 *   npx node --conditions=pfnscope-source packages/schedule/bench/hot-loop.ts
 *
 * `together`: all threads are due at the same times, so that every set to choose from is large. `apart`: they are not.
 */
import { fork, run, seeded, sleepNanos, waitingFor } from "@pfnscope/schedule"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"

interface Shape {
  readonly threads: number
  readonly together: boolean
  readonly labelled: boolean
}

const STEPS = 300_000

const program = ({ threads, together, labelled }: Shape) =>
  Effect.gen(function*() {
    const requests = yield* Queue.unbounded<Queue.Queue<number>>()
    let served = 0
    const actor = Effect.gen(function*() {
      while (true) {
        const replies = yield* Queue.take(requests)
        yield* Queue.offer(replies, ++served)
      }
    })
    const thread = Effect.gen(function*() {
      const replies = yield* Queue.unbounded<number>()
      const answer = labelled ? waitingFor("an answer")(Queue.take(replies)) : Queue.take(replies)
      for (let lap = 0; lap < STEPS / threads; lap++) {
        yield* sleepNanos(together ? 10 : 10 + (served * 104_729) % 1009)
        yield* Queue.offer(requests, replies)
        yield* answer
      }
    })
    yield* fork("actor")(actor)
    const numbers = Array.from({ length: threads }, (_, i) => i)
    yield* Fiber.joinAll(yield* Effect.forEach(numbers, (i) => fork(`thread/${i}`)(thread)))
    return served
  })

const measure = Effect.fnUntraced(function*(shape: Shape) {
  let best = Infinity
  for (let seed = 0; seed < 5; seed++) {
    const before = process.cpuUsage()
    yield* run(program(shape), { strategy: seeded(seed), granularity: "point" })
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1e6)
  }
  const figure = `${Math.round(STEPS / best / 1000)} k steps per CPU second`
  console.log(
    `${shape.threads} threads, ${shape.together ? "together" : "apart"}${shape.labelled ? ", labelled" : ""}: ${figure}`
  )
})

await Effect.runPromise(Effect.gen(function*() {
  for (const threads of [10, 1000]) {
    yield* measure({ threads, together: true, labelled: false })
    yield* measure({ threads, together: false, labelled: false })
  }
  yield* measure({ threads: 10, together: true, labelled: true })
}))
