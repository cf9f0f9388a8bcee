/**
 * Measures the checker against Spin, in one run, on the reference model's `large` A: single worker, exact storage, no
 * reductions. Spin's model and its generator lie beside the checkout, in shared/peers, where there is one.
 *
 * Run by `npm run bench:checker`.
 *
 * @since 0.1.0
 */
import { BOUNDED, protocolModel, REFERENCE_CONFIGS, referenceModel, search } from "@pfnscope/checker"
import type { Found, Model } from "@pfnscope/checker"
import { POLICIES } from "@pfnscope/protocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const ROUNDS = 3

const peers = join(import.meta.dirname, "../../../../shared/peers")
const large = REFERENCE_CONFIGS.find(({ name }) => name === "large")!

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

interface Figure {
  readonly perSecond: number
  readonly bytesPerState: number
}

const measured = Effect.fnUntraced(function*(model: Model) {
  const from = performance.now()
  const found: Found = yield* search(model, { all: true })
  const seconds = (performance.now() - from) / 1000
  const figure: Figure = { perSecond: found.distinct / seconds, bytesPerState: found.bytes / found.distinct }
  return figure
})

/** Builds Spin's checker in a folder of its own; says why it cannot be had. */
const buildSpin = (): { readonly folder: string } | { readonly missing: string } => {
  if (!existsSync(peers)) return { missing: "shared/peers is not beside the checkout" }
  if (spawnSync("spin", ["-V"]).status !== 0) return { missing: "spin is not installed (Debian package spin)" }
  const folder = mkdtempSync(join(tmpdir(), "pfnscope-spin-"))
  writeFileSync(join(folder, "large.json"), JSON.stringify(large))
  spawnSync(process.execPath, [join(peers, "gen.mjs"), join(folder, "large.json"), "A", folder])
  copyFileSync(join(peers, "spin/gpc.pml"), join(folder, "gpc.pml"))
  const flags = "-O3 -march=native -w -DMEMLIM=16000 -DSAFETY -DNOREDUCE"
  const built = spawnSync("sh", ["-c", `spin -o2 -a gpc.pml && gcc ${flags} -o pan pan.c`], { cwd: folder })
  return built.status === 0 ? { folder } : { missing: `it does not build: ${String(built.stderr).split("\n")[0]}` }
}

const runSpin = (folder: string): Figure => {
  const from = performance.now()
  const text = spawnSync("./pan", ["-m100000", "-w24"], { cwd: folder, encoding: "utf8" }).stdout
  const states = Number(/(\d+) states, stored/.exec(text)![1])
  const megabytes = Number(/([\d.]+)\s+total actual memory usage/.exec(text)![1])
  return { perSecond: states / ((performance.now() - from) / 1000), bytesPerState: megabytes * 1e6 / states }
}

const thousand = (perSecond: number) => `${Math.round(perSecond / 1000)} k states/s`.padStart(18)

const compare = (name: string, value: number, wanted: number, fits: boolean) =>
  Console.log(`  ${name.padEnd(58)} ${value.toFixed(2)}   wanted ${wanted.toFixed(2)}   ${fits ? "ok" : "falls short"}`)

const main = Effect.gen(function*() {
  const spin = buildSpin()
  const ours: Array<Figure> = []
  const theirs: Array<Figure> = []
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(yield* measured(referenceModel(large, "A")))
    if ("folder" in spin) theirs.push(runSpin(spin.folder))
  }
  const rate = median(ours.map(({ perSecond }) => perSecond))
  const bytes = ours[0]!.bytesPerState
  yield* Console.log(`reference model, large A, exact, one worker, no reductions, median of ${ROUNDS}`)
  yield* Console.log(`  pfnscope ${thousand(rate)}  ${bytes.toFixed(0)} bytes/state`)
  if ("folder" in spin) {
    rmSync(spin.folder, { recursive: true })
    const spinRate = median(theirs.map(({ perSecond }) => perSecond))
    const spinBytes = theirs[0]!.bytesPerState
    yield* Console.log(`  Spin     ${thousand(spinRate)}  ${spinBytes.toFixed(0)} bytes/state`)
    yield* compare("states a second / Spin's", rate / spinRate, 1, rate >= spinRate)
    yield* compare("bytes a state / Spin's", bytes / spinBytes, 1.2, bytes <= 1.2 * spinBytes)
  } else {
    yield* Console.log(`  Spin     not measured: ${spin.missing}`)
  }
  const world = BOUNDED.find(({ name }) => name === "s5")!.world
  const protocol = yield* measured(protocolModel(world, POLICIES.find(({ name }) => name === "mainline-6.12")!))
  yield* Console.log(`the protocol itself, s5 under mainline-6.12`)
  yield* Console.log(`  pfnscope ${thousand(protocol.perSecond)}  ${protocol.bytesPerState.toFixed(0)} bytes/state`)
  yield* compare(
    "states a second / the reference model's",
    protocol.perSecond / rate,
    0.6,
    protocol.perSecond >= 0.6 * rate
  )
})

await Effect.runPromise(main)
