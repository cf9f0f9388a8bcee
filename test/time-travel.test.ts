// Time travel through runs of the machine: at, diff, why and race say what the run did, at every position.
import { assert, describe, it } from "@effect/vitest"
import type { Journal } from "@pfnscope/journal"
import { memory } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import type { RunHeader } from "@pfnscope/machine"
import { atSeq, diff, END, fold, race, stateAt, violations, why } from "@pfnscope/projections"
import { Evolve, hashState, initialState, L, POLICIES, replay } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import { atJson, atText, diffText, eventText, RACE_WIDTH, raceText, whyText } from "@pfnscope/render"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const headerOf = (scenario: string, policy: string, until: number, knobs = {}): RunHeader =>
  runHeader(SCENARIOS.find(({ name }) => name === scenario)!, POLICIES.find(({ name }) => name === policy)!, {
    until,
    knobs,
    seed: 3
  })

const runOf = Effect.fnUntraced(function*(header: RunHeader) {
  const log: Journal<Event> = yield* memory(eventCodec, { meta: JSON.parse(JSON.stringify(header)) })
  const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
  yield* machine.run
  return { log, machine, events: Array.from(yield* Stream.runCollect(log.read())) }
})

const RUNS = [
  ["first-map", "flag-wait"],
  ["memslot-update", "mainline-7.3"],
  ["madvise-storm", "end-validating"]
] as const

describe("at", () => {
  it.effect.each(RUNS)(
    "gives the run's state at every position of %s under %s",
    ([scenario, policy]) =>
      Effect.gen(function*() {
        const header = headerOf(scenario, policy, 4_000)
        const { events, log } = yield* runOf(header)
        const state = initialState(header.world)
        const evolve = new Evolve(state)
        for (const { data, seq, t } of events) {
          replay(data, evolve)
          if (data.to !== undefined) evolve.moved(data.thread, L[data.to])
          const at = yield* stateAt(log, atSeq(seq))
          assert.deepStrictEqual([at.seq, at.t, at.stateHash, at.unapplied], [seq, t, hashState(state), 0])
          if (seq % 40 === 0) {
            assert.strictEqual((atJson(at) as { readonly stateHash: string }).stateHash, hashState(state))
          }
        }
      })
  )

  it.effect("the end is where the run ended", () =>
    Effect.gen(function*() {
      const { log, machine } = yield* runOf(headerOf("migration", "mainline-6.12", 60_000))
      const at = yield* stateAt(log, END)
      assert.strictEqual(at.stateHash, hashState(machine.state))
      assert.match(atText(at), /mn_active_invalidate_count/)
    }))
})

describe("diff", () => {
  it.effect("of a position with itself is empty, and of neighbours names the event between", () =>
    Effect.gen(function*() {
      const { events, log } = yield* runOf(headerOf("hva-cache", "mainline-6.12", 8_000))
      for (const { seq } of events.slice(1, 60)) {
        assert.deepStrictEqual((yield* diff(log, atSeq(seq), atSeq(seq))).changes, [])
        const { changes } = yield* diff(log, atSeq(seq - 1), atSeq(seq))
        for (const change of changes) assert.strictEqual(change.seq, seq)
      }
      const whole = yield* diff(log, atSeq(0), END)
      assert.isAbove(whole.changes.length, 3)
      assert.match(diffText(whole), /^From #0 to #/)
    }))
})

describe("why", () => {
  it.effect("answers for every actor of a run, and for every violation", () =>
    Effect.gen(function*() {
      const { log } = yield* runOf(headerOf("madvise-storm", "end-validating", 60_000))
      for (const subject of ["mn/0", "gpc/0", "vcpu/0", "mm/1", "gpc/0.valid"]) {
        const { answer, chain } = yield* why(log, subject, atSeq(900))
        assert.isAbove(answer.length, 10, subject)
        for (const link of chain) assert.isAtMost(link.seq, 900)
      }
      const found = yield* fold(violations, log.read())
      assert.isAbove(found.list.length, 0)
      for (const { judged, property } of found.list.slice(0, 10)) {
        const answer = yield* why(log, `${property}@#${judged}`, END)
        assert.isTrue(answer.chain.some(({ type }) => type === "RangeStartCalled"), whyText(answer))
      }
      const { message } = yield* Effect.flip(why(log, "gpc/9", END))
      assert.match(message, /gpc\/9.*expected one of mn\/0, gpc\/0/)
    }))
})

describe("race", () => {
  const findings = POLICIES.flatMap(({ name }) =>
    ["hva-cache", "storm-on-page", "first-map", "madvise-storm", "memslot-update"].map((scenario) =>
      [scenario, name] as const
    )
  )
  it.effect.each(findings)(
    "of %s under %s is at most 72 columns wide and loses no event it chose",
    ([scenario, policy]) =>
      Effect.gen(function*() {
        const { events, log } = yield* runOf(headerOf(scenario, policy, 150_000))
        const table = yield* race(log)
        const text = raceText(table)
        for (const line of text.split("\n")) assert.isAtMost(line.length, RACE_WIDTH, line)
        const shown = table.rows.reduce((n, row) => n + (row.kind === "event" ? 1 : row.events), 0)
        assert.strictEqual(shown, table.chosen)
        const first = events.find(({ data }) => data._tag === "PropertyViolated")
        if (first === undefined) return
        assert.match(text, /violated at #\d+/)
        assert.isTrue(table.rows.some((row) => row.kind === "event" && row.envelope.seq <= first.seq))
      })
  )
})

describe("an event's line", () => {
  it.effect("has its position, its stream and its name, and no control character", () =>
    Effect.gen(function*() {
      const { events } = yield* runOf(headerOf("migration", "exact-ranges", 30_000))
      for (const event of events) {
        const line = eventText({ ...event, stream: `${event.stream}\u001b[31m` })
        assert.isTrue(line.startsWith(`#${event.seq} `))
        assert.include(line, event.data._tag)
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(line, /[\u0000-\u001f]/)
      }
    }))
})
