/**
 * `pfnscope`: KVM's invalidation protocol run, its logs and kernel traces read, and every finding with its evidence.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { CliError } from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { bisectCommand } from "./commands/bisect.ts"
import { bookmarkCommand } from "./commands/bookmark.ts"
import { checkCommand } from "./commands/check.ts"
import { conformCommand } from "./commands/conform.ts"
import { demoCommand } from "./commands/demo.ts"
import { exportCommand } from "./commands/export.ts"
import { listCommand } from "./commands/list.ts"
import { logCommand, verifyCommand } from "./commands/log.ts"
import { recordHelpCommand } from "./commands/record-help.ts"
import { repairCommand } from "./commands/repair.ts"
import { runCommand } from "./commands/run.ts"
import { importCommand, reportCommand } from "./commands/trace.ts"
import { atCommand, diffCommand, raceCommand, whyCommand } from "./commands/travel.ts"
import { whatIfCommand } from "./commands/whatif.ts"
import type { Found, Refused } from "./ended.ts"

const VERSION = "0.1.0"

const pfnscope = Command.make("pfnscope").pipe(
  Command.withDescription(
    "Runs and audits KVM's gfn_to_pfn_cache invalidation protocol. Exit codes: 0 nothing found, 1 a finding, " +
      "2 usage or bad input, 3 not enough evidence, 4 a damaged log."
  ),
  Command.withSubcommands([
    listCommand,
    runCommand,
    checkCommand,
    reportCommand,
    importCommand,
    conformCommand,
    whatIfCommand,
    recordHelpCommand,
    logCommand,
    atCommand,
    diffCommand,
    whyCommand,
    bisectCommand,
    raceCommand,
    bookmarkCommand,
    verifyCommand,
    repairCommand,
    exportCommand,
    demoCommand
  ])
)

/** Ends the process with a code once what was printed is out. */
const endWith = (code: number): Effect.Effect<void> =>
  Effect.sync(() => {
    process.exitCode = code
  })

const refuse = (line: string, code: number): Effect.Effect<void> =>
  Effect.andThen(Effect.sync(() => void process.stderr.write(`pfnscope: ${line}\n`)), endWith(code))

const handled = (error: Found | Refused | CliError): Effect.Effect<void> => {
  switch (error._tag) {
    case "Found":
      return endWith(error.code)
    case "Refused":
      return refuse(error.message, error.code)
    // Help was printed already, with what is wrong.
    case "ShowHelp":
      return endWith(error.errors.length === 0 ? 0 : 2)
    default:
      return refuse(error.message, 2)
  }
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0)
  throw error
})

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < 24 || (major === 24 && minor < 11)) {
  process.stderr.write(`pfnscope: needs Node 24.11 or newer, this is ${process.versions.node}; "npm ci" installs one\n`)
  process.exit(2)
}

Command.run(pfnscope, { version: VERSION }).pipe(
  Effect.catch(handled),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
