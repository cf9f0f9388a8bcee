import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bytesOf } from "../reading/text.ts"
import { F, makeFields, newForm } from "./fields.ts"

const pairs = (text: string) => {
  const fields = makeFields()
  const bytes = bytesOf(text)
  fields.readPairs(bytes, 0, bytes.length, newForm())
  return fields
}

const whole = (high: number, low: number): bigint => (BigInt(high) << 32n) | BigInt(low)

describe("fields", () => {
  it("are read behind the place of a probe", () => {
    const f = pairs(
      "(kvm_mmu_notifier_invalidate_range_start+0x4/0x3d0 [kvm]) mn=0xffffc900001b2a90 start=0x7e0002000000 active=-3"
    )
    assert.strictEqual(f.signed(F.start), 0x7e0002000000)
    assert.strictEqual(f.signed(F.active), -3)
    assert.strictEqual(BigInt(f.signed(F.mn)), BigInt.asIntN(64, 0xffffc900001b2a90n))
    assert.isFalse(f.has(F.end))
  })

  it("of a syscall are hexadecimal, with 0x or without", () => {
    const fields = makeFields()
    const bytes = bytesOf("start: 7e0000000000, len_in: 0x4000, behavior: f)")
    fields.readArguments(bytes, 0, bytes.length)
    assert.strictEqual(fields.signed(F.start), 0x7e0000000000)
    assert.strictEqual(fields.signed(F.len_in), 0x4000)
  })

  it("are absent where the value is no number", () => {
    const f = pairs("start=(fault) end=0xzz active=1e3 seq= gpc=0x12345678901234567")
    for (const field of [F.start, F.end, F.active, F.seq, F.gpc]) assert.isFalse(f.has(field))
  })

  it("are not forged by a text", () => {
    const f = pairs("event=1 comm=\"a start=0x1 end=0x2\" start=0x3 start=0x4")
    assert.strictEqual(f.signed(F.start), 3)
    assert.isFalse(f.has(F.end))
  })

  it("of the body before are forgotten", () => {
    const fields = makeFields()
    const first = bytesOf("start=0x1 end=0x2")
    const second = bytesOf("start=0x3")
    fields.readPairs(first, 0, first.length, newForm())
    fields.readPairs(second, 0, second.length, newForm())
    assert.isFalse(fields.has(F.end))
    assert.strictEqual(fields.signed(F.end), 0)
  })

  it("keep all 64 bits of any value, however it is written", () => {
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (n) => {
      const hex = pairs(`seq=0x${BigInt.asUintN(64, n).toString(16)}`)
      const decimal = pairs(`seq=${n}`)
      for (const f of [hex, decimal]) {
        assert.strictEqual(BigInt.asUintN(64, whole(f.high(F.seq), f.low(F.seq))), BigInt.asUintN(64, n))
      }
    }))
  })
})
