/**
 * `pfnscope record-help`: how to record, on a host, what `pfnscope report` reads.
 */
import { BUILDS, KERNELS, recipeText, TOOLS } from "@pfnscope/trace"
import type { Kernel } from "@pfnscope/trace"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { badInput } from "../ended.ts"
import { jsonFlag, print } from "../output.ts"

/** A build by its release, or by the name of Debian's package. */
const kernelOfBuild = (build: string): Kernel | undefined =>
  KERNELS.find((kernel) => BUILDS[kernel].name === build.replace(/^linux-image-/, ""))

export const recordHelpCommand = Command.make(
  "record-help",
  {
    kernel: Flag.Literals("kernel", KERNELS).pipe(
      Flag.withDescription("The kernel of the host (6.12 where neither this nor --build is given)"),
      Flag.optional
    ),
    tool: Flag.Literals("tool", TOOLS).pipe(
      Flag.withDescription("What to record with"),
      Flag.withDefault("ftrace" as const)
    ),
    build: Flag.String("build").pipe(
      Flag.withMetavar("RELEASE"),
      Flag.withDescription(
        `Add the probes that fit one build only: ${KERNELS.map((kernel) => BUILDS[kernel].name).join(", ")}`
      ),
      Flag.optional
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const build = Option.getOrUndefined(flags.build)
    const ofBuild = build === undefined ? undefined : kernelOfBuild(build)
    const kernel = Option.getOrElse(flags.kernel, () => ofBuild ?? "6.12")
    if (build !== undefined && ofBuild !== kernel) {
      const known = Option.isSome(flags.kernel) ? [BUILDS[kernel].name] : KERNELS.map((one) => BUILDS[one].name)
      return yield* badInput(`build "${build}": expected ${known.join(" or ")}`)
    }
    if (build !== undefined && flags.tool === "bpftrace") {
      return yield* badInput("--build: expected --tool ftrace or trace-cmd; a bpftrace program has no such probes")
    }
    const options = { kernel, tool: flags.tool, forBuild: build !== undefined }
    yield* print(flags.json, () => ({ ...options, recipe: recipeText(options) }), () => recipeText(options))
  })
).pipe(
  Command.withDescription("Prints a script that records on a host what report reads: record there, read here"),
  Command.withExamples([
    { command: "pfnscope record-help --kernel 6.1 > record.sh", description: "ftrace, for any build of 6.1" },
    { command: "pfnscope record-help --tool bpftrace > record.bt", description: "A bpftrace program" }
  ])
)
