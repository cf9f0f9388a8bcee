/**
 * Test support: arbitrary small worlds.
 *
 * @since 0.1.0
 */
import { POLICIES } from "@pfnscope/protocol"
import type { Op, Policy, World } from "@pfnscope/protocol"
import * as fc from "fast-check"

/** Host pages, two of them with a hole between; and the guest address of one that a memslot covers. */
const PAGES = [2, 4] as const
const guest = (hva: number): number => hva + 8

const page = fc.constantFrom(...PAGES)
const range = page.map((start) => ({ start, end: start + 1 }))
const free = fc.constantFrom("before-end" as const, "after-end" as const, "either" as const)
const gpc = fc.constant(0)

const operation: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ _tag: fc.constantFrom("gpc_use" as const, "gpc_refresh" as const), gpc }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("gpc_read" as const), gpc }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("gpc_deactivate" as const), gpc }) },
  {
    weight: 3,
    arbitrary: fc.tuple(range, free).map(([ends, free]) => ({ _tag: "madvise" as const, ...ends, free }))
  },
  { weight: 1, arbitrary: page.map((hva) => ({ _tag: "touch" as const, hva })) },
  { weight: 1, arbitrary: page.map((hva) => ({ _tag: "migrate" as const, hva })) },
  { weight: 1, arbitrary: range.map((ends) => ({ _tag: "fork" as const, ...ends })) },
  { weight: 1, arbitrary: fc.constant({ _tag: "delete_memslot" as const, slot: 0 }) },
  { weight: 1, arbitrary: page.map((hva) => ({ _tag: "guest_fault" as const, gpa: guest(hva) })) },
  { weight: 1, arbitrary: page.map((hva) => ({ _tag: "gpc_write_own" as const, gpc: 0, gpa: guest(hva) })) }
)

/** A cache given by guest address or by host address, two or three threads of one or two operations, some alike. */
export const worlds: fc.Arbitrary<World> = fc.record({
  hasGpa: fc.boolean(),
  state: fc.constantFrom("active" as const, "remap" as const, "valid" as const),
  scripts: fc.oneof(
    fc.array(fc.array(operation, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 2 }),
    fc.tuple(operation, operation).map(([a, b]) => [[a], [a], [b]])
  )
}).map(({ hasGpa, scripts, state }) => ({
  pageSize: 1,
  areas: PAGES.map((hva) => ({ hva, pages: 1, populated: true })),
  memslots: PAGES.map((hva) => ({ gpa: guest(hva), hva, pages: 1, state: "present" as const })),
  gpcs: [hasGpa ? { gpa: guest(PAGES[0]), state } : { uhva: PAGES[0], state }],
  threads: scripts.map((ops, t) => ({ name: `thread/${t}`, ops, repeat: 1 })),
  spareFrames: 5
}))

/** Any of the shipped policies. */
export const policies: fc.Arbitrary<Policy> = fc.constantFrom(...POLICIES)
