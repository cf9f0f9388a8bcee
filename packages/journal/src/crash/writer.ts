/**
 * A program that appends to the log at its first argument until it is killed, or as many batches as its second says,
 * and then waits to be killed.
 *
 * It says `open SEQ`, and then the last position of every batch as soon as that is acknowledged. Its file system takes
 * little at a time, so that a kill finds many a batch half written.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { writeSync } from "node:fs"
import { openOrCreate } from "../open.ts"
import { codec } from "../toy.ts"
import { batchAt } from "./shop.ts"

const AT_ONCE = 256

/** Bytes of a segment: a few batches, so that a kill finds many a roll-over half done. */
const SEGMENT_BYTES = 1 << 15

const slow = Layer.effect(
  FileSystem,
  Effect.map(FileSystem, (fs): FileSystem => ({
    ...fs,
    open: (path, options) =>
      Effect.map(fs.open(path, options), (file) => ({
        ...file,
        // Its methods are the prototype's.
        stat: file.stat,
        sync: file.sync,
        seek: (offset, from) => file.seek(offset, from),
        read: (buffer, at) => file.read(buffer, at),
        truncate: (length) => file.truncate(length),
        write: (bytes) => file.write(bytes.subarray(0, AT_ONCE))
      }))
  }))
).pipe(Layer.provide(NodeFileSystem.layer))

const say = (line: string) => Effect.sync(() => void writeSync(1, `${line}\n`))

const [path = "crash.log", batches = "Infinity"] = process.argv.slice(2)

const program = Effect.gen(function*() {
  const journal = yield* openOrCreate(codec, { path, sync: "never", segmentBytes: SEGMENT_BYTES })
  let { seq } = yield* journal.head
  yield* say(`open ${seq}`)
  for (let i = 0; i < Number(batches); i++) {
    const { last } = yield* journal.append(batchAt(seq + 1))
    seq = last
    yield* say(`${seq}`)
  }
  setInterval(() => {}, 1 << 30)
  yield* Effect.never
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), slow))
