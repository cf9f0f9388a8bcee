/**
 * An event as a line of text, and as JSON.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import { fieldText, gpaText, hvaText, pfnText, printable, secondsText } from "@pfnscope/projections"
import { fieldsOf, schemaOf } from "@pfnscope/protocol"
import type { Event, EventTag } from "@pfnscope/protocol"
import * as SchemaAST from "effect/SchemaAST"

/**
 * An event on one line: position, time (s), stream and revision, thread, name, fields, where its thread goes, its cause,
 * and file and line where it was read from a text. `threads` are the names of the world's threads, where there is one.
 *
 * @category text
 * @since 0.1.0
 */
export const eventText = (event: Envelope<Event>, threads: ReadonlyArray<string> = []): string => {
  const { cause, data, how, rev, seq, src, stream, t } = event
  return [
    `#${seq}`.padEnd(7),
    secondsText(t),
    `${printable(stream)}@${rev}`.padEnd(12),
    printable(threads[data.thread] ?? `thread=${data.thread}`).padEnd(8),
    data._tag,
    fieldText(data),
    data.to === undefined ? "" : `-> ${data.to}`,
    cause === undefined ? "" : `<-#${cause}`,
    how === "simulated" || how === "observed" ? "" : `(${how})`,
    src === undefined ? "" : `${printable(src.file)}:${src.line}`
  ].filter((part) => part !== "").join(" ")
}

/** How a field's number is written in JSON, by the identifier of its Schema. */
const ADDRESSES: Readonly<Record<string, (n: number) => string>> = {
  Hva: hvaText,
  Gpa: gpaText,
  Gfn: (gfn) => `0x${gfn.toString(16)}`,
  Pfn: pfnText
}

const writers = new Map<EventTag, ReadonlyMap<string, (n: number) => string>>()

const writersOf = (tag: EventTag): ReadonlyMap<string, (n: number) => string> => {
  const known = writers.get(tag)
  if (known !== undefined) return known
  const schemas = schemaOf(tag).fields as Readonly<Record<string, { readonly ast: SchemaAST.AST }>>
  const made = new Map(
    fieldsOf(tag).flatMap((field) => {
      const identifier = SchemaAST.resolveIdentifier(schemas[field]!.ast)
      const write = identifier === undefined ? undefined : ADDRESSES[identifier]
      return write === undefined ? [] : [[field, write] as const]
    })
  )
  writers.set(tag, made)
  return made
}

/** An event as JSON: its envelope, addresses as `"0x…"`. @category json @since 0.1.0 */
export const eventJson = (event: Envelope<Event>): unknown => {
  const write = writersOf(event.data._tag)
  const fields = Object.entries(event.data)
    .filter(([name]) => name !== "_tag")
    .map(([name, value]): [string, unknown] => [name, write.get(name)?.(value as number) ?? value])
  return { ...event, data: Object.fromEntries(fields) }
}
