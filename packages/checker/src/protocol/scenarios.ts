/**
 * The bounded worlds: one cache at U, those who use it, and invalidators on U, below it (L) and above it (H). In s1 to s7
 * everything happens once; in the live ones two vCPUs use the cache against invalidations that recur for ever.
 *
 * Addresses are small numbers and a page is one byte: a checker packs every cell of the state into a byte.
 *
 * @since 0.1.0
 */
import type { Op, World } from "@pfnscope/protocol"

/** Host pages: L lies below U, H above. */
const [L, U, H] = [2, 4, 6] as const

/** The guest address of a host page that a memslot covers. */
const guest = (hva: number): number => hva + 8

interface Setting {
  readonly summary: string
  /** Whether memslots cover the pages; then the cache is given by guest address. */
  readonly slots: boolean
  readonly gpc: World["gpcs"][number]["state"]
  readonly refresher: boolean
  /** Another thread touches U, so that a new frame is faulted in. */
  readonly toucher: boolean
  readonly invalidated: ReadonlyArray<number>
}

const SETTINGS: Readonly<Record<string, Setting>> = {
  s1: {
    summary: "in a memslot, first map; one invalidator on U",
    slots: true,
    gpc: "active",
    refresher: true,
    toucher: false,
    invalidated: [U]
  },
  s2: {
    summary: "by host address in no memslot, first map; one invalidator on U",
    slots: false,
    gpc: "active",
    refresher: true,
    toucher: false,
    invalidated: [U]
  },
  s3: {
    summary: "in a memslot, remap; one invalidator on U",
    slots: true,
    gpc: "remap",
    refresher: true,
    toucher: false,
    invalidated: [U]
  },
  s4: {
    summary: "in a memslot, valid at the start, no refresher; one invalidator on U, another thread touches U",
    slots: true,
    gpc: "valid",
    refresher: false,
    toucher: true,
    invalidated: [U]
  },
  s5: {
    summary: "in a memslot, remap; invalidators on U and L",
    slots: true,
    gpc: "remap",
    refresher: true,
    toucher: false,
    invalidated: [U, L]
  },
  s6: {
    summary: "by host address in no memslot, remap; invalidators on U and L",
    slots: false,
    gpc: "remap",
    refresher: true,
    toucher: false,
    invalidated: [U, L]
  },
  s7: {
    summary: "in a memslot, remap; invalidators on U, L and H",
    slots: true,
    gpc: "remap",
    refresher: true,
    toucher: false,
    invalidated: [U, L, H]
  }
}

const once = (name: string, op: Op): World["threads"][number] => ({ name, ops: [op], repeat: 1 })

const worldOf = ({ gpc, invalidated, refresher, slots, toucher }: Setting): World => {
  const pages = [...new Set([U, ...invalidated])].sort((a, b) => a - b)
  return {
    pageSize: 1,
    areas: pages.map((hva) => ({ hva, pages: 1, populated: true })),
    memslots: slots ? pages.map((hva) => ({ gpa: guest(hva), hva, pages: 1, state: "present" })) : [],
    gpcs: [slots ? { gpa: guest(U), state: gpc } : { uhva: U, state: gpc }],
    threads: [
      ...(refresher ? [once("vcpu/0", { _tag: "gpc_refresh", gpc: 0 })] : []),
      once("vcpu/1", { _tag: "gpc_read", gpc: 0 }),
      ...invalidated.map((hva, i) => once(`mm/${i}`, { _tag: "madvise", start: hva, end: hva + 1, free: "either" })),
      ...(toucher ? [once("mm/9", { _tag: "touch", hva: U })] : [])
    ],
    spareFrames: 4
  }
}

interface LiveSetting {
  readonly summary: string
  /** Pages that memslots cover. */
  readonly slots: ReadonlyArray<number>
  readonly once: ReadonlyArray<number>
  readonly forever: ReadonlyArray<number>
}

const LIVE_SETTINGS: Readonly<Record<string, LiveSetting>> = {
  "live-heap": {
    summary: "memory in no memslot, above U, is invalidated for ever",
    slots: [U],
    once: [],
    forever: [H]
  },
  "live-slot": { summary: "guest memory above U is invalidated for ever", slots: [U, H], once: [], forever: [H] },
  "live-sides": {
    summary: "memory in no memslot is invalidated for ever, below U and above it",
    slots: [U],
    once: [],
    forever: [L, H]
  },
  "live-own": {
    summary: "U is invalidated once, memory in no memslot above it for ever",
    slots: [U],
    once: [U],
    forever: [H]
  }
}

const zap = (hva: number): Op => ({ _tag: "madvise", start: hva, end: hva + 1, free: "after-end" })

const liveWorldOf = ({ forever, once, slots }: LiveSetting): World => {
  const invalidated = [...once, ...forever]
  const pages = [...new Set([U, ...invalidated])].sort((a, b) => a - b)
  return {
    pageSize: 1,
    areas: pages.map((hva) => ({ hva, pages: 1, populated: true })),
    memslots: slots.map((hva) => ({ gpa: guest(hva), hva, pages: 1, state: "present" })),
    gpcs: [{ gpa: guest(U), state: "active" }],
    threads: [
      ...["vcpu/0", "vcpu/1"].map((name) => ({ name, ops: [{ _tag: "gpc_use" as const, gpc: 0 }], repeat: 2 })),
      ...invalidated.map((hva, i) => ({ name: `mm/${i}`, ops: [zap(hva)], repeat: once.includes(hva) ? 1 : 0 }))
    ],
    spareFrames: 4
  }
}

/** A bounded world by its name. @category models @since 0.1.0 */
export interface Bounded {
  readonly name: string
  readonly summary: string
  readonly world: World
}

/** s1 to s7, and the live ones. @category scenarios @since 0.1.0 */
export const BOUNDED: ReadonlyArray<Bounded> = [
  ...Object.entries(SETTINGS).map(([name, setting]) => ({ name, summary: setting.summary, world: worldOf(setting) })),
  ...Object.entries(LIVE_SETTINGS).map(([name, setting]) => ({
    name,
    summary: setting.summary,
    world: liveWorldOf(setting)
  }))
]
