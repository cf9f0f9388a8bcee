/**
 * Configurations: those that have a name, and JSON files. A file is refused with every error that it has.
 */
import { BOUNDED, ProtocolConfig, REFERENCE_CONFIGS, ReferenceConfig } from "@pfnscope/checker"
import { nearest } from "@pfnscope/trace"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { existsSync } from "node:fs"
import { badInput } from "../ended.ts"
import { systemText } from "./system.ts"

/** The bounded world of that name, or in that file. */
export const readWorld = Effect.fnUntraced(function*(config: string) {
  const known = BOUNDED.find(({ name }) => name === config)
  return known?.world ?? (yield* readConfig(config, ProtocolConfig, BOUNDED.map(({ name }) => name)))
})

/** The reference model's configuration of that name, or in that file. */
export const readReferenceConfig = Effect.fnUntraced(function*(config: string) {
  return Object.hasOwn(REFERENCE_CONFIGS, config)
    ? REFERENCE_CONFIGS[config]!
    : yield* readConfig(config, ReferenceConfig, Object.keys(REFERENCE_CONFIGS))
})

const readConfig = Effect.fnUntraced(
  function*<A>(config: string, schema: Schema.Codec<A>, names: ReadonlyArray<string>) {
    if (!/[./\\]/.test(config) && !existsSync(config)) {
      return yield* badInput(
        `no configuration ${JSON.stringify(config)}; the nearest: ${nearest(config, names).join(", ")}, or a JSON file`
      )
    }
    return yield* Schema.decodeUnknownEffect(schema)(yield* readJson(config), {
      errors: "all",
      onExcessProperty: "error"
    }).pipe(Effect.mapError(({ issue }) => badInput(`${config}: ${errorsText(issue)}`)))
  }
)

const readJson = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const { type } = yield* Effect.mapError(fs.stat(path), () => badInput(`${path}: no such file`))
  if (type === "Directory") return yield* badInput(`${path}: a directory, expected a JSON file`)
  const text = yield* Effect.mapError(fs.readFileString(path), (error) => badInput(`${path}: ${systemText(error)}`))
  if (text.trim() === "") return yield* badInput(`${path}: empty, expected JSON`)
  return yield* Effect.try({
    try: () => JSON.parse(text) as unknown,
    catch: (error) => badInput(`${path}: not JSON: ${syntaxText(error, text)}`)
  })
})

/** What is wrong, and where. */
const syntaxText = (error: unknown, text: string): string => {
  const message = error instanceof Error ? error.message : String(error)
  const before = text.slice(0, placeOf(message, text)).split("\n")
  const what = message.replace(/(?:, (?:\.\.\.)?".*| in JSON.*)$/s, "")
  return `line ${before.length} column ${before.at(-1)!.length + 1}: ${what}`
}

/** Characters that V8 shows on either side of a token that it did not expect. */
const AROUND = 10

/** Where JSON.parse stopped: it gives a position, or what stands around it, or nothing when the text just ends. */
const placeOf = (message: string, text: string): number => {
  const position = /position (\d+)/.exec(message)?.[1]
  if (position !== undefined) return Number(position)
  const [, token, isCut, shown, goesOn] =
    /^Unexpected token '(.*?)', (\.\.\.)?"(.*)"(\.\.\.)? is not valid JSON$/s.exec(message) ?? []
  if (token === undefined || shown === undefined) return text.length
  if (isCut !== undefined) return text.indexOf(shown) + AROUND
  return goesOn === undefined ? text.indexOf(token) : shown.length - AROUND
}

/** Errors that are named; the rest are counted. */
const MOST_ERRORS = 8

const issuesIn = SchemaIssue.makeFormatterStandardSchemaV1()

const errorsText = (issue: SchemaIssue.Issue): string => {
  const errors = issuesIn(issue).issues.map(({ message, path = [] }) => {
    const at = pathText(path.map((part) => typeof part === "object" ? part.key : part))
    const said = `${message.slice(0, 1).toLowerCase()}${message.slice(1)}`
    return at === "" ? said : `${at}: ${said}`
  })
  const more = errors.length - MOST_ERRORS
  return [...errors.slice(0, MOST_ERRORS), ...(more > 0 ? [`and ${more} more`] : [])].join("; ")
}

/** A place in JSON: `threads[0].ops[1].end`. */
const pathText = (path: ReadonlyArray<PropertyKey>): string =>
  path.map((key, i) => typeof key === "number" ? `[${key}]` : i === 0 ? String(key) : `.${String(key)}`).join("")
