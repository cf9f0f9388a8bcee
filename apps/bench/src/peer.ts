/**
 * Another checker, run on the same configuration; its models lie in shared/peers beside the checkout, or where
 * `PFNSCOPE_PEERS` says.
 *
 * @since 0.1.0
 */
import { REFERENCE_CONFIGS } from "@pfnscope/checker"
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Figure } from "./figures.ts"

/** A peer that is built and can be run, or why there is none. */
export type Peer = { readonly run: () => Figure; readonly remove: () => void } | { readonly missing: string }

const PEERS = process.env["PFNSCOPE_PEERS"] ?? join(import.meta.dirname, "../../../../shared/peers")

/** What a peer is made of. `build` and `command` are run by the shell, in a folder with its models and constants. */
interface Recipe {
  /** A command that does nothing, and what it takes to have it. */
  readonly probe: string
  readonly source: string
  readonly models: string
  readonly build: string
  readonly command: string
  /** Reads the states, and the bytes if it tells them, from what it prints. */
  readonly read: (output: string) => { readonly states: number; readonly bytes?: number } | undefined
}

const shell = (command: string, cwd: string) =>
  spawnSync("sh", ["-c", command], { cwd, encoding: "utf8", maxBuffer: 1 << 28 })

/** Builds a peer for a configuration in a folder of its own. */
export const peer = (recipe: Recipe, config: string, variant: string): Peer => {
  if (!existsSync(PEERS)) return { missing: `${PEERS} is not there` }
  if (shell(recipe.probe, PEERS).status !== 0) return { missing: recipe.source }
  const folder = mkdtempSync(join(tmpdir(), "pfnscope-peer-"))
  const remove = () => rmSync(folder, { recursive: true })
  writeFileSync(join(folder, "config.json"), JSON.stringify(REFERENCE_CONFIGS[config]))
  cpSync(join(PEERS, recipe.models), folder, { recursive: true })
  const generate = `"${process.execPath}" "${join(PEERS, "gen.mjs")}" config.json ${variant} .`
  const built = shell(`${generate} && ${recipe.build}`, folder)
  if (built.status !== 0) {
    remove()
    return { missing: `it does not build: ${(built.stderr || built.stdout).split("\n")[0]}` }
  }
  const run = (): Figure => {
    const from = performance.now()
    const { stderr, stdout } = shell(recipe.command, folder)
    const seconds = (performance.now() - from) / 1000
    const found = recipe.read(stdout)
    if (found === undefined) throw new Error(`cannot read what ${recipe.command} printed: ${stdout}${stderr}`)
    return { ...found, seconds }
  }
  return { run, remove }
}

const number = (text: string, pattern: RegExp): number | undefined => {
  const found = pattern.exec(text)
  return found === null ? undefined : Number(found[1])
}

/** Spin, as fast as it goes while exact: compiled for this machine, no partial order. Its memory is in mebibytes. */
export const spin = (config: string, variant: string): Peer =>
  peer(
    {
      probe: "spin -V",
      source: "spin is not installed (Debian package spin)",
      models: "spin",
      build: "spin -o2 -a gpc.pml && gcc -O3 -march=native -w -DMEMLIM=16000 -DSAFETY -DNOREDUCE -o pan pan.c",
      command: "./pan -m100000 -w24",
      read: (output) => {
        const states = number(output, /(\d+) states, stored/)
        const mebibytes = number(output, /([\d.]+)\s+total actual memory usage/)
        return states === undefined || mebibytes === undefined ? undefined : { states, bytes: mebibytes * 2 ** 20 }
      }
    },
    config,
    variant
  )

/** Rumur. */
export const rumur = (config: string, variant: string): Peer =>
  peer(
    {
      probe: "rumur --version",
      source: "rumur is not installed (Debian package rumur)",
      models: "murphi",
      build: [
        "cat cfg.m gpc.m inv.m | gcc -E -P -x assembler-with-cpp - > model.m",
        "rumur --deadlock-detection off --symmetry-reduction off --threads 1 --output model.c model.m",
        "gcc -O3 -march=native -mcx16 -w -std=c11 -o model model.c -lpthread -latomic"
      ].join(" && "),
      command: "./model",
      read: (output) => {
        const states = number(output, /(\d+) states, \d+ rules fired/)
        return states === undefined ? undefined : { states }
      }
    },
    config,
    variant
  )

/** TLC, from the archive that `TLA2TOOLS` names: no package brings it. */
export const tlc = (config: string, variant: string): Peer =>
  peer(
    {
      probe: "java -version && test -r \"$TLA2TOOLS\"",
      source: "TLC is in no package here; TLA2TOOLS would name its tla2tools.jar, and java has to be there",
      models: "tla",
      build: "true",
      command:
        "java -XX:+UseParallelGC -cp \"$TLA2TOOLS\" tlc2.TLC -workers 1 -lncheck final -noGenerateSpecTE -config MC.cfg MC.tla",
      read: (output) => {
        const states = number(output, /(\d+) distinct states found, 0 states left/)
        return states === undefined ? undefined : { states }
      }
    },
    config,
    variant
  )
