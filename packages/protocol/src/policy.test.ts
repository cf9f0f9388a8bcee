import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { flagWait } from "./policies/flag-wait.ts"
import { POLICIES } from "./policies/index.ts"
import { mainline517 } from "./policies/mainline-5.17.ts"
import { mainline612 } from "./policies/mainline-6.12.ts"
import { NO_HULL, NO_SNAPSHOT, Policy } from "./policy.ts"

const decode = Schema.decodeUnknownResult(Policy)

const refusal = (policy: unknown): string =>
  Result.match(decode(policy), { onFailure: (error) => error.message, onSuccess: () => "" })

describe("a policy", () => {
  it.each(POLICIES)("$name is accepted", (policy) => {
    assert.strictEqual(refusal(policy), "")
  })

  const { hull, wait } = flagWait
  const senseless: ReadonlyArray<readonly [why: string, policy: Policy, at: string, expected: RegExp]> = [
    ["two tests of ranges", { ...mainline612, hull, retry: ["count", "hull"] }, `["retry"]`, /at most one of count/],
    ["a test twice", { ...mainline612, retry: ["seq", "seq"] }, `["retry"][1]`, /each test once/],
    ["a hull that is not there", { ...mainline612, retry: ["seq", "hull"] }, `["retry"][1]`, /hull\.under/],
    ["a sequence not noted", { ...mainline612, snapshot: NO_SNAPSHOT }, `["retry"][1]`, /snapshot\.of/],
    ["a flag that is not set", { ...mainline612, retry: ["flag"] }, `["retry"][0]`, /flag to be true/],
    ["a hit on a flag that is not set", { ...mainline612, hit: flagWait.hit }, `["hit"]["on"]`, /expected valid/],
    ["ranges under no lock", { ...mainline612, hull: { ...NO_HULL, ranges: 1 } }, `["hull"]["ranges"]`, /expected 0/],
    ["a lock for no range", { ...flagWait, hull: { ...hull, ranges: 0 } }, `["hull"]["ranges"]`, /1 or more/],
    [
      "a hull kept by a walk that is none",
      { ...flagWait, hull: { ...hull, under: "gpc_lock" }, startWalk: { when: "none", look: "write" } },
      `["hull"]["under"]`,
      /without a walk at range_start/
    ],
    [
      "exact ranges that are never forgotten",
      { ...flagWait, hull: { under: "mn", reset: "never", ranges: 4 } },
      `["hull"]["reset"]`,
      /expected on-zero/
    ],
    ["a flag that is set once", { ...mainline517, flag: true }, `["flag"]`, /expected false/],
    ["a wait that the next lap leaves out", { ...mainline517, hull, wait }, `["wait"]["how"]`, /expected none/],
    [
      "a sequence that the next lap leaves out",
      { ...mainline517, snapshot: mainline612.snapshot },
      `["snapshot"]["when"]`,
      /expected before-lookup/
    ],
    ["a wait for no hull", { ...flagWait, hull: NO_HULL }, `["wait"]["for"]`, /expected count/],
    [
      "a condition after a spin",
      { ...flagWait, wait: { ...wait, how: "spin", afterwards: "condition" } },
      `["wait"]["afterwards"]`,
      /sleep/
    ],
    ["a lock taken asleep", { ...flagWait, wait: { ...wait, afterwards: "relock" } }, `["wait"]["afterwards"]`, /spin/],
    [
      "a spin off the queue",
      { ...flagWait, wait: { ...wait, how: "spin", queued: false } },
      `["wait"]["queued"]`,
      /true/
    ]
  ]
  it.each(senseless)("with %s is refused, and says where", (_, policy, at, expected) => {
    const message = refusal(policy)
    assert.match(message, expected)
    assert.include(message, `at ${at}`)
  })
})
