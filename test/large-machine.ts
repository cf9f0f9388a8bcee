// Runs a machine of the size of a large Xen guest for a million steps, and prints what it took as JSON.
import { memory } from "@pfnscope/journal"
import { eventCodec, EventLog, GPA, gpaPage, GUEST, guestPage, Machine, PAGE, TIMING } from "@pfnscope/machine"
import type { RunHeader } from "@pfnscope/machine"
import { POLICIES } from "@pfnscope/protocol"
import type { World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"

const VCPUS = 1_024
const GPCS = 5_121
const MM_TASKS = 8
/** Virtual time for a little more than a million steps, ns. */
const UNTIL = 300_000

const times = <A>(n: number, f: (i: number) => A): ReadonlyArray<A> => Array.from({ length: n }, (_, i) => f(i))

const world: World = {
  pageSize: PAGE,
  areas: [{ hva: GUEST, pages: GPCS, populated: true }],
  memslots: [{ gpa: GPA, hva: GUEST, pages: GPCS, state: "present" }],
  gpcs: times(GPCS, (g) => ({ gpa: gpaPage(g), state: "active" })),
  threads: [
    ...times(VCPUS, (v) => ({
      name: `vcpu/${v}`,
      repeat: 0,
      // Four caches of its own (runstate, runstate2, vcpu_info, vcpu_time_info), and the VM's shared info.
      ops: times(5, (k) => ({ _tag: "gpc_use" as const, gpc: k === 4 ? GPCS - 1 : v * 5 + k }))
    })),
    ...times(MM_TASKS, (i) => ({
      name: `mm/${i}`,
      repeat: 0,
      ops: [
        { _tag: "madvise" as const, start: guestPage(i * 640), end: guestPage(i * 640 + 1), free: "either" as const },
        { _tag: "pause" as const, ns: 50_000 }
      ]
    }))
  ],
  spareFrames: 4_096
}

const header: RunHeader = {
  kind: "simulation",
  scenario: "large Xen guest",
  policy: POLICIES.find(({ name }) => name === "mainline-6.12")!,
  seed: 1,
  until: UNTIL,
  timing: TIMING,
  world
}

const run = Effect.scoped(Effect.gen(function*() {
  const log = yield* memory(eventCodec, { meta: {} })
  const machine = yield* Effect.provideService(Machine.make(header), EventLog, log)
  const { seq, steps } = yield* machine.run
  return { steps, events: seq }
}))

const from = performance.now()
const done = await Effect.runPromise(run)
const seconds = (performance.now() - from) / 1000
console.log(JSON.stringify({ ...done, seconds, maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024) }))
