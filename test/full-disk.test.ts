import { assert, it } from "@effect/vitest"
import { file, verify } from "@pfnscope/journal"
import { eventCodec, EventLog, Machine, runHeader, SCENARIOS } from "@pfnscope/machine"
import { POLICIES } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
// The journal's own disk for its tests: not part of its face, so it is loaded by path.
const { makeDisk } = await import(new URL("../packages/journal/src/disk.ts", import.meta.url).href) as {
  readonly makeDisk: () => { space: number; readonly layer: Layer.Layer<FileSystem.FileSystem> }
}

it.effect("a full disk fails the run with the file and the byte, and the log is sound up to its last commit", () => {
  const disk = makeDisk()
  return Effect.gen(function*() {
    const header = runHeader(
      SCENARIOS.find(({ name }) => name === "madvise-storm")!,
      POLICIES.find(({ name }) => name === "mainline-6.12")!
    )
    const error = yield* Effect.scoped(Effect.gen(function*() {
      const log = yield* file(eventCodec, { path: "/run.log", mode: "create", sync: "batch", meta: {} })
      disk.space = 400_000
      const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
      return yield* Effect.flip(machine.run)
    }))
    assert.match(error.message, /^\/run\.log: 4\d\d\d events not written at byte \d+: no space left on device$/)
    const { damage, events, torn } = yield* verify("/run.log", eventCodec)
    assert.deepStrictEqual([damage, torn], [null, null])
    assert.isAtLeast(events, 4_096)
  }).pipe(Effect.provide(disk.layer))
})
