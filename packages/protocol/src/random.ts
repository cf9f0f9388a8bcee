/**
 * Test support: random schedules of a world's threads, the same ones for the same seed.
 *
 * @since 0.1.0
 */
import { isDone, isEnabled } from "./program.ts"
import type { State, Thread } from "./state.ts"
import type { Program, Step } from "./step.ts"
import type { Op, World } from "./world.ts"

/** A number below `n`, at random. */
export type Random = (n: number) => number

/** Marsaglia's xorshift of 32 bits. */
export const seeded = (seed: number): Random => {
  let x = Math.imul(seed + 1, 0x9e3779b1) | 1
  return (n) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % n
  }
}

/** How a run ended: every thread did all it was asked, or none can go on, or it went on for too long. */
export type Outcome = "done" | "stuck" | "endless"

/**
 * Runs a world to its end, step by step, whoever can go on having the same chance; some runs like to stay with one
 * thread, so that whole operations fit between two steps of another.
 */
export const randomRun = (
  state: State,
  program: Program,
  random: Random,
  step: (step: Step, thread: Thread, choice: number) => void,
  limit: number
): Outcome => {
  const stay = [0, 50, 80, 95][random(4)]
  const enabled: Array<Thread> = []
  let last = state.threads[0]
  for (let steps = 0; steps < limit; steps++) {
    if (random(100) >= stay || !isEnabled(program, state, last)) {
      enabled.length = 0
      for (const t of state.threads) if (isEnabled(program, state, t)) enabled.push(t)
      if (enabled.length === 0) return state.threads.every((t) => isDone(state, t)) ? "done" : "stuck"
      last = enabled[random(enabled.length)]
    }
    const next = program[last.pc]
    const ways = next.choices === undefined ? 1 : next.choices(state, last)
    step(next, last, ways > 1 ? random(ways) : 0)
  }
  return "endless"
}

const PAGE = 0x1000
const FIRST = [0x20_0000, 0x40_0000, 0x60_0000, 0x80_0000]
const GUEST = [0x1000_0000, 0x2000_0000]
const PAGES = 2

/**
 * A world in which everything happens: four areas of two pages, memslots over the first two, two caches, two vCPUs,
 * three threads of the VMM and one that changes the memslots.
 */
export const randomWorld = (random: Random): World => {
  const one = <A>(...from: ReadonlyArray<A>): A => from[random(from.length)]
  const page = () => one(...FIRST) + random(PAGES) * PAGE
  const inSlot = () => FIRST[random(2)] + random(PAGES) * PAGE
  const gpa = () => one(...GUEST) + random(PAGES) * PAGE + one(0, 0x18)
  const span = () => {
    const start = page()
    return { start, end: one(start + PAGE, start + PAGE, start + PAGES * PAGE, FIRST[3] + PAGE) }
  }
  const onCache = (): Op => {
    const gpc = random(2)
    return one<Op>(
      { _tag: "gpc_activate", gpc, gpa: gpa() },
      { _tag: "gpc_activate_hva", gpc, uhva: page() + one(0, 0x18) },
      { _tag: "gpc_deactivate", gpc },
      { _tag: "gpc_refresh", gpc },
      { _tag: "gpc_read", gpc },
      { _tag: "gpc_use", gpc },
      { _tag: "gpc_write_own", gpc, gpa: gpa() },
      { _tag: "guest_fault", gpa: gpa() },
      { _tag: "pause", ns: 10 }
    )
  }
  const onMemory = (): Op =>
    one<Op>(
      { _tag: "touch", hva: page() },
      { _tag: "touch", hva: inSlot() },
      { _tag: "madvise", ...span(), free: one("before-end", "after-end", "either") },
      { _tag: "munmap", ...span(), free: one("before-end", "after-end", "either") },
      { _tag: "mmap", start: FIRST[0], end: FIRST[3] + PAGES * PAGE },
      { _tag: "mremap", start: FIRST[1], end: FIRST[1] + PAGES * PAGE, to: one(FIRST[0], FIRST[2]) },
      { _tag: "mprotect", ...span(), protection: one("none", "read-only", "write", "write") },
      { _tag: "fork", ...span() },
      { _tag: "migrate", hva: inSlot() },
      { _tag: "ksm_merge", hva: FIRST[0], with: one(FIRST[0] + PAGE, FIRST[1]) },
      { _tag: "thp_collapse", ...span() },
      { _tag: "thp_split", ...span() },
      { _tag: "clear_soft_dirty" }
    )
  const onSlots = (): Op =>
    one<Op>(
      { _tag: "set_memslot", slot: random(2), hva: one(...FIRST) },
      { _tag: "delete_memslot", slot: random(2) }
    )
  const script = (name: string, op: () => Op) => ({ name, ops: [op(), op(), op(), op()], repeat: 1 + random(2) })
  const cache = (): World["gpcs"][number] => {
    const state = one("inactive" as const, "active", "remap", "valid")
    return random(2) === 0 ? { uhva: inSlot(), state } : { gpa: gpa(), state }
  }
  return {
    pageSize: PAGE,
    areas: FIRST.map((hva, i) => ({ hva, pages: PAGES, populated: i < 2 })),
    memslots: GUEST.map((gpa, i) => ({ gpa, hva: FIRST[i], pages: PAGES, state: "present" })),
    gpcs: [cache(), cache()],
    threads: [
      script("vcpu/0", onCache),
      script("vcpu/1", onCache),
      script("mm/0", onMemory),
      script("mm/1", onMemory),
      script("mm/2", onMemory),
      script("slots/0", onSlots)
    ],
    spareFrames: 30
  }
}
