import { assert, describe, it } from "@effect/vitest"
import { bytesOf, decode } from "../reading/text.ts"
import { emptyFaultState, readFaultState } from "./fault-state.ts"

/** What a line tells: probe, thread, time, and the state's values as they stand there. */
const read = (text: string) => {
  const bytes = bytesOf(text)
  const state = emptyFaultState()
  if (!readFaultState(bytes, 0, bytes.length, state)) return undefined
  const values = state.told
    ? Array.from(state.from, (from, i) => decode(bytes, from, state.to[i]!))
    : undefined
  return [decode(bytes, state.nameFrom, state.nameTo), state.pid, state.tgid, state.seconds, state.micros, values]
}

describe("a line of the thread of 2023", () => {
  it.each([
    [
      "the first program of Eric Wheeler",
      "ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000",
      ["", -1, -1, -1, 0, ["ffff9c533e1da340", "8002c058", "0", "7fb47c1f5000", "7fb47c1f6000"]]
    ],
    [
      "the same, where the thread is known",
      "ept[3484173] vcpu=ffff9c533e1da340 seq=8002c058 inprog=1 start=7fb47c1f5000 end=7fb47c1f6000",
      ["", 3484173, -1, -1, 0, ["ffff9c533e1da340", "8002c058", "1", "7fb47c1f5000", "7fb47c1f6000"]]
    ],
    [
      "by offsets, without BTF",
      "vcpu=ffff9d518541c680 seq=00000000 inprog=0 start=00000000 end=00000000",
      ["", -1, -1, -1, 0, ["ffff9d518541c680", "00000000", "0", "00000000", "00000000"]]
    ],
    [
      "the program of Sean Christopherson",
      "vcpu = ffff9c533e1da340 pid = 0 MMU seq = 8002c058, in-prog = 0, start = 7fb47c1f5000, end = 7fb47c1f6000",
      ["", -1, -1, -1, 0, ["ffff9c533e1da340", "8002c058", "0", "7fb47c1f5000", "7fb47c1f6000"]]
    ],
    [
      "his second one, with times",
      "00:30:31:347560 tid[553909] pid[553848] stuck @ rip ffffffff80094a41 (375972 hits), gpa = 294a41, hva = 7efc5b094000 : MMU seq = 8000b139, in-prog = 0, start = 7efc6e10f000, end = 7efc6e110000",
      ["stuck", 553909, 553848, 1831, 347560, ["", "8000b139", "0", "7efc6e10f000", "7efc6e110000"]]
    ],
    [
      "his third one, a return",
      "21:25:50:282726 tid[3484173] pid[3484149] FAULTIN_RET @ rip ffffffff814e6ca5 (92239 hits), gpa = 1343fa0b0, hva = 7feb409fa000 (7feb409fa000), flags = 0, pfn = 18d1d46, ret = 0 : MMU seq = 8002dc25, in-prog = 0, start = 7feacde61000, end = 7feacde62000",
      ["FAULTIN_RET", 3484173, 3484149, 77150, 282726, ["", "8002dc25", "0", "7feacde61000", "7feacde62000"]]
    ],
    [
      "his third one, a probe that tells no state",
      "22:23:31:481716 tid[142943] pid[142917] MAP_RET @ rip ffffffffa43ce877 (1208 hits), gpa = cf7f000, hva = 7f6d24f7f000, pfn = 1ee50ee, ret = 4",
      ["MAP_RET", 142943, 142917, 80611, 481716, undefined]
    ]
  ])("is read: %s", (_name, text, expected) => {
    assert.deepStrictEqual(read(text), expected as ReturnType<typeof read>)
  })

  it.each([
    "ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000",
    "ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000 and more",
    "ept[%u] vcpu=%08lx seq=%08lx inprog=%lx start=%08lx end=%08lx\\n",
    "vcpu is always the same, and the sequence increments: seq=1 inprog=1 start=1 end=2 for ever",
    "I see ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000",
    "vcpu=ffff9c533e1da34000 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000",
    "vcpu=1 seq=1 seq=2 inprog=0 start=1 end=2",
    "1:25:50:282726 tid[1] pid[1] FAULTIN @"
  ])("is none: %s", (text) => {
    assert.isUndefined(read(text))
  })
})
