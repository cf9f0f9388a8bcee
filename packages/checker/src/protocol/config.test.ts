import { assert, describe, it } from "@effect/vitest"
import type { World } from "@pfnscope/protocol"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { ProtocolConfig } from "./config.ts"
import { BOUNDED } from "./scenarios.ts"

const decode = Schema.decodeUnknownResult(ProtocolConfig)

/** The messages of a refusal. */
const refusal = (config: unknown): string => {
  const result = decode(config, { errors: "all", onExcessProperty: "error" })
  return result._tag === "Failure" ? String(result.failure) : "accepted"
}

const page = 4096

/** One cache at guest page 16, backed by the second of two host pages. */
const world: World = {
  pageSize: page,
  areas: [{ hva: 4 * page, pages: 2, populated: true }],
  memslots: [{ gpa: 15 * page, hva: 4 * page, pages: 2, state: "present" }],
  gpcs: [{ gpa: 16 * page, state: "active" }],
  threads: [
    { name: "vcpu/0", ops: [{ _tag: "gpc_refresh", gpc: 0 }], repeat: 1 },
    { name: "mm/0", ops: [{ _tag: "madvise", start: 5 * page, end: 6 * page, free: "either" }], repeat: 0 }
  ],
  spareFrames: 2
}

/** The world with other operations of its second thread. */
const doing = (...ops: ReadonlyArray<unknown>) => ({
  ...world,
  threads: [world.threads[0], { name: "mm/0", ops, repeat: 1 }]
})

const [area, slot] = [world.areas[0], world.memslots[0]]

describe("a configuration", () => {
  it("of every bounded scenario is accepted", () => {
    for (const { name, world } of BOUNDED) assert.strictEqual(refusal(world), "accepted", name)
    assert.strictEqual(refusal(world), "accepted")
  })

  it("of every bounded scenario is documented", () => {
    const page = readFileSync(new URL("../../../../docs/configurations.md", import.meta.url), "utf8")
    for (const { name } of BOUNDED) assert.include(page, `| ${name} `)
  })

  it("may invalidate what is not modelled, and touch any byte of a page", () => {
    assert.strictEqual(
      refusal(doing({ _tag: "munmap", start: 0, end: page, free: "after-end" }, { _tag: "touch", hva: 4 * page + 8 })),
      "accepted"
    )
  })

  const op = `["threads"][1]["ops"][0]`
  const hostile: ReadonlyArray<readonly [string, unknown, string, string]> = [
    [
      "a cache outside every area",
      { ...world, gpcs: [{ uhva: 0, state: "active" }] },
      `["gpcs"][0]["uhva"]`,
      "expected an address in an area, not 0"
    ],
    [
      "a cache in no memslot",
      { ...world, gpcs: [{ gpa: 0, state: "active" }] },
      `["gpcs"][0]["gpa"]`,
      "expected a guest address in a memslot, not 0"
    ],
    [
      "a cache whose memslot lies in no area",
      { ...world, memslots: [{ ...slot, hva: 0 }] },
      `["gpcs"][0]["gpa"]`,
      "memslots[0] puts it at 4096"
    ],
    [
      "a valid cache of a page that is not mapped",
      { ...world, areas: [{ ...area, populated: false }], gpcs: [{ uhva: 5 * page, state: "valid" }] },
      `["gpcs"][0]["state"]`,
      "expected inactive or active"
    ],
    [
      "a cache by two addresses",
      { ...world, gpcs: [{ gpa: 16 * page, uhva: 5 * page, state: "active" }] },
      `["gpcs"][0]`,
      "exactly one of gpa and uhva"
    ],
    ["no thread", { ...world, threads: [] }, `["threads"]`, "expected at least one thread"],
    [
      "two threads of one name",
      { ...world, threads: [world.threads[0], { ...world.threads[1], name: "vcpu/0" }] },
      `["threads"][1]["name"]`,
      "a name that no other thread has"
    ],
    [
      "the name of a part of the machine",
      { ...world, threads: [{ ...world.threads[1], name: "gpc/0" }] },
      `["threads"][0]["name"]`,
      "a name such as vcpu/0 or mm/1"
    ],
    ["a thread that does nothing", doing(), `["threads"][1]["ops"]`, "at least one operation"],
    [
      "a negative repeat",
      { ...world, threads: [{ ...world.threads[0], repeat: -1 }] },
      `["threads"][0]["repeat"]`,
      "greater than or equal to 0"
    ],
    ["a fraction of a frame", { ...world, spareFrames: 1.5 }, `["spareFrames"]`, "an integer"],
    ["frames without end", { ...world, spareFrames: 1e300 }, `["spareFrames"]`, "integer"],
    ["a negative bound", { ...world, spareFrames: -1 }, `["spareFrames"]`, "greater than or equal to 0"],
    ["more than can be laid out", { ...world, spareFrames: 1e9 }, `["spareFrames"]`, "expected at most 1024"],
    ["negative pages", { ...world, areas: [{ ...area, pages: -1 }] }, `["areas"][0]["pages"]`, "greater than or equal"],
    ["no pages", { ...world, memslots: [{ ...slot, pages: 0 }] }, `["memslots"][0]["pages"]`, "at least one page"],
    ["a page of nothing", { ...world, pageSize: 0 }, `["pageSize"]`, "greater than 0"],
    ["an area beside a page", { ...world, areas: [{ ...area, hva: 1 }] }, `["areas"][0]["hva"]`, "the start of a page"],
    [
      "a memslot beside a page",
      { ...world, memslots: [{ ...slot, hva: slot.hva + 1 }] },
      `["memslots"][0]["hva"]`,
      "the start of a page of 4096 bytes"
    ],
    [
      "memslots that overlap",
      { ...world, memslots: [slot, { ...slot, gpa: slot.gpa + page }] },
      `["memslots"][1]`,
      "guest addresses that memslots[0] does not have"
    ],
    [
      "areas that overlap",
      { ...world, areas: [area, { ...area, hva: area.hva + page }] },
      `["areas"][1]`,
      "an area that overlaps no other"
    ],
    [
      "an empty range",
      doing({ _tag: "fork", start: page, end: page }),
      `${op}["end"]`,
      "a range that is not empty: more than start, 4096"
    ],
    [
      "a reversed range",
      doing({ _tag: "munmap", start: 2 * page, end: page, free: "either" }),
      `${op}["end"]`,
      "more than start, 8192"
    ],
    ["a range beside a page", doing({ _tag: "mmap", start: 1, end: page }), `${op}["start"]`, "the start of a page"],
    [
      "a move beyond user memory",
      doing({ _tag: "mremap", start: 0, end: page, to: 0x8000_0000_0000 }),
      `${op}["to"]["end"]`,
      "a user address"
    ],
    ["a touch of nothing", doing({ _tag: "touch", hva: 0 }), `${op}["hva"]`, "an address in an area, not 0"],
    ["a migration of nothing", doing({ _tag: "migrate", hva: 0 }), `${op}["hva"]`, "an address in an area"],
    [
      "a merge with nothing",
      doing({ _tag: "ksm_merge", hva: area.hva, with: 0 }),
      `${op}["with"]`,
      "an address in an area"
    ],
    ["a fault outside the guest", doing({ _tag: "guest_fault", gpa: 0 }), `${op}["gpa"]`, "in a memslot, not 0"],
    ["a cache that is not there", doing({ _tag: "gpc_read", gpc: 1 }), `${op}["gpc"]`, "one of the 1 caches"],
    ["a memslot that is not there", doing({ _tag: "delete_memslot", slot: 1 }), `${op}["slot"]`, "of the 1 memslots"],
    [
      "an operation that nobody knows",
      doing({ _tag: "brk" }),
      op,
      "an operation that a thread can be asked for, by its _tag"
    ],
    ["a field that nobody reads", { ...world, spareFrame: 3 }, `["spareFrame"]`, "no excess property"],
    [
      "a field of an operation that nobody reads",
      doing({ _tag: "gpc_read", gpc: 0, times: 3 }),
      `${op}["times"]`,
      "no excess property"
    ],
    ["an array of arrays", [[]], "Expected object", ""],
    ["nothing", null, "Expected object", ""]
  ]
  it.each(hostile)("is refused with the place: %s", (_, config, path, expected) => {
    const message = refusal(config)
    assert.include(message, path)
    assert.include(message, expected)
  })

  it("is refused with every error at once", () => {
    const message = refusal({ ...world, spareFrames: -1, gpcs: [{ uhva: "5", state: "active" }], threads: [{}] })
    for (const path of [`["spareFrames"]`, `["gpcs"][0]["uhva"]`, `["threads"][0]["name"]`]) {
      assert.include(message, path)
    }
    const other = refusal({ ...world, areas: [{ ...area, hva: 1 }], gpcs: [{ uhva: 0, state: "active" }] })
    for (const path of [`["areas"][0]["hva"]`, `["gpcs"][0]["uhva"]`]) assert.include(other, path)
  })
})
