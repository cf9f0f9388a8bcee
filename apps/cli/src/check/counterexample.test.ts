import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { BOUNDED, REFERENCE_CONFIGS, replacing, run, runLive, Search } from "@pfnscope/checker"
import { verify } from "@pfnscope/journal"
import { race } from "@pfnscope/projections"
import { POLICIES } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { openLog } from "../logs.ts"
import { evidenceOf, prepareFolder } from "./counterexample.ts"
import { modelOf } from "./subject.ts"
import type { Subject } from "./subject.ts"

const { world } = BOUNDED.find(({ name }) => name === "s6")!

const subjectOf = (policy: string) => ({
  kind: "protocol" as const,
  policy,
  given: policy,
  properties: [],
  choices: POLICIES.find(({ name }) => name === policy)!,
  world
})

const endValidating = subjectOf("end-validating")

/** The page below U is invalidated for ever. */
const endless: Subject = {
  ...subjectOf("mainline-6.12"),
  world: {
    ...world,
    threads: world.threads.filter(({ name }) => name === "vcpu/0" || name === "mm/1").map((thread) => ({
      ...thread,
      repeat: thread.name === "mm/1" ? 0 : 1
    }))
  }
}

const folder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())

describe("the evidence", () => {
  it.effect("for a violation is the race around it, in a log that is sound", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const model = modelOf(endValidating)
      const { verdicts } = yield* run(new Search(model), { all: true })
      const evidence = yield* evidenceOf(endValidating, model, verdicts, path)
      const violated = verdicts.filter(({ outcome }) => outcome === "violated").map(({ property }) => property.name)
      assert.sameMembers(evidence.flatMap(({ ids }) => ids), violated)
      for (const { ids, logs, shown } of evidence) {
        assert.isTrue(shown.as === "race" && shown.race.ending.kind === "violated")
        if (shown.as === "race" && shown.race.ending.kind === "violated") {
          assert.include(ids, shown.race.ending.property.id)
        }
        for (const log of logs) {
          assert.isNull((yield* verify(log)).damage)
          const { ending } = yield* Effect.scoped(Effect.flatMap(openLog(log), (open) => race(open)))
          assert.isTrue(ending.kind === "violated" && log.endsWith(`-${ending.property.id}.log`), log)
        }
      }
      const refused = yield* Effect.flip(prepareFolder(path, [endValidating], violated))
      assert.match(refused.message, /end-validating-P\d+\.log: exists already/)
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("for a run that repeats is all of it, with the place where it begins to", () =>
    Effect.gen(function*() {
      const goal = { name: "P6", statement: "nothing goes on for ever", met: () => false }
      const model = replacing(modelOf(endless), { goals: [goal] })
      const { goals } = yield* runLive(new Search(model))
      const [first] = yield* evidenceOf(endless, model, goals, yield* folder)
      assert.isNull((yield* verify(first!.logs[0]!)).damage)
      const { shown } = first!
      const cycleAt = shown.cycleAt!
      const seqs = shown.as === "race"
        ? shown.race.rows.flatMap((row) => row.kind === "event" ? [row.envelope.seq] : [])
        : []
      assert.isTrue(seqs.some((seq) => seq < cycleAt))
      assert.isTrue(seqs.some((seq) => seq >= cycleAt))
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("in a model without events is the list of its steps", () =>
    Effect.gen(function*() {
      const subject: Subject = {
        kind: "reference",
        policy: "C",
        given: "C",
        properties: [],
        config: REFERENCE_CONFIGS["tiny"]!,
        variant: "C"
      }
      const model = modelOf(subject)
      const { verdicts } = yield* run(new Search(model))
      const [first] = yield* evidenceOf(subject, model, verdicts, undefined)
      assert.deepStrictEqual(
        first!.shown.as === "steps" ? first!.shown.steps.map(({ step }) => step) : [],
        ["check", "begin", "look up", "map", "read flag", "start"]
      )
    }).pipe(Effect.provide(NodeServices.layer)))
})
