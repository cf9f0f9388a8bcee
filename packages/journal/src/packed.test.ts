import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { ByteReader, ByteWriter } from "./bytes.ts"
import { Codec } from "./codec.ts"
import { codec, Toy } from "./toy.ts"

const encode = <E>(codec: Codec<E>, event: E): Uint8Array => {
  const out = new ByteWriter()
  codec.encode(codec.typeOf(event), event, out)
  return out.bytes.slice(0, out.length)
}

const decode = <E>(codec: Codec<E>, type: number, bytes: Uint8Array): E => {
  const read = codec.decoder(codec.types[type]!)
  if (typeof read === "string") return assert.fail(read)
  const input = new ByteReader(bytes)
  const event = read(input)
  assert.strictEqual(input.fault, null)
  assert.strictEqual(input.left, 0)
  return event
}

const roundTrip = <E>(codec: Codec<E>, event: E): E => decode(codec, codec.typeOf(event), encode(codec, event))

const wrong = (event: unknown) => () => encode(codec, event as Toy)

/** A codec of one field that is one of some words, annotated as a vocabulary or not. */
const withLiterals = (annotated: boolean, ...names: ReadonlyArray<string>) => {
  const literals = Schema.Literals(names)
  const name = annotated ? literals.annotate({ vocabulary: "name" }) : literals
  return Codec.packed("toy", Schema.Union([Schema.TaggedStruct("Named", { name })]))
}

/** A schema that can be packed, and its values. */
interface Packable {
  readonly schema: Schema.Top
  readonly value: fc.Arbitrary<unknown>
}

const leaf = fc.constantFrom<Packable>(
  { schema: Schema.Int, value: fc.maxSafeInteger() },
  { schema: Schema.Int.check(Schema.isInt32()), value: fc.integer() },
  { schema: Schema.Natural, value: fc.nat() },
  { schema: Schema.Boolean, value: fc.boolean() },
  { schema: Schema.String, value: fc.string({ unit: "binary" }) },
  { schema: Schema.Literal("only"), value: fc.constant("only") },
  { schema: Schema.Literals(["a", "b", "c"]), value: fc.constantFrom("a", "b", "c") },
  { schema: Schema.Literals([1, "one", true]), value: fc.constantFrom(1, "one", true) }
)

const filled = fc.constantFrom<Packable>(
  { schema: Schema.Int, value: fc.maxSafeInteger() },
  { schema: Schema.String, value: fc.string() }
)

const structOf = (fields: ReadonlyArray<readonly [Packable, boolean]>): Packable => {
  const keyed = fields.map(([field, optional], i) => ({ ...field, key: `f${i}`, optional }))
  return {
    schema: Schema.Struct(Object.fromEntries(
      keyed.map(({ key, optional, schema }) => [key, optional ? Schema.optionalKey(schema) : schema])
    )),
    value: fc.record(Object.fromEntries(keyed.map(({ key, value }) => [key, value])), {
      requiredKeys: keyed.filter(({ optional }) => !optional).map(({ key }) => key)
    })
  }
}

const tagged = (tag: string, { schema, value }: Packable): Packable => ({
  schema: Schema.TaggedStruct(tag, { value: schema }),
  value: value.map((value) => ({ _tag: tag, value }))
})

const unionOf = (one: Packable, other: Packable): Packable => ({
  schema: Schema.Union([one.schema, other.schema]),
  value: fc.oneof(one.value, other.value)
})

const { packable } = fc.letrec<{ readonly packable: Packable; readonly struct: Packable }>((tie) => ({
  packable: fc.oneof(
    { maxDepth: 3 },
    leaf,
    tie("struct"),
    filled.map(({ schema, value }) => ({ schema: Schema.Array(schema), value: fc.array(value) })),
    fc.array(tie("packable"), { maxLength: 3 }).map((elements) => ({
      schema: Schema.Tuple(elements.map(({ schema }) => schema)),
      value: fc.tuple(...elements.map(({ value }) => value))
    })),
    fc.tuple(tie("packable"), filled).map(([head, rest]) => ({
      schema: Schema.TupleWithRest(Schema.Tuple([head.schema]), [rest.schema]),
      value: fc.tuple(head.value, fc.array(rest.value)).map(([first, more]) => [first, ...more])
    })),
    fc.tuple(tie("packable"), tie("packable")).map(([one, other]) =>
      unionOf(tagged("one", one), tagged("other", other))
    )
  ),
  struct: fc.array(fc.tuple(tie("packable"), fc.boolean()), { maxLength: 12 }).map(structOf)
}))

/** An event whose only field is of a packable schema, with its codec. */
const packed = packable.chain(({ schema, value }) =>
  fc.record({
    codec: fc.constant(Codec.packed("any", Schema.TaggedStruct("Any", { field: schema }))),
    event: value.map((field) => ({ _tag: "Any" as const, field }))
  })
)

describe("Codec.packed", () => {
  it("reads back every value of every schema that it takes", () => {
    fc.assert(
      fc.property(packed, ({ codec, event }) => assert.deepStrictEqual(roundTrip(codec, event), event)),
      { numRuns: 1000 }
    )
  })

  it.effect.prop(
    "reads back what Schema itself generates, and Schema accepts it",
    [Toy],
    ([event]) =>
      Effect.gen(function*() {
        const decoded = yield* Schema.decodeUnknownEffect(Toy)(roundTrip(codec, event))
        // Its integers include -0, which is read as 0.
        assert.isTrue(Schema.toEquivalence(Toy)(decoded, event))
      })
  )

  it("takes few bytes for small events", () => {
    assert.deepStrictEqual([...encode(codec, { _tag: "Sold", count: -3, how: "card" })], [0, 5, 1])
    assert.deepStrictEqual(
      [...encode(codec, { _tag: "Stocked", item: "tea", count: 200, fresh: true })],
      [6, 0x74, 0x65, 0x61, 0x90, 3, 1]
    )
    assert.deepStrictEqual([...encode(codec, { _tag: "Audited", counts: [1, -1] })], [2, 2, 1])
  })

  it("takes any key and any literal for what it is, though they stand in the text of a function", () => {
    const hard = fc.constantFrom("\"", "\\", "\n", "\u2028", "`${x}`", "constructor", "return", "*/", "value", "")
    const keys = fc.uniqueArray(fc.oneof(hard, fc.string().filter((key) => key !== "__proto__" && key !== "_tag")))
    fc.assert(fc.property(keys, hard, fc.boolean(), (names, word, isOptional) => {
      const literal = Schema.Literal(word)
      const fields = names.map((name, i) => [name, i % 2 === 0 ? literal : Schema.String] as const)
      const schema = Schema.TaggedStruct("Hard", {
        ...Object.fromEntries(fields),
        last: isOptional ? Schema.optionalKey(literal) : literal
      })
      const event = { _tag: "Hard" as const, ...Object.fromEntries(names.map((name) => [name, word])), last: word }
      assert.deepStrictEqual(roundTrip<unknown>(Codec.packed("hard", schema) as Codec<unknown>, event), event)
    }))
  })

  it("reads any bytes without throwing, and says so when they are no event", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(2), (bytes, type) => {
      const read = codec.decoder(codec.types[type]!)
      const input = new ByteReader(bytes)
      if (typeof read !== "string") read(input)
      assert.isTrue(input.fault !== null || input.at <= bytes.length)
    }))
    const input = new ByteReader(Uint8Array.of(0, 2, 9))
    const read = codec.decoder(codec.types[1]!)
    if (typeof read !== "string") read(input)
    assert.strictEqual(input.fault, "Sold.how: 9 for one of 2 literals")
  })

  it("does not allocate for the elements of an array that are not there", () => {
    const out = new ByteWriter()
    out.varint(2 ** 50)
    const input = new ByteReader(out.bytes, 0, out.length)
    const read = codec.decoder(codec.types[2]!)
    assert.deepStrictEqual(typeof read === "string" ? null : read(input), { _tag: "Audited", counts: [] })
    assert.match(input.fault ?? "", /^Audited.counts: 1125899906842624 elements where 0 bytes are left/)
  })

  const refused: ReadonlyArray<readonly [string, Schema.Top, string]> = [
    ["a fraction", Schema.Number, "E.f: a number that may have a fraction; use Schema.Int"],
    ["a bigint", Schema.BigInt, "E.f: BigInt cannot be packed"],
    ["null", Schema.NullOr(Schema.Int), "E.f: a union must be of literals or of structs with a literal _tag"],
    ["undefined", Schema.optional(Schema.Int), "E.f: a union must be of literals or of structs with a literal _tag"],
    [
      "a key of JavaScript's own",
      Schema.Struct({ ["__proto__"]: Schema.Int }),
      "E.f: the key __proto__ cannot be packed"
    ],
    ["a record", Schema.Record(Schema.String, Schema.Int), "E.f: a record cannot be packed"],
    ["a class", Schema.Date, "E.f: Declaration cannot be packed"],
    ["a transformation", Schema.NumberFromString, "E.f: a schema that transforms cannot be packed, only its type side"],
    ["something deep", Schema.Array(Schema.Struct({ g: Schema.Unknown })), "E.f[].g: Unknown cannot be packed"],
    ["nothing, often", Schema.Array(Schema.Literal(1)), "E.f: an array of values that take no bytes cannot be packed"]
  ]
  for (const [what, field, message] of refused) {
    it(`refuses ${what} at construction, naming the field`, () => {
      assert.throws(() => Codec.packed("bad", Schema.TaggedStruct("E", { f: field })), message)
    })
  }

  it("refuses what is no union of tagged structs", () => {
    const untagged = Schema.Struct({ a: Schema.Int }) as unknown as Schema.TaggedStruct<"A", {}>
    assert.throws(() => Codec.packed("bad", untagged), "schema: expected structs with a literal _tag, found Objects")
  })

  it("throws, naming the field, when a value is not of the schema", () => {
    assert.throws(
      wrong({ _tag: "Sold", count: 1.5, how: "card" }),
      "Sold.count: expected an integer of at most 53 bits, found 1.5"
    )
    assert.throws(wrong({ _tag: "Sold", count: 2 ** 53, how: "card" }), "Sold.count: expected an integer")
    assert.throws(
      wrong({ _tag: "Sold", count: 1, how: "barter" }),
      "Sold.how: expected \"cash\"|\"card\", found barter"
    )
    assert.throws(
      wrong({ _tag: "Stocked", item: 7, count: 1, fresh: true }),
      "Stocked.item: expected a string, found 7"
    )
    assert.throws(
      wrong({ _tag: "Stocked", item: "", count: 1, fresh: 1 }),
      "Stocked.fresh: expected a boolean, found 1"
    )
    assert.throws(wrong({ _tag: "Audited", counts: 3 }), "Audited.counts: expected an array of 0 elements or more")
    assert.throws(wrong({ _tag: "Stolen" }), "_tag: expected one of the codec's, found \"Stolen\"")
  })
})

describe("versions of an event", () => {
  const Old = Schema.TaggedStruct("Sold", { count: Schema.Int })
  const older = Codec.packed("toy", Schema.Union([Old]))
  const upcast = (old: typeof Old.Type): Toy => ({ ...old, how: "cash" })

  it("are read through their upcasts", () => {
    const newer = Codec.packed("toy", Toy, Codec.past(1, Old, upcast))
    assert.deepStrictEqual(newer.types.map(({ name, version }) => [name, version]), [
      ["Stocked", 1],
      ["Sold", 2],
      ["Audited", 1]
    ])
    const read = newer.decoder(older.types[0]!)
    const bytes = encode(older, Old.make({ count: 7 }))
    assert.deepStrictEqual(typeof read === "string" ? read : read(new ByteReader(bytes)), {
      _tag: "Sold",
      count: 7,
      how: "cash"
    })
  })

  it("are refused when they are unknown, or have other fields under the same version", () => {
    assert.strictEqual(
      codec.decoder(older.types[0]!),
      "Sold version 1 was written with other fields than codec toy has"
    )
    assert.strictEqual(
      codec.decoder({ name: "Sold", version: 3, layout: 0 }),
      "codec toy does not know Sold version 3"
    )
  })

  it("are not needed when a vocabulary grows at its end, and are when other literals do", () => {
    const old = withLiterals(true, "a", "b")
    const grown = withLiterals(true, "a", "b", "c")
    const read = grown.decoder(old.types[0]!)
    assert.isFunction(read)
    const bytes = encode<{ readonly _tag: "Named"; readonly name: string }>(old, { _tag: "Named", name: "b" })
    assert.deepStrictEqual((read as (input: ByteReader) => unknown)(new ByteReader(bytes)), {
      _tag: "Named",
      name: "b"
    })
    const unknown = new ByteReader(
      encode<{ readonly _tag: "Named"; readonly name: string }>(grown, { _tag: "Named", name: "c" })
    )
    const older = old.decoder(grown.types[0]!) as (input: ByteReader) => unknown
    older(unknown)
    assert.isNotNull(unknown.fault)
    assert.isString(withLiterals(false, "a", "b", "c").decoder(withLiterals(false, "a", "b").types[0]!))
  })

  it("are 1, 2, 3 … of events that there are", () => {
    assert.throws(
      () => Codec.packed("toy", Toy, Codec.past(2, Old, upcast)),
      "Sold: past version 2 where 1 was expected"
    )
    const Gone = Schema.TaggedStruct("Gone", {})
    assert.throws(
      () => Codec.packed("toy", Toy, Codec.past(1, Gone, (): Toy => ({ _tag: "Audited", counts: [] }))),
      "Gone: a past version of an event that is not in the schema"
    )
  })
})
