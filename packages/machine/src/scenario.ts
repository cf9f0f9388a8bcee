/**
 * Scenarios: worlds with something to find out, as plain data with knobs.
 *
 * @since 0.1.0
 */
import type { Op, World } from "@pfnscope/protocol"
import type { Timing } from "./timing.ts"

/** Numbers that a scenario can be given, with what they are by default. @category models @since 0.1.0 */
export type Knobs = Readonly<Record<string, number>>

/**
 * A scenario.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scenario {
  readonly name: string
  /** One line: what it is about. */
  readonly summary: string
  /** Where it comes from. */
  readonly source: string
  readonly knobs: Knobs
  /** When a run ends at the latest, ns of its clock. */
  readonly until: number
  readonly timing: Timing
  readonly world: (knobs: Knobs, seed: number) => World
}

/** Bytes of a page. @category constants @since 0.1.0 */
export const PAGE = 4096

/** Where the scenarios' guest memory lies in the VMM, and where its heap does. @category constants @since 0.1.0 */
export const GUEST = 0x7e00_0000_0000

/** The VMM's heap: user memory in no memslot. @category constants @since 0.1.0 */
export const HEAP = 0x7f10_0000_0000

/** Where guest memory lies in the guest. @category constants @since 0.1.0 */
export const GPA = 0x10_0000

/** Page `n` of the guest's memory, as a host address. @category constructors @since 0.1.0 */
export const guestPage = (n: number): number => GUEST + n * PAGE

/** Page `n` of the guest's memory, as a guest address. @category constructors @since 0.1.0 */
export const gpaPage = (n: number): number => GPA + n * PAGE

/** Page `n` of the VMM's heap. @category constructors @since 0.1.0 */
export const heapPage = (n: number): number => HEAP + n * PAGE

/** A zap of `pages` pages. @category constructors @since 0.1.0 */
export const zap = (start: number, pages: number): Op => ({
  _tag: "madvise",
  start,
  end: start + pages * PAGE,
  free: "either"
})

/** A thread named `kind/n`. @category constructors @since 0.1.0 */
export const thread = (
  name: string,
  repeat: number,
  ...ops: ReadonlyArray<Op>
): World["threads"][number] => ({ name, repeat, ops })

/** A world of one memslot of `pages` guest pages, with areas, caches and threads. @category constructors @since 0.1.0 */
export const world = (options: {
  readonly guestPages: number
  readonly heapPages?: number
  readonly gpcs: World["gpcs"]
  readonly threads: World["threads"]
}): World => ({
  pageSize: PAGE,
  areas: [
    { hva: GUEST, pages: options.guestPages, populated: true },
    ...(options.heapPages === undefined ? [] : [{ hva: HEAP, pages: options.heapPages, populated: true }])
  ],
  memslots: [{ gpa: GPA, hva: GUEST, pages: options.guestPages, state: "present" }],
  gpcs: options.gpcs,
  threads: options.threads,
  spareFrames: 64 + 4 * options.threads.length
})

/** So many of something, by number. @category constructors @since 0.1.0 */
export const times = <A>(n: number, f: (i: number) => A): ReadonlyArray<A> => Array.from({ length: n }, (_, i) => f(i))
