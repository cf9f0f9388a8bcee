/**
 * The shipped scenarios.
 *
 * @since 0.1.0
 */
import type { Op, World } from "@pfnscope/protocol"
import { gpaPage, GUEST, guestPage, heapPage, PAGE, thread, times, world, zap } from "./scenario.ts"
import type { Scenario } from "./scenario.ts"
import { draw, TIMING } from "./timing.ts"

const MS = 1_000_000
const LKML = "LKML, \"KVM: Move gfn_to_pfn_cache invalidation to invalidate_range_end hook\", August 2024"

/** The page of the scenarios' one cache, and the thread that drops it and uses it again. */
const U = 8
const use: Op = { _tag: "gpc_use", gpc: 0 }

/** A vCPU whose page is dropped before each use, so that each use has to refresh. */
const user = (uses: number, ...before: ReadonlyArray<Op>) =>
  thread("vcpu/0", uses, ...before, zap(guestPage(U), 1), use, { _tag: "pause", ns: 2_000 })

/** Another vCPU that reads through the same cache all the time. */
const reader = thread("vcpu/1", 0, { _tag: "gpc_read", gpc: 0 }, { _tag: "pause", ns: 300 })

const oneCache: World["gpcs"] = [{ gpa: gpaPage(U), state: "active" }]

/** Storm threads: each zaps its own stretch of memory, over and over. */
const storm = (writers: number, at: (writer: number) => number, pages: number, pause: number) =>
  times(writers, (i) => thread(`mm/${i}`, 0, zap(at(i), pages), { _tag: "pause", ns: pause }))

const madviseStorm: Scenario = {
  name: "madvise-storm",
  summary: "MADV_DONTNEED over and over on memory that no cache maps and no memslot covers: the seed",
  source: `${LKML}: "an unrelated madvise storm"`,
  knobs: { writers: 4, pages: 16, pause: 1_000, uses: 20 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ pages, pause, uses, writers }) =>
    world({
      guestPages: 16,
      heapPages: writers! * pages!,
      gpcs: oneCache,
      threads: [user(uses!), reader, ...storm(writers!, (i) => heapPage(i * pages!), pages!, pause!)]
    })
}

/** A vector that doubles: each growth allocates, touches, and frees the old block, which malloc gives back. */
const growth = (base: number, steps: number): ReadonlyArray<Op> =>
  times(steps, (i) => {
    const from = base + ((1 << i) - 1) * PAGE
    return [
      ...times(1 << i, (page): Op => ({ _tag: "touch", hva: from + page * PAGE })),
      zap(from, 1 << i)
    ]
  }).flat()

const vectorChurn: Scenario = {
  name: "vector-churn",
  summary: "std::vector growing and being freed in the VMM, each free an madvise: the seed's real cause",
  source: "LKML 2024-08-22, David Woodhouse: \"someone used C++ where they shouldn't have done\"",
  knobs: { writers: 4, doublings: 4, uses: 20 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ doublings, uses, writers }) => {
    const block = 1 << doublings!
    return world({
      guestPages: 16,
      heapPages: writers! * block,
      gpcs: oneCache,
      threads: [
        user(uses!),
        ...times(writers!, (i) => thread(`mm/${i}`, 0, ...growth(heapPage(i * block), doublings!)))
      ]
    })
  }
}

const stormInMemslot: Scenario = {
  name: "storm-in-memslot",
  summary: "the storm on guest memory far from the cache: the sequence counts it, a hull does not help",
  source: "ballooning; interleaving I-17",
  knobs: { writers: 4, pages: 16, pause: 1_000, uses: 20 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ pages, pause, uses, writers }) =>
    world({
      guestPages: 16 + writers! * pages!,
      gpcs: oneCache,
      threads: [user(uses!), ...storm(writers!, (i) => guestPage(16 + i * pages!), pages!, pause!)]
    })
}

const stormBothSides: Scenario = {
  name: "storm-both-sides",
  summary: "two storms, one below and one above the cache: their hull covers what neither touches",
  source: "LKML 2024-08-06, David Woodhouse: \"just one at top and bottom of guest memory space\"",
  knobs: { pages: 16, pause: 500, uses: 20 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ pages, pause, uses }) => {
    const below = -(pages! + 16)
    const areas = [
      { hva: guestPage(below), pages: pages!, populated: true },
      { hva: GUEST, pages: 16, populated: true },
      { hva: guestPage(64), pages: pages!, populated: true }
    ]
    const base = world({
      guestPages: 16,
      gpcs: oneCache,
      threads: [
        user(uses!),
        ...storm(2, (i) => guestPage(i === 0 ? below : 64), pages!, pause!)
      ]
    })
    return { ...base, areas }
  }
}

const stormOnPage: Scenario = {
  name: "storm-on-page",
  summary: "a storm on the very page of the cache: every retry is due",
  source: "traces of 6.12, scenario B",
  knobs: { writers: 1, pause: 20_000, uses: 20 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ pause, uses, writers }) =>
    world({
      guestPages: 16,
      gpcs: oneCache,
      threads: [
        thread("vcpu/0", uses!, use, { _tag: "pause", ns: 2_000 }),
        ...storm(writers!, () => guestPage(U), 1, pause!)
      ]
    })
}

const migration: Scenario = {
  name: "migration",
  summary: "NUMA migration of pages under the caches, with a KSM merge and a huge page now and then",
  source: "mm/migrate.c, mm/ksm.c, mm/khugepaged.c (6.12)",
  knobs: { rounds: 20, uses: 60 },
  until: 4 * MS,
  timing: TIMING,
  world: ({ rounds, uses }) =>
    world({
      guestPages: 16,
      gpcs: [...oneCache, { gpa: gpaPage(3), state: "active" }],
      threads: [
        thread("vcpu/0", uses!, use, { _tag: "pause", ns: 3_000 }),
        thread("vcpu/1", uses!, { _tag: "gpc_use", gpc: 1 }, { _tag: "pause", ns: 3_000 }),
        thread(
          "mm/0",
          rounds!,
          { _tag: "migrate", hva: guestPage(U) },
          { _tag: "migrate", hva: guestPage(3) },
          { _tag: "thp_collapse", start: GUEST, end: guestPage(16) },
          { _tag: "thp_split", start: GUEST, end: guestPage(16) },
          { _tag: "pause", ns: 5_000 }
        ),
        thread(
          "mm/1",
          rounds!,
          { _tag: "ksm_merge", hva: guestPage(U), with: guestPage(3) },
          { _tag: "fork", start: guestPage(0), end: guestPage(4) },
          { _tag: "touch", hva: guestPage(3) },
          { _tag: "pause", ns: 9_000 }
        )
      ]
    })
}

const nestedMremap: Scenario = {
  name: "nested-mremap",
  summary: "mremap, whose invalidation has the one of a huge page's split inside it",
  source: "mm/mremap.c; interleaving I-40",
  knobs: { rounds: 20, uses: 20 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ rounds, uses }) => {
    const away: Op = { _tag: "mremap", start: guestPage(U), end: guestPage(U + 1), to: heapPage(0) }
    const back: Op = { _tag: "mremap", start: heapPage(0), end: heapPage(1), to: guestPage(U) }
    const base = world({
      guestPages: 16,
      heapPages: 1,
      gpcs: oneCache,
      threads: [
        thread("vcpu/0", uses!, use, { _tag: "pause", ns: 5_000 }),
        thread(
          "mm/0",
          rounds!,
          { _tag: "munmap", start: heapPage(0), end: heapPage(1), free: "either" },
          away,
          { _tag: "pause", ns: 2_000 },
          back,
          { _tag: "pause", ns: 10_000 }
        )
      ]
    })
    return base
  }
}

const memslotUpdate: Scenario = {
  name: "memslot-update",
  summary: "a storm in a memslot while another slot is deleted and added: updates wait for the count, users for SRCU",
  source: "traces of 6.12, scenario E1; interleavings I-32 to I-34",
  knobs: { updates: 10, writers: 1, pages: 4, uses: 20 },
  until: 4 * MS,
  timing: TIMING,
  world: ({ pages, updates, uses, writers }) => {
    const base = world({
      guestPages: 16 + writers! * pages!,
      heapPages: 4,
      gpcs: oneCache,
      threads: [
        user(uses!),
        thread(
          "mm/9",
          updates!,
          { _tag: "delete_memslot", slot: 1 },
          { _tag: "set_memslot", slot: 1, hva: heapPage(0) },
          { _tag: "set_memslot", slot: 1, hva: heapPage(1) },
          { _tag: "pause", ns: 20_000 }
        ),
        ...storm(writers!, (i) => guestPage(16 + i * pages!), pages!, 5_000)
      ]
    })
    const spare = { gpa: gpaPage(1024), hva: heapPage(0), pages: 2, state: "present" as const }
    return { ...base, memslots: [...base.memslots, spare] }
  }
}

const firstMap: Scenario = {
  name: "first-map",
  summary: "a cache is activated and deactivated while its page is zapped: its pfn is the error value each time",
  source: "interleavings I-20, I-28, I-35, I-36",
  knobs: { rounds: 40, pause: 3_000 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ pause, rounds }) =>
    world({
      guestPages: 16,
      gpcs: [{ gpa: gpaPage(U), state: "inactive" }],
      threads: [
        thread(
          "vcpu/0",
          rounds!,
          { _tag: "gpc_activate", gpc: 0, gpa: gpaPage(U) },
          { _tag: "gpc_read", gpc: 0 },
          { _tag: "pause", ns: 2_000 },
          { _tag: "gpc_read", gpc: 0 },
          { _tag: "gpc_deactivate", gpc: 0 }
        ),
        ...storm(1, () => guestPage(U), 1, pause!)
      ]
    })
}

const hvaCache: Scenario = {
  name: "hva-cache",
  summary: "a cache given by host address, in memory that no memslot covers, zapped there: 6.12 misses it",
  source: "traces of 6.12, scenario X2; commit da260bcb56fe; interleavings I-06, I-07",
  knobs: { uses: 40, pause: 4_000 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ pause, uses }) =>
    world({
      guestPages: 4,
      heapPages: 4,
      gpcs: [{ uhva: heapPage(1), state: "active" }],
      threads: [
        thread("vcpu/0", uses!, use, { _tag: "pause", ns: 1_000 }),
        ...storm(1, () => heapPage(1), 1, pause!)
      ]
    })
}

const guestFaults: Scenario = {
  name: "guest-faults",
  summary: "guest page faults against zaps at both ends of a memslot: the hull of mmu_invalidate_retry_gfn",
  source: "traces of 6.1, scenario M; arch/x86/kvm/mmu/mmu.c, is_page_fault_stale",
  knobs: { faults: 100, pages: 8, pause: 1_000 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ faults, pages, pause }) =>
    world({
      guestPages: 64,
      gpcs: oneCache,
      threads: [
        ...times(2, (v) =>
          thread(
            `vcpu/${v}`,
            faults!,
            { _tag: "guest_fault", gpa: gpaPage(24 + v) },
            { _tag: "pause", ns: 1_000 }
          )),
        ...storm(2, (i) => guestPage(i === 0 ? 0 : 64 - pages!), pages!, pause!)
      ]
    })
}

const softDirty: Scenario = {
  name: "soft-dirty",
  summary: "live migration's soft-dirty clearing: every invalidation is of the whole mm",
  source: "fs/proc/task_mmu.c, clear_refs_write (6.12)",
  knobs: { uses: 20, pause: 10_000 },
  until: 2 * MS,
  timing: TIMING,
  world: ({ pause, uses }) =>
    world({
      guestPages: 16,
      gpcs: oneCache,
      threads: [
        thread("vcpu/0", uses!, use, { _tag: "pause", ns: 4_000 }),
        thread("mm/0", 0, { _tag: "clear_soft_dirty" }, { _tag: "pause", ns: pause! })
      ]
    })
}

/** The torture's memory operations: what gpc_test.c does to the vCPUs' pages, drawn from the seed. */
const tortureOps = (operations: number, vcpus: number, seed: number): ReadonlyArray<Op> => {
  const all = { start: GUEST, end: guestPage(vcpus) }
  const kinds: ReadonlyArray<(page: number) => ReadonlyArray<Op>> = [
    () => [{ _tag: "munmap", ...all, free: "either" }, { _tag: "mmap", ...all }],
    () => [{ _tag: "mprotect", ...all, protection: "none" }, { _tag: "mprotect", ...all, protection: "write" }],
    () => [{ _tag: "mprotect", ...all, protection: "read-only" }, { _tag: "mprotect", ...all, protection: "write" }],
    () => [
      { _tag: "delete_memslot", slot: 0 },
      { _tag: "set_memslot", slot: 0, hva: heapPage(0) },
      { _tag: "delete_memslot", slot: 0 },
      { _tag: "set_memslot", slot: 0, hva: GUEST }
    ],
    (page) => [zap(guestPage(page), 1)],
    (page) => [{ _tag: "migrate", hva: guestPage(page) }],
    () => [{ _tag: "clear_soft_dirty" }]
  ]
  return times(operations, (i) => {
    const random = draw(seed, i, 0x70_72)
    return [
      ...kinds[random % kinds.length]!(draw(seed, i, 0x70_73) % vcpus),
      { _tag: "pause" as const, ns: 200_000 + draw(seed, i, 0x70_74) % 1_600_000 }
    ]
  }).flat()
}

const torture: Scenario = {
  name: "torture",
  summary: "vCPUs write their own address through one shared cache, against random mm and memslot operations",
  source: "gpc_test.c, LKML 2024-08-21 v3 5/5 (Sean Christopherson, April 2022)",
  knobs: { vcpus: 16, writes: 1_000, operations: 50 },
  until: 0,
  timing: { ...TIMING, preemptEvery: 50 },
  world: ({ operations, vcpus, writes }, seed) =>
    world({
      guestPages: vcpus!,
      heapPages: vcpus!,
      gpcs: [{ gpa: gpaPage(0), state: "inactive" }],
      threads: [
        ...times(vcpus!, (v) => thread(`vcpu/${v}`, writes!, { _tag: "gpc_write_own", gpc: 0, gpa: gpaPage(v) })),
        thread("mm/0", 1, ...tortureOps(operations!, vcpus!, seed))
      ]
    })
}

/**
 * Every shipped scenario.
 *
 * @category scenarios
 * @since 0.1.0
 */
export const SCENARIOS: ReadonlyArray<Scenario> = [
  madviseStorm,
  vectorChurn,
  stormInMemslot,
  stormBothSides,
  stormOnPage,
  migration,
  nestedMremap,
  memslotUpdate,
  firstMap,
  hvaCache,
  guestFaults,
  softDirty,
  torture
]
