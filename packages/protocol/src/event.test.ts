import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { EMITTED, Event, fieldsOf, makeEvent, ownerOf, replay, schemaOf } from "./event.ts"
import type { Emit, EmittedTag, EventTag } from "./event.ts"
import { Evolve } from "./evolve.ts"
import { execute, toEvent } from "./execute.ts"
import { L, LABELS } from "./label.ts"
import { POLICIES } from "./policies/index.ts"
import { programOf } from "./program.ts"
import { randomRun, randomWorld, seeded } from "./random.ts"
import { initialState } from "./state.ts"

const OBSERVED: ReadonlyArray<EventTag> = [
  "TaskSeen",
  "GpcSeen",
  "WalkReturned",
  "Noted",
  "EventsLost",
  "ClockStepped",
  "CallChainSeen",
  "FaultStateSeen"
]

const TAGS: ReadonlyArray<EventTag> = [...EMITTED, ...OBSERVED]

const encode = Schema.encodeUnknownSync(Event)
const decode = Schema.decodeUnknownSync(Event)

/** The same event with 0 where -0 was drawn, which no step writes and JSON does not know. */
const withoutNegativeZero = (event: object): Event =>
  Object.fromEntries(Object.entries(event).map(([name, value]) => [name, value === 0 ? 0 : value])) as unknown as Event

interface Call {
  readonly tag: EmittedTag
  readonly args: ReadonlyArray<number>
}

/** What `replay` calls. */
const callsOf = (event: Event): ReadonlyArray<Call> => {
  const calls: Array<Call> = []
  const emit = Object.fromEntries(
    EMITTED.map((tag) => [tag, (...args: ReadonlyArray<number>) => calls.push({ tag, args })])
  )
  replay(event, emit as unknown as Emit)
  return calls
}

describe("the object form of an event", () => {
  for (const tag of TAGS) {
    it.prop(`${tag} survives a log`, [schemaOf(tag)], ([drawn]) => {
      const event = withoutNegativeZero(drawn)
      assert.deepStrictEqual(decode(JSON.parse(JSON.stringify(encode(event)))), event)
    }, { arbitrary: { runs: 25 } })
  }

  it.each([
    ["an unknown event", { _tag: "PageEaten", thread: 0 }],
    ["a missing field", { _tag: "CountIncremented", thread: 0 }],
    ["a missing thread", { _tag: "CountIncremented", count: 1 }],
    ["half a count", { _tag: "CountIncremented", thread: 0, count: 1.5 }],
    ["a number for a name", { _tag: "Locked", thread: 0, lock: 1, gpc: 0 }],
    ["a name that is not in the vocabulary", { _tag: "Locked", thread: 0, lock: "the_lock", gpc: 0 }],
    ["a number for a flag", { _tag: "Checked", thread: 0, gpc: 0, ok: 1 }],
    ["a label that does not exist", { _tag: "CountIncremented", thread: 0, count: 1, to: "nowhere" }]
  ])("is refused with %s", (_what, event) => {
    assert.throws(() => decode(event))
  })
})

describe("the positional form of an event", () => {
  for (const tag of EMITTED) {
    it.prop(`${tag} is what replay calls, and makes the same object`, [schemaOf(tag)], ([drawn]) => {
      const event = withoutNegativeZero(drawn)
      const [call, ...more] = callsOf(event)
      assert.deepStrictEqual(more, [])
      assert.strictEqual(call.tag, tag)
      const [thread, a, b, c, d] = call.args
      assert.strictEqual(call.args.length, 1 + fieldsOf(tag).length)
      const to = event.to === undefined ? -1 : L[event.to]
      assert.deepStrictEqual(makeEvent(tag)(thread, a, b, c, d, to), event)
    }, { arbitrary: { runs: 25 } })
  }

  it("is at most four numbers beside the thread", () => {
    for (const tag of EMITTED) assert.isAtMost(fieldsOf(tag).length, 4, tag)
  })

  it("does nothing for what only an import writes", () => {
    assert.deepStrictEqual(callsOf({ _tag: "TaskSeen", thread: 0, comm: "qemu", pid: 1 }), [])
    assert.deepStrictEqual(OBSERVED.filter((tag) => (EMITTED as ReadonlyArray<string>).includes(tag)), [])
  })

  it("takes exactly the declared fields in Evolve", () => {
    for (const tag of EMITTED) {
      assert.strictEqual(Evolve.prototype[tag].length, 1 + fieldsOf(tag).length, tag)
    }
  })

  it("says which cache an event of a cache is about", () => {
    const without = TAGS.filter((tag) => ownerOf(tag) === "gpc" && !fieldsOf(tag).includes("gpc"))
    assert.deepStrictEqual(without, [])
  })
})

describe("a replay of a run's events", () => {
  it.each(POLICIES)("$name: has the run's cells at every event", (policy) => {
    const program = programOf(policy)
    let position = 0
    for (let seed = 0; seed < 12; seed++) {
      const random = seeded(seed)
      const world = randomWorld(random)
      const copy = initialState(world)
      const evolve = new Evolve(copy)
      const executor = execute(initialState(world), {
        event: (tag, thread, a, b, c, d, to) => {
          position++
          const event = decode(encode(toEvent(tag, thread, a, b, c, d, to)))
          replay(event, evolve)
          if (event.to !== undefined) evolve.moved(thread, L[event.to])
          const differs = executor.state.cells.findIndex((cell, i) => cell !== copy.cells[i])
          assert.strictEqual(differs, -1, `seed ${seed}, event ${position}: ${tag}`)
        },
        violated: () => {}
      })
      randomRun(executor.state, program, random, (step, t, choice) => {
        // A thread that waits is marked first, as the machine does.
        if (random(10) === 0) executor.emit.Blocked(t.id, step.actor(executor.state, t))
        executor.step(step, t, choice)
      }, 1000)
    }
    assert.isAbove(position, 1000)
  })

  it("a thread is marked while it is blocked, and no longer", () => {
    const [policy] = POLICIES
    const program = programOf(policy)
    const { emit, state, step } = execute(initialState(randomWorld(seeded(7))), {
      event: () => {},
      violated: () => {}
    })
    const [t] = state.threads
    emit.Blocked(0, 1)
    assert.strictEqual(t.blocked, 1)
    step(program[t.pc], t, 0)
    assert.strictEqual(t.blocked, 0)
  })

  it("the last event of a step, and no other, says where its thread stands", () => {
    const [policy] = POLICIES
    const program = programOf(policy)
    const random = seeded(7)
    const tos: Array<number> = []
    const executor = execute(initialState(randomWorld(random)), {
      event: (_tag, _thread, _a, _b, _c, _d, to) => tos.push(to),
      violated: () => {}
    })
    randomRun(executor.state, program, random, (step, t, choice) => {
      const before = tos.length
      executor.step(step, t, choice)
      const labels = tos.slice(before)
      assert.isAbove(labels.length, 0, step.label)
      assert.strictEqual(labels.pop(), t.pc, step.label)
      assert.isTrue(labels.every((to) => to === -1), step.label)
      assert.isDefined(LABELS[t.pc])
    }, 1000)
  })
})
