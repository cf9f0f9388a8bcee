/**
 * What holds of every text, whatever it is: no reader throws, every line is counted once, events are sound and the same
 * however the bytes are divided, and a text whose lines are whole makes nobody believe what a name or a text in it claims.
 *
 * @since 0.1.0
 */
import type { NewEvent } from "@pfnscope/journal"
import { Event } from "@pfnscope/protocol"
import * as Schema from "effect/Schema"
import type { Format } from "../formats/format.ts"
import { FORMATS } from "../formats/formats.ts"
import { mailed } from "../mail/mail.ts"
import type { Census } from "../reading/census.ts"
import { makeReader } from "../reading/reader.ts"
import { sniff } from "../reading/sniff.ts"
import type { Random } from "./random.ts"
import { FORGED } from "./session.ts"

const READERS: ReadonlyArray<Format> = [...FORMATS, ...FORMATS.map(mailed)]

const isEvent = Schema.is(Event)

interface Read {
  readonly events: ReadonlyArray<NewEvent<Event>>
  readonly census: Census
}

const readIn = (format: Format, pieces: ReadonlyArray<Uint8Array>): Read => {
  const reader = makeReader("t", format)
  const events = pieces.flatMap((piece) => [...reader.push(piece)])
  events.push(...reader.end())
  return { events, census: reader.census() }
}

const linesIn = (bytes: Uint8Array): number => {
  let lines = 0
  for (const byte of bytes) if (byte === 10) lines++
  return lines + (bytes.length > 0 && bytes[bytes.length - 1] !== 10 ? 1 : 0)
}

/** Whether nothing is lost from the census. */
const unsoundCensus = (census: Census, bytes: Uint8Array): string | undefined => {
  const rejected = census.rejected.reduce((sum, { count }) => sum + count, 0)
  const counted = census.parsed + census.markers + census.comments + rejected
  if (census.lines !== linesIn(bytes)) return `${census.lines} lines of ${linesIn(bytes)}`
  if (counted !== census.lines) return `${counted} lines counted of ${census.lines}`
  if (census.continuations > census.comments) return "more continuations than comments"
  return undefined
}

const unsoundEvent = (event: NewEvent<Event>, at: number, lines: number): string | undefined => {
  const { _tag } = event.data
  if (!isEvent(event.data)) return `${_tag} is no event: ${JSON.stringify(event.data)}`
  if (!Number.isSafeInteger(event.t) || event.t < 0) return `${_tag} at ${event.t}`
  if (event.cause !== undefined && event.cause > at) return `${_tag} is caused by a later event`
  if (event.corr !== undefined && event.corr > at + 1) return `${_tag} belongs to a later event`
  const line = event.src?.line ?? 0
  return line < 1 || line > lines ? `${_tag} cites line ${line} of ${lines}` : undefined
}

const unsoundIn = (format: Format, bytes: Uint8Array, random: Random): string | undefined => {
  const whole = readIn(format, [bytes])
  const unsound = unsoundCensus(whole.census, bytes)
  if (unsound !== undefined) return unsound
  if (whole.census.produced !== whole.events.length) {
    return `${whole.events.length} events, ${whole.census.produced} counted`
  }
  for (const [i, event] of whole.events.entries()) {
    const wrong = unsoundEvent(event, i, whole.census.lines)
    if (wrong !== undefined) return wrong
  }
  const [a, b] = [random.below(bytes.length + 1), random.below(bytes.length + 1)].toSorted((x, y) => x - y)
  const divided = readIn(format, [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)])
  return JSON.stringify(divided) === JSON.stringify(whole)
    ? undefined
    : `other events where it is divided at ${a} and ${b}`
}

/** What is wrong with how `bytes` are read, or undefined. Throws where a reader does. @category testing @since 0.1.0 */
export const judge = (bytes: Uint8Array, random: Random): string | undefined => {
  sniff("t", bytes, true)
  sniff("t", bytes, false)
  for (const format of READERS) {
    const unsound = unsoundIn(format, bytes, random)
    if (unsound !== undefined) return `${format.name}: ${unsound}`
  }
  return undefined
}

/** What a text in `format` made its reader believe that it should not, or undefined. @category testing @since 0.1.0 */
export const forgedIn = (bytes: Uint8Array, format: string): string | undefined => {
  for (const reader of READERS.filter(({ name }) => name === format || name === `${format}, in a mail`)) {
    for (const { data, src } of readIn(reader, [bytes]).events) {
      const isForged = (data._tag === "TaskSeen" && data.pid === FORGED.pid) ||
        (data._tag === "GpcSeen" && data.pointer === FORGED.pointer)
      if (isForged) return `${reader.name}: line ${src?.line} forges ${JSON.stringify(data)}`
    }
  }
  return undefined
}
