/**
 * Checkpoints: a search that is interrupted is saved, and taken up again.
 */
import { checkpoint, resume, Search } from "@pfnscope/checker"
import type { Model, Reductions } from "@pfnscope/checker"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import { badInput, refused } from "../ended.ts"
import { systemText } from "./system.ts"

/** Saves a search, under its name only when all of it is there. */
export const save = Effect.fnUntraced(function*(search: Search, path: string) {
  const fs = yield* FileSystem.FileSystem
  const unfinished = `${path}.tmp`
  const pieces = yield* checkpoint(search)
  yield* Effect.scoped(Effect.gen(function*() {
    const file = yield* fs.open(unfinished, { flag: "w" })
    for (const piece of pieces) yield* file.writeAll(piece)
    yield* file.sync
  })).pipe(Effect.onError(() => Effect.ignore(fs.remove(unfinished))))
  yield* fs.rename(unfinished, path)
})

/** Bytes read at a time. */
const PIECE = 16 << 20

/** Takes up a search of the model that was saved, with these reductions. */
export const load = Effect.fnUntraced(function*(path: string, model: Model, reductions: Reductions) {
  const fs = yield* FileSystem.FileSystem
  if (!existsSync(path)) return yield* badInput(`${path}: no such checkpoint`)
  const pieces = yield* Stream.runCollect(fs.stream(path, { chunkSize: PIECE })).pipe(
    Effect.mapError((error) => badInput(`${path}: ${systemText(error)}`))
  )
  const search = yield* Effect.mapError(
    resume(model, pieces),
    (error) => badInput(`${path}: ${refused(error).message}`)
  )
  const wanted = new Search(model, reductions).reductions
  const differs = Object.entries(wanted).some(([key, made]) => search.reductions[key as keyof Reductions] !== made)
  if (differs) {
    return yield* badInput(`${path}: was saved by a search with other reductions: --live or --[no-]reduction differ`)
  }
  return search
})
