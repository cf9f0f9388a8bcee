import { assert, describe, it } from "@effect/vitest"
import { isRecorded } from "../mapping/mapper.ts"
import { bytesOf, decode } from "../reading/text.ts"
import { isAttaching, isMap, readCanonical, readFree, readLost } from "./bpftrace-line.ts"
import { emptyLine } from "./format.ts"

const canonical = (text: string) => {
  const bytes = bytesOf(text)
  const line = emptyLine()
  if (!readCanonical(bytes, 0, bytes.length, line)) return undefined
  const piece = (from: number, to: number) => decode(bytes, from, to)
  return [
    `${line.seconds}.${String(line.nanos).padStart(9, "0")}`,
    line.cpu,
    line.tgid,
    line.pid,
    piece(line.commFrom, line.commTo),
    piece(line.nameFrom, line.nameTo),
    piece(line.bodyFrom, line.bodyTo),
    line.repeat
  ] as const
}

describe("a line of the recipe", () => {
  it.each([
    [
      "a vCPU's name",
      `1017295095215 1 12 34 "CPU 0/KVM" inv_start start=7f21 end=7f22`,
      ["1017.295095215", 1, 12, 34, "CPU 0/KVM", "inv_start", "start=7f21 end=7f22", 1]
    ],
    [
      "a name that closes itself and goes on as an event",
      `1017295095215 1 12 34 "" gpc_err a=1" inv_start start=7f21 end=7f22`,
      ["1017.295095215", 1, 12, 34, `" gpc_err a=1`, "inv_start", "start=7f21 end=7f22", 1]
    ],
    [
      "the longest such name",
      `1017295095215 1 12 34 "x" refresh a=1 " inv_start start=7f21 end=7f22`,
      ["1017.295095215", 1, 12, 34, `x" refresh a=1 `, "inv_start", "start=7f21 end=7f22", 1]
    ],
    [
      "a name of quotation marks",
      `1017295095215 1 12 34 """" inv_start start=7f21 end=7f22`,
      ["1017.295095215", 1, 12, 34, `""`, "inv_start", "start=7f21 end=7f22", 1]
    ],
    ["an event without fields", `5 0 0 0 "swapper/0" inv_end_ret`, [
      "0.000000005",
      0,
      0,
      0,
      "swapper/0",
      "inv_end_ret",
      "",
      1
    ]],
    [
      "a text that holds a record",
      `1017295095215 1 12 34 "a" tracing_mark_write 1 1 1 1 "b" inv_start start=0x1`,
      ["1017.295095215", 1, 12, 34, "a", "tracing_mark_write", `1 1 1 1 "b" inv_start start=0x1`, 1]
    ],
    [
      "a count in front",
      `     12 1017295095215 1 12 34 "a" inv_inc active=1`,
      ["1017.295095215", 1, 12, 34, "a", "inv_inc", "active=1", 12]
    ]
  ])("is read with %s", (_name, text, expected) => {
    assert.deepStrictEqual(canonical(text), expected as unknown as ReturnType<typeof canonical>)
  })

  it.each([
    `1017295095215 1 12 CPU 0/KVM inv_start start=7f21 end=7f22`,
    `1017295095215 1 12 34 "CPU 0/KVM inv_start start=7f21 end=7f22`,
    `1017295095215 1 12 34 "a name too long for a task" inv_start start=7f21`,
    `1017295095215 1 12 34 "a"inv_start start=7f21`,
    `1 1 1 1 1 1 "a" inv_start start=7f21`,
    `x 1 12 34 "a" inv_start start=7f21`
  ])("is none: %s", (text) => {
    assert.isUndefined(canonical(text))
  })
})

const free = (text: string) => {
  const bytes = bytesOf(text)
  const line = emptyLine()
  const rejection = readFree(bytes, 0, bytes.length, isRecorded, line)
  if (rejection !== undefined) return rejection
  const piece = (from: number, to: number) => decode(bytes, from, to)
  return [
    line.digits,
    line.seconds,
    line.cpu,
    line.tgid,
    line.pid,
    line.commFrom < 0 ? undefined : piece(line.commFrom, line.commTo),
    piece(line.nameFrom, line.nameTo),
    piece(line.bodyFrom, line.bodyTo)
  ] as const
}

describe("a line of anybody's program", () => {
  it.each([
    [
      `1017295095215 inv_start start=7f21 end=7f22 tid=5 pid=4 cpu=1 comm="CPU 0/KVM"`,
      [9, 1017, 1, 4, 5, "CPU 0/KVM", "inv_start", "start=7f21 end=7f22 tid=5 pid=4 cpu=1"]
    ],
    ["12.345678 hello inv_inc: active=1, pid=7", [
      6,
      12,
      -1,
      7,
      7,
      undefined,
      "inv_inc",
      "active=1, pid=7"
    ]],
    ["inv_inc active=1 tid=7 nsecs=5000000001", [
      9,
      5,
      -1,
      -1,
      7,
      undefined,
      "inv_inc",
      "active=1 tid=7 nsecs=5000000001"
    ]],
    ["12 inv_inc active=1 tid=7", [0, 0, -1, -1, 7, undefined, "inv_inc", "active=1 tid=7"]],
    [`inv_inc active=1 tid=7 comm="a" b"`, [0, 0, -1, -1, 7, `a" b`, "inv_inc", "active=1 tid=7"]],
    ["inv_inc active=1", "no event that is known"],
    ["inv_inc active=1 seq=2", "no task (tid=… or pid=…)"],
    ["unmap start=1 end=2 tid=3", "no event that is known"],
    ["gpc_err a=1 inv_start start=1 end=2 tid=3", "two events in one line"],
    [`inv_start start=1 end=2 comm=" check a=1 b=2"`, "two events in one line"],
    ["inv_inc comm=evil tid=1 active=1", "a field twice, or a name without quotes"],
    ["inv_inc active=1 tid=1 tid=2", "a field twice, or a name without quotes"],
    [`inv_inc active=1 tid=1 comm="sixteen letters!"`, "a field twice, or a name without quotes"],
    ["the count went up in inv_inc as you can see", "no event that is known"]
  ])("%s", (text, expected) => {
    assert.deepStrictEqual(free(text), expected as ReturnType<typeof free>)
  })
})

const on = <A>(text: string, read: (bytes: Uint8Array, from: number, to: number) => A) =>
  read(bytesOf(text), 0, text.length)

describe("what bpftrace says itself", () => {
  it.each([
    ["Lost 4595 events", 4595],
    ["WARNING: Lost 3 events", 3],
    ["Lost 4595 events and more", -1],
    ["Lost my events", -1]
  ])("a loss: %s", (text, count) => {
    assert.strictEqual(on(text, readLost), count)
  })

  it.each(["Attaching 1 probe...", "Attaching 13 probes...", "Attached 9 probes"])("the start of a run: %s", (text) => {
    assert.isTrue(on(text, isAttaching))
  })

  it.each([
    ["@c[CPU 0/KVM]: 4", true],
    ["@w: ", true],
    ["[4K, 8K)              14 |@@@@@@@@@@@@|", true],
    ["[1]                    3 |@@          |", true],
    ["(..., 0)               2 |@           |", true],
    ["[4K, 8K) fourteen |", false],
    ["inv_inc active=1 |", false]
  ])("a line of a map or not: %s", (text, expected) => {
    assert.strictEqual(on(text, isMap), expected)
  })
})
