/**
 * The bytes of format 1, pinned: a change here makes every log that exists unreadable.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import { crc32 } from "node:zlib"
import { makeDisk } from "./disk.ts"
import { FrameCursor, readBatchHead } from "./frame.ts"
import { file } from "./open.ts"
import { decodersOf } from "./reader.ts"
import { codec, sold } from "./toy.ts"

const PATH = "/toy.log"

const small = Effect.gen(function*() {
  const disk = makeDisk()
  const head = yield* Effect.gen(function*() {
    const journal = yield* file(codec, { path: PATH, mode: "create", sync: "never", meta: { seed: 7 } })
    yield* journal.append([
      { stream: "till", t: 1000, how: "simulated", data: { _tag: "Sold", count: -3, how: "card" } },
      {
        stream: "till",
        t: 900,
        cause: 1,
        corr: 2,
        how: "assumed",
        src: { file: "till.txt", line: 300 },
        data: { _tag: "Sold", count: 1, how: "cash", note: "茶" }
      }
    ], { key: "k" })
    return yield* journal.head
  }).pipe(Effect.scoped, Effect.provide(disk.layer))
  return { bytes: Buffer.from(disk.files.get(PATH)!), head }
})

const u32 = (n: number) => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24]

const text = (s: string) => [...Buffer.from(s)]

const HEADER = "{\"format\":1,\"codec\":\"toy\",\"segment\":1,\"firstSeq\":1,\"meta\":{\"seed\":7}}"

const headerOf = (json: string) => {
  const magic = text("\u0000JRNL\r\n\u001a").with(0, 0x89)
  return Buffer.from([...magic, ...u32(1), ...u32(json.length), ...u32(crc32(json)), ...text(json)])
}

const layoutOfSold = crc32("{_tag:\"Sold\",count:int,how:\"cash\"|\"card\",note?:string}")

describe("format 1", () => {
  it.effect("is, byte by byte", () =>
    Effect.gen(function*() {
      const { bytes, head } = yield* small
      const header = headerOf(HEADER)
      const previous = createHash("sha256").update(header).digest()
      const payload = Buffer.from([
        [...text("BTCH")],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [...u32(2)],
        [...previous],
        [1, 2, ...text("k")],
        [1, 8, ...text("till"), 0, 2],
        [1, 8, ...text("Sold"), 1, ...u32(layoutOfSold)],
        [1, 16, ...text("till.txt")],
        // #1: how, stream, type, t as zigzag of 1000, then 3 bytes: no note, zigzag of -3, card
        [0b00000, 0, 0, 0xd0, 0x0f, 3, 0, 5, 1],
        // #2: t is 100 ns earlier, cause 1 back, corr is itself, file, line 300, then 6 bytes: note, 1, cash, a wide unit
        [0b11111, 0, 0, 0xc7, 0x01, 1, 0, 0, 0xac, 0x02, 6, 1, 2, 0, 3, 0x36, 0x83]
      ].flat())
      const expected = Buffer.concat([header, Buffer.from([...u32(payload.length), ...u32(crc32(payload))]), payload])
      assert.strictEqual(bytes.toString("hex"), expected.toString("hex"))
      assert.strictEqual(head.hash, createHash("sha256").update(previous).update(payload).digest("hex"))
    }))

  it.effect("goes on in a second segment with the same frames behind a header of its own, byte by byte", () =>
    Effect.gen(function*() {
      const batches = [[sold("till", 1)], [sold("till", 2)]]
      const written = Effect.fnUntraced(function*(segmentBytes?: number) {
        const disk = makeDisk()
        const creating = file(codec, { path: PATH, mode: "create", sync: "never", meta: { seed: 7 }, segmentBytes })
        yield* Effect.scoped(
          Effect.flatMap(creating, ({ append }) => Effect.forEach(batches, (batch) => append(batch)))
        )
          .pipe(Effect.provide(disk.layer))
        return [...disk.files.values()].map((bytes) => Buffer.from(bytes))
      })
      const [whole] = yield* written()
      const [first, second] = yield* written(1)
      const frames = whole!.subarray(headerOf(HEADER).length)
      const length = 8 + frames.readUInt32LE(0)
      assert.strictEqual(first!.toString("hex"), whole!.subarray(0, headerOf(HEADER).length + length).toString("hex"))
      const before = createHash("sha256").update(headerOf(HEADER)).digest()
      const previous = createHash("sha256").update(before).update(frames.subarray(8, length)).digest("hex")
      const json = HEADER.replace("\"segment\":1,\"firstSeq\":1", `"segment":2,"firstSeq":2,"previous":"${previous}"`)
      const expected = Buffer.concat([headerOf(json), frames.subarray(length)])
      assert.strictEqual(second!.toString("hex"), expected.toString("hex"))
    }))

  const wrong: ReadonlyArray<readonly [string, (payload: Uint8Array) => Uint8Array, string]> = [
    ["is cut short", (payload) => payload.subarray(0, -1), "the event's frame is not sound"],
    ["goes on", (payload) => Buffer.concat([payload, Uint8Array.of(0)]), "1 bytes after the last event"],
    ["claims an event more", (payload) => payload.with(12, 3), "it ends too early"],
    ["miscounts a stream", (payload) => payload.with(58, 3), "stream till has 2 events, expected 3"],
    ["has another marker", (payload) => payload.with(0, 0), "no batch begins here"],
    ["names a stream that is not there", (payload) => payload.with(81, 1), "the event's frame is not sound"],
    ["sets a flag that means nothing", (payload) => payload.with(80, 32), "the event's frame is not sound"]
  ]
  for (const [what, change, fault] of wrong) {
    it.effect(`is checked behind the CRC too: a payload that ${what}`, () =>
      Effect.gen(function*() {
        const { bytes } = yield* small
        const payload = bytes.subarray(bytes.indexOf("BTCH"))
        assert.strictEqual(faultOf(payload), "none")
        assert.strictEqual(faultOf(change(payload)), fault)
      }))
  }

  it.effect("is walked to an end whatever the bytes are", () =>
    Effect.gen(function*() {
      const { bytes } = yield* small
      const payload = bytes.subarray(bytes.indexOf("BTCH"))
      const changes = fc.array(fc.tuple(fc.integer({ min: 12, max: payload.length - 1 }), fc.nat(255)), {
        minLength: 1
      })
      fc.assert(
        fc.property(changes, (changes) => {
          const changed = Uint8Array.from(payload)
          for (const [at, value] of changes) changed[at] = value
          assert.isString(faultOf(changed))
        }),
        { numRuns: 500 }
      )
    }))
})

/** Walks a payload as `verify` does, decoding what can be decoded; it must end, with a fault or without. */
const faultOf = (payload: Uint8Array): string => {
  const head = readBatchHead(payload)
  if (typeof head === "string") return head
  const cursor = new FrameCursor(payload, head, decodersOf(codec, head))
  while (!cursor.done && cursor.fault === null) cursor.next(() => true)
  return cursor.fault ?? "none"
}
