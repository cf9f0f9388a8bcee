import { assert, describe, it } from "@effect/vitest"
import { report, verdict } from "./hand-made.ts"
import type { Line } from "./hand-made.ts"

const fault = (gfn: number, thread = 4): Line => ({ _tag: "GuestFaulted", thread, gfn, pfn: 5 }) as Line
const stale = (gfn: number, thread = 4): Line => ({ _tag: "GuestFaultRetried", thread, gfn, reason: "seq" }) as Line

describe("the laps of guest faults", () => {
  it("are counted until the frame is mapped, thread by thread", () => {
    const { guestFaults } = report([stale(1), stale(1, 5), fault(7, 6), stale(1), fault(1, 5), fault(1), fault(1)])
    assert.deepStrictEqual(guestFaults.laps, [{ laps: 1, count: 2 }, { laps: 2, count: 1 }, { laps: 3, count: 1 }])
    assert.deepInclude(guestFaults, { lapsMax: 3, unfinished: 0, mapped: 4, stale: 3 })
    assert.deepInclude(guestFaults.worst[0], { line: 1, gfn: "0x1", thread: 4, laps: 3 })
  })

  it("are unfinished where the vCPU turns to another frame, or the trace ends", () => {
    const { guestFaults } = report([stale(1), fault(2), stale(3)])
    assert.deepInclude(guestFaults, { laps: [{ laps: 1, count: 1 }], unfinished: 2 })
  })

  it("that have no reason make it stuck", () => {
    const none: Line = { _tag: "GuestFaultRetried", gfn: 9, reason: "none" } as Line
    const stuck = (n: number) => verdict("stuck-fault", Array.from({ length: n }, () => none)).verdict
    assert.deepStrictEqual([stuck(9), stuck(10)], ["holds", "found"])
  })
})
