/**
 * Measures reading one long log that is there: `npm run bench:log -- FILE`.
 *
 * Opened: every length, checksum and the hash chain. Scanned: every event decoded. Verified: both, as `pfnscope verify` does
 * it. Each is the median of `ROUNDS`, in turns; the file is in the operating system's cache.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { file, verify } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { median } from "./figures.ts"

const ROUNDS = 5

const secondsOf = Effect.fnUntraced(function*<A, E, R>(work: Effect.Effect<A, E, R>) {
  const from = performance.now()
  yield* work
  return (performance.now() - from) / 1000
})

const measure = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const bytes = Number((yield* fs.stat(path)).size)
  const found = { open: [0], scan: [0], verify: [0] }
  for (const list of Object.values(found)) list.pop()
  const { events } = yield* verify(path, eventCodec)
  for (let round = 0; round < ROUNDS; round++) {
    yield* Effect.scoped(Effect.gen(function*() {
      const from = performance.now()
      const log = yield* file(eventCodec, { path, mode: "read" })
      found.open.push((performance.now() - from) / 1000)
      found.scan.push(yield* secondsOf(Stream.runForEachArray(log.read(), () => Effect.void)))
    }))
    found.verify.push(yield* secondsOf(verify(path, eventCodec)))
  }
  yield* Console.log(
    `${path}: ${events} events, ${(bytes / 1e6).toFixed(1)} MB, ${(bytes / events).toFixed(2)} bytes each`
  )
  for (const [name, seconds] of Object.entries(found)) {
    const took = median(seconds)
    const rate = `${(events / took / 1e6).toFixed(2)} M events/s, ${(bytes / took / 1e6).toFixed(0)} MB/s`
    yield* Console.log(`  ${name.padEnd(8)} ${took.toFixed(2)} s   ${rate}`)
  }
})

const [path] = process.argv.slice(2)
await Effect.runPromise(
  (path === undefined ? Console.error("expected the path of a log") : measure(path)).pipe(
    Effect.provide(NodeFileSystem.layer)
  )
)
