/**
 * What logs hold of the machine's events, for ever: a type that a log may have is read by every later version.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { eventCodec } from "./index.ts"

/** Layouts by type and version. A line is added for each new type or version, and none is ever changed. */
const WRITTEN = Object.entries(
  JSON.parse(readFileSync(join(import.meta.dirname, "../fixtures/event-types.json"), "utf8")) as Record<string, string>
).map(([type, layout]) => {
  const [name, version] = type.split(" ") as [string, string]
  return { name, version: Number(version), layout: Number.parseInt(layout, 16) }
})

describe("an event of a log that was ever written", () => {
  it.each(WRITTEN)("is read: $name version $version", (type) => {
    assert.isFunction(
      eventCodec.decoder(type),
      "its fields changed: it needs a new version, and Codec.past for this one"
    )
  })

  it("is of a type and version that is told here", () => {
    for (const { layout, name, version } of eventCodec.types) {
      const known = WRITTEN.find((type) => type.name === name && type.version === version)
      assert.strictEqual(known?.layout, layout, `fixtures/event-types.json: "${name} ${version}": "${hex(layout)}"`)
    }
  })
})

const hex = (layout: number): string => layout.toString(16).padStart(8, "0")
