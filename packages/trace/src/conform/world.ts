/**
 * The world that a replay runs in, made of the facts of a trace.
 *
 * Its threads have no scripts: operations are given to them as the trace shows them. The memslots are those that were
 * seen, and two more: one that stands for the slot that an update is about (no record names it), and a spare page for
 * memory that a record shows to be in a memslot nothing else was seen of.
 *
 * @since 0.1.0
 */
import type { World } from "@pfnscope/protocol"
import { PAGE_SIZE, slotsOf } from "./facts.ts"
import type { Facts } from "./facts.ts"

/** The memslot that updates are about. @category constants @since 0.1.0 */
export const UPDATED_SLOT = 0

/** The memslot of memory that only one record shows to be in one. @category constants @since 0.1.0 */
export const SPARE_SLOT = 1

/** Above every guest physical address. */
const NOWHERE = 2 ** 51

/** Threads beside those that the trace kept busy at once: a check or a fault takes one for its own time. */
const MORE_THREADS = 2

/** Makes the world of a trace. @category constructors @since 0.1.0 */
export const worldOf = (facts: Facts, caches: number): World => ({
  pageSize: PAGE_SIZE,
  areas: [...facts.pages].map((hva) => ({ hva, pages: 1, populated: true })),
  memslots: [
    { gpa: NOWHERE, hva: 0, pages: 0, state: "present", sptes: false },
    { gpa: NOWHERE + PAGE_SIZE, hva: 0, pages: 1, state: "absent", sptes: false },
    ...slotsOf(facts).map((slot) => ({ ...slot, state: "present" as const, sptes: false }))
  ],
  gpcs: Array.from({ length: caches }, () => ({ gpa: 0, state: "inactive" as const })),
  threads: Array.from({ length: facts.busiest + MORE_THREADS }, (_, i) => ({ name: `mm/${i}`, ops: [], repeat: 1 })),
  spareFrames: MORE_THREADS
})
