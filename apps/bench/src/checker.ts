/**
 * Measures the checker against others, in one run, on the reference model's `large`: exact storage, medians of runs that
 * take turns, so that a busy host slows all alike. And checks every published count, and that reductions change no
 * verdict: if one is off, it ends with 1.
 *
 * Run by `npm run bench:checker`.
 *
 * @since 0.1.0
 */
import { COUNTS } from "@pfnscope/checker"
import type { Counts } from "@pfnscope/checker"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { availableParallelism, loadavg } from "node:os"
import { compare, median, notMeasured, rateOf, show } from "./figures.ts"
import type { Figure } from "./figures.ts"
import { done } from "./job.ts"
import type { Done } from "./job.ts"
import { rumur, spin, tlc } from "./peer.ts"
import type { Peer } from "./peer.ts"

const ROUNDS = 3

const close = (peer: Peer): void => {
  if ("remove" in peer) peer.remove()
}

/** One worker, no reductions, against those that can be had. The slow ones run once. */
const sideBySide = Effect.gen(function*() {
  const [theSpin, theRumur, theTlc] = [spin("large", "A"), rumur("large", "A"), tlc("large", "A")]
  const ours: Array<Done> = []
  const spins: Array<Figure> = []
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(done({ config: "large", variant: "A", reduced: false }))
    if ("run" in theSpin) spins.push(theSpin.run())
  }
  const slow = [["Rumur", theRumur], ["TLC", theTlc]] as const
  yield* Console.log(`large A, exact, one worker, no reductions; median of ${ROUNDS}, Rumur and TLC once`)
  yield* show("pfnscope", ours)
  if ("missing" in theSpin) yield* notMeasured("Spin", theSpin.missing)
  else {
    yield* show("Spin", spins)
    yield* compare("states a second / Spin's", rateOf(ours) / rateOf(spins), { least: 1 })
    yield* compare("bytes a state / Spin's", ours[0]!.bytes! / spins[0]!.bytes!, { most: 1.2 })
  }
  for (const [name, peer] of slow) {
    if ("missing" in peer) yield* notMeasured(name, peer.missing)
    else {
      const figures = [peer.run()]
      yield* show(name, figures)
      yield* compare(`states a second / ${name}'s`, rateOf(ours) / rateOf(figures), { least: name === "TLC" ? 20 : 1 })
    }
  }
  yield* notMeasured("Quint", "shared/peers has no model for it")
  for (const peer of [theSpin, theRumur, theTlc]) close(peer)
})

/** Two worker threads against the search without any. */
const twoWorkers = Effect.gen(function*() {
  for (const variant of ["A", "D"] as const) {
    const one: Array<Done> = []
    const two: Array<Done> = []
    for (let round = 0; round < ROUNDS; round++) {
      one.push(done({ config: "large", variant, reduced: false }))
      two.push(done({ config: "large", variant, reduced: false, workers: 2 }))
    }
    yield* Console.log(`large ${variant}, two workers; median of ${ROUNDS}`)
    yield* show("one", one)
    yield* show("two", two)
    yield* compare("states a second, two / one", rateOf(two) / rateOf(one), { least: 1.6 })
    const [alone, together] = [one, two].map((runs) => median(runs.map(({ work }) => work)))
    const most = `${(2 * alone! / together!).toFixed(2)} at best, by processor time`
    yield* Console.log(`  ${most}; the host's load is ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores`)
  }
})

/** The protocol itself, in its largest bounded scenario, beside the reference model. */
const protocol = Effect.gen(function*() {
  const job = { scenario: "s7", policy: "flag-wait" }
  const reference: Array<Done> = []
  const whole: Array<Done> = []
  const reduced: Array<Done> = []
  for (let round = 0; round < ROUNDS; round++) {
    reference.push(done({ config: "large", variant: "A", reduced: false }))
    whole.push(done({ ...job, reduced: false }))
    reduced.push(done({ ...job, reduced: true }))
  }
  yield* Console.log(`the protocol, s7 under flag-wait; median of ${ROUNDS}`)
  yield* show("reference model, large A", reference)
  yield* show("no reductions", whole)
  yield* show("all reductions", reduced)
  yield* compare("states a second / the reference model's", rateOf(whole) / rateOf(reference), { least: 0.6 })
  yield* Console.log(`  ${(whole[0]!.states / reduced[0]!.states).toFixed(2)} times fewer states by reductions`)
})

/** What differs from what is published of a row. */
const differences = (counts: Counts, whole: Done, reduced: Done): ReadonlyArray<string> => {
  const { depth, distinct, generated, shortest } = counts
  const wanted = JSON.stringify([distinct, generated, depth, Object.entries(shortest).sort()])
  const found = JSON.stringify([whole.states, whole.generated, whole.depth, Object.entries(whole.shortest).sort()])
  const same = JSON.stringify([Object.entries(shortest).sort(), true, whole.stuck > 0])
  const kept = JSON.stringify([Object.entries(reduced.shortest).sort(), reduced.isComplete, reduced.stuck > 0])
  return [
    ...wanted === found ? [] : [`published ${wanted}, counted ${found}`],
    ...same === kept ? [] : [`without reductions ${same}, with them ${kept}`]
  ]
}

/** Every published row, with and without reductions; whether all is as it should be. */
const counts = Effect.gen(function*() {
  yield* Console.log("reductions: how many times fewer states, every verdict and shortest counterexample compared")
  let isRight = true
  for (const row of COUNTS) {
    const { config, variant } = row
    const whole = done({ config, variant, reduced: false })
    const reduced = done({ config, variant, reduced: true })
    const name = `${config} ${variant}, ${whole.states} states / ${reduced.states}`
    const times = whole.states / reduced.states
    if (config === "large") yield* compare(name, times, { least: 5 })
    for (const difference of differences(row, whole, reduced)) {
      isRight = false
      yield* Console.log(`  ${config} ${variant} is off: ${difference}`)
    }
  }
  yield* Console.log(`  ${COUNTS.length} published rows: ${isRight ? "all as published" : "NOT all as published"}`)
  return isRight
})

const main = Effect.gen(function*() {
  yield* sideBySide
  yield* twoWorkers
  yield* protocol
  if (!(yield* counts)) process.exitCode = 1
})

await Effect.runPromise(main)
