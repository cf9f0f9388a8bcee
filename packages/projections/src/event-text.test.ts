import { assert, describe, it } from "@effect/vitest"
import { OPERATIONS } from "@pfnscope/protocol"
import type { Event } from "@pfnscope/protocol"
import * as fc from "fast-check"
import { callText, fieldText, printable } from "./event-text.ts"

const textOf = (event: Omit<Event, "thread"> & Record<string, unknown>) => fieldText({ thread: 0, ...event } as Event)

describe("the fields of an event", () => {
  it.each(
    [
      [
        "addresses and frames in hex",
        { _tag: "Published", gpc: 0, uhva: 0x7e00_0000_8000, pfn: 0x2b },
        "uhva=0x7e0000008000 pfn=0x2b"
      ],
      ["an error pfn by name", { _tag: "PfnResolved", hva: -1, pfn: -1 }, "hva=KVM_HVA_ERR_BAD pfn=KVM_PFN_ERR_FAULT"],
      [
        "an empty entry as none",
        { _tag: "PteChanged", hva: 0x1000, pfn: 0, protection: "absent", gathered: true },
        "hva=0x1000 pfn=none protection=absent gathered=true"
      ],
      [
        "guest addresses and frames",
        { _tag: "MmuLockHeld", inProgress: 1, start: 0x100, end: 0x110 },
        "inProgress=1 start=0x100 end=0x110"
      ],
      [
        "the call of an operation",
        { _tag: "Called", op: "madvise", a: 0x7f10_0000_0000, b: 0x7f10_0000_4000, c: 2 },
        "madvise(0x7f1000000000, 0x7f1000004000, DONTNEED)"
      ],
      ["a lock without its cache", { _tag: "Locked", lock: "gpc_lock", gpc: -1 }, "lock=gpc_lock"],
      ["a lock of a cache", { _tag: "Locked", lock: "gpc->lock", gpc: 3 }, "lock=gpc->lock gpc=3"]
    ] as const
  )("are %s", (_what, event, expected) => assert.strictEqual(textOf(event as never), expected))

  it("let nothing of a log's text through that moves a cursor or hides text", () => {
    assert.strictEqual(
      textOf({ _tag: "Noted", text: "\u001b[31mred\u0007\r\n\u202eevil\u009b1m" } as never),
      "text=\\x1b[31mred\\x07\\x0d\\x0a\\u202eevil\\x9b1m"
    )
  })
})

describe("printable text", () => {
  it("has no control character, is the same when made printable again, and keeps ordinary text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      const safe = printable(text)
      assert.notMatch(safe, /[\p{Cc}\u2028-\u202e\u2066-\u2069\u200b-\u200f\ufeff]/u)
      assert.strictEqual(printable(safe), safe)
    }))
    fc.assert(fc.property(fc.string({ unit: "grapheme-ascii" }), (text) => assert.strictEqual(printable(text), text)))
  })
})

describe("a call", () => {
  it.each(OPERATIONS)("of %s has its arguments and no undefined", (op) => {
    assert.match(callText(op, 0x1000, 0x2000, 1), new RegExp(`^${op}\\([^()]*\\)$`))
    assert.notInclude(callText(op, 0x1000, 0x2000, 1), "undefined")
  })
})
