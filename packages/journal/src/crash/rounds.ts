/**
 * Kills a writer with `kill -9`, again and again, and looks whether every batch that it had acknowledged is there.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import type { OpenError, ReadError } from "../error.ts"
import { file } from "../open.ts"
import { laterSegments } from "../segments.ts"
import { codec } from "../toy.ts"
import { eventAt } from "./shop.ts"

/** What a crash took that it must not take. @category errors @since 0.1.0 */
export class Lost extends Schema.TaggedError<Lost>()("Lost", {
  path: Schema.String,
  round: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: after crash ${this.round}: ${this.reason}`
  }
}

/** What was found after some crashes. @category models @since 0.1.0 */
export interface Crashes {
  readonly rounds: number
  /** Batches that were acknowledged before their writer was killed. */
  readonly acknowledged: number
  /** Crashes that left half a batch. */
  readonly torn: number
  /** Segments that the log has come to have. */
  readonly segments: number
}

/**
 * Crashes the program `writer` on one log, `rounds` times; when a round kills depends on its number, the first is
 * `first`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const crashes = Effect.fnUntraced(function*(
  writer: string,
  path: string,
  { first, rounds }: { readonly first: number; readonly rounds: number }
): Effect.fn.Return<Crashes, Lost | OpenError | ReadError, FileSystem> {
  let acknowledged = 0
  let torn = 0
  for (let round = first; round < first + rounds; round++) {
    const said = yield* killed(writer, path, patience(round))
    const acks = said.filter((line) => /^\d+$/.test(line)).map(Number)
    const found = yield* Effect.scoped(recover(path, round, acks.at(-1) ?? 0))
    acknowledged += acks.length
    torn += found ? 1 : 0
  }
  const later = yield* laterSegments(yield* FileSystem, path)
  return { rounds, acknowledged, torn, segments: 1 + later.length }
})

/** When a writer is killed: so many ms after it said so many lines. The ms let it get into its next batch. */
const patience = (round: number): { readonly lines: number; readonly ms: number } => {
  const mixed = Math.imul(round, 0x9e3779b1) >>> 8
  return { lines: 1 + mixed % 40, ms: (mixed >>> 8) % 5 }
}

/** Everything that a writer said until it was killed. */
const killed = (
  writer: string,
  path: string,
  { lines, ms }: ReturnType<typeof patience>
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "pipe", "inherit"] })
    let said = ""
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      said += text
      if (said.split("\n").length > lines) setTimeout(() => child.kill("SIGKILL"), ms)
    })
    // A last line that is cut short was not said.
    child.on("close", () => resume(Effect.succeed(said.split("\n").slice(0, -1))))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** Opens the log to write, so that its lock is taken over and its tail cut; whether there was a tail to cut. */
const recover = Effect.fnUntraced(function*(path: string, round: number, acknowledged: number) {
  const journal = yield* file(codec, { path, mode: "open", sync: "never" })
  const lost = (reason: string) => new Lost({ path, round, reason })
  const { seq } = yield* journal.head
  if (seq < acknowledged) return yield* lost(`the log ends at #${seq}, acknowledged was #${acknowledged}`)
  const read = yield* Stream.runFoldEffect(journal.read(), () => 0, (before, event) => {
    const { data, stream, t } = eventAt(before + 1)
    const same = JSON.stringify([event.seq, event.stream, event.t, event.data]) ===
      JSON.stringify([before + 1, stream, t, data])
    return same ? Effect.succeed(event.seq) : Effect.fail(lost(`#${before + 1} is not what was written`))
  })
  if (read !== seq) return yield* lost(`${read} events can be read of ${seq}`)
  return journal.recovered !== null
})
